"""A store as a whole: docs/format.md, section 13. What concerns one ledger is in `ledger`."""

from __future__ import annotations

import os
import re
from typing import Any, NamedTuple

from ..encoding import sha256
from ..evidence import Known, ask_for_key, say_witnesses
from ..policy import Policy
from ..timestamps import Authorities
from ..verdict import Damaged, Report, Undecidable
from . import wal
from .block import can_unpack
from .keys import Keys
from .ledger import LedgerCheck
from .segment import read_name
from .state import REGISTER, SCRUB, TOKENS, read_state
from .tiles import read_path

ABOUT = {
    "V1": "state files are as documented",
    "V2": "settings, reserve, lock and keys are those of the register",
    "V3": "the write-ahead log is whole",
    "V4": "checkpoints are signed",
    "V5": "entries lead to the roots of the checkpoints",
    "V6": "the register is not behind, and of the same tree",
    "V7": "the log holds every entry that is not sealed",
    "V8": "times and sequences follow one another",
    "V9": "segments hold what their entries commit to",
    "V10": "the log holds what its entries commit to",
    "V11": "each ledger begins with a genesis that names it",
    "V12": "sealed segments are on record, and there",
    "V13": "what was set aside is on record, and there",
    "V14": "there is nothing unexpected",
    "V15": "timestamps are of the ledgers' trees",
}
_LOG_NAME = re.compile(r"[0-9]{16}\.wal")
_STAMPED_NAME = re.compile(r"stamped/[0-9]{20}(\.checkpoint|\.ots|-[0-9a-f]{64}\.der)")
_TORN_NAME = re.compile(r"([0-9]{16})-([0-9]{16})\.torn")


class Cut(NamedTuple):
    """What a record says that was set aside."""

    file: str
    length: int
    sha256: bytes


def verify_store(folder: str, keys: str | None, known: Known) -> Report:
    report = Report("store", folder)
    for name, about in ABOUT.items():
        report.check(name, about)
    store = Store(folder, keys, report)
    store.authorities = known.authorities
    store.verify()
    with report.check("key", "a ledger's key is one that the auditor knows") as check:
        mine = ask_for_key(check, known)
        if mine and not any(key in mine for ledger in store.ledgers for key in ledger.keys()):
            if any(ledger.has_unknown_keys() for ledger in store.ledgers):
                raise Undecidable("whether a key that was given is an earlier one of a ledger is not known")
            raise Damaged("no ledger of this store has a key that was given")
    if known.policy is not None:
        _ask_witnesses(report, store, known.policy)
    return report


def _ask_witnesses(report: Report, store: "Store", policy: Policy) -> None:
    check = report.check("witnesses", "a quorum of witnesses has cosigned")
    for ledger in store.ledgers:
        with check:
            if ledger.witnessed is None:
                check.say("%s: no checkpoint that witnesses have cosigned" % ledger.name)
                continue
            check.say("%s: up to %d of %d entries" % (ledger.name, ledger.witnessed.size, ledger.size))
            say_witnesses(check, policy, ledger.witnessed.note)


class Store:
    def __init__(self, folder: str, keys: str | None, report: Report):
        self.folder = folder
        self.report = report
        # Made with the default name beside the store, or not here.
        default = folder.rstrip("/") + "-keys"
        self.keys = Keys(keys or (default if os.path.isdir(default) else None), report.check("V2", ""))
        self.authorities: Authorities | None = None
        self.ledgers: list[LedgerCheck] = []
        self.cuts: list[Cut] = []

    def check(self, name: str) -> Any:
        return self.report.check(name, "")

    def verify(self) -> None:
        if not can_unpack():
            for name in ("V9", "V10", "V11", "V12", "V13"):
                self.check(name).unknown("NO PAYLOAD WAS LOOKED AT: there is no zstd; install the Python package `zstandard`")
        register = None
        with self.check("V1"):
            register = read_state(self.read("register"), "ledgerstone/register/v1", REGISTER)
        if register is None:
            return
        self.register = register
        self._verify_state()
        self.files = self._read_log()
        parts = self._parts()
        self.report.facts["payloads"] = "opened" if self.keys.folder else "of events not opened: no keys"
        for row in register["ledgers"]:
            ledger = LedgerCheck(self, row, parts.get(row["id"], []))
            self.ledgers.append(ledger)
            ledger.verify()
        self._verify_set_aside()
        self._verify_names()

    # --- Files ---

    def read(self, path: str) -> bytes:
        try:
            with open(os.path.join(self.folder, path), "rb") as file:
                return file.read()
        except OSError as error:
            raise Damaged("%s: %s" % (path, error.strerror))

    def exists(self, path: str) -> bool:
        return os.path.lexists(os.path.join(self.folder, path))

    def list(self, path: str) -> list[str]:
        """Names in a directory, without files that are being written; none if it is not there."""
        try:
            names = os.listdir(os.path.join(self.folder, path))
        except OSError:
            return []
        return sorted(name for name in names if not name.endswith(".tmp"))

    def walk(self, path: str) -> list[str]:
        """Paths of all files below a directory, relative to it, without files that are being written."""
        top = os.path.join(self.folder, path)
        found = []
        for folder, _, files in os.walk(top):
            found += [os.path.relpath(os.path.join(folder, name), top) for name in files if not name.endswith(".tmp")]
        return sorted(name.replace(os.sep, "/") for name in found)

    # --- State and keys ---

    def _verify_state(self) -> None:
        for path, title, reader in (("tokens", "tokens", TOKENS), ("scrub", "scrub", SCRUB)):
            if self.exists(path):
                with self.check("V1"):
                    self._read_state(path, title, reader)
        v2 = self.check("V2")
        settings = sha256(self.read("ledgerstone.toml")) if self.exists("ledgerstone.toml") else None
        if settings != self.register["settings"]:
            v2.bad("ledgerstone.toml is not what the server was started with")
        if self.exists("reserve") and self.read("reserve").strip(b"\0"):
            v2.bad("reserve is not all zeros")
        if self.exists("lock") and self.read("lock"):
            v2.bad("lock is not empty")
        for row in self.register["ledgers"]:
            self.keys.verify_ledger(row["name"], row["origin"], row["vkey"])

    def _read_state(self, path: str, title: str, reader: Any) -> Any:
        try:
            return read_state(self.read(path), "ledgerstone/%s/v1" % title, reader)
        except Damaged as error:
            raise Damaged("%s: %s" % (path, error))

    # --- The log ---

    def _read_log(self) -> list[wal.LogFile]:
        """The files from the floor on, as far as they can be read."""
        floor, last = self.register["wal_floor"], self.register["wal"]["file"]
        numbers = [int(name[:16]) for name in self.list("wal") if _LOG_NAME.fullmatch(name)]
        numbers = [number for number in numbers if number >= floor]
        v3 = self.check("V3")
        expected = list(range(floor, max([last, *numbers]) + 1))
        if numbers != expected and not (last == 0 and not numbers):
            v3.bad("of the files from %d to %d some are missing" % (floor, expected[-1] if expected else last))
        files = []
        for number in numbers:
            path = "wal/%016d.wal" % number
            with v3:
                try:
                    file = wal.LogFile(number, self.read(path))
                    if files and files[-1].number == number - 1:
                        wal.require_continues(file, files[-1])
                    files.append(file)
                except Damaged as error:
                    raise Damaged("%s: %s" % (path, error))
        for file, after in zip(files, [*files[1:], None]):
            with v3:
                self._verify_groups(file, after)
        return files

    def _verify_groups(self, file: wal.LogFile, after: wal.LogFile | None) -> None:
        path, place = "wal/%016d.wal" % file.number, self.register["wal"]
        known = after.header.kept if after else 0
        if place["file"] == file.number:
            known = max(known, place["offset"])
            if file.hash_at(place["offset"]) != place["chain"]:
                raise Damaged("%s: no group that the register knows ends at %d" % (path, place["offset"]))
            if after and place["offset"] > after.header.kept:
                raise Damaged("%s: the register counts more than the file after it" % path)
            if self.register["stopped"] and (after or place["offset"] != len(file.data)):
                raise Damaged("%s: the log goes on after an orderly stop" % path)
        if file.bad_at < known or len(file.data) < known:
            raise Damaged("%s: corrupt at %d: %s" % (path, file.bad_at, file.why))
        if file.why and file.has_later_group():
            raise Damaged("%s: corrupt at %d, and a good group follows: %s" % (path, file.bad_at, file.why))

    def _parts(self) -> dict[bytes, list[wal.Part]]:
        """By ledger, what counts of the log."""
        parts: dict[bytes, list[wal.Part]] = {row["id"]: [] for row in self.register["ledgers"]}
        for file, after in zip(self.files, [*self.files[1:], None]):
            for group in file.groups:
                if after and group.end > after.header.kept:
                    break
                for part in group.parts:
                    if part.ledger in parts:
                        parts[part.ledger].append(part)
                    else:
                        self.check("V7").bad("the log holds entries of a ledger that the register does not name")
        return parts

    # --- Set aside, names ---

    def _verify_set_aside(self) -> None:
        v13 = self.check("V13")
        recorded = {cut.file: cut for cut in self.cuts}
        for cut in self.cuts:
            with v13:
                data = self.read(cut.file) if cut.file.startswith("set-aside/") else None
                if data is None or (len(data), sha256(data)) != (cut.length, cut.sha256):
                    raise Damaged("%s is not what was set aside" % cut.file)
        for name in self.list("set-aside"):
            path = "set-aside/" + name
            if path not in recorded and _TORN_NAME.fullmatch(name) and not self._is_tail(name):
                if can_unpack():
                    v13.bad("%s is not on record" % path)

    def _is_tail(self, name: str) -> bool:
        """Whether it is what the last file still ends in."""
        number, offset = int(name[:16]), int(name[17:33])
        file = self.files[-1] if self.files else None
        if file is None or file.number != number or file.bad_at != offset:
            return False
        return self.read("set-aside/" + name) == file.data[offset:]

    def _verify_names(self) -> None:
        names = {row["name"] for row in self.register["ledgers"]}
        plain = ("register", "ledgerstone.toml", "tokens", "admin.token", "scrub", "reserve", "lock")
        for path in self.walk(""):
            where, _, rest = path.partition("/")
            expected = path in plain
            if where == "wal":
                expected = bool(_LOG_NAME.fullmatch(rest)) and int(rest[:16]) > 0
            elif where == "set-aside":
                expected = bool(_TORN_NAME.fullmatch(rest))
            elif where == "ledgers":
                name, _, below = rest.partition("/")
                expected = name in names and self._is_of_a_ledger(name, below)
            if not expected:
                self.check("V14").bad("unexpected: %s" % path)
        for name in self.list("ledgers"):
            if name not in names:
                self.check("V14").bad("the register names no ledger %s" % name)
        self.keys.verify_names(names)

    def _is_of_a_ledger(self, name: str, path: str) -> bool:
        if path in ("checkpoint", "checkpoint.witnessed") or _STAMPED_NAME.fullmatch(path):
            return True
        if path.startswith("tile/"):
            place = read_path(path[5:])
            ledger = next((one for one in self.ledgers if one.name == name), None)
            return place is not None and (ledger is None or ledger.allows_tile(place))
        match = re.fullmatch("segment/(events|control)/([^/]+)", path)
        return bool(match) and read_name(match.group(1), match.group(2)) is not None
