#!/usr/bin/env python3
"""Has a log checked by aics-tlog, a verifier that shares no code with Ledgerstone.

    aics.py --tiles URL_OR_DIR --vkey-file FILE --cache DIR
            [--witness-key VKEY] [--old-checkpoint FILE] [--index N]...

Installs aics-tlog from PyPI, pinned by hash, into a virtual environment below the cache directory, then runs
verify-checkpoint, verify-inclusion for several indexes (those given, or both ends, tile borders and the middle) and
verify-consistency. Every bundle it needs is read, so a log whose bundles ask for a token is not for this script.
Also asks for the inclusion of an entry that is not there, which must fail: a check that cannot fail proves nothing.

Prints each command and what it answered. Exit 0: all as it should be. Exit 1: a check failed. Exit 2: not run.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import venv

PACKAGE = "aics-tlog==0.2.1"
SHA256 = "e8cd2be003001576353bbd1a139b68252baf85df8e5d356c5ff26f3c417efdfc"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiles", required=True, metavar="URL_OR_DIR")
    parser.add_argument("--vkey-file", required=True, metavar="FILE", help="the log's verification key")
    parser.add_argument("--cache", required=True, metavar="DIR", help="where the tool is installed, kept for next time")
    parser.add_argument("--witness-key", metavar="VKEY", help="also require a cosignature by this key")
    parser.add_argument("--old-checkpoint", metavar="FILE", help="an earlier checkpoint that the log must extend")
    parser.add_argument("--index", type=int, action="append", metavar="N", help="check this entry (repeatable)")
    arguments = parser.parse_args()
    try:
        tool = install(arguments.cache)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"aics: not run: cannot install {PACKAGE}: {error}", file=sys.stderr)
        return 2
    return 0 if check(tool, arguments) else 1


def check(tool, arguments):
    trust = ["--tiles", arguments.tiles, "--vkey-file", arguments.vkey_file]
    witness = ["--witness-key", arguments.witness_key, "--quorum", "1"] if arguments.witness_key else []
    with tempfile.TemporaryDirectory() as scratch:
        saved = os.path.join(scratch, "checkpoint")
        answer = run(tool, "verify-checkpoint", *trust, *witness, "--save-checkpoint", saved)
        if answer is None:
            return False
        size = answer["size"]
        # All that follows is asked of this one checkpoint, so that a growing log does not move underneath.
        at = [*trust, "--checkpoint", saved]
        good = True
        for index in indexes(size) if arguments.index is None else arguments.index:
            good &= run(tool, "verify-inclusion", *at, "--index", str(index)) is not None
        if size > 0:
            absent = ["--index", "0", "--leaf-hash", "00" * 32]
            good &= run(tool, "verify-inclusion", *at, *absent, fails=True) is not None
        if arguments.old_checkpoint:
            older = arguments.old_checkpoint
        else:
            print("aics: no --old-checkpoint: consistency is checked with the checkpoint itself, which says little")
            older = saved
        good &= run(tool, "verify-consistency", *at, "--old-checkpoint", older) is not None
        print(f"aics: {'all checks passed' if good else 'FAILED'} at size {size}")
        return good


def indexes(size):
    """Both ends, the borders of the first and of the last tile, the middle."""
    border = size // 256 * 256
    wanted = {0, 1, 255, 256, 257, size // 2, border - 1, border, size - 2, size - 1}
    return sorted(index for index in wanted if 0 <= index < size)


def run(tool, *words, fails=False):
    """Runs one command and returns its answer, or None if it did not end as it should."""
    print("$", shlex.join(["aics-tlog", *words]), "  # must fail" if fails else "")
    done = subprocess.run([tool, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    print(done.stdout.strip() or "(no answer)")
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = {}
    expected = (done.returncode == 0, answer.get("ok")) == (not fails, not fails)
    if not expected:
        print(f"aics: FAILED: exit {done.returncode}: {done.stderr.strip()}", file=sys.stderr)
    return answer if expected else None


def install(cache):
    home = os.path.join(cache, PACKAGE.replace("==", "-"))
    tool = os.path.join(home, "bin", "aics-tlog")
    ready = os.path.join(home, "ready")
    if not os.path.exists(ready):
        venv.create(home, with_pip=True, clear=True)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as pinned:
            pinned.write(f"{PACKAGE} --hash=sha256:{SHA256}\n")
            pinned.flush()
            # The package declares Python 3.12 and runs on 3.11.
            pip(home, "--ignore-requires-python", "--no-deps", "--require-hashes", "-r", pinned.name)
        pip(home, "cryptography")
        with open(ready, "w", encoding="ascii"):
            pass
    return tool


def pip(home, *words):
    command = [os.path.join(home, "bin", "python"), "-m", "pip", "install", "--quiet"]
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run([*command, *words], check=True, env=environment)


if __name__ == "__main__":
    sys.exit(main())
