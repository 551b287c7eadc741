"""Tests of the second verifier: its parts, the examples of docs/ledger-format.md, and the capsules that the first one's
tests make:

    EUCORA_CAPSULES=DIR go test -count=1 -run TestWriteCases ./internal/capsule
    EUCORA_CAPSULES=DIR python3 -m unittest discover -s verify

Without the variable the capsules are left out, and the tests say so.
"""
import base64
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import unittest
import zlib
from fractions import Fraction

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(HERE, "eucora_verify.py")
CAPSULES = os.environ.get("EUCORA_CAPSULES")
sys.path.insert(0, HERE)

import eucora_verify as v  # noqa: E402: it stands beside this file


def holds(data, key=None, trust=None):
    """The verdict, as the program gives it: whatever goes wrong is a no."""
    try:
        return bool(v.verify(data, key, trust, lambda line: None))
    except Exception:
        return False


def examples():
    with open(os.path.join(HERE, "..", "docs", "ledger-format.md"), encoding="utf-8") as text:
        return {name: body[:-1] for name, body in re.findall(r"^```([a-z-]+)\n(.*?)^```$", text.read(), re.MULTILINE | re.DOTALL)}


class TestProgram(unittest.TestCase):
    def test_it_is_short(self):
        with open(PROGRAM, encoding="utf-8") as program:
            self.assertLessEqual(len(program.readlines()), 500)

    def test_usage(self):
        for arguments in [[], ["--nonsense"], ["a", "b"], ["a", "--key", "not a key"], ["a", "--trust", "no such file"], ["a", "--ke", "x"]]:
            done = subprocess.run([sys.executable, PROGRAM, *arguments], capture_output=True)
            self.assertEqual(done.returncode, 2, arguments)

    def test_what_is_no_capsule_is_refused_in_words(self):
        for path in ["no such file", HERE, PROGRAM, os.devnull]:
            done = subprocess.run([sys.executable, PROGRAM, path], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (1, ""), path)
            self.assertIn("the capsule does not hold", done.stdout)


class TestDescription(unittest.TestCase):
    """What docs/ledger-format.md says, by its examples."""

    def setUp(self):
        self.said = examples()

    def test_log(self):
        leaf, note = self.said["leaf"].encode(), self.said["checkpoint"].encode() + b"\n"
        self.assertEqual(hashlib.sha256(b"\0" + leaf).hexdigest(), self.said["leaf-hash"])
        log, trust = v.Key(self.said["vkey"]), v.Trust(self.said["trust"].encode())
        size, root = v.open_checkpoint(note, log)
        self.assertEqual(size, 3)
        _, by = v.open_note(note, [trust.log, *trust.witnesses.values()])
        self.assertTrue(trust.met(trust.quorum, by))
        self.assertFalse(trust.met(trust.quorum, v.open_note(note, [trust.log])[1]))
        proof = self.said["proof"].encode() + b"\n"
        event = v.check_event("events/000000000001.json", leaf, proof, note, size, root)
        self.assertEqual(event["type"], "DEPLOYMENT_CREATED")
        for other in [leaf.replace(b"erin", b"eric"), leaf + b" ", leaf[:-1]]:
            with self.assertRaises(Exception):
                v.check_event("events/000000000001.json", other, proof, note, size, root)

    def test_score_and_gate(self):
        document = {"evidence_data": json.loads(self.said["evidence"], parse_int=v.Number, parse_float=v.Number),
                    "origins": json.loads(self.said["origins"], parse_int=v.Number, parse_float=v.Number)}
        facts = v.read_facts(document)
        points = v.make_score(v.parse(self.said["model"].encode(), "model"), facts)
        self.assertEqual(f"{points / 100:.2f}", self.said["score"])
        self.assertEqual(v.make_gate(v.parse(self.said["policy"].encode(), "rules"), points, facts), v.parse(self.said["gate"].encode(), "gate"))

    def test_objects(self):
        """The table of objects is the program's."""
        table = {}
        for line in re.sub("\n  ", " ", self.said["objects"]).split("\n"):
            kind, *names = line.split()
            table[kind] = dict((name + ":text").split(":")[:2] for name in names)
        self.assertEqual(table, v.FORMS)


class TestParts(unittest.TestCase):
    def refused(self, call, *arguments):
        with self.assertRaises(Exception, msg=arguments):
            call(*arguments)

    def parse(self, text):
        v.FORMS["anything"] = {"a": "any"}
        try:
            return v.parse(text if isinstance(text, bytes) else text.encode("utf-8"), "anything")["a"]
        finally:
            del v.FORMS["anything"]

    def test_json(self):
        for text in ['"x"', '""', "[]", "{}", "null", "true", "0", "-1", "9007199254740992", "0.1", "1e-7", "1.5e-10", "0.000001", "0.00001234",
                     '"\\u001f\\b\\t\\n\\f\\r\\"\\\\/"', '"\u2028\x7f\xe9\U0001d11e"', '{"":1,"a":2}', '{"\U00010000":1,"\uffff":2}', "[" * 63 + "]" * 63]:
            self.parse('{"a":' + text + "}")
        for text in ["", " 1", "1 ", "01", "+1", "-0", "1.0", "1.", ".1", "1e5", "1E-7", "1e-07", "1e400", "9007199254740993", "1e21", "0.0000001", "NaN", "Infinity",
                     "-Infinity", "\u0661", "True", "nul", "'x'", '"\\/"', '"\\u0041"', '"\\u001F"', '"\\u000a"', '"\\ud800"', '"\\x"', '"\t"', '"\n"', '"x', "[1,]", "[1 ,2]",
                     "[,1]", '{"a":1,}', '{"a":1,"a":1}', '{"b":1,"a":1}', '{"\uffff":1,"\U00010000":2}', "{1:2}", "[" * 64 + "]" * 64, "[" * 100000, "1}{", "/**/1"]:
            self.refused(self.parse, '{"a":' + text + "}")
        for text in [b"", b"\xef\xbb\xbf" + b'{"a":1}', b'{"a":1}\n', b'{"a":"\xff"}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\xc0\x80"}', '{"a":1}'.encode("utf-16"), b'{"a":1}\0',
                     b'{"a":1,"b":2}', b"{}", b"[1]", b"1", b'{"a":1', b"[" * 10_000_000, b'"' * 9_999_999, b'{"a":"' + b'\\"' * 2_000_000, b'{"a":' + b"1" * 4_000_000 + b"}"]:
            self.refused(self.parse, text)

    def test_numbers_are_written_as_ecmascript_does(self):
        for text in ["1", "100", "-5", "0.5", "123.456", "1e-7", "-1.25e-9", "5e-324", "0.000001", "9007199254740991"]:
            self.assertEqual(v.number(text).text, text)

    def test_scores_and_whole_numbers(self):
        for text, want in {"0": 0, "100": 10000, "50.1": 5010, "0.01": 1, "99.99": 9999}.items():
            self.assertEqual(v.score(v.Number(text)), want)
        for value in [v.Number(t) for t in ("100.01", "101", "-1", "0.001", "1e-7", "1000", "\u0661")] + ["50", 50, True, None]:
            self.refused(v.score, value)
        self.assertEqual(v.whole(v.Number("-7")), -7)
        for value in [v.Number(t) for t in ("1.5", "", " 1", "1_0", "\u0661", "9007199254740993")] + ["1", 1, True, None]:
            self.refused(v.whole, value)

    def test_times(self):
        self.assertEqual(v.time("0001-01-01T00:00:00Z"), 0)
        self.assertEqual(v.time("2026-03-02T09:07:00.123456Z") - v.time("2026-03-02T09:07:00Z"), 123456000)
        self.assertEqual(v.time("2024-03-01T00:00:00Z") - v.time("2024-02-28T23:59:59.999999999Z"), 86400 * 10**9 + 1)
        for text in ["", "2026-03-02", "2026-03-02T09:07:00", "2026-03-02T09:07:00+00:00", "2026-03-02T09:07:00z", "2026-03-02 09:07:00Z", "2026-03-02T09:07:60Z",
                     "2026-02-29T09:07:00Z", "2026-03-02T24:00:00Z", "2026-03-02T09:07:00.Z", "2026-03-02T09:07:00.10Z", "2026-03-02T09:07:00.1234567891Z",
                     "2026-03-02T09:07:00Z\n", "\u0662026-03-02T09:07:00Z", "0000-01-01T00:00:00Z", None, 5]:
            self.refused(v.time, text)

    def test_base64(self):
        self.assertEqual(v.unbase64("AAE="), b"\0\1")
        self.assertEqual(v.unbase64("AAF=", strict=False), b"\0\1")
        for text in ["AAF=", "AAE", "AAE==", "A===", "AA E=", "AAE=\n", "AAE=AAE=", "=AAE", "AA-_", "\u0100AE="]:
            self.refused(v.unbase64, text)

    def test_keys(self):
        key = examples()["vkey"]
        name, digest, raw = key.split("+", 2)
        self.assertEqual(v.Key(f" {key}\n").name, name)
        damaged = base64.b64encode(bytes([1]) + bytes(32)).decode()
        for text in ["", name, f"{name}+{digest}", f"x{key}", f"{name}+00000000+{raw}", f"{name}+{digest}+{damaged}", f"{name}+{digest}+{raw[:-4]}", f"a b+{digest}+{raw}"]:
            self.refused(v.Key, text)

    def test_trees(self):
        """The audit paths of all trees of up to 40 leaves, by RFC 6962's own words."""
        def root(leaves):
            if len(leaves) == 1:
                return v.sha256(b"\0" + leaves[0])
            k = 1 << (len(leaves) - 1).bit_length() - 1
            return v.sha256(b"\1" + root(leaves[:k]) + root(leaves[k:]))

        def path(m, leaves):
            if len(leaves) == 1:
                return []
            k = 1 << (len(leaves) - 1).bit_length() - 1
            return path(m, leaves[:k]) + [root(leaves[k:])] if m < k else path(m - k, leaves[k:]) + [root(leaves[:k])]

        for size in range(1, 41):
            leaves = [b"%d" % n for n in range(size)]
            whole = root(leaves)
            for n, leaf in enumerate(leaves):
                proof = path(n, leaves)
                self.assertEqual(v.root_of(proof, n, size, leaf), whole)
                self.assertNotEqual(v.root_of(proof, n, size, leaf + b"x"), whole)
                self.refused(v.root_of, proof + [whole], n, size, leaf)
                if proof:
                    self.refused(v.root_of, proof[:-1], n, size, leaf)

    def test_facts(self):
        of = v.read_fact
        known = lambda value: v.Fact("known", value)  # noqa: E731
        n = v.Number
        for name, value, want in [
            (v.COVERAGE, n("99.5"), known(Fraction("99.5"))), (v.COVERAGE, n("100.1"), v.Fact("invalid")), (v.COVERAGE, n("-1"), v.Fact("invalid")),
            (v.COVERAGE, "90", v.Fact("invalid")), (v.COVERAGE, True, v.Fact("invalid")), (v.COVERAGE, [], v.Fact("invalid")), (v.COVERAGE, None, v.Fact("invalid")),
            (v.CRITICAL, n("3"), known(3)), (v.CRITICAL, [{}, {}], known(2)), (v.CRITICAL, n("1.5"), v.Fact("invalid")), (v.CRITICAL, {}, v.Fact("invalid")),
            (v.COMPONENTS, ["a"], known(1)), (v.COMPONENTS, n("1"), v.Fact("invalid")), ("test_results.failed", [1], v.Fact("invalid")),
            ("deployment_plan.privileged", True, known("true")), ("deployment_plan.privileged", "true", v.Fact("invalid")), ("deployment_plan.privileged", n("1"), v.Fact("invalid")),
            ("deployment_plan.complexity", "low", known("low")), ("deployment_plan.complexity", "LOW", v.Fact("invalid")), ("deployment_plan.complexity", {}, v.Fact("invalid")),
            ("test_results.manual_test_status", True, v.Fact("invalid")),
        ]:
            self.assertEqual(of(name, value), want, (name, value))

    def test_signatures(self):
        def fact(statuses, *paths):
            artifacts = [{"signature": {"status": status}} for status in statuses]
            return v.signature_fact(artifacts, [{"origin": "derived", "path": path} for path in paths])
        first, second = "artifacts[0].signature.status", "artifacts[1].signature.status"
        self.assertEqual(fact(["valid"]), v.Fact("missing"))
        self.assertEqual(fact(["valid"], first), v.Fact("known", "valid", True))
        self.assertEqual(fact(["valid", "expired"], first, second), v.Fact("known", "expired", True))
        self.assertEqual(fact(["valid", "valid"], first), v.Fact("known", "untrusted", False))
        self.assertEqual(fact(["invalid", "valid"], first), v.Fact("known", "invalid", False))
        for status, path in [("fine", first), ("valid", second), ("valid", "artifacts[00].signature.status"), ("valid", "artifacts[-1].signature.status")]:
            self.assertEqual(fact([status], path), v.Fact("invalid"))


@unittest.skipUnless(CAPSULES, "EUCORA_CAPSULES names no directory of capsules")
class TestCapsules(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.path.join(CAPSULES, "LIST"), encoding="ascii") as lines:
            cls.cases = [line.split() for line in lines]

    def read(self, name):
        with open(os.path.join(CAPSULES, name + ".zip"), "rb") as file:
            return file.read()

    def test_verdicts(self):
        """Good and damaged ones, and those of an insider who holds the log's key: the verdict is the first verifier's."""
        self.assertGreater(len(self.cases), 100)
        for name, verdict, *arguments in self.cases:
            with self.subTest(name):
                done = subprocess.run([sys.executable, PROGRAM, name + ".zip", *arguments], cwd=CAPSULES, capture_output=True, text=True)
                self.assertEqual(done.returncode, {"holds": 0, "refused": 1}[verdict], done.stdout + done.stderr)
                self.assertEqual(done.stderr, "")
                self.assertEqual("BAD " in done.stdout, verdict == "refused")

    def smallest(self):
        return min((self.read(name) for name, verdict, *arguments in self.cases if verdict == "holds" and not arguments), key=len)

    def test_every_byte(self):
        """Whichever byte is changed, it does not hold."""
        good = self.smallest()
        self.assertTrue(holds(good))
        for at in range(len(good)):
            bad = bytearray(good)
            bad[at] ^= 1 << at % 8
            self.assertFalse(holds(bytes(bad)), f"byte {at} changed, and it holds")

    def test_every_member(self):
        """Nor does it if the check sums of the zip are made right again: a byte here and there of each member, its first and its last."""
        good = self.smallest()
        members = v.open_zip(good)
        directory = struct.unpack("<I", good[-6:-2])[0]
        for i, (name, _, begin, end) in enumerate(members):
            central = directory + sum(46 + len(other) for other, *_ in members[:i])
            for at in sorted({begin, *range(begin, end, 97), end - 1}):
                bad = bytearray(good)
                bad[at] ^= 1 << at % 8
                crc = struct.pack("<I", zlib.crc32(bad[begin:end]))
                bad[begin - len(name) - 16:begin - len(name) - 12] = bad[central + 16:central + 20] = crc
                told = []
                self.assertFalse(v.verify(bytes(bad), tell=told.append), f"{name} changed at {at - begin}, and it holds")
                self.assertTrue(told[0].startswith("ok "), told[0])

    def test_every_length(self):
        good = self.smallest()
        for at in range(0, len(good), 7):
            self.assertFalse(holds(good[:at]), f"cut off at {at}, and it holds")
        for more in [b"\0", b"\n", b"PK\5\6", good]:
            self.assertFalse(holds(good + more) or holds(more + good))


if __name__ == "__main__":
    unittest.main()
