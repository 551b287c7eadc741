#!/usr/bin/env python3
"""A second opinion on a capsule: docs/ledger-format.md in another language, with none of the first verifier's code.

    python3 eucora_verify.py capsule.zip [--key VKEY | --trust FILE]

It wants Python 3.11 or newer and, for Ed25519, the package cryptography. It prints a line for each check.
Exit status 0: everything holds. 1: something does not, or cannot be read. 2: usage.
"""
import argparse, binascii, hashlib, json, math, os, re, struct, sys, zlib
from collections import namedtuple
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
try:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    sys.exit("nothing was checked: the Python package cryptography is missing (Debian: python3-cryptography)")

class Refused(Exception):
    """Why something does not hold."""

def need(holds, why):
    if not holds:
        raise Refused(why)

def sha256(data):
    return hashlib.sha256(data).digest()

# The zip has exactly one encoding: its headers are made again, and compared.
MIB = 1 << 20
LIMITS = {"manifest": 16 * MIB, "checkpoint": MIB, "trust": 64 << 10, "timestamp.tsr": MIB, "model.json": MIB,
          "policy.json": MIB, "document.json": 4 * MIB, "index.html": 64 * MIB}
ORDER = re.compile(r"manifest\ncheckpoint\ntrust\n(?:timestamp\.tsr\n)?model\.json\npolicy\.json\ndocument\.json\n"
                   r"(?:events/([0-9]{12})\.json\nevents/\1\.tlog-proof\n)*index\.html\n(?:attachments/[0-9a-f]{64}\n)*")

def read_at(file, offset, length):
    file.seek(offset)
    data = file.read(length)
    need(len(data) == length, "the file ends too early")
    return data

def open_zip(file):
    """The members in their order: name, CRC-32, where the bytes begin, how many there are."""
    size = file.seek(0, os.SEEK_END)
    need(22 <= size <= 0xFFFFFFFF, f"{size} bytes are no capsule")
    end = read_at(file, size - 22, 22)
    count, length, offset = struct.unpack("<10xHII2x", end)
    need(count <= 65534 and length <= count * 146 and offset + length + 22 == size
         and end == struct.pack("<4s4xHHIIH", b"PK\5\6", count, count, length, offset, 0),
         "it does not end as a capsule ends: it was cut off, or something was put behind it")
    directory, line, at, members = read_at(file, offset, length), 0, 0, []
    for _ in range(count):
        crc, stored, named = struct.unpack_from("<16xII4xH", directory, line)
        name = directory[line + 46:line + 46 + named]
        same = struct.pack("<5H3I2H", 20, 0, 0, 0, 0x21, crc, stored, stored, named, 0)  # stored, on 1980-01-01
        local, central = b"PK\3\4" + same + name, b"PK\1\2\x14\0" + same + bytes(10) + struct.pack("<I", at) + name
        begin = at + len(local)
        need(1 <= named <= 100 and directory[line:line + 46 + named] == central and begin + stored <= offset
             and read_at(file, at, len(local)) == local, f"the header of member {len(members) + 1} is not a capsule's")
        members.append((name.decode("ascii"), crc, begin, stored))
        line, at = line + len(central), begin + stored
    need(line == length and at == offset, "between its members and its directory there is something else")
    return members

def check_layout(members):
    names = [name for name, *_ in members]
    need(all(re.fullmatch("[a-z0-9./-]+", name) for name in names) and ORDER.fullmatch("\n".join(names) + "\n"),
         "its members are not those of a capsule, in their order")
    for kind in "events/", "attachments/":
        some = [name for name in names if name.startswith(kind)]
        need(some == sorted(set(some)), f"{kind} do not ascend")
    leaves = {name: size for name, _, _, size in members if re.fullmatch("events/.*json", name)}
    for name, _, _, size in members:
        most = 65535 if name in leaves else LIMITS.get(name, 0xFFFFFFFF if name.startswith("attachments/") else MIB + (64 << 10))
        need(size <= most, f"the member {name} has {size} bytes, and may have {most}")
    need(sum(leaves.values()) <= 16 * MIB, "its events are too large together")

# JSON in the form of RFC 8785 only: text of that form has one meaning.
Number = namedtuple("Number", "text")  # as it is written
TOKEN = re.compile(r'"[^"\\\x00-\x1f]*(?:\\(?:["\\bfnrt]|u00(?:0[0-7be-f]|1[0-9a-f]))[^"\\\x00-\x1f]*)*"|[][{}:,]|[-+.0-9eE]+'
                   "|true|false|null")

def number(text):
    """Refuses what ECMAScript writes otherwise, and beyond 2^53, from where on doubles are not exact."""
    value = float(text)
    need(abs(value) <= 1 << 53, f"the number {text[:40]} is beyond 2^53")
    small = repr(value).replace("e-0", "e-")
    form = f"{int(value)}" if value.is_integer() else small if abs(value) < 1e-6 else f"{Decimal(repr(value)):f}"
    need(form == text, f"the number {text[:40]} is not written as in RFC 8785")
    return Number(text)

def members_of(pairs):
    names = [name.encode("utf-16-be") for name, _ in pairs]
    need(all(a < b for a, b in zip(names, names[1:])), "the names in an object do not ascend, or one is there twice")
    return dict(pairs)

def parse(data):
    text, depth = data.decode("utf-8"), 0
    need(TOKEN.sub("", text) == "", "it is not JSON in the form of RFC 8785")
    for bracket in re.sub(r'"[^"\\]*(?:\\.[^"\\]*)*"|[^]["{}]+', "", text):
        depth += 1 if bracket in "[{" else -1
        need(depth <= 64, "it is nested deeper than 64 levels")
    return json.loads(text, object_pairs_hook=members_of, parse_int=number, parse_float=number)

def whole(value, least=-(1 << 53), most=1 << 53):
    need(isinstance(value, Number) and re.fullmatch("-?[0-9]+", value.text), f"{value} is not a whole number")
    need(least <= int(value.text) <= most, f"{value.text} is not from {least} to {most}")
    return int(value.text)

def score(value):
    """A score in hundredths: 0 to 10,000."""
    need(isinstance(value, Number) and re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,2})?", value.text), f"{value} is not a score")
    need(Fraction(value.text) <= 100, f"{value.text} is not a score")
    return int(Fraction(value.text) * 100)

def time(text):
    """Nanoseconds of a time: RFC 3339 in UTC, without zeros at the end of the fraction."""
    at = re.fullmatch(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{0,8}[1-9]))?Z", text)
    need(at, f"{text} is not a time as it is written here")
    since = datetime.fromisoformat(at[1]) - datetime(1, 1, 1)
    return (since.days * 86400 + since.seconds) * 10**9 + int((at[2] or "0").ljust(9, "0"))

# Signed notes, the keys that sign them, and whom to trust.
SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
NAME = f"[^+{SPACE}]+"
BASE64 = re.compile("(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
URL = re.compile(r"(?i:https?)://(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?(?:/(?:[!-$&-~]|%[0-9A-Fa-f]{2})*)?")

def unbase64(text, strict=True):
    need(BASE64.fullmatch(text), "this is not base64")
    data = binascii.a2b_base64(text)
    need(not strict or binascii.b2a_base64(data, newline=False).decode() == text, "this is not canonical base64")
    return data

class Key:
    """An Ed25519 key of a log or a witness, with the hash by which signature lines name it."""
    def __init__(self, text, witness=False):
        parts = re.fullmatch(f"({NAME})\\+([0-9a-fA-F]{{8}})\\+(.*)", text if witness else text.strip(SPACE), re.DOTALL)
        need(parts, f"{text} is not a key")
        raw = unbase64(re.sub("[\r\n]", "", parts[3]), strict=False)
        need(len(raw) == 33 and raw[0] in ((1, 4) if witness else (1,)), f"{text} is not an Ed25519 key")
        self.name, self.raw, self.witness = parts[1], raw[1:], witness
        note, cosigner = (sha256(self.name.encode() + b"\n" + kind + self.raw)[:4] for kind in (b"\1", b"\4"))
        self.hash = cosigner if witness else note
        need(raw[0] == 1 and bytes.fromhex(parts[2]) == note or witness and parts[2] == cosigner.hex(), f"{text} is damaged")

    def check(self, text, signature):
        if self.witness:  # it signs a time too: seconds since 1970
            text, signature = b"cosignature/v1\ntime %d\n" % int.from_bytes(signature[:8], "big") + text, signature[8:]
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, text)
        except Exception:
            raise Refused(f"the signature of {self.name} does not hold") from None

def open_note(note, keys):
    """The text, and the keys that signed it with the numbers of their lines: a key's first line counts, others' say nothing."""
    split = note.rfind(b"\n\n")
    need(0 <= split < len(note) - 2 and note.endswith(b"\n"), "this is not a signed note")
    need(not re.search("[\0-\x09\x0b-\x1f]", note.decode("utf-8")), "this is not a signed note: it has a control character")
    text, lines, by = note[:split + 1], note[split + 2:-1].decode("utf-8").split("\n"), {}
    need(len(lines) <= 100, "the note has too many signatures")
    for i, line in enumerate(lines):
        parts = re.fullmatch(f"— ({NAME}) (.+)", line)
        raw = unbase64(parts[2], strict=False) if parts else b""
        need(len(raw) >= 5, "this is not a signed note: a signature line is none")
        for key in keys:
            if (key.name, key.hash) == (parts[1], raw[:4]) and key not in by:
                key.check(text, unbase64(parts[2])[4:])
                by[key] = i
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
            elif kind == "witness" and 2 <= n <= 3 and new and len(self.witnesses) < 64 and (n == 2 or URL.fullmatch(args[2])):
                key = Key(args[1], witness=True)
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

ZERO = "0001-01-01T00:00:00Z"
DOCUMENT = ("attachments completeness_check correlation_id created_at created_by deployment_intent_id evidence_data formula id intent is_complete "
            "missing notes origins risk_factors risk_model_digest risk_model_version risk_score schema")
MODEL, POLICY = "allow_unreachable factors normalization title version", (
    "approval_days decide_within_hours exception guards quorum require_derived risk_model thresholds version")

# Facts, score and gate: from the evidence's document, the risk model and the policy alone.
Fact = namedtuple("Fact", "state value derived", defaults=(None, False))
COVERAGE, COMPONENTS, MISMATCH, SIGNED = ("test_results.coverage_percent", "deployment_plan.affected_components",
                                          "evidence.declared_mismatch", "artifacts.signature_status")
SCANS = CRITICAL, HIGH, UNKNOWN, BOTH, RATED, *_ = ["scan_results." + name for name in (
    "critical", "high", "unknown", "critical_and_high", "critical_and_high_rated", "medium", "low")]
SIGNATURES = ["valid", "unknown_format", "unsigned", "untrusted", "expired", "invalid"]  # best first
WORDS = {"test_results.manual_test_status": ["completed", "in_progress", "not_started"],
         "deployment_plan.complexity": ["low", "medium", "high"], SIGNED: SIGNATURES}
FLAGS = ["deployment_plan.privileged", "rollback_plan.validated"]
NUMBERS = [*SCANS, COMPONENTS, MISMATCH, "test_results.failed", "deployment_plan.affected_users"]

def read_fact(name, value):
    known = None
    if isinstance(value, list):
        known = len(value) if name in SCANS or name == COMPONENTS else None
    elif isinstance(value, Number) and name == COVERAGE:
        known = Fraction(value.text) if 0 <= Fraction(value.text) <= 100 else None
    elif isinstance(value, Number) and name in NUMBERS and name != COMPONENTS:
        known = int(value.text) if re.fullmatch("[0-9]+", value.text) else None
    elif isinstance(value, bool):
        known = str(value).lower() if name in FLAGS else None
    elif value in WORDS.get(name, []):
        known = value
    return Fact("invalid") if known is None else Fact("known", known)

def signature_fact(artifacts, origins):
    """The worst signature of the artifacts that were looked into: untrusted at best, if that was not all of them."""
    looked = {}
    for origin in origins:
        steps = [step for step in re.split(r"[].[]", origin["path"]) if step]
        if origin["origin"] == "derived" and len(steps) == 4 and [steps[0], *steps[2:]] == ["artifacts", "signature", "status"]:
            place = int(steps[1]) if re.fullmatch("0|[1-9][0-9]{0,3}", steps[1]) else len(artifacts)
            signature = artifacts[place].get("signature") if place < len(artifacts) else None
            status = signature.get("status") if isinstance(signature, dict) else None
            if status not in SIGNATURES:
                return Fact("invalid")
            looked[place] = SIGNATURES.index(status)
    every = len(looked) == len(artifacts)
    return Fact("known", SIGNATURES[max(*looked.values(), 0 if every else 3)], every) if looked else Fact("missing")

def read_facts(document):
    sections, origins = document["evidence_data"], document.get("origins", [])
    artifacts = sections.get("artifacts", [])
    artifacts = artifacts if isinstance(artifacts, list) else [artifacts]
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
    bound = {word: value if isinstance(value, str) else Fraction(text) for word, text in line.items() if word != "points"}
    return line.get("is") == value if isinstance(value, str) else (
        bound.get("is", value) == value and bound.get("from", value) <= value <= bound.get("to", value)
        and ("below" not in bound or value < bound["below"]) and ("above" not in bound or value > bound["above"]))

def make_score(model, facts):
    """The score in hundredths: an exact sum, rounded up once, at most 10,000."""
    weights, total = [Fraction(factor["weight"]) for factor in model["factors"]], Fraction(0)
    need(model["normalization"] in ("max", "none") and min(weights) > 0, "the model's normalization, or its weights")
    for factor, weight in zip(model["factors"], weights):
        fact, points = facts[factor["fact"]], [whole(line["points"], 0, 100) for line in factor["rubric"]]
        found = [p for p, line in zip(points, factor["rubric"]) if fact.state == "known" and in_line(line, fact.value)]
        need(max(points) > 0 and len(found) == (fact.state == "known"), f"the rubric of {factor['name']} has not one line for its fact")
        had = Fraction(found[0] if found else max(points))
        total += weight * had * 100 if model["normalization"] == "none" else weight / sum(weights) * had / max(points) * 10000
    return min(math.ceil(total), 10000)

GATES = ["auto_approved", "manual_review", "exception_required"]

def make_gate(policy, points, facts):
    auto = whole(policy["thresholds"]["auto"], 0, whole(policy["thresholds"]["review"], 0, 100))
    review, raised = whole(policy["thresholds"]["review"]), []
    level, text = (0, f"at most {auto}") if points <= auto * 100 else (2, f"above {review}")
    if auto * 100 < points <= review * 100:
        level, text = 1, f"above {auto} and at most {review}"
    for guard in policy["guards"]:
        fact, words = facts[guard["fact"]], guard.get("one_of", ["true"])
        kind = NUMBERS if "above" in guard else FLAGS if "is_true" in guard else WORDS
        need(guard["fact"] in kind and len({"above", "is_true", "one_of"} & guard.keys()) == 1, f"the guard {guard['name']}")
        over = kind is NUMBERS and (fact.state != "known" or fact.value > whole(guard["above"]))
        if over or kind is not NUMBERS and (fact.state == "invalid" or fact.state == "known" and fact.value in words):
            unknown = f"{guard['fact']} is not known, which counts as the worst"
            raised.append((guard["name"], GATES.index(guard["at_least"]), guard["reason"] if fact.state == "known" else unknown))
    only = [name for name in policy.get("require_derived", []) if facts[name].state != "known" or not facts[name].derived]
    raised += [("require_derived", 2, f"{name} was not read from a file, which this policy wants") for name in only[:1]]
    return {"decision": GATES[max([level, *(least for _, least, _ in raised)])], "thresholds": policy["thresholds"],
            "guards": [name for name, _, _ in raised], "rationale": f"score {points // 100}.{points % 100:02d} is {text}"
            + "".join(f"; guard {name}: {reason}, at least {GATES[least]}" for name, least, reason in raised)}

# The trail: each event done by who might, no revision of a row left out.
APPROVALS, ENGINEER, BOARD, SECURITY = ["auto_approved", "approved", "conditional"], "packaging_engineer", "cab_member", "security_reviewer"
DOERS = {  # the roles that may do it, and the product's own actors
    "DEPLOYMENT_CREATED": ENGINEER, "EVIDENCE_CREATED": ENGINEER, "RISK_ASSESSED": "system:risk-gate", "CAB_SUBMITTED": ENGINEER,
    "CAB_REVIEW_STARTED": BOARD, "CAB_VOTE_CAST": BOARD, "CAB_APPROVED": BOARD + " system:risk-gate", "CAB_REJECTED": BOARD,
    "CAB_WITHDRAWN": ENGINEER, "APPROVAL_REVOKED": BOARD + " " + SECURITY, "EXCEPTION_REQUESTED": ENGINEER, "EXCEPTION_APPROVED": SECURITY,
    "EXCEPTION_REJECTED": SECURITY, "EXCEPTION_EXPIRED": "system:clock", "EXCEPTION_REVOKED": SECURITY, "DEPLOYMENT_STARTED": "publisher",
    "DEPLOYMENT_COMPLETED": "publisher", "DEPLOYMENT_FAILED": "publisher", "ROLLBACK_INITIATED": "publisher",
    "ROLLBACK_COMPLETED": "publisher", "EVIDENCE_TAMPERED": "system:guard", "MODEL_CHANGED": "admin system:setup", "POLICY_CHANGED": "admin system:setup"}
NAMED = {  # the row, and its members that say who did it and when
    "DEPLOYMENT_CREATED": ("deployment", "created_by", "created_at"), "EVIDENCE_CREATED": ("evidence", "created_by", "created_at"),
    "CAB_SUBMITTED": ("request", "submitted_by", "submitted_at"), "CAB_VOTE_CAST": ("vote", "voter", "at"),
    "CAB_APPROVED": ("decision", "decider", "decided_at"), "CAB_REJECTED": ("decision", "decider", "decided_at"),
    "EXCEPTION_REQUESTED": ("exception", "requested_by", "requested_at"), "EXCEPTION_APPROVED": ("exception", "approved_by", "approved_at")}
ONLY_IN = {"evidence": ["EVIDENCE_CREATED"], "risk": ["RISK_ASSESSED"], "vote": ["CAB_VOTE_CAST"], "decision": ["CAB_APPROVED", "CAB_REJECTED"],
           "risk_model": ["MODEL_CHANGED"], "policy": ["POLICY_CHANGED"]}
ROWS = {"deployment": "id", "evidence": "id", "request": "id", "exception": "id", "risk": "evidence_package_id", "decision": "cab_request_id"}

def check_doer(event):
    time(event["time"])
    data, kind, actor, decision = event["data"], event["type"], event["actor"], event["data"].get("decision", {}).get("decision")
    who = actor["id"] if actor["role"] == "system" else actor["role"].replace(":", "?")
    need(who in DOERS.get(kind, "").split(), f"event {event['seq'].text} ({kind}) was done by {who}, who may not")
    for row, by, at in [NAMED[kind]] if kind in NAMED else []:
        says = data.get(row, {})
        need(says.get(by, {}).get("id") == actor["id"] and says.get(at) == event["time"], f"event {event['seq'].text}: its row says otherwise by whom, and when")
    need(all(kind in ONLY_IN.get(row, [kind]) for row in data), f"event {event['seq'].text} ({kind}) carries a row of another")
    need(decision in {"CAB_APPROVED": APPROVALS, "CAB_REJECTED": ["rejected"]}.get(kind, [None])
         and (decision == "auto_approved") == (actor["role"] == "system" and kind == "CAB_APPROVED"), f"event {event['seq'].text} decides {decision}")

def fold(events):
    """The rows as they are after the last event, the places of votes and decisions, and the exceptions that decisions rested on."""
    rows, seq, rests, granted = {row: {} for row in (*ROWS, "vote")}, {}, {}, set()
    for event in events:
        data, n = event["data"], whole(event["seq"])
        need(event["correlation_id"] and event["correlation_id"] == events[0]["correlation_id"], f"event {n} belongs to another trail")
        for row, new in ((row, data[row]) for row in rows if row in data):
            key = new[ROWS[row]] if row in ROWS else (new["cab_request_id"], new["voter"]["id"])
            need(new.get("correlation_id", event["correlation_id"]) == event["correlation_id"], f"event {n} carries a row of another trail")
            old = rows[row].get(key)
            need("revision" in new or not old, f"event {n} is a second {row} of the same")
            need("revision" not in new or new == old or whole(new["revision"]) == 1 + (whole(old["revision"]) if old else 0),
                 f"event {n}: a revision of its {row} before it was left out")
            rows[row][key], seq[row, key] = new, n
        if event["type"] == "EXCEPTION_APPROVED":
            granted.add(data["exception"]["id"])
        if "decision" in data:
            request = data["decision"]["cab_request_id"]
            on = rows["request"].get(request, {}).get("exception_id", "")
            rests[request] = rows["exception"].get(on) if on in granted else None
    return rows, seq, rests

def find_request(rows, name):
    found = [r for r in rows["request"].values() if r["name"] == name]
    need(len(found) == 1 and "CAB-" + found[0]["id"].replace("-", "")[-12:].encode().upper().decode() == name, f"no event is about {name}, or more than one request is")
    r, p, d = found[0], rows["evidence"].get(found[0]["evidence_package_id"]), rows["deployment"].get(found[0]["deployment_intent_id"])
    need(p and d and p["id"] in rows["risk"], "the deployment, the evidence package or its assessment is not among the events")
    need((r["evidence_created_by"], r["deployment_created_by"], d["id"]) == (p["created_by"]["id"], d["created_by"]["id"], p["deployment_intent_id"]),
         "the request says otherwise than the events whose evidence and deployment these are")
    return r, p, rows["risk"][p["id"]], rows["decision"].get(r["id"], {})

def judge(r, d, rows, seq, x, policy):
    """Whether the status of a request, its decision and its validity are justified. x: the exception that the decision rested on."""
    need((r["quorum"], r["approval_days"]) == (policy["quorum"], policy["approval_days"]), "the request's quorum and days are not the policy's")
    quorum, days, gate = whole(r["quorum"], 1, 20), whole(r["approval_days"], 1, 365), r["gate"]["decision"]
    said, status, until, at = d.get("decision"), r["status"], 0, seq.get(("decision", r["id"]), math.inf)
    votes = {key[1]: vote for key, vote in rows["vote"].items() if key[0] == r["id"]}
    cast = [(vote["approve"], vote) for voter, vote in votes.items() if seq["vote", (r["id"], voter)] < at]
    approving, rejecting = [vote for yes, vote in cast if yes is True], [vote for yes, vote in cast if yes is False]
    need(len(approving) + len(rejecting) == len(cast), "a vote neither approves nor rejects")
    owners = {r["submitted_by"]["id"], r["evidence_created_by"], r["deployment_created_by"]}
    if not d:
        need(status in ("submitted", "under_review", "exception_required", "withdrawn"), f"it is {status}, and there is no decision")
        need(not rejecting and len(approving) < quorum, "there are the votes for a decision, and it is " + status)
    else:
        need(said in APPROVALS if status == "revoked" else said == status, f"it is {status}, and the decision was {said}")
        for what in "risk_score", "risk_model_version", "policy_version", "content_hash":
            need(d[what] == r[what], f"the decision is about another {what} than the request")
    if said == "auto_approved":
        need(gate == "auto_approved" and d["decider"]["id"] == "system:risk-gate", f"it was approved by rule, and the gate says {gate}")
    elif d:
        need(not owners & votes.keys(), "somebody voted on what they had submitted or made")
        need(said != "rejected" or rejecting, "it was rejected, and nobody voted against it")
    if said in APPROVALS:
        until = time(d["decided_at"]) + days * 86400 * 10**9
    if said in ("approved", "conditional"):
        need(len(approving) >= quorum and not rejecting, f"it was approved with {len(approving)} votes of {quorum}, and {len(rejecting)} against it")
        stated = [vote.get("conditions") or {} for vote in approving]
        merged = {name: value for conditions in stated for name, value in conditions.items()}
        need(all(merged[name] == value for conditions in stated for name, value in conditions.items()) and merged == d.get("conditions", {})
             and bool(merged) == (said == "conditional"), "its conditions are not those of the votes")
    if said in ("approved", "conditional") and gate == "exception_required":
        need(x and (x["id"], x["cab_request_id"]) == (r.get("exception_id", ""), r["id"]), "it needed an exception, and none had been granted")
        need(x["status"] == "approved" and time(x.get("approved_at", ZERO)) <= time(d["decided_at"]) < time(x["expires_at"]), f"{x['name']} was not in force")
        need(x["requested_by"]["id"] not in votes, f"somebody voted and had requested {x['name']}")
        need(x["approved_by"]["id"] not in owners | votes.keys() | {x["requested_by"]["id"]}, f"{x['name']} was granted by somebody who voted, made or requested")
        until = min(until, time(x["expires_at"]))
    need(time(d.get("valid_until", ZERO)) == time(r.get("valid_until", ZERO)) == until, "the decision or the request is valid until another time")

def verify(file, key=None, given=None):
    """Makes every check. Returns of each whether it holds, its name and words; and what nobody has checked."""
    report, notes = [], ["it speaks as of its checkpoint: what came later, and whether anything was left out at the end, the log can tell"]
    @contextmanager
    def check(name):
        words = []
        try:
            yield words.append
            report.append((True, name, words[0]))
        except NameError:  # what an earlier check would have found
            report.append((False, name, "it could not be checked, for what it rests on does not hold"))
        except Exception as why:
            report.append((False, name, str(why) if isinstance(why, Refused) else f"it cannot be read: {why!r}"))
    def read(name):
        at, size, digest = members[name]
        data = read_at(file, at, size)
        need(sha256(data).hex() == digest, f"{name} has changed meanwhile")
        return data
    with check("encoding") as say:
        found, sums = open_zip(file), {}
        check_layout(found)
        for name, crc, begin, length in found:
            whole_crc, digest = 0, hashlib.sha256()
            for at in range(begin, begin + length, MIB):
                piece = read_at(file, at, min(MIB, begin + length - at))
                whole_crc = zlib.crc32(piece, whole_crc)
                digest.update(piece)
            need(whole_crc == crc, f"the member {name} was damaged")
            sums[name] = begin, length, digest.hexdigest()
        members = sums
        say(f"the file is a capsule in its one encoding, of {len(members)} members and no others")
    with check("manifest") as say:
        own = Trust(read("trust"))
        trust = given or own
        log, manifest = key or trust.log, read("manifest")
        request = manifest.split(b"\n")[1].removeprefix(b"request ").decode()
        need(re.fullmatch("CAB-[0-9A-F]{12}", request), "it does not name the request that it is about")
        lines = [f"file {digest} {length} {name}\n" for name, (_, length, digest) in members.items() if name != "manifest"]
        text, by = open_note(manifest, [log])
        need(text.decode() == f"eucora capsule v1\nrequest {request}\n" + "".join(lines) and manifest.count(b"\n") == len(lines) + 4,
             "it does not list the members that there are, or something follows its signature")
        say(f"{log.name} signed the list of all members, and each is the one that is listed")
    with check("checkpoint") as say:
        note = read("checkpoint")
        need(max(map(len, note.split(b"\n"))) < 1 << 16, "a line of it is too long")
        for whose in own.log, trust.log, log:
            size, root = open_checkpoint(note, whose)
        text, by = open_note(note, [trust.log, *trust.witnesses.values()])
        say(f"{log.name} signed the log's tree of {size} events")
    with check("witnesses") as say:
        who = ", ".join(name for name, witness in trust.witnesses.items() if witness in by) or "nobody"
        need(trust.met(trust.quorum, by), f"a quorum is wanted, and {who} has witnessed the checkpoint")
        say(f"witnessed by {who}, which is enough for the trust policy {'that was given' if given else 'in the capsule'}")
    with check("events") as say:
        published, trail = {}, []
        for name in (name for name in members if re.fullmatch("events/.*json", name)):
            leaf, proof = read(name), read(name[:-4] + "tlog-proof")
            event = parse(leaf)
            seq = whole(event["seq"], 0, size - 1)
            head, end = b"c2sp.org/tlog-proof@v1\nindex %d\n" % seq, len(proof) - len(note) - 1
            *path, last = proof[len(head):end].split(b"\n")
            need(name == f"events/{seq:012d}.json" and len(head) <= end and proof.startswith(head) and last == b"" and proof[end:] == b"\n" + note,
                 f"{name}: its proof is about another event, or another checkpoint")
            path = [unbase64(line.decode()) for line in path]
            need(all(len(node) == 32 for node in path) and root_of(path, seq, size, leaf) == root, f"{name} is not in the tree that was signed")
            check_doer(event)
            if event["type"] in ("MODEL_CHANGED", "POLICY_CHANGED"):
                need(event["type"] not in published, "a capsule has one model and one policy")
                published[event["type"]] = event["data"]
            else:
                trail.append(event)
        say(f"each of {len(trail) + len(published)} events is in the tree that was signed, at its place, and done by who might")
    with check("trail") as say:
        rows, places, rests = fold(trail)
        r, p, assessed, d = find_request(rows, request)
        say(f"they are one trail without a gap, and give {request} as it stands: {r['status']}")
    with check("document") as say:
        text = read("document.json")
        need({row["content_hash"] for row in (p, r, d or r)} == {sha256(text).hex()}, "its SHA-256 is not what was filed, submitted and decided on")
        document = parse(text)
        need(document.keys() <= set(DOCUMENT.split()) and document["schema"] == "eucora.evidence/1" and document["id"], "it is no evidence document")
        need(all(document[m] == p[m] for m in ("id", "deployment_intent_id", "correlation_id")), "it is the document of another evidence package")
        facts = read_facts(document)
        say(f"the evidence is byte for byte what was filed, submitted{' and decided on' if d else ''}")
    with check("rules") as say:
        text, rules = read("model.json"), read("policy.json")
        model, policy, made, ruled = parse(text), parse(rules), published["MODEL_CHANGED"]["risk_model"], published["POLICY_CHANGED"]["policy"]
        need(model.keys() <= set(MODEL.split()) and policy.keys() <= set(POLICY.split()), "the model or the policy has a member that none has")
        need({sha256(text).hex()} == {made["digest"], assessed["risk_model_digest"]} and sha256(rules).hex() == ruled["digest"]
             and {model["version"]} == {made["version"], *(row["risk_model_version"] for row in (assessed, p, r))}
             and policy["version"] == ruled["version"] == r["policy_version"], "the model or the policy is not the one that was published, or not the one used")
        say(f"risk model {model['version']} and policy {policy['version']} are those that were published, and used")
    with check("score") as say:
        points = make_score(model, facts)
        need({score(row["risk_score"]) for row in (document, assessed, p, r, d or r)} == {points}, f"the evidence scores {points / 100}, and not all rows say so")
        need(all(document[m] == assessed[m] for m in ("risk_model_version", "risk_model_digest")), "the document was scored by another model")
        say(f"the evidence scores {points / 100}, made again")
    with check("gate") as say:
        gate = make_gate(policy, points, facts)
        need(r["gate"] == gate, f"the request says otherwise than the policy, which says: {gate['decision']} ({gate['rationale']})")
        say(f"the gate is {gate['decision']}, made again: {gate['rationale']}")
    with check("decision") as say:
        judge(r, d, rows, places, rests.get(r["id"]), policy)
        say(f"{request} is {r['status']}" + (f"; the decision was {d['decision']}, by who could and with what it takes" if d else ", and nobody has decided on it"))
    with check("attachments") as say:
        listed = {a["sha256"]: whole(a["size"]) for a in document["attachments"]}
        here = {name[12:]: (digest, length) for name, (_, length, digest) in members.items() if name.startswith("attachments/")}
        need(all(digest == name and listed.get(name) == length for name, (digest, length) in here.items()), "a file is none that the evidence lists")
        say(f"{len(here)} of {len(listed)} files of the evidence are here, as they were filed; {len(listed) - len(here)} by digest only")
    with check("time-stamp") as say:
        if "timestamp.tsr" in members:
            need(sha256(note[:note.index(b"\n", note.index(b"\n\n") + 2) + 1]) in read("timestamp.tsr"), "it is about something else than this checkpoint")
            notes.append("whose the time-stamp is was not checked here: use openssl ts -verify")
        say("it holds the digest of the checkpoint as the log signed it" if "timestamp.tsr" in members else "there is none")
    if not (key or given):
        notes.append("the log's key was taken on trust, from the capsule itself: compare it with your own records, or give it with --key or --trust")
    return report, notes

def main():
    parser = argparse.ArgumentParser(description="checks a capsule of Eucora", allow_abbrev=False)
    parser.add_argument("capsule")
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--key", help="the log's verifier key, from your own records")
    whose.add_argument("--trust", help="a file with a C2SP tlog-policy, from your own records")
    given = parser.parse_args()
    try:
        key = Key(given.key) if given.key else None
        trust = Trust(open(given.trust, "rb").read(LIMITS["trust"] + 1)) if given.trust else None
    except Exception as why:
        parser.error(str(why))
    try:
        need(os.path.isfile(given.capsule), f"{given.capsule} is no file")
        with open(given.capsule, "rb") as file:
            report, notes = verify(file, key, trust)
    except Exception as why:
        report, notes = [(False, "file", str(why))], []
    lines = [f"{'ok  ' if holds else 'BAD '} {name}: {words}" for holds, name, words in report] + ["note " + text for text in notes]
    holds = len(report) == 13 and all(holds for holds, *_ in report)
    for line in lines + ["the capsule holds" if holds else "the capsule does not hold"]:
        print("".join(c if c.isprintable() else "?" for c in line).encode("ascii", "backslashreplace").decode())
    sys.exit(0 if holds else 1)

if __name__ == "__main__":
    main()
