#!/usr/bin/env python3
"""The page in a real Chromium: on the program's own evidence files, on 10,000 records, and on every file that the tests of
the verifier in Python judge, where both must come to one verdict.

    python3 verifiers/browser/test_page.py [--every-byte]

Needs Debian's packages chromium and chromium-driver, and from PyPI `cryptography`.
"""

import base64
import hashlib
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "python")]

from browser import Browser
from tests import test_evidence, test_forged, test_keys, writer

PAGE = HERE / "verify.html"
GOLDEN = HERE.parents[1] / "crates/export/tests/golden"
EVERY_BYTE = "--every-byte" in sys.argv
# The page's word for what the others call proven, while nobody has given it a key.
UNPINNED = {"amber": "proven"}

JUDGE = """
const bytes = Uint8Array.from(atob(arguments_[0]), (char) => char.charCodeAt(0));
return verify(new Blob([bytes]), arguments_[1], () => {}).then((report) => verdict(report)[0], (error) => `thrown: ${error}`);
"""


def setUpModule():
    global window
    window = Browser()
    window.open(PAGE)


def tearDownModule():
    window.__exit__()


def in_page(script, *arguments):
    quoted = ", ".join('"%s"' % argument for argument in arguments)
    return window.run("const arguments_ = [%s];\n%s" % (quoted, script))


def judge(data, key=""):
    """What the page says of these bytes."""
    return in_page(JUDGE, base64.b64encode(data).decode(), key)


def vkey(data):
    return in_page(JUDGE.replace("verdict(report)[0]", "report.manifest.vkey"), base64.b64encode(data).decode(), "")


class Page(unittest.TestCase):
    def choose(self, data, key=""):
        """Gives a file to the page as a person would, and returns its verdict and text."""
        window.open(PAGE)
        with tempfile.NamedTemporaryFile(suffix=".evidence") as file:
            file.write(data)
            file.flush()
            if key:
                window.type("#key", key)
            window.type("#file", file.name)
            verdict = window.wait_for("return document.querySelector('#result').dataset.verdict", 180)
        return verdict, window.run("return document.querySelector('#result').innerText")

    def test_its_policy_lets_nothing_else_run_or_connect(self):
        self.assertEqual(subprocess.run([sys.executable, HERE / "seal.py", "--check"]).returncode, 0)
        self.assertEqual(window.run("return fetch('data:,x').then(() => 'open', () => 'shut')"), "shut")
        added = "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s);"
        self.assertIsNone(window.run(added + "return window.ran"))

    def test_sha256_is_that_of_others(self):
        for length in [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1000]:
            data = bytes(i * 7 & 255 for i in range(length))
            script = "return hex(sha256(Uint8Array.from(atob(arguments_[0]), (char) => char.charCodeAt(0))))"
            self.assertEqual(in_page(script, base64.b64encode(data).decode()), hashlib.sha256(data).hexdigest())

    def test_the_programs_own_files(self):
        for name, pinned in [("range", "proven"), ("withheld", "proven"), ("keys", "proven"), ("continued", "proven"), ("query", "amber")]:
            data = (GOLDEN / f"{name}.evidence").read_bytes()
            key = vkey(data)
            self.assertEqual(self.choose(data)[0], "amber", name)
            verdict, text = self.choose(data, key)
            self.assertEqual(verdict, pinned, text)
            self.assertEqual("ledgerstone.example/0123456789abcdef at 640 entries" in text, name == "continued")
            self.assertEqual("completeness of the match is not provable" in text.split("\n")[0], name == "query")
            self.assertEqual(self.choose(data, hashlib.sha256(key.encode()).hexdigest())[0], pinned)
            self.assertEqual(self.choose(data, writer.Signer(key.split("+")[0], 9).vkey)[0], "disproven")

    def test_a_ledger_that_changed_its_key(self):
        ledger = test_keys.handed_over()
        data = writer.Evidence(ledger).write()
        for _, signer in ledger.signers:
            verdict, text = self.choose(data, signer.vkey)
            self.assertEqual(verdict, "proven", text)
            self.assertIn(ledger.signers[0][1].vkey, text)
        self.assertEqual(self.choose(data, writer.Signer(ledger.origin, 33).vkey)[0], "disproven")
        self.assertEqual(self.choose(data, ledger.authority.vkey)[0], "disproven")

    def test_texts_of_the_file_are_never_markup_and_steer_nothing(self):
        _, text = self.choose((GOLDEN / "withheld.evidence").read_bytes())
        self.assertIn("<b>4712</b> & \\u{202e}", text)
        for char in "\u202e\u2066\x1b\x00":
            self.assertNotIn(char, text)

    def test_bytes_that_were_changed(self):
        for name in ("range", "keys"):
            data = (GOLDEN / f"{name}.evidence").read_bytes()
            key = vkey(data)
            for place in range(0, len(data), 1 if EVERY_BYTE else 29):
                changed = bytearray(data)
                changed[place] ^= 1 << place % 8
                self.assertIn(judge(bytes(changed), key), ("disproven", "undecidable"), f"{name}, byte {place}")

    def test_ten_thousand_records(self):
        ledger = writer.some_ledger(300)
        evidence = writer.Evidence(ledger, 0, 1)
        data = ten_thousand()
        begin = time.monotonic()
        verdict, text = self.choose(data, evidence.ledger.signer.vkey)
        print(f"10,000 records, {len(data) / 1e6:.1f} MB: {time.monotonic() - begin:.1f} s, file chooser included")
        self.assertEqual(verdict, "proven", text)
        changed = bytearray(data)
        changed[len(data) // 2] ^= 1
        self.assertEqual(self.choose(bytes(changed), evidence.ledger.signer.vkey)[0], "disproven")


def ten_thousand():
    """Evidence of 10,000 records of about a kilobyte each. Trees by the slow way would take minutes."""
    ledger = writer.Ledger()
    for number in range(9_998):
        ledger.event(f"user{number}", raw=hashlib.sha256(b"%d" % number).hexdigest().encode() * 10, statement="select " * 40)
    return writer.Evidence(ledger).write()


class Agreement(unittest.TestCase):
    """What the verifier in Python is tested with, seen by the page too."""

    def test_every_file_that_the_other_tests_make(self):
        files = []
        verify = test_evidence.verify_evidence

        def noted(stream, name, known):
            data = stream.getvalue()
            report = verify(stream, name, known)
            if known == test_evidence.Known():
                files.append((data, report.verdict))
            return report

        test_evidence.verify_evidence = noted
        try:
            for module in (test_evidence, test_keys):
                suite = unittest.defaultTestLoader.loadTestsFromModule(module)
                self.assertTrue(unittest.TextTestRunner(verbosity=0).run(suite).wasSuccessful())
        finally:
            test_evidence.verify_evidence = verify
        # Those with one bit changed are thousands, and of one kind.
        kept, by_length = [], {}
        for data, verdict in files:
            number = by_length[len(data)] = by_length.get(len(data), 0) + 1
            if EVERY_BYTE or number < 20 or number % 23 == 0:
                kept.append((data, verdict))
        others = []
        for data, verdict in kept:
            mine = judge(data)
            if UNPINNED.get(mine, mine) != verdict:
                others.append((verdict, mine, len(data), in_page(JUDGE.replace("verdict(report)[0]", "JSON.stringify([report.failed, report.unknown])"), base64.b64encode(data).decode(), "")))
        print(f"{len(kept)} of {len(files)} files, {len(others)} with another verdict")
        self.assertEqual(others, [])

    def test_every_forged_file(self):
        """What an exporter who holds the key and means ill makes: the page must find the check that each is about."""
        script = JUDGE.replace("verdict(report)[0]", "[verdict(report)[0], report.failed.map((fault) => fault.id)]")
        count = 0
        for name, data, verdict, check in test_forged.forgeries():
            mine, failed = in_page(script, base64.b64encode(data).decode(), "")
            self.assertEqual(UNPINNED.get(mine, mine), verdict, name)
            self.assertTrue(check is None or check in failed, f"{name}: {check} is not in {failed}")
            count += 1
        print(f"{count} forged files")
        self.assertEqual(judge(test_forged.erased_by_an_unknown_record()), "undecidable")


def main():
    """Runs the tests and ends with a line that the project's own runner counts."""
    arguments = [argument for argument in sys.argv if argument != "--every-byte"]
    result = unittest.main(argv=arguments, exit=False).result
    failed = len(result.failures) + len(result.errors)
    print("test result: %d passed; %d failed; 0 ignored" % (result.testsRun - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
