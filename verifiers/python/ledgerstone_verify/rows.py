"""The records of an evidence file: checks E6, E9 and E10 of docs/evidence-file.md, section 6."""

from __future__ import annotations

import heapq
from array import array
from typing import Any, Iterator

from . import record
from .control import read_control
from .manifest import RECORD
from .record import FACETS, Entry, Opening, leaf_of, read_entry
from .shape import line
from .verdict import Check, Damaged, Report, Undecidable

RAW = 5


class Span:
    """The sequences of one source and epoch in the selection."""

    def __init__(self, sequence: int):
        self.first = self.last = sequence
        self.count = 1


class Row:
    """A record that has been read: its place, its leaf and its proof. `entry` is None if it is not understood."""

    def __init__(self, index: int, data: bytes, proof: list[bytes] | None, entry: Entry | None):
        self.index = index
        self.data = data
        self.leaf = leaf_of(data)
        self.proof = proof
        self.entry = entry


class Rows:
    """All records of a file: what was counted while they were read, and what can only be said at the end."""

    def __init__(self, report: Report, manifest: dict[str, Any]):
        self._manifest = manifest
        self._e6 = report.check("E6", "every record is what its entry commits to")
        self.counts = dict.fromkeys(("events", "quarantined", "accesses", "control", "withheld", "erased"), 0)
        self.spans: dict[tuple[int, int], Span] = {}
        # Of control records, by index: kind and what they say.
        self.control: dict[int, tuple[int, dict[str, Any] | None]] = {}
        self.gaps: list[int] = []
        # Indexes and times of receipt, in the order of the lines: of the selection, and of all else.
        self._indexes, self._received = array("Q"), array("Q")
        self._others: list[tuple[int, int]] = []
        # The entries beside a range; control.ndjson may hold the same.
        self._neighbours: list[tuple[int, int]] = []
        # Whether there are entries that a later version may understand.
        self._has_unknown = False
        # Records of which something was erased, and the index of the record that says so.
        self._erased: list[tuple[int, int]] = []

    def read(self, data: bytes, where: str, selected: bool) -> Row | None:
        """Reads a line. What is wrong with it is a finding; None if not even its place is known."""
        try:
            members = line(data, RECORD)
        except Damaged as error:
            self._e6.bad("%s: %s" % (where, error))
            return None
        index, payload = members["index"], members["payload"]
        try:
            entry = read_entry(members["entry"])
        except Undecidable as error:
            self._e6.unknown("index %d: %s" % (index, error))
            self._has_unknown = True
            return Row(index, members["entry"], members["proof"], None)
        except Damaged as error:
            self._e6.bad("index %d: %s" % (index, error))
            return Row(index, members["entry"], members["proof"], None)
        try:
            self._check(index, entry, payload)
        except Damaged as error:
            self._e6.bad("index %d: %s" % (index, error))
        except Undecidable as error:
            self._e6.unknown("index %d: %s" % (index, error))
        self._count(index, entry, payload, selected)
        return Row(index, members["entry"], members["proof"], entry)

    def neighbour(self, index: int, data: bytes) -> Entry:
        """The entry beside a range, which has no payload here."""
        entry = read_entry(data)
        self._neighbours.append((index, entry.received))
        return entry

    def finish(self, e6: Check, e9: Check, e10: Check) -> None:
        for index, by in self._erased:
            kind, _ = self.control.get(by, (None, None))
            if kind != record.ERASE:
                e6.bad("index %d: no record of an erasure at %d" % (index, by))
            else:
                e6.unknown("index %d: whether the record at %d covers it is not known here" % (index, by))
        self._finish_times(e9)
        if self._has_unknown:
            e9.unknown("entries that are not understood may be those that a sequence lacks")
            e10.unknown("entries that are not understood are not counted")
            return
        self._finish_sequences(e9)
        self._finish_counts(e10)

    def times(self) -> tuple[int, int] | None:
        """When the first and the last record of the selection were received."""
        return (self._received[0], self._received[-1]) if self._received else None

    def _check(self, index: int, entry: Entry, payload: dict[str, Any]) -> None:
        opening = _opening(payload)
        if payload["table_version"] != record.TABLE_VERSION:
            raise Undecidable("facet table of unknown version %d" % payload["table_version"])
        what = opening.belongs_to(entry, self._manifest["ledger_id"], payload["table_version"])
        self._check_missing(index, opening.missing(), payload)
        if entry.kind not in record.EVENT_KINDS:
            self.control[index] = (entry.kind, None)
            if payload["form"] != 0 or what is None:
                raise Damaged("a control record that is not whole")
            self.control[index] = (entry.kind, read_control(entry.kind, what, opening))

    def _check_missing(self, index: int, missing: list[int], payload: dict[str, Any]) -> None:
        reason, by = payload.get("reason"), payload.get("by")
        if not missing:
            if reason is not None or by is not None:
                raise Damaged("a reason for facets that are here")
            return
        if RAW not in missing:
            raise Damaged("a facet is missing, and raw is here")
        if reason is None:
            raise Damaged("facets are missing without a reason")
        if (reason == "withheld") != (by is None):
            raise Damaged("reason %s, and %s" % (reason, "no record that says so" if by is None else "a record"))
        if by is not None:
            self._erased.append((index, by))
            return
        for facet in missing:
            if facet not in self._manifest["withheld"]:
                raise Damaged("%s is missing, and not among what was withheld" % FACETS[facet])

    def _count(self, index: int, entry: Entry, payload: dict[str, Any], selected: bool) -> None:
        if entry.kind == record.GAP:
            self.gaps.append(index)
        if not selected:
            self._others.append((index, entry.received))
            return
        self._indexes.append(index)
        self._received.append(entry.received)
        kinds = {record.EVENT: "events", record.QUARANTINE: "quarantined", record.ACCESS: "accesses"}
        self.counts[kinds.get(entry.kind, "control")] += 1
        reason = payload.get("reason")
        if reason is not None:
            self.counts["withheld" if reason == "withheld" else "erased"] += 1
        span = self.spans.get((entry.source, entry.epoch))
        if span is None:
            self.spans[entry.source, entry.epoch] = Span(entry.sequence)
        else:
            span.first, span.last = min(span.first, entry.sequence), max(span.last, entry.sequence)
            span.count += 1

    def _in_order(self) -> Iterator[tuple[int, int, bool]]:
        """Index, time of receipt and whether it stands beside the range, of all entries of the file."""
        rows = ((index, time, False) for index, time in zip(self._indexes, self._received))
        others = [(index, time, False) for index, time in self._others]
        others += [(index, time, True) for index, time in self._neighbours]
        return heapq.merge(rows, sorted(others))

    def _finish_times(self, e9: Check) -> None:
        last_index, last_time = -1, 0
        for index, time, is_beside in self._in_order():
            if index == last_index and not is_beside:
                e9.bad("index %d is in the file twice" % index)
            if time < last_time:
                e9.bad("index %d was received before index %d" % (index, last_index))
            last_index, last_time = index, time

    def _finish_sequences(self, e9: Check) -> None:
        if self._manifest["selection"]["kind"] != "range":
            return
        for (source, epoch), span in sorted(self.spans.items()):
            if span.last - span.first + 1 != span.count:
                e9.bad(
                    "source %d, epoch %d: %d records with sequences from %d to %d"
                    % (source, epoch, span.count, span.first, span.last)
                )

    def _finish_counts(self, e10: Check) -> None:
        manifest = self._manifest
        for name, count in self.counts.items():
            if manifest["counts"][name] != count:
                e10.bad("%s: %d are counted, and the manifest says %d" % (name, count, manifest["counts"][name]))
        if manifest["gaps"] != sorted(self.gaps):
            e10.bad("the gap records are not those that the manifest names")
        numbering = {
            (what["source"], what["epoch"]): what["numbering"]
            for _, what in self.control.values()
            if what and what["type"] == "source"
        }
        counted = [
            {"source": source, "epoch": epoch, "first": span.first, "last": span.last, "count": span.count}
            for (source, epoch), span in sorted(self.spans.items())
        ]
        if counted != [{key: row[key] for key in row if key != "numbering"} for row in manifest["sources"]]:
            e10.bad("the sources and their sequences are not those that the manifest names")
        for row in manifest["sources"]:
            place = (row["source"], row["epoch"])
            if row["numbering"] != (None if place[0] == 0 else numbering.get(place)) or (place[0] and place not in numbering):
                e10.bad("source %d, epoch %d: who numbers is not what the record of the source says" % place)


def _opening(payload: dict[str, Any]) -> Opening:
    facets = [None if facet is None else facet.encode("utf-8", "surrogatepass") for facet in payload["facets"]]
    facets.append(payload["raw"])
    if payload["form"] == 0:
        return Opening.whole(payload["seed"], facets)
    salts, digests = payload["salts"], payload["digests"]
    for facet, (salt, digest, data) in enumerate(zip(salts, digests, facets)):
        if (salt is None) == (digest is None) or (salt is None) != (data is None):
            raise Damaged("facet %s is neither here nor missing" % FACETS[facet])
    return Opening(facets, salts, digests)
