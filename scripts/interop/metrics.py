#!/usr/bin/env python3
"""Has a page of metrics read by prometheus_client, a parser that nobody here wrote.

    metrics.py --cache DIR FILE

Installs prometheus_client from PyPI, pinned by hash, into a virtual environment below the cache directory, and reads
FILE with it: every family needs a type and a help text, counters end in _total, and no sample comes twice. A page with
a sample that is no number must be refused: a check that cannot fail proves nothing.

Exit 0: all as it should be. Exit 1: a check failed. Exit 2: not run.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import venv

PACKAGE = "prometheus-client==0.26.0"
SHA256 = "fa93d06737aa02bacd05794768508bb97d2fbee28cb3bca04eaae92f0ca953d6"

CHECK = """
import sys
from prometheus_client.parser import text_string_to_metric_families as parse
text = open(sys.argv[1], encoding="utf-8").read()
seen, samples = set(), 0
for family in parse(text):
    assert family.type in ("counter", "gauge"), (family.name, family.type)
    assert family.documentation, family.name
    for sample in family.samples:
        key = (sample.name, tuple(sorted(sample.labels.items())))
        assert key not in seen, key
        assert sample.name.endswith("_total") == (family.type == "counter"), sample.name
        seen.add(key)
        samples += 1
assert samples > 20, samples
try:
    list(parse(text + "ledgerstone_bad {\\n"))
except ValueError:
    print(f"{samples} samples, all as they should be")
else:
    sys.exit("a bad page was taken for a good one")
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", required=True, metavar="DIR", help="where the parser is installed, kept for next time")
    parser.add_argument("file", metavar="FILE")
    arguments = parser.parse_args()
    try:
        python = install(arguments.cache)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"metrics: not run: cannot install {PACKAGE}: {error}", file=sys.stderr)
        return 2
    return 1 if subprocess.run([python, "-c", CHECK, arguments.file], check=False).returncode else 0


def install(cache):
    home = os.path.join(cache, PACKAGE.replace("==", "-"))
    python = os.path.join(home, "bin", "python")
    ready = os.path.join(home, "ready")
    if not os.path.exists(ready):
        venv.create(home, with_pip=True, clear=True)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as pinned:
            pinned.write(f"{PACKAGE} --hash=sha256:{SHA256}\n")
            pinned.flush()
            environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
            command = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", pinned.name]
            subprocess.run(command, check=True, env=environment)
        with open(ready, "w", encoding="ascii"):
            pass
    return python


if __name__ == "__main__":
    sys.exit(main())
