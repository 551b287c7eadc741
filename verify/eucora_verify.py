#!/usr/bin/env python3
"""A second opinion on a capsule: docs/ledger-format.md in another language, with none of the first verifier's code.

    python3 eucora_verify.py capsule.zip [--key VKEY | --trust FILE]

It wants Python 3.11 or newer and, for Ed25519, the package cryptography. It prints a line for each check. Exit status
0: everything holds. 1: something does not, or cannot be read. 2: usage.
"""
import argparse, binascii, collections, contextlib, decimal, hashlib, ipaddress, json, math, mmap, os, re, struct, sys, zlib
from datetime import datetime
from fractions import Fraction
try:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    sys.exit("nothing was checked: the Python package cryptography is missing (Debian: python3-cryptography)")
class Refused(Exception): pass  # it says what does not hold
def need(holds, why):
    if not holds: raise Refused(why)
def sha256(data): return hashlib.sha256(data).digest()

# The zip has exactly one encoding: its headers are made again, and compared.
MIB = 1 << 20
LIMITS = {"manifest": 16 * MIB, "checkpoint": MIB, "trust": 64 << 10, "timestamp.tsr": MIB, "model.json": MIB, "policy.json": MIB, "events.json": 65535,
          "document.json": 4 * MIB, "index.html": 64 * MIB, "events.tlog-proof": MIB + (64 << 10), "attachments": 0xFFFFFFFF}
ORDER = re.compile(r"manifest\ncheckpoint\ntrust\n(?:timestamp\.tsr\n)?model\.json\npolicy\.json\ndocument\.json\n"
                   r"(?:events/([0-9]{12})\.json\nevents/\1\.tlog-proof\n)*index\.html\n(?:attachments/[0-9a-f]{64}\n)*")
def open_zip(data):
    """The members in their order: name, CRC-32, where the bytes begin and end."""
    need(22 <= len(data) <= 0xFFFFFFFF, f"{len(data)} bytes are no capsule")
    count, length, offset = struct.unpack("<10xHII2x", data[-22:])
    need(count <= 65534 and length <= count * 146 and offset + length + 22 == len(data) and data[-22:] ==
         struct.pack("<4s4xHHIIH", b"PK\5\6", count, count, length, offset, 0), "it does not end as a capsule ends: it was cut off, or something was put behind it")
    directory, line, at, members = data[offset:-22], 0, 0, []
    for _ in range(count):
        crc, stored, named = struct.unpack_from("<16xII4xH", directory, line)
        name = directory[line + 46:line + 46 + named]
        same = struct.pack("<5H3I2H", 20, 0, 0, 0, 0x21, crc, stored, stored, named, 0)  # stored, on 1980-01-01
        local, central = b"PK\3\4" + same + name, b"PK\1\2\x14\0" + same + bytes(10) + struct.pack("<I", at) + name
        begin, end = at + len(local), at + len(local) + stored
        need(1 <= named <= 100 and directory[line:line + 46 + named] == central and end <= offset and data[at:begin] == local,
             f"the header of member {len(members) + 1} is not a capsule's")
        members.append((name.decode("ascii"), crc, begin, end))
        line, at = line + len(central), end
    need(line == length and at == offset, "between its members and its directory there is something else")
    names = [name for name, *_ in members]
    need(all(re.fullmatch("[a-z0-9./-]+", name) for name in names) and ORDER.fullmatch("\n".join(names) + "\n"),
         "its members are not those of a capsule, in their order")
    for some in [name for name in names if name.startswith("events/")], [name for name in names if name.startswith("attachments/")]:
        need(some == sorted(set(some)), "its events or its files do not ascend")
    for name, _, begin, end in members:
        limit = LIMITS.get(name) or LIMITS[re.sub("/[0-9a-f]+", "", name)]
        need(end - begin <= limit, f"the member {name} has {end - begin} bytes, and may have {limit}")
    need(sum(end - begin for name, _, begin, end in members if re.fullmatch("events/.*json", name)) <= 16 * MIB, "its events are too large together")
    return members

# JSON in the form of RFC 8785 only: text of that form has one meaning.
Number, ZERO = collections.namedtuple("Number", "text"), "0001-01-01T00:00:00Z"  # a number as it is written; a time that says nothing
TOKENS = re.compile(r'(?:"[^"\\\0-\x1f]*+(?:\\(?:["\\bfnrt]|u00(?:0[0-7be-f]|1[0-9a-f]))[^"\\\0-\x1f]*+)*+"|[][{}:,]|[-+.0-9eE]++|true|false|null)*+')
def number(text):
    """Refuses what ECMAScript writes otherwise, and beyond 2^53, from where on doubles are not exact."""
    value = float(text)
    need(abs(value) <= 1 << 53, f"the number {text[:40]} is beyond 2^53")
    form = repr(value).replace("e-0", "e-") if abs(value) < 1e-6 else f"{decimal.Decimal(repr(value)):f}"
    need((f"{int(value)}" if value.is_integer() else form) == text, f"the number {text[:40]} is not written as in RFC 8785")
    return Number(text)
def members_of(pairs):
    names = [name.encode("utf-16-be") for name, _ in pairs]
    need(all(a < b for a, b in zip(names, names[1:])), "the names in an object do not ascend, or one is there twice")
    return dict(pairs)
def parse(data, kind):
    text, depth = data.decode("utf-8"), 0
    need(TOKENS.fullmatch(text), "it is not JSON in the form of RFC 8785")
    for bracket in re.sub(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[^]["{}]++', "", text):
        depth += 1 if bracket in "[{" else -1
        need(depth <= 64, "it is nested deeper than 64 levels")
    return check_form(json.loads(text, object_pairs_hook=members_of, parse_int=number, parse_float=number), kind, kind)
def whole(value, least=-(1 << 53), most=1 << 53):
    need(isinstance(value, Number) and re.fullmatch("-?[0-9]+", value.text) and least <= int(value.text) <= most, f"{value}: not from {least} to {most}")
    return int(value.text)
def score(value):
    need(isinstance(value, Number) and re.fullmatch(r"100|[0-9]{1,2}(\.[0-9]{1,2})?", value.text), f"{value} is not a score")
    return int(Fraction(value.text) * 100)  # hundredths
def time(text):
    """Nanoseconds of a time: RFC 3339 in UTC, without zeros at the end of the fraction."""
    at = re.fullmatch(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{0,8}[1-9]))?Z", text)
    need(at, f"{text} is not a time as it is written here")
    return int((datetime.fromisoformat(at[1]) - datetime(1, 1, 1)).total_seconds()) * 10**9 + int((at[2] or "0").ljust(9, "0"))

# What has which members: texts, or name:kind, [ a list of a kind, { an object of any names. Those with ? or ~ may be absent; one with ? is not zero.
FORMS = {kind: dict((name + ":text").split(":")[:2] for name in names) for kind, *names in (form.split() for form in """
person id username; actor id name role; subject id kind; source address? user_agent?; intent app_name target_ring version; event actor:actor
correlation_id data:data deployment_intent_id id seq:whole source:source subject:subject time:time type; data decision~:decision
deployment~:deployment evidence~:evidence exception~:exception policy~:published reason? request~:request risk~:risk risk_model~:published
tamper~:tamper vote~:vote; published digest published_at:time published_by:person version; deployment app_name correlation_id created_at:time
created_by:person id revision:whole state target_ring version; evidence content_hash correlation_id created_at:time created_by:person
deployment_intent_id id is_complete:flag risk_model_version risk_score:score; request approval_days:whole content_hash correlation_id
deployment_created_by deployment_intent_id due_at:time end_reason? evidence_created_by evidence_package_id exception_id? gate:gate id name notes?
policy_version quorum:whole reviewers~:[person risk_model_version risk_score:score revision:whole status submitted_at:time submitted_by:person
urgency valid_until?:time; gate decision guards:[text rationale thresholds:thresholds waits_for?; thresholds auto:whole review:whole; vote
approve:flag at:time cab_request_id conditions~:any rationale voter:person; decision cab_request_id conditions~:any content_hash decided_at:time
decider:actor decision policy_version rationale risk_model_version risk_score:score valid_until?:time; risk contributions:{score evidence_package_id
risk_model_digest risk_model_version risk_score:score; exception approval_rationale? approved_at?:time approved_by~:person cab_request_id
compensating_controls:[text correlation_id deployment_intent_id end_reason? expires_at:time id name reason requested_at:time requested_by:person
revision:whole risk_justification status submitter_id; tamper actual_sha256 attachment?:flag evidence_package_id expected_sha256 found_during;
document attachments:[attachment completeness_check:{flag correlation_id created_at:time created_by:person deployment_intent_id
evidence_data:sections formula id intent:intent is_complete:flag missing:[text notes~:[text origins~:[origin risk_factors:[part risk_model_digest
risk_model_version risk_score:score schema; attachment format? format_version? media_type name? role sha256 size:whole tool?; sections
artifacts~:any deployment_plan~:{any rollback_plan~:{any scan_results~:{any test_results~:{any; origin declared~:any origin path sources~:[file;
file attachment format_version? parser; part bucket contribution:score input max_points:whole name points:whole rationale share source state value
weight; model allow_unreachable?:flag factors:[factor normalization title version; factor fact name rubric:[line weight; line above? below? from?
is? points:whole to?; terms default_days:whole max_days:whole; rules approval_days:whole decide_within_hours:hours exception:terms guards:[guard
quorum:whole require_derived~:[text require_witnessed?:flag risk_model thresholds:thresholds version; hours standard:whole urgent:whole; guard
above~:whole at_least fact is_true?:flag name one_of~:[text reason
""".split(";"))}
def check_form(value, kind, where):
    form, listed = FORMS.get(kind, {}), kind[0] == "["
    if form or kind[0] in "[{":
        need(isinstance(value, list if listed else dict), f"{where} is neither a list nor an object, or not the right one")
        for name, part in enumerate(value) if listed else value.items():
            mark = next((mark for mark in ("", "?", "~") if f"{name}{mark}" in form and name[-1:] not in "?~"), None) if form else ""
            need(mark is not None, f"{where}.{name} has no place there")
            of = form[name + mark] if form else kind[1:]
            need(mark != "?" or part not in ("", False, ZERO if of == "time" else ""), f"{where}.{name} says nothing")
            check_form(part, of, f"{where}.{name}")
        need(all(name[-1] in "?~" or name in value for name in form), f"{where} lacks a member")
    elif kind != "any":
        need(isinstance(value, {"flag": bool, "text": str, "time": str}.get(kind, Number)), f"{where} is no {kind}")
        {"time": time, "whole": whole, "score": score}.get(kind, str)(value)
    return value

# Signed notes, the keys that sign them, and whom to trust.
SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
NAME = f"[^+{SPACE}]+"
BASE64 = re.compile("(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
URL = re.compile(r"https?://(?:[a-z0-9._~-]+|\[([0-9a-f:.]+)\])(?::[0-9]*)?(?:/(?:[!-$&-~]|%[0-9a-f]{2})*)?", re.IGNORECASE | re.ASCII)
def unbase64(text, strict=True):
    need(BASE64.fullmatch(text), "this is not base64")
    data = binascii.a2b_base64(text)
    need(not strict or binascii.b2a_base64(data, newline=False).decode() == text, "this is not canonical base64")
    return data
class Key:
    """An Ed25519 key of a log or a witness, with the hash by which signature lines name it."""
    def __init__(self, text, witness=False):
        parts = re.fullmatch(f"({NAME})\\+([0-9a-fA-F]{{8}})\\+(.*)", text if witness else text.strip(SPACE), re.DOTALL)
        raw = unbase64(re.sub("[\r\n]", "", parts[3]), strict=False) if parts else b""
        need(len(raw) == 33 and raw[0] in ((1, 4) if witness else (1,)), f"{text} is not an Ed25519 key")
        self.name, self.raw, self.witness = parts[1], raw[1:], witness
        note, cosigner = (sha256(self.name.encode() + b"\n" + kind + self.raw)[:4] for kind in (b"\1", b"\4"))
        self.hash = cosigner if witness else note
        need(raw[0] == 1 and bytes.fromhex(parts[2]) == note or witness and parts[2] == cosigner.hex(), f"{text} is damaged")
def open_note(note, keys):
    """The text, and the keys that signed it with the numbers of their lines: a key's first line counts, others' say nothing."""
    split = note.rfind(b"\n\n")
    need(0 <= split < len(note) - 2 and note.endswith(b"\n") and not re.search("[\0-\t\v-\x1f]", note.decode("utf-8")), "this is no signed note")
    text, lines, by = note[:split + 1], note[split + 2:-1].decode("utf-8").split("\n"), {}
    for i, line in enumerate(lines):
        parts = re.fullmatch(f"— ({NAME}) (.+)", line)
        raw = unbase64(parts[2], strict=False) if parts else b""
        need(len(raw) >= 5 and i < 100, "this is no signed note: a signature line is none, or there are too many")
        for key in keys:
            if (key.name, key.hash) == (parts[1], raw[:4]) and key not in by:
                signature, said, by[key] = unbase64(parts[2])[4:], text, i
                if key.witness:  # it signs a time too: seconds since 1970
                    said, signature = b"cosignature/v1\ntime %d\n" % int.from_bytes(signature[:8], "big") + text, signature[8:]
                Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, said)  # or raises InvalidSignature
    need(by, "it is not signed by " + " or ".join(key.name for key in keys))
    return text, by
class Trust:
    """A C2SP tlog-policy: one log, witnesses, groups of them, and what is a quorum."""
    def __init__(self, data):
        need(len(data) <= LIMITS["trust"], "the trust policy is too large")
        self.log, self.quorum, self.witnesses, self.groups, grouped = None, None, {}, {}, set()
        for line in data.decode("utf-8", "surrogateescape").split("\n"):
            kind, *args = [word for word in re.split("[ \t]+", line) if word] or "#"
            known, name, n = self.witnesses | self.groups, args[0] if args else "", len(args)
            new = name != "none" and name not in known and re.fullmatch("[!-~\x80-\xff]{1,200}", name)
            if kind == "log" and 1 <= n <= 2 and not self.log:
                self.log = Key(name)
            elif kind == "quorum" and n == 1 and not self.quorum and (name == "none" or name in known):
                self.quorum = name
            elif kind == "witness" and 2 <= n <= 3 and new and len(self.witnesses) < 64 and (n == 2 or (at := URL.fullmatch(args[2]))):
                key, _ = Key(args[1], witness=True), n == 3 and at[1] and ipaddress.IPv6Address(at[1])  # both raise what is wrong
                need(key.raw not in [other.raw for other in self.witnesses.values()], f"the trust policy: {name} has another's key")
                self.witnesses[name] = key
            elif kind == "group" and n >= 3 and new and len(known) < 128 and re.fullmatch("any|all|[1-9][0-9]{0,4}", args[1]):
                count, names = {"any": 1, "all": n - 2}.get(args[1]) or int(args[1]), args[2:]
                need(count <= n - 2 and known.keys() >= set(names) and len({*names, *grouped}) == len(names) + len(grouped),
                     f"the trust policy: group {name} has not so many, or somebody unknown or counted already")
                self.groups[name], grouped = (count, names), grouped | set(names)
            else:
                need(kind.startswith("#"), f"the trust policy: this line is none: {line}")
        need(self.log and self.quorum, "the trust policy names no log, or no quorum")
    def met(self, name, by):
        if name in self.witnesses:
            return self.witnesses[name] in by
        count, names = self.groups.get(name, (0, ()))  # none: nobody is needed
        return sum(self.met(part, by) for part in names) >= count
def open_checkpoint(note, log):
    """Size and root of the tree that a log signed; its signature line is the first one."""
    text, by = open_note(note, [log])
    tree = re.fullmatch(re.escape(log.name.encode()) + rb"\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n", text)
    need(tree and by[log] == 0 and int(tree[1]) < 1 << 63, f"this is not a checkpoint of {log.name}, with its signature first")
    return int(tree[1]), unbase64(tree[2].decode())
def root_of(path, seq, size, leaf):
    """The root of a tree by the audit path of a leaf: RFC 6962, section 2.1.1."""
    node, last, path = sha256(b"\0" + leaf), size - 1, iter(path)
    while last:
        if seq & 1:
            node = sha256(b"\1" + next(path) + node)
        elif seq < last:
            node = sha256(b"\1" + node + next(path))
        seq, last = seq >> 1, last >> 1
    need(next(path, None) is None, "the proof is too long")
    return node

# Facts, score and gate: from the evidence's document, the risk model and the policy alone.
Fact = collections.namedtuple("Fact", "state value derived", defaults=(None, False))
COVERAGE, COMPONENTS = "test_results.coverage_percent", "deployment_plan.affected_components"
MISMATCH, SIGNED = "evidence.declared_mismatch", "artifacts.signature_status"
SCANS = CRITICAL, HIGH, UNKNOWN, BOTH, RATED, *_ = ["scan_results." + name for name in (
    "critical", "high", "unknown", "critical_and_high", "critical_and_high_rated", "medium", "low")]
SIGNATURES = ["valid", "unknown_format", "unsigned", "untrusted", "expired", "invalid"]  # best first
WORDS = {"test_results.manual_test_status": ["completed", "in_progress", "not_started"],
         "deployment_plan.complexity": ["low", "medium", "high"], SIGNED: SIGNATURES}
FLAGS, GATES = ["deployment_plan.privileged", "rollback_plan.validated"], ["auto_approved", "manual_review", "exception_required"]
FILES = {*SCANS, COVERAGE, SIGNED, "test_results.failed", "deployment_plan.complexity"}  # what may be read from files
NUMBERS = [*SCANS, COMPONENTS, MISMATCH, "test_results.failed", "deployment_plan.affected_users"]
def read_fact(name, value):
    if isinstance(value, list) and (name in SCANS or name == COMPONENTS):
        return Fact("known", len(value))
    if isinstance(value, Number) and name == COVERAGE and 0 <= Fraction(value.text) <= 100:
        return Fact("known", Fraction(value.text))
    if isinstance(value, Number) and name in NUMBERS and name != COMPONENTS and re.fullmatch("[0-9]+", value.text):
        return Fact("known", int(value.text))
    if isinstance(value, bool) and name in FLAGS or isinstance(value, str) and value in WORDS.get(name, []):
        return Fact("known", str(value).lower())
    return Fact("invalid")
def signature_fact(artifacts, origins):
    """The worst signature of the artifacts that were looked into: untrusted at best, if that was not all of them."""
    looked, parts = {}, {str(place): artifact for place, artifact in enumerate(artifacts)}
    for origin in origins:
        steps = [step for step in re.split(r"[].[]", origin["path"]) if step]
        if origin["origin"] == "derived" and len(steps) == 4 and [steps[0], *steps[2:]] == ["artifacts", "signature", "status"]:
            signature = parts.get(steps[1], {}).get("signature")
            status = signature.get("status") if isinstance(signature, dict) else None
            if status not in SIGNATURES:
                return Fact("invalid")
            looked[steps[1]] = SIGNATURES.index(status)
    every = len(looked) == len(artifacts)
    return Fact("known", SIGNATURES[max(*looked.values(), 0 if every else 3)], every) if looked else Fact("missing")
def read_facts(document):
    sections, origins = document["evidence_data"], document.get("origins", [])
    artifacts = [sections["artifacts"]] if isinstance(sections.get("artifacts"), dict) else sections.get("artifacts", [])
    need(len(artifacts) <= 256 and all(isinstance(part, dict) for part in artifacts), "an artifact is no object, or there are too many")
    plain = {f"{section}.{name}": value for section in sections.keys() - {"artifacts"} for name, value in sections[section].items()}
    derived = {origin["path"] for origin in origins if origin["origin"] == "derived"}
    facts = {name: (read_fact(name, plain[name]) if name in plain else Fact("missing"))._replace(derived=name in derived)
             for name in [COVERAGE, *NUMBERS, *WORDS, *FLAGS]}
    critical, high, unknown = facts[CRITICAL], facts[HIGH], facts[UNKNOWN]
    bad = [state for state in ("invalid", "missing") if state in (critical.state, high.state)]
    both = Fact(bad[0]) if bad else Fact("known", critical.value + high.value, critical.derived and high.derived)
    rated = both.state == unknown.state == "known" and both.derived and unknown.derived and both.value >= unknown.value
    return facts | {BOTH: both, RATED: both._replace(value=both.value - unknown.value) if rated else both,
                    MISMATCH: Fact("known", sum("declared" in o for o in origins)), SIGNED: signature_fact(artifacts, origins)}
def in_line(line, value):
    if isinstance(value, str):
        return line.get("is") == value
    bound = {word: Fraction(line[word]) for word in line if word != "points"}
    return (bound.get("is", value) == value and bound.get("from", value) <= value <= bound.get("to", value)
            and ("below" not in bound or value < bound["below"]) and ("above" not in bound or value > bound["above"]))
def make_score(model, facts):
    """The score in hundredths: an exact sum, rounded up once, at most 10,000."""
    weights, total = [Fraction(factor["weight"]) for factor in model["factors"]], Fraction(0)
    need(model["normalization"] in ("max", "none") and min(weights) > 0 and all(
        re.fullmatch("[a-z][a-z0-9_]{0,63}", f["name"]) and re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,4})?", f["weight"]) for f in model["factors"])
        and all(len({f[of] for f in model["factors"]}) == len(weights) <= 32 for of in ("name", "fact")), "the model's normalization, or its factors")
    for factor, weight in zip(model["factors"], weights):
        fact, points = facts[factor["fact"]], [whole(line["points"], 0, 100) for line in factor["rubric"]]
        found = [p for p, line in zip(points, factor["rubric"]) if fact.state == "known" and in_line(line, fact.value)]
        need(max(points) > 0 and len(found) == (fact.state == "known"), f"the rubric of {factor['name']} has not one line for its fact")
        had = Fraction(found[0] if found else max(points))
        total += weight * had * 100 if model["normalization"] == "none" else weight / sum(weights) * had / max(points) * 10000
    return min(math.ceil(total), 10000)
def make_gate(policy, points, facts):
    review, terms, raised = whole(policy["thresholds"]["review"], 0, 100), policy["exception"], []
    auto, longest = whole(policy["thresholds"]["auto"], 0, review), whole(terms["max_days"], 1, 90)
    for count, most in (policy["quorum"], 20), (policy["approval_days"], 365), (terms["default_days"], longest):
        whole(count, 1, most)
    need(min(map(whole, policy["decide_within_hours"].values())) >= 1 and FILES >= set(policy.get("require_derived", [])), "the policy's hours, or require_derived")
    level = (points > auto * 100) + (points > review * 100)
    text = f"score {points // 100}.{points % 100:02d} is " + (f"at most {auto}", f"above {auto} and at most {review}", f"above {review}")[level]
    for guard in policy["guards"]:
        fact, words, name = facts[guard["fact"]], guard.get("one_of", ["true"]), guard["name"]
        kind = NUMBERS if "above" in guard else FLAGS if "is_true" in guard else WORDS
        need(guard["fact"] in kind and len({"above", "is_true", "one_of"} & guard.keys()) == 1 and guard["at_least"] in GATES[1:] and name and
             (kind is not WORDS or words and set(words) <= set(WORDS[guard["fact"]])), f"the policy's guard {name}")
        over = kind is NUMBERS and (fact.state != "known" or fact.value > whole(guard["above"]))
        if over or kind is not NUMBERS and (fact.state == "invalid" or fact.state == "known" and fact.value in words):
            reason = guard["reason"] if fact.state == "known" else f"{guard['fact']} is not known, which counts as the worst"
            raised.append((name, GATES.index(guard["at_least"]), reason))
    only = [name for name in policy.get("require_derived", []) if facts[name].state != "known" or not facts[name].derived]
    raised += [("require_derived", 2, f"{name} was not read from a file, which this policy wants") for name in only[:1]]
    text += "".join(f"; guard {name}: {reason}, at least {GATES[least]}" for name, least, reason in raised)
    return {"decision": GATES[max([level, *(least for _, least, _ in raised)])], "thresholds": policy["thresholds"],
            "guards": [name for name, *_ in raised], "rationale": text}

# The trail: each event done by who might, no revision of a row left out; and whether the decision was justified.
APPROVALS = ["auto_approved", "approved", "conditional"]
DOERS = {"packaging_engineer": "DEPLOYMENT_CREATED EVIDENCE_CREATED CAB_SUBMITTED CAB_WITHDRAWN EXCEPTION_REQUESTED",
         "cab_member": "CAB_REVIEW_STARTED CAB_VOTE_CAST CAB_APPROVED CAB_REJECTED APPROVAL_REVOKED",
         "security_reviewer": "EXCEPTION_APPROVED EXCEPTION_REJECTED EXCEPTION_REVOKED APPROVAL_REVOKED",
         "publisher": "DEPLOYMENT_STARTED DEPLOYMENT_COMPLETED DEPLOYMENT_FAILED ROLLBACK_INITIATED ROLLBACK_COMPLETED",
         "admin": "MODEL_CHANGED POLICY_CHANGED", "system:setup": "MODEL_CHANGED POLICY_CHANGED", "system:risk-gate": "RISK_ASSESSED CAB_APPROVED",
         "system:clock": "EXCEPTION_EXPIRED APPROVAL_EXPIRED CAB_ESCALATED EXCEPTION_ENDING", "system:guard": "EVIDENCE_TAMPERED"}
NAMED = {"DEPLOYMENT_CREATED": "deployment created_by created_at", "EVIDENCE_CREATED": "evidence created_by created_at",
         "CAB_SUBMITTED": "request submitted_by submitted_at", "CAB_VOTE_CAST": "vote voter at", "CAB_APPROVED": "decision decider decided_at",
         "CAB_REJECTED": "decision decider decided_at", "EXCEPTION_REQUESTED": "exception requested_by requested_at",
         "EXCEPTION_APPROVED": "exception approved_by approved_at"}
ONLY_IN = {"evidence": "EVIDENCE_CREATED", "risk": "RISK_ASSESSED", "vote": "CAB_VOTE_CAST", "decision": "CAB_APPROVED CAB_REJECTED",
           "risk_model": "MODEL_CHANGED", "policy": "POLICY_CHANGED"}
ROWS = {"deployment": "id", "evidence": "id", "request": "id", "exception": "id", "risk": "evidence_package_id", "decision": "cab_request_id"}
def check_doer(event):
    """Whoever did it might, and is whom the event's row names, at that time; and the event has no rows of others."""
    data, kind, actor, n = event["data"], event["type"], event["actor"], f"event {event['seq'].text}"
    who, decision = actor["id"] if actor["role"] == "system" else actor["role"].replace(":", "?"), data.get("decision", {}).get("decision")
    need(kind in DOERS.get(who, "").split(), f"{n} ({kind}) was done by {who}, who may not")
    if kind in NAMED:
        row, by, at = NAMED[kind].split()
        need(data[row][by]["id"] == actor["id"] and data[row][at] == event["time"], f"{n}: its row says otherwise by whom, or when")
    need(all(kind in ONLY_IN.get(row, kind).split() for row in data), f"{n} ({kind}) carries a row of another")
    need(decision in {"CAB_APPROVED": APPROVALS, "CAB_REJECTED": ["rejected"]}.get(kind, [None])
         and (decision == "auto_approved") == (who == "system:risk-gate" and kind == "CAB_APPROVED"), f"{n} ({kind}) decides {decision}")
def fold(events):
    """The rows after the last event, the places of votes and decisions, and the exceptions that decisions rested on."""
    rows, seq, rests, granted = {row: {} for row in (*ROWS, "vote")}, {}, {}, set()
    for event in events:
        data, n, trail = event["data"], whole(event["seq"]), event["correlation_id"]
        need(trail and trail == events[0]["correlation_id"], f"event {n} belongs to another trail")
        for row, new in ((row, data[row]) for row in rows if row in data):
            key = new[ROWS[row]] if row in ROWS else (new["cab_request_id"], new["voter"]["id"])
            old, revised = rows[row].get(key), row in ("deployment", "request", "exception")
            need(row in ("risk", "vote", "decision") or new["correlation_id"] == trail, f"event {n} carries a row of another trail")
            follows = revised and (new == old or whole(new["revision"]) == 1 + (whole(old["revision"]) if old else 0))
            need(follows or not old and not revised, f"event {n}: a revision of its {row} before it was left out, or this is a second one")
            rows[row][key], seq[row, key] = new, n
        granted.update([data["exception"]["id"]] if event["type"] == "EXCEPTION_APPROVED" else [])
        if "decision" in data:
            on = rows["request"].get(data["decision"]["cab_request_id"], {}).get("exception_id", "")
            rests[data["decision"]["cab_request_id"]] = rows["exception"].get(on) if on in granted else None
    return rows, seq, rests
def find_request(rows, name):
    found = [r for r in rows["request"].values() if r["name"] == name]
    need(len(found) == 1 and name.encode()[4:] == found[0]["id"].replace("-", "").encode()[-12:].upper(), f"no request is {name}, or more than one")
    r, p, d = found[0], rows["evidence"].get(found[0]["evidence_package_id"]), rows["deployment"].get(found[0]["deployment_intent_id"])
    need(p and d and p["id"] in rows["risk"], "the deployment, the evidence package or its assessment is not among the events")
    need((r["evidence_created_by"], r["deployment_created_by"], d["id"]) == (p["created_by"]["id"], d["created_by"]["id"], p["deployment_intent_id"]),
         "the request says otherwise than the events whose evidence and deployment these are")
    return r, p, rows["risk"][p["id"]], rows["decision"].get(r["id"], {})
def judge(r, d, rows, seq, x, policy):
    """Whether a request's status, decision and validity are justified. x: the exception that the decision rested on."""
    need((r["quorum"], r["approval_days"]) == (policy["quorum"], policy["approval_days"]), "its quorum and days are not the policy's")
    quorum, days, gate = whole(r["quorum"], 1, 20), whole(r["approval_days"], 1, 365), r["gate"]["decision"]
    said, status, at = d.get("decision"), r["status"], seq.get(("decision", r["id"]), math.inf)
    votes = {voter: vote for (request, voter), vote in rows["vote"].items() if request == r["id"]}
    cast = [vote for voter, vote in votes.items() if seq["vote", (r["id"], voter)] < at]
    approving, rejecting = [vote for vote in cast if vote["approve"]], [vote for vote in cast if not vote["approve"]]
    owners = {r["submitted_by"]["id"], r["evidence_created_by"], r["deployment_created_by"]}
    need(d or status in ("submitted", "under_review", "exception_required", "withdrawn") and not rejecting and len(approving) < quorum,
         f"it is {status}, with {len(approving)} of {quorum} votes and {len(rejecting)} against, and there is no decision")
    need(not d or (said in APPROVALS if status == "revoked" else said == status), f"it is {status}, and the decision was {said}")
    need(not d or all(d[what] == r[what] for what in ("risk_score", "risk_model_version", "policy_version", "content_hash")),
         "the decision is about another score, model, policy or document than the request")
    need(said != "auto_approved" or gate == said and d["decider"]["id"] == "system:risk-gate", f"it was approved by rule, and the gate says {gate}")
    need(said in (None, "auto_approved") or not owners & votes.keys(), "somebody voted on what they had submitted or made")
    last = max(((seq["vote", (r["id"], v["voter"]["id"])], v["voter"]["id"], v["approve"]) for v in cast), default=())[1:]
    need(said in (None, "auto_approved") or last == (d["decider"]["id"], said != "rejected"), "whoever decided did not cast the vote that decides")
    until = time(d["decided_at"]) + days * 86400 * 10**9 if said in APPROVALS else 0
    if said in ("approved", "conditional"):
        need(len(approving) >= quorum and not rejecting, f"it was approved with {len(approving)} of {quorum} votes, {len(rejecting)} against")
        merged = dict(stated := [part for vote in approving if vote.get("conditions") is not None for part in vote["conditions"].items()])
        need(all(merged[name] == value for name, value in stated) and merged == d.get("conditions", {})
             and bool(merged) == ("conditions" in d) == (said == "conditional"), "its conditions are not those of the votes")
    if said in ("approved", "conditional") and gate == "exception_required":
        need(x and (x["id"], x["cab_request_id"]) == (r["exception_id"], r["id"]), "it needed an exception, and none had been granted")
        need(x["status"] == "approved" and time(x["approved_at"]) <= time(d["decided_at"]) < time(x["expires_at"]), f"{x['name']} was not in force")
        need(x["requested_by"]["id"] not in votes and x["approved_by"]["id"] not in owners | votes.keys() | {x["requested_by"]["id"]},
             f"somebody requested {x['name']} and voted, or granted it and voted, made or requested what it is about")
        until = min(until, time(x["expires_at"]))
    need(time(d.get("valid_until", ZERO)) == time(r.get("valid_until", ZERO)) == until, "the decision or the request is valid until another time")
def check_event(name, leaf, proof, note, size, root):
    event = parse(leaf, "event")
    seq = whole(event["seq"], 0, size - 1)
    head, end = b"c2sp.org/tlog-proof@v1\nindex %d\n" % seq, len(proof) - len(note) - 1
    *path, last = proof[len(head):end].split(b"\n")
    need(name == f"events/{seq:012d}.json" and len(head) <= end and proof.startswith(head) and last == b"" and proof[end:] == b"\n" + note,
         f"{name}: its proof is about another event, or another checkpoint")
    need(all(len(line) == 44 for line in path) and root_of([unbase64(line.decode()) for line in path], seq, size, leaf) == root,
         f"{name} is not in the tree that was signed")
    check_doer(event)
    return event

def verify(data, key=None, given=None, tell=print):
    """Makes every check, tells each in a line, and returns whether all hold. key, given: the log's key or the trust policy of whoever asks."""
    held = []
    @contextlib.contextmanager
    def check(name, *holds):
        words, mark = list(holds), "ok  "
        try:
            yield words.append
        except Exception as why:  # a NameError is about what an earlier check would have found
            mark, rests = "BAD ", "it could not be checked, for what it rests on does not hold"
            words = [str(why) if isinstance(why, Refused) else rests if isinstance(why, NameError) else f"it does not hold, or cannot be read: {why!r}"]
        held.append(mark == "ok  ")
        tell("".join(c if c.isprintable() else "?" for c in f"{mark} {name}: {words[-1]}"))
    with check("encoding", "the file is a capsule in its one encoding, with no other members than a capsule has"):
        layout = open_zip(data)
        need(all(zlib.crc32(memoryview(data)[begin:end]) == crc for _, crc, begin, end in layout), "a member was damaged")
        members = {name: memoryview(data)[begin:end] for name, _, begin, end in layout}
        digests = {name: sha256(body).hex() for name, body in members.items()}
    with check("manifest", "the log's key signed the list of all members" + (" (the key that was given)" if key or given else
               ": THE KEY WAS TAKEN ON TRUST, from the capsule itself; compare it, or give your own with --key or --trust")):
        manifest, own = bytes(members["manifest"]), Trust(bytes(members["trust"]))
        trust = given or own
        log, request = key or trust.log, manifest.split(b"\n")[1].removeprefix(b"request ").decode()
        need(re.fullmatch("CAB-[0-9A-F]{12}", request), "it does not name the request that it is about")
        lines = [f"file {digests[name]} {len(body)} {name}\n" for name, body in members.items() if name != "manifest"]
        need(open_note(manifest, [log])[0].decode() == f"eucora capsule v1\nrequest {request}\n" + "".join(lines) and manifest.count(b"\n") == len(lines) + 4,
             "it does not list the members that there are, or something follows its signature")
    with check("checkpoint") as say:
        note = bytes(members["checkpoint"])
        need(max(map(len, note.split(b"\n"))) < 1 << 16, "a line of it is too long")
        (size, root), *_ = [open_checkpoint(note, whose) for whose in (log, trust.log, own.log)]
        _, by = open_note(note, [trust.log, *trust.witnesses.values()])
        say(f"{log.name} signed the log's tree of {size} events; what came later, and whether the end of the trail is missing, the log can tell")
    with check("witnesses") as say:
        who = ", ".join(name for name, witness in trust.witnesses.items() if witness in by) or "nobody"
        need(trust.met(trust.quorum, by), f"a quorum is wanted, and {who} has witnessed the checkpoint")
        say(f"witnessed by {who}, which is enough for the trust policy {'that was given' if given else 'in the capsule'}")
    with check("events", "each is in the tree that was signed, at its place, and was done by who might"):
        events = [check_event(name, bytes(members[name]), bytes(members[name[:-4] + "tlog-proof"]), note, size, root)
                  for name in members if re.fullmatch("events/.*json", name)]
    with check("trail") as say:
        rows, places, rests = fold([event for event in events if event["type"] not in ("MODEL_CHANGED", "POLICY_CHANGED")])
        r, p, assessed, d = find_request(rows, request)
        say(f"{len(events)} events are one trail without a gap, and give {request} as it stands: {r['status']}")
    with check("document", "the evidence is byte for byte what was filed, submitted and decided on"):
        document = parse(bytes(members["document.json"]), "document")
        need({row["content_hash"] for row in (p, r, d or r)} == {digests["document.json"]}, "it is not what was filed, submitted and decided on")
        need(document["schema"] == "eucora.evidence/1" and document["id"] and
             all(document[m] == p[m] for m in ("id", "deployment_intent_id", "correlation_id")), "it is no evidence document, or another one")
        facts = read_facts(document)
    with check("rules", "the risk model and the policy are those that were published, and used"):
        model, policy = parse(bytes(members["model.json"]), "model"), parse(bytes(members["policy.json"]), "rules")
        (made,), (law,) = ([e["data"][row] for e in events if row in e["data"] and e["data"].keys() <= {row, "reason"}] for row in ("risk_model", "policy"))
        need(all(re.fullmatch("[0-9A-Za-z][0-9A-Za-z.-]{0,31}", v) for v in (model["version"], policy["version"], policy["risk_model"])), "no version")
        need(digests["model.json"] == made["digest"] == assessed["risk_model_digest"] and {model["version"]} ==
             {made["version"], *(row["risk_model_version"] for row in (assessed, p, r))}, "the model is not the one that was published, or not the one that was used")
        need(digests["policy.json"] == law["digest"] and policy["version"] == law["version"] == r["policy_version"],
             "the policy is not the one that was published, or not the one that was used")
    with check("score") as say:
        points = make_score(model, facts)
        need({score(row["risk_score"]) for row in (document, assessed, p, r, d or r)} == {points} and
             all(document[m] == assessed[m] for m in ("risk_model_version", "risk_model_digest")), f"the evidence scores {points / 100}, and not all say so")
        say(f"the evidence scores {points / 100}, made again")
    with check("gate") as say:
        gate = make_gate(policy, points, facts)
        need({**r["gate"], **gate} == r["gate"], f"the request says otherwise than the policy, which says: {gate['decision']} ({gate['rationale']})")
        say(f"the gate is {gate['decision']}, made again: {gate['rationale']}")
    with check("decision") as say:
        judge(r, d, rows, places, rests.get(r["id"]), policy)
        say(f"it was {d['decision']}, by who could and with what it takes" if d else "nobody has decided on it")
    with check("attachments") as say:
        listed = {a["sha256"]: whole(a["size"]) for a in document["attachments"]}
        here = [name for name in members if name.startswith("attachments/")]
        need(all(name[12:] == digests[name] and listed.get(name[12:]) == len(members[name]) for name in here), "a file is none that the evidence lists")
        say(f"{len(here)} of {len(listed)} files of the evidence are here, as they were filed; {len(listed) - len(here)} by digest only")
    with check("time-stamp", "there is none, or it has the digest of the checkpoint as the log signed it; whose it is, ask openssl ts -verify"):
        signed = note[:note.index(b"\n", note.index(b"\n\n") + 2) + 1]
        need("timestamp.tsr" not in members or sha256(signed) in bytes(members["timestamp.tsr"]), "it is about something else than this checkpoint")
    return len(held) == 13 and all(held)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Checks a capsule.", allow_abbrev=False)
    parser.add_argument("capsule")
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--key", type=Key, help="the log's verifier key, from your own records")
    whose.add_argument("--trust", type=lambda path: Trust(open(path, "rb").read(1 << 17)), help="a C2SP tlog-policy, from your own records")
    try:
        asked = parser.parse_args()
    except Exception as why:
        parser.error(str(why))
    sys.stdout.reconfigure(errors="backslashreplace")
    try:
        need(os.path.isfile(asked.capsule), "there is no such file")
        with open(asked.capsule, "rb") as file:
            holds = verify(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), asked.key, asked.trust)
    except Exception as why:
        holds = print(f"BAD  file: {why!r}")
    print("the capsule holds" if holds else "the capsule does not hold")
    sys.exit(0 if holds else 1)
