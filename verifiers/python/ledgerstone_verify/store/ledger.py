"""One ledger of a store: docs/format.md, section 13."""

from __future__ import annotations

from typing import Any, Iterable

from .. import record
from ..control import read_control
from ..history import History
from ..note import Checkpoint, Key, read_predecessor
from ..record import TABLE_HASH, Entry, Opening, leaf_of, read_entry
from ..tree import Row
from ..verdict import Check, Damaged, Undecidable
from . import seal
from .block import can_unpack, read_block, unpack
from .segment import CLASSES, EVENTS, Name, Segment, read_name, read_segment
from .stamps import verify_stamps
from .tiles import WIDTH, implied, read_bundle, read_path, read_tile, tile_path
from .wal import Part


class LedgerCheck:
    def __init__(self, store: Any, row: dict[str, Any], parts: list[Part]):
        self.store = store
        self.row = row
        self.name: str = row["name"]
        self.id: bytes = row["id"]
        self.sealed: int = row["sealed"]
        self.parts = parts
        self.key: Key | None = None
        self.size = 0
        self.witnessed: Checkpoint | None = None
        self.entries: list[bytes] = []
        # Those, decoded; None for what is not understood.
        self.decoded: list[Entry | None] = []
        # What the log holds of it, from which index on.
        self.log: list[bytes] = []
        self.log_first = self.sealed
        # Records `sealed`, by file.
        self.sealed_records: dict[str, dict[str, Any]] = {}
        self.genesis: dict[str, Any] | None = None
        # Records `key`, by index, and what follows from them; None where that can't be told.
        self.key_records: dict[int, dict[str, Any]] = {}
        # Records `timestamp`, by index.
        self.timestamps: dict[int, dict[str, Any]] = {}
        self.history: History | None = None

    def check(self, name: str) -> Check:
        return self.store.report.check(name, "")

    def verify(self) -> None:
        checkpoint = None
        with self.check("V4"):
            self.key = Key.parse(self.row["vkey"])
            checkpoint = self._read_checkpoint()
        self.size = checkpoint.size if checkpoint else 0
        with self.check("V7"):
            self.log, self.log_first = self._unsealed()
        self.store.report.facts[self.name] = "%d entries, of which %d are sealed; %s" % (
            self.size,
            self.sealed,
            self.row["vkey"],
        )
        with self.check("V5"):
            self.entries = self._read_entries()
            self._verify_tiles(checkpoint)
        if len(self.entries) < self.size:
            return
        with self.check("V6"):
            self._verify_register()
        if self.sealed > self.size:
            return
        self._verify_order()
        self._verify_log_payloads()
        segments = self._read_segments()
        self._verify_sealed_payloads(segments)
        self._verify_genesis()
        with self.check("V11"):
            self.history = self._read_history()
        with self.check("V4"):
            self._verify_signatures(checkpoint)
        with self.check("V4"):
            self._verify_witnessed()
        self._verify_sealed_records(segments)
        verify_stamps(self)

    def fail(self, name: str, what: object) -> None:
        self.check(name).bad("%s: %s" % (self.name, what))

    # --- Checkpoint and tree ---

    def _read_checkpoint(self) -> Checkpoint | None:
        path = "ledgers/%s/checkpoint" % self.name
        if not self.store.exists(path):
            # Whether it may be missing: only before the first publication, and then nothing is sealed nor stopped.
            if self.store.register["stopped"] or self.sealed:
                raise Damaged("%s is missing" % path)
            return None
        try:
            checkpoint = Checkpoint.parse(self.store.read(path))
            if self.row["origin"] != checkpoint.origin or checkpoint.extensions:
                raise Damaged("not the three lines of %s" % self.row["origin"])
            if len(checkpoint.note.signatures) != 1:
                raise Damaged("%d signatures" % len(checkpoint.note.signatures))
        except Damaged as error:
            raise Damaged("%s: %s" % (path, error))
        return checkpoint

    def _read_history(self) -> History | None:
        """The keys of the ledger; None where records that tell them were not opened. Raises Damaged unless each holds."""
        if self.genesis is None:
            return None
        entries = self.all_entries()
        history = History(self.genesis)
        for index, entry in enumerate(self.decoded):
            if entry is None or entry.kind != record.KEY:
                continue
            if index not in self.key_records:
                raise Undecidable("%s: index %d: what this record says of the key is not known here" % (self.name, index))
            try:
                change = history.enter(index, self.key_records[index])
                if _root([leaf_of(entry) for entry in entries[: change.statement.size]]) != change.statement.root:
                    raise Damaged("the statement names a tree that this ledger never had")
            except Damaged as error:
                raise Damaged("%s: index %d: %s" % (self.name, index, error))
        return history

    def _verify_signatures(self, checkpoint: Checkpoint | None) -> None:
        """The register's key is the one in force, and the checkpoint is by the one in force for its size."""
        try:
            if self.history is not None and self.history.in_force(self.row["size"]) != self.key:
                raise Damaged("the register has another key than the one in force for %d entries" % self.row["size"])
            if checkpoint is not None and self.key is not None:
                self._verify_signature(checkpoint, self.key)
        except Damaged as error:
            raise Damaged("ledgers/%s/checkpoint: %s" % (self.name, error))

    def _verify_signature(self, checkpoint: Checkpoint, registered: Key) -> None:
        if self.history is not None:
            return checkpoint.require(self.history.in_force(checkpoint.size))
        try:
            checkpoint.require(registered)
        except Damaged:
            if self.store.register["stopped"]:
                raise
            raise Undecidable("%s: who must have signed the checkpoint is not known here" % self.name)

    def keys(self) -> list[Key]:
        """The register's, and those before it."""
        if self.history is not None:
            return self.history.keys(self.row["size"])
        return [self.key] if self.key else []

    def has_unknown_keys(self) -> bool:
        """Whether there are `key` records that could not be followed."""
        return self.history is None and self._has_changes()

    def _has_changes(self) -> bool:
        return any(entry is not None and entry.kind == record.KEY for entry in self.decoded)

    def _verify_witnessed(self) -> None:
        """The newest checkpoint that a quorum of witnesses has cosigned, where there are witnesses."""
        path = "ledgers/%s/checkpoint.witnessed" % self.name
        if not self.store.exists(path):
            return
        try:
            checkpoint = Checkpoint.parse(self.store.read(path))
            checkpoint.require(self.history.in_force(checkpoint.size) if self.history else self.key)
            if checkpoint.extensions or checkpoint.size > self.size:
                raise Damaged("not a checkpoint before that of %d entries" % self.size)
            if _root([leaf_of(entry) for entry in self.entries[: checkpoint.size]]) != checkpoint.root:
                raise Damaged("of another tree")
        except Damaged as error:
            raise Damaged("%s: %s" % (path, error))
        self.witnessed = checkpoint

    def _unsealed(self) -> tuple[list[bytes], int]:
        """The entries that the log holds, and the index of the first."""
        runs: dict[int, list[bytes]] = {}
        for part in self.parts:
            if runs.setdefault(part.first, part.entries) != part.entries:
                raise Damaged("%s: the log holds two runs from %d on" % (self.name, part.first))
        entries: list[bytes] = []
        first = None
        for begin in sorted(runs):
            if begin + len(runs[begin]) <= self.sealed:
                continue
            if first is None:
                first = begin
            if begin != first + len(entries):
                raise Damaged("%s: the log has a hole or an overlap before %d" % (self.name, begin))
            entries += runs[begin]
        if first is None:
            first = self.sealed
        if first > self.sealed or first + len(entries) < self.row["size"]:
            raise Damaged("%s: the log does not hold every entry from %d to %d" % (self.name, self.sealed, self.row["size"]))
        return entries, first

    def _read_entries(self) -> list[bytes]:
        """Every entry below the checkpoint's size: from bundles, else, where that may be, from the log."""
        entries: list[bytes] = []
        for first in range(0, self.size, WIDTH):
            end = min(first + WIDTH, self.size)
            bundle = self._bundle(first // WIDTH, end - first)
            if bundle is None:
                if self.log_first <= first and end <= self.log_first + len(self.log):
                    bundle = self.log[first - self.log_first : end - self.log_first]
                else:
                    raise Damaged("%s: the bundle from %d on is missing, and the log has not its entries" % (self.name, first))
            entries += bundle
        for index in range(max(self.log_first, 0), min(self.size, self.log_first + len(self.log))):
            if entries[index] != self.log[index - self.log_first]:
                self.fail("V7", "entry %d of the log is not that of its bundle" % index)
                break
        return entries

    def _bundle(self, number: int, width: int) -> list[bytes] | None:
        """From the file that the size implies, or a wider one of which it is a prefix; None if it may be missing."""
        may_be_missing = not self.store.register["stopped"] and (number + 1) * WIDTH > self.sealed
        for candidate in (width, WIDTH) if may_be_missing else (width,):
            path = "ledgers/%s/tile/%s" % (self.name, tile_path(None, number, candidate))
            if self.store.exists(path):
                try:
                    return read_bundle(self.store.read(path), candidate)[:width]
                except Damaged as error:
                    if not may_be_missing:
                        raise Damaged("%s: %s" % (path, error))
        if not may_be_missing:
            raise Damaged("ledgers/%s/tile/%s is missing" % (self.name, tile_path(None, number, width)))
        return None

    def _verify_tiles(self, checkpoint: Checkpoint | None) -> None:
        levels = [[leaf_of(entry) for entry in self.entries]]
        while len(levels[-1]) >= WIDTH:
            below = levels[-1]
            levels.append([_root(below[at : at + WIDTH]) for at in range(0, len(below) - WIDTH + 1, WIDTH)])
        for level, number, width in implied(self.size):
            if level is None:
                continue
            path = "ledgers/%s/tile/%s" % (self.name, tile_path(level, number, width))
            must_be = self.store.register["stopped"] or (number + 1) << 8 * (level + 1) <= self.sealed
            try:
                if not self.store.exists(path):
                    raise Damaged("missing")
                hashes = read_tile(self.store.read(path), width)
            except Damaged as error:
                if must_be:
                    self.check("V5").bad("%s: %s" % (path, error))
                continue
            if hashes != levels[level][number * WIDTH : number * WIDTH + width]:
                self.check("V5").bad("%s: not the hashes of what is below" % path)
        self._verify_older_tiles(levels)
        if checkpoint and _root(levels[0]) != checkpoint.root:
            raise Damaged("%s: the entries do not lead to the root of the checkpoint" % self.name)

    def _verify_older_tiles(self, levels: list[list[bytes]]) -> None:
        """Partial files of older checkpoints may lie about after a cut; they must be prefixes of the tree."""
        for path in self.store.walk("ledgers/%s/tile" % self.name):
            place = read_path(path)
            if place is None or place[2] == WIDTH:
                continue
            level, number, width = place
            begin, end = number * WIDTH, number * WIDTH + width
            of_tree: list[bytes] = self.entries if level is None else levels[level] if level < len(levels) else []
            if end > len(of_tree):
                continue
            data = self.store.read("ledgers/%s/tile/%s" % (self.name, path))
            try:
                found = read_bundle(data, width) if level is None else read_tile(data, width)
            except Damaged as error:
                # Above what is sealed a power cut may leave anything: these files are never synced.
                if number < self.sealed >> 8 * ((level or 0) + 1):
                    self.check("V5").bad("ledgers/%s/tile/%s: %s" % (self.name, path, error))
                continue
            if found != of_tree[begin:end]:
                self.check("V5").bad("ledgers/%s/tile/%s: not a prefix of the tree" % (self.name, path))

    def _verify_register(self) -> None:
        row = self.row
        if self.sealed % WIDTH or not self.sealed <= self.size <= row["size"]:
            raise Damaged("%s: sealed %d, checkpoint %d, register %d" % (self.name, self.sealed, self.size, row["size"]))
        tree = Row()
        for index, entry in enumerate(self.all_entries(row["size"])):
            if index == self.sealed and tree.roots() != row["sealed_frontier"]:
                raise Damaged("%s: the register has another tree of %d entries" % (self.name, self.sealed))
            tree.push(0, index, leaf_of(entry))
        if self.sealed == row["size"] and tree.roots() != row["sealed_frontier"]:
            raise Damaged("%s: the register has another tree of %d entries" % (self.name, self.sealed))
        if tree.end != row["size"] or tree.root() != row["root"]:
            raise Damaged("%s: the entries do not lead to the root of the register" % self.name)

    def all_entries(self, size: int | None = None) -> list[bytes]:
        """Those of the checkpoint and, beyond it, those of the log."""
        entries = self.entries + self.log[self.size - self.log_first :]
        return entries if size is None else entries[:size]

    def allows_tile(self, place: tuple[int | None, int, int]) -> bool:
        return not self.store.register["stopped"] or place in set(implied(self.size))

    # --- Entries ---

    def _verify_order(self) -> None:
        """Decodes every entry; keeps those that are understood."""
        last, sequences, has_unknown = 0, {}, False
        for index, data in enumerate(self.all_entries()):
            try:
                entry = read_entry(data)
            except Undecidable as error:
                self.check("V8").unknown("%s: index %d: %s" % (self.name, index, error))
                self.decoded.append(None)
                has_unknown = True
                continue
            except Damaged as error:
                self.fail("V8", "index %d: %s" % (index, error))
                self.decoded.append(None)
                continue
            self.decoded.append(entry)
            if entry.received < last:
                self.fail("V8", "index %d was received before the one ahead of it" % index)
            last = entry.received
            place = (entry.source, entry.epoch)
            # An entry that is not understood may be the one that is lacking.
            lacking = has_unknown and entry.sequence > sequences.get(place, 0)
            if entry.sequence != sequences.get(place, 0) + 1 and not lacking:
                self.fail("V8", "index %d: sequence %d of source %d, epoch %d" % (index, entry.sequence, *place))
            sequences[place] = entry.sequence

    def _verify_record(self, check: Check, index: int, opening: Opening, kind: int) -> None:
        """Raises nothing: says what is wrong. `kind` is that of the class where the record lies."""
        entry = self.decoded[index] if index < len(self.decoded) else None
        if entry is None:
            return
        with check:
            try:
                if (entry.kind in record.EVENT_KINDS) != (kind == EVENTS):
                    raise Damaged("a record of kind %d in the wrong class" % entry.kind)
                what = opening.belongs_to(entry, self.id, record.TABLE_VERSION)
                if opening.missing():
                    raise Undecidable("facets were erased, and which record says so is not known here")
                self._keep_control(index, entry, what, opening)
            except Damaged as error:
                raise Damaged("%s: index %d: %s" % (self.name, index, error))
            except Undecidable as error:
                raise Undecidable("%s: index %d: %s" % (self.name, index, error))

    def _keep_control(self, index: int, entry: Entry, what: dict | None, opening: Opening) -> None:
        """Keeps of control records what other checks need."""
        if what is None or entry.kind not in (record.GENESIS, record.SEALED, record.KEY, record.CUT):
            return
        if entry.kind == record.CUT and what.get("type") not in ("cut", "timestamp"):
            return
        members = read_control(entry.kind, what, opening)
        if entry.kind == record.GENESIS:
            if index == 0:
                self.genesis = members
        elif entry.kind == record.KEY:
            self.key_records[index] = members
        elif entry.kind == record.SEALED:
            self.sealed_records[members["file"]] = members
        elif members["type"] == "timestamp":
            self.timestamps[index] = members
        else:
            from .verify import Cut

            self.store.cuts.append(Cut(members["file"], members["length"], members["sha256"]))

    # --- Payloads in the log ---

    def _verify_log_payloads(self) -> None:
        v10 = self.check("V10")
        for part in self.parts if can_unpack() else []:
            if part.end <= self.sealed:
                continue
            where = "wal/%016d.wal, group %d" % (part.file, part.group)
            found: list[int] = []
            is_whole = True
            for kind, block in (("control", part.clear), ("events", part.sealed)):
                if not block:
                    continue
                try:
                    packed = block if kind == "control" else self._open_part(part)
                    if packed is None:
                        continue
                    for index, opening in read_block(unpack(packed)):
                        found.append(index)
                        if not part.first <= index < part.end:
                            raise Damaged("a record of index %d" % index)
                        self._verify_record(v10, index, opening, CLASSES[kind])
                except Damaged as error:
                    v10.bad("%s: %s" % (where, error))
                    is_whole = False
                except Undecidable as error:
                    v10.unknown("%s: %s" % (where, error))
                    is_whole = False
            expected = list(range(part.first, part.end))
            if is_whole and self.store.keys.folder is None:
                # What the events are is not seen, but how many there must be is.
                expected = [index for index in expected if self._is_control(index)]
                if bool(part.sealed) != (len(expected) < len(part.entries)):
                    v10.bad("%s: a block of events that must not be here, or none where one must be" % where)
            if is_whole and sorted(found) != expected:
                v10.bad("%s: the records are not those of the entries" % where)

    def _is_control(self, index: int) -> bool:
        entry = self.decoded[index]
        return entry is not None and entry.kind not in record.EVENT_KINDS

    def _open_part(self, part: Part) -> bytes | None:
        """The packed block of a part's events; None if there are no keys."""
        if self.store.keys.folder is None:
            return None
        key = self.store.keys.data_key(part.key_id, "wal/%016d.wal" % part.file)
        count = len(part.entries)
        place = seal.place(self.id, seal.LOG, part.file, 0, part.group, part.first, count, False)
        return seal.open_sealed(key, part.sealed, place)

    # --- Segments ---

    def _read_segments(self) -> list[Segment]:
        segments = []
        for kind in CLASSES:
            folder = "ledgers/%s/segment/%s" % (self.name, kind)
            for file in self.store.list(folder):
                name = read_name(kind, file)
                if name is None or name.end > self.sealed:
                    continue
                with self.check("V9"):
                    try:
                        segments.append(read_segment(name, self.store.read("%s/%s" % (folder, file)), self.id))
                    except Damaged as error:
                        raise Damaged("%s/%s: %s" % (folder, file, error))
        return segments

    def _verify_sealed_payloads(self, segments: Iterable[Segment]) -> None:
        v9 = self.check("V9")
        segments = sorted(segments, key=lambda segment: segment.name)
        for one, other in zip(segments, segments[1:]):
            if one.name.kind == other.name.kind and other.name.first < one.name.end:
                self.fail("V9", "two segments hold index %d" % other.name.first)
        covered = bytearray(self.sealed)
        for segment in segments:
            path = "ledgers/%s/%s" % (self.name, segment.name.path)
            for number in range(len(segment.rows)):
                with v9:
                    try:
                        self._verify_block(v9, segment, number, covered)
                    except Damaged as error:
                        raise Damaged("%s, block %d: %s" % (path, number, error))
                    except Undecidable as error:
                        raise Undecidable("%s, block %d: %s" % (path, number, error))
        if v9.outcome != "bad" and any(count != 1 for count in covered):
            index = next(index for index, count in enumerate(covered) if count != 1)
            self.fail("V9", "index %d has %d records" % (index, covered[index]))

    def _verify_block(self, v9: Check, segment: Segment, number: int, covered: bytearray) -> None:
        row, kind = segment.rows[number], CLASSES[segment.name.kind]
        # What the entries ask for, which is known without opening anything.
        indexes = [
            index
            for index in range(row.first, row.end)
            if self.decoded[index] is None or (self.decoded[index].kind in record.EVENT_KINDS) == (kind == EVENTS)
        ]
        if len(indexes) != row.count or indexes[0] != row.first or indexes[-1] != row.end - 1:
            raise Damaged("the entries from %d to %d ask for other records" % (row.first, row.end))
        for index in indexes:
            covered[index] = min(covered[index] + 1, 2)
        packed = segment.block(row) if kind != EVENTS else self._open_block(segment, number)
        if packed is None or not can_unpack():
            return
        found = []
        for index, opening in read_block(unpack(packed)):
            found.append(index)
            if row.first <= index < row.end:
                self._verify_record(v9, index, opening, kind)
        if found != indexes:
            raise Damaged("the records are not those that the footer tells")

    def _open_block(self, segment: Segment, number: int) -> bytes | None:
        if self.store.keys.folder is None:
            return None
        name, row = segment.name, segment.rows[number]
        key = self.store.keys.data_key(segment.key_id, "ledgers/%s/%s" % (self.name, name.path))
        last = number + 1 == len(segment.rows)
        place = seal.place(self.id, seal.SEGMENT, name.first, name.generation, number, row.first, row.count, last)
        return seal.open_sealed(key, segment.block(row), place)

    # --- What control records say ---

    def _verify_genesis(self) -> None:
        row = self.row
        if not can_unpack() or not self.all_entries():
            return
        if self.genesis is None:
            self.fail("V11", "no genesis at index 0")
            return
        said = tuple(self.genesis[name] for name in ("ledger_id", "origin", "table_version"))
        if said != (row["id"], row["origin"], record.TABLE_VERSION):
            self.fail("V11", "the genesis names another ledger")
        elif self.genesis["log_vkey"] != row["vkey"] and not self._has_changes():
            self.fail("V11", "the genesis names another key than the register")
        elif self.genesis["table_hash"].hex() != TABLE_HASH:
            self.fail("V11", "the genesis names another facet table")
        try:
            old = read_predecessor(self.genesis)
        except Damaged as error:
            self.fail("V11", error)
            return
        if old is not None:
            self.store.report.facts[self.name + " continues"] = "%s at %d entries" % (old.origin, old.size)

    def _verify_sealed_records(self, segments: list[Segment]) -> None:
        if not can_unpack():
            return
        there = {segment.name.path: segment for segment in segments}
        for path, members in self.sealed_records.items():
            if members["end"] > self.sealed:
                continue
            segment = there.get(path)
            name = Name(members["class"], members["first"], members["end"], members["generation"])
            if name.path != path:
                self.fail("V12", "the record of %s is of another file" % path)
            elif segment is None:
                self.fail("V12", "%s is on record, and not there" % path)
            elif (len(segment.data), _sha256(segment.data)) != (members["length"], members["sha256"]):
                self.fail("V12", "%s is not the file that is on record" % path)
        for path in there:
            if path not in self.sealed_records:
                self.fail("V12", "%s is not on record" % path)


def _sha256(data: bytes) -> bytes:
    from hashlib import sha256

    return sha256(data).digest()


def _root(hashes: list[bytes]) -> bytes:
    row = Row()
    for index, one in enumerate(hashes):
        row.push(0, index, one)
    return row.root()
