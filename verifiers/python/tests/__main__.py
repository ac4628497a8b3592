"""`python3 -m tests` in verifiers/python: all tests, and a last line of counts."""

import pathlib
import sys
import unittest

top = pathlib.Path(__file__).resolve().parents[1]
suite = unittest.defaultTestLoader.discover(str(top / "tests"), top_level_dir=str(top))
result = unittest.TextTestRunner(verbosity=1).run(suite)
failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
print("%d passed, %d failed" % (result.testsRun - failed - len(result.skipped), failed))
sys.exit(0 if result.testsRun and not failed and not result.skipped else 1)
