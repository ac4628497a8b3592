#!/usr/bin/env python3
"""Holds this verifier against the program: both must come to the same verdict about everything the program writes.

    python3 verifiers/python/cross_check.py --program target/release/ledgerstone --folder DIR [--seed S] [--changes N]

Starts a server on a store in DIR, fills, seals and stops it; takes receipts, proofs, checkpoints and evidence files;
has all of them judged by both, as they are and after N random changes of each sort. Prints a line for each sort, ends with
the total, and exits 0 only if they always agreed, if what was good was proven, and if no changed evidence was.
"""

import argparse
import contextlib
import io
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time
import unittest

from ledgerstone_verify import cli
from ledgerstone_verify.evidence import Known

VERDICTS = {0: "proven", 1: "disproven", 2: "undecidable"}
SETTINGS = '[seal]\nentries = 512\n[commit]\nheartbeat_s = 1\n[scrub]\nmib_per_s = 0\n'


class Cross:
    def __init__(self, options):
        self.program = os.path.abspath(options.program)
        self.folder = pathlib.Path(options.folder).resolve()
        self.draw = random.Random(options.seed)
        self.changes = options.changes
        self.passed = self.failed = 0

    def run(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.write_store()
        for name, sort in (
            ("receipts, proofs and checkpoints", self.small),
            ("evidence", self.evidence),
            ("evidence that the tests of this verifier make", self.made_by_hand),
            ("evidence forged by whoever holds the key", self.forged),
            ("stores", self.stores),
        ):
            before = (self.passed, self.failed)
            sort()
            print("%s: %d passed, %d failed" % (name, self.passed - before[0], self.failed - before[1]), flush=True)
        print("%d passed, %d failed" % (self.passed, self.failed))
        return 0 if self.passed and not self.failed else 1

    # --- What the program writes ---

    def ledgerstone(self, *arguments):
        done = subprocess.run([self.program, *map(str, arguments)], cwd=self.folder, capture_output=True, timeout=300)
        if done.returncode:
            raise SystemExit("ledgerstone %s: %s" % (arguments, done.stderr.decode()))
        return done.stdout.decode()

    @contextlib.contextmanager
    def server(self, data, settings):
        with open(self.folder / "server.log", "ab") as log:
            command = [self.program, "up", "--data", data, "--listen", "127.0.0.1:0", *settings]
            server = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, stderr=log, text=True)
            try:
                self.url = next(line.split()[-1] for line in server.stdout if "listening on" in line)
                yield server
            finally:
                if server.poll() is None:
                    server.send_signal(signal.SIGINT)
                    server.wait(60)

    def write_store(self):
        at = self.folder
        (at / "settings.toml").write_text(SETTINGS)
        events = [self.event(number) for number in range(2500)]
        (at / "events").write_text("".join(event + "\n" for event in events))
        (at / "raw").write_text(events[40])
        with self.server("data", ["--settings", "settings.toml"]) as server:
            to = ("--server", self.url, "--data", "data")
            self.ledgerstone("append", "events", "--receipts", "receipts", "--wait", "committed", *to)
            index = json.loads((at / "receipts").read_text().splitlines()[40])["receipt"]["index"]
            self.ledgerstone("receipt", index, "-o", "receipt", *to)
            self.ledgerstone("prove", index, "-o", "proof", *to)
            self.has_evidence = "evidence" in self.ledgerstone("help")
            if self.has_evidence:
                self.export(to)
            time.sleep(4)
            self.ledgerstone("append", "events", *to)
            # A copy as a crash leaves it: what lies in the files, taken while nobody stops anything.
            server.kill()
            server.wait(60)
            for name in ("data", "data-keys"):
                shutil.copytree(at / name, at / name.replace("data", "cut", 1))
        self.keys = [self.register("data")["ledgers"][0]["vkey"]]
        if "\n  key " in self.ledgerstone("help"):
            self.ledgerstone("key", "rotate", "--authority", "data-keys/main.authority.key", "--data", "data")
        with self.server("data", []):
            to = ("--server", self.url, "--data", "data")
            self.ledgerstone("append", "raw", "--wait", "committed", *to)
            if self.has_evidence:
                common = ("--case", "4711", "--purpose", "cross check", *to)
                self.ledgerstone("evidence", "--from", 3, "--to", 300, "-o", "later.evidence", *common)
            time.sleep(3)
        # The key that all but the last file are signed with, and the one that it changed to.
        self.vkey = self.keys[0]
        self.keys.append(self.register("data")["ledgers"][0]["vkey"])

    def export(self, to):
        common = ("--case", "4711", "--purpose", "cross check", *to)
        self.ledgerstone("evidence", "--from", 3, "--to", 700, "-o", "range.evidence", *common)
        self.ledgerstone("evidence", "--from", 0, "--to", 40, "--withhold", "content,who", "-o", "held.evidence", *common)
        self.ledgerstone("evidence", "--query", "actor.user.name:user7", "-o", "query.evidence", *common)

    def event(self, number):
        event = {"class_uid": 6003, "time": number, "actor": {"user": {"name": "user%d" % (number % 50)}}}
        event.update(api={"operation": "read"}, message="w\u00f6rd \U0001f600 %d" % number, unmapped={"ratio": number / 8})
        return json.dumps(event, ensure_ascii=bool(number % 2))

    def register(self, data):
        return json.loads((self.folder / data / "register").read_bytes().split(b"\n")[1])

    # --- What both say ---

    def ours(self, path, *options):
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = cli.main([str(path), *options])
        return VERDICTS[code], out.getvalue()

    def theirs(self, path, *options):
        command = [self.program, "verify", str(path), *options]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, timeout=120)
        return VERDICTS.get(done.returncode, str(done.returncode)), (done.stdout + done.stderr).decode()

    def agree(self, what, path, *options, expected=None):
        ours, theirs = self.ours(path, *options), self.theirs(path, *options)
        if ours[0] == theirs[0] and expected in (None, ours[0]):
            self.passed += 1
            return
        self.tell(what, ours, theirs)

    def changed(self, data):
        """One byte of it, or now and then more."""
        data = bytearray(data)
        place = self.draw.randrange(len(data))
        how = self.draw.randrange(8)
        if how < 6:
            data[place] ^= self.draw.randrange(1, 256)
        elif how == 6:
            del data[place : place + self.draw.choice((1, 3, 64))]
        else:
            data[place:place] = self.draw.randbytes(self.draw.choice((1, 3, 64))) if sys.version_info >= (3, 9) else b"x"
        return bytes(data), "%d bytes, change %d at %d" % (len(data), how, place)

    # --- Sorts ---

    def small(self):
        at, key, raw = self.folder, ("--key", self.vkey), ("--raw", str(self.folder / "raw"))
        for name in ("receipt", "proof"):
            for options in ((), key, raw, key + raw, ("--require-anchor",)):
                self.agree(name + " " + " ".join(options), at / name, *options)
            self.agree(name, at / name, *key, *raw, expected="proven")
            for _ in range(self.changes // 2):
                data, what = self.changed((at / name).read_bytes())
                path = at / ("changed-" + name)
                path.write_bytes(data)
                self.agree_not_proven("%s: %s" % (name, what), path, *key, *raw, kind=name)
        self.agree("receipts", at / "receipts", "--raw", str(at / "events"), *key, expected="proven")

    def agree_not_proven(self, what, path, *options, kind=None):
        """A changed file may no longer look like what it was: neither may then call it proven alone."""
        ours, theirs = self.ours(path, *(["--as", kind] if kind else []), *options), self.theirs(path, *options)
        if "proven" not in (ours[0], theirs[0]) or ours[0] == theirs[0]:
            self.passed += 1
            return
        self.tell(what, ours, theirs)

    def tell(self, what, ours, theirs):
        self.failed += 1
        print("FAILED %s: Python says %s, the program says %s" % (what, ours[0], theirs[0]))
        print("--- Python\n%s--- program\n%s" % (ours[1], theirs[1]))

    def evidence(self):
        if not self.has_evidence:
            print("SKIPPED: this program writes no evidence")
            return
        key = ("--key", self.vkey)
        for name in ("range", "held", "query", "later"):
            path = self.folder / (name + ".evidence")
            self.agree(name, path, *key, expected="proven")
            if name == "later":
                self.agree("later, by the key in force", path, "--key", self.keys[-1], expected="proven")
            self.agree(name, path, expected="proven")
            whole = path.read_bytes()
            for _ in range(self.changes):
                data, what = self.changed(whole)
                changed = self.folder / "changed.evidence"
                changed.write_bytes(data)
                self.agree("%s: %s" % (name, what), changed, expected="disproven")

    def made_by_hand(self):
        """Files whose writer had the key, each with something else wrong, or with nothing."""
        if not self.has_evidence:
            return
        from tests import test_evidence as tests
        from tests import test_keys

        kept, judge = [], tests.judge

        def keep(evidence, known=Known()):
            data = evidence if isinstance(evidence, (bytes, bytearray)) else evidence.write()
            report = judge(data, known)
            if known == Known():
                kept.append((bytes(data), report.verdict))
            return report

        tests.judge = keep
        try:
            for case in (tests.Good, tests.Bad, tests.Unknown, tests.Archive, test_keys.Good, test_keys.Bad, test_keys.Unknown):
                for name in unittest.defaultTestLoader.getTestCaseNames(case):
                    before = len(kept)
                    if name != "test_every_byte" and not unittest.TextTestRunner(io.StringIO()).run(case(name)).failures:
                        self.compare_kept("%s.%s.%s" % (case.__module__, case.__name__, name), kept[before:])
        finally:
            tests.judge = judge

    def forged(self):
        """What an exporter who holds the key and means ill makes: the program must find the check that each is about."""
        if not self.has_evidence:
            return
        from tests.test_forged import erased_by_an_unknown_record, forgeries

        path = self.folder / "forged.evidence"
        for name, data, verdict, check in forgeries():
            path.write_bytes(data)
            self.agree(name, path, expected=verdict)
            said, told = self.theirs(path, "--json")
            # One line for programs; what stands below it is for people.
            found = {one["check"] for one in json.loads(told.splitlines()[0])["damage"]}
            if check is not None and check not in found:
                self.tell("%s: %s is not among what the program found" % (name, check), self.ours(path), (said, told))
        path.write_bytes(erased_by_an_unknown_record())
        self.agree("erased by a record that nobody can read", path, expected="undecidable")

    def compare_kept(self, name, files):
        # Of many alike a dozen will do.
        for number, (data, verdict) in enumerate(files[:: max(1, len(files) // 12)]):
            path = self.folder / "made.evidence"
            path.write_bytes(data)
            if name == "tests.test_evidence.Unknown.test_entries_of_later_versions":
                # The program counts entries that it does not understand as missing, and so finds damage.
                self.agree_not_proven(name, path)
            else:
                self.agree("%s, %d" % (name, number), path, expected=verdict)

    def stores(self):
        for data in ("data", "cut"):
            at = self.folder / data
            self.agree(data, at, "--key", self.vkey, expected="proven")
            if data == "data":
                self.agree("data, by the key in force", at, "--key", self.keys[-1], expected="proven")
            files = sorted(path for path in at.rglob("*") if path.is_file() and path.stat().st_size)
            for _ in range(self.changes // 3):
                self.change_store(data, at, self.draw.choice(files))

    def change_store(self, data, at, path):
        whole, what = path.read_bytes(), "%s: %s: " % (data, path.relative_to(at))
        try:
            if self.draw.randrange(6):
                changed, how = self.changed(whole)
                path.write_bytes(changed)
            else:
                how = "removed"
                path.unlink()
            if data == "cut" and "tile" in path.parts:
                self.agree_on_tree_file(what + how, at)
            else:
                self.agree(what + how, at)
        finally:
            path.write_bytes(whole)

    def agree_on_tree_file(self, what, at):
        """Tree files above what is sealed that do not decode are no damage where a power cut may have left them, says
        docs/format.md; the program calls bundles and older partial files damage then, and is the stricter."""
        ours, theirs = self.ours(at), self.theirs(at)
        if ours[0] == theirs[0] or (ours[0], theirs[0]) == ("proven", "disproven"):
            self.passed += 1
        else:
            self.tell(what, ours, theirs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="the program that is checked")
    parser.add_argument("--folder", required=True, help="a folder for stores and files, emptied first")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="what all changes are drawn from")
    parser.add_argument("--changes", type=int, default=100, help="changes of each sort")
    options = parser.parse_args()
    print("seed %d" % options.seed)
    return Cross(options).run()


if __name__ == "__main__":
    sys.exit(main())
