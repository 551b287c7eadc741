"""Tests of the second verifier, on the capsules that the first one's tests make:

    EUCORA_CAPSULES=DIR go test -count=1 -run TestWriteCases ./internal/capsule
    EUCORA_CAPSULES=DIR python3 -m unittest discover -s verify

Without the variable they are skipped, saying so.
"""
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(HERE, "eucora_verify.py")
CAPSULES = os.environ.get("EUCORA_CAPSULES")
sys.path.insert(0, HERE)


def holds(data, key=None, trust=None):
    """The verdict, as main gives it: whatever goes wrong is a no."""
    import eucora_verify
    try:
        return bool(eucora_verify.verify(data, key, trust, lambda line: None))
    except Exception:
        return False


class TestProgram(unittest.TestCase):
    def test_it_is_short(self):
        with open(PROGRAM, encoding="utf-8") as program:
            self.assertLessEqual(len(program.readlines()), 500)

    def test_usage(self):
        for arguments in [[], ["--nonsense"], ["a", "b"], ["a", "--key", "not a key"]]:
            done = subprocess.run([sys.executable, PROGRAM, *arguments], capture_output=True)
            self.assertEqual(done.returncode, 2, arguments)
        self.assertEqual(subprocess.run([sys.executable, PROGRAM, "no such file"], capture_output=True).returncode, 1)


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
        self.assertGreater(len(self.cases), 50)
        for name, verdict, *arguments in self.cases:
            with self.subTest(name):
                done = subprocess.run([sys.executable, PROGRAM, name + ".zip", *arguments], cwd=CAPSULES, capture_output=True, text=True)
                self.assertEqual(done.returncode, {"holds": 0, "refused": 1}[verdict], done.stdout + done.stderr)
                self.assertEqual(done.stderr, "")

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

    def test_every_length(self):
        good = self.smallest()
        for at in range(0, len(good), 7):
            self.assertFalse(holds(good[:at]), f"cut off at {at}, and it holds")
        for more in [b"\0", b"\n", b"PK\5\6", good]:
            self.assertFalse(holds(good + more) or holds(more + good))


if __name__ == "__main__":
    unittest.main()
