"""The evidence files that the program's own tests keep (docs/evidence-file.md, section 8)."""

import io
import pathlib
import unittest

from ledgerstone_verify.evidence import Known, verify_evidence

FOLDER = pathlib.Path(__file__).resolve().parents[3] / "crates" / "export" / "tests" / "golden"
# Every so many bytes, and another bit of each: a bit of every byte takes two minutes and finds no more.
STEP = 11


def judge(data):
    return verify_evidence(io.BytesIO(data), "a golden file", Known())


class Golden(unittest.TestCase):
    def test_each_is_proven(self):
        files = sorted(FOLDER.glob("*.evidence"))
        self.assertGreaterEqual(len(files), 4)
        for file in files:
            report = judge(file.read_bytes())
            self.assertEqual(report.verdict, "proven", report.as_text())
            self.assertEqual("selection" in report.label, file.stem == "query")

    def test_hostile_texts_do_not_reach_the_terminal(self):
        text = judge((FOLDER / "withheld.evidence").read_bytes()).as_text()
        self.assertIn("\\u{1b}", text)
        self.assertNotIn("\x1b", text)
        self.assertNotIn("\u202e", text)

    def test_no_altered_byte_is_proven(self):
        for file in sorted(FOLDER.glob("*.evidence")):
            data = file.read_bytes()
            for place in range(0, len(data), STEP):
                changed = bytearray(data)
                changed[place] ^= 1 << place // STEP % 8
                self.assertEqual(judge(changed).verdict, "disproven", "%s, byte %d" % (file.name, place))


if __name__ == "__main__":
    unittest.main()
