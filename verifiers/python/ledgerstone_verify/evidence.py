"""Evidence files: docs/evidence-file.md, section 6, check by check."""

from __future__ import annotations

import hashlib
from typing import Any, BinaryIO, Iterator, NamedTuple

from . import record
from .container import FULL_PART, LONGEST_LINE, Container, Member
from .history import History
from .manifest import ANCHOR, MANIFEST, RANGE, SELECTION_LABEL, TYPE
from .note import Checkpoint, Key, Note, read_predecessor
from .policy import Policy
from .record import leaf_of
from .rows import Row, Rows
from .shape import line
from .timestamps import Authorities, Times
from .tree import Row as Leaves
from .tree import complete_subtrees, is_consistent, is_included
from .verdict import BAD, Damaged, Report, Undecidable

LINES_OF_A_PART = 4096
# Kinds that control.ndjson holds; heartbeats and records of sealed files are not among them.
CONTROL_KINDS = (record.GENESIS, record.GAP, record.SOURCE, record.BATCH, record.ERASE, record.KEY, record.CUT)


class Known(NamedTuple):
    """What the auditor brings along."""

    key: Key | None = None
    policy: Policy | None = None
    anchor_required: bool = False
    authorities: Authorities | None = None


def verify_evidence(file: BinaryIO, name: str, known: Known) -> Report:
    report = Report("evidence", name)
    with report.check("E1", "the archive is laid out as documented") as e1:
        container = Container(file)
    if not e1.passed():
        return report
    e2 = report.check("E2", "the manifest is signed by the ledger's key")
    e3 = report.check("E3", "the manifest names every member by length and hash")
    data = container.stored(container.by_name["manifest.json"])
    with e3:
        manifest = line(_one_line(data), MANIFEST)
    if not e3.passed():
        return report
    with e2:
        note = Note.parse(container.stored(container.by_name["manifest.note"]))
        key = Key.parse(manifest["vkey"])
        if key.name != manifest["origin"]:
            raise Damaged("a key of %s for the ledger %s" % (key.name, manifest["origin"]))
        if note.text != "%s\n%s\n%s\n" % (TYPE, manifest["origin"], hashlib.sha256(data).hexdigest()):
            raise Damaged("the note is not about this manifest")
        if len(note.signatures) != 1:
            raise Damaged("%d signatures" % len(note.signatures))
        note.require(key)
    if e2.passed():
        _Evidence(container, manifest, key, known, report).verify()
    return report


class _Evidence:
    """What is left to check once the manifest is known to be the ledger's."""

    def __init__(self, container: Container, manifest: dict[str, Any], key: Key, known: Known, report: Report):
        self.container = container
        self.manifest = manifest
        self.key = key
        self.known = known
        self.report = report
        self._anchors: list[tuple[Checkpoint, list[bytes]]] = []
        self.e1, self.e3 = report.check("E1", ""), report.check("E3", "")
        self.e4 = report.check("E4", "the checkpoint is signed by the ledger's key")
        self.e5 = report.check("E5", "the ledger began with this key, or handed over to it")
        self.rows = Rows(report, manifest)
        self.e6 = report.check("E6", "")
        self.is_range = manifest["selection"]["kind"] == "range"
        # Size and note of the earlier checkpoints.
        self.earlier: list[tuple[int, Note]] = []
        about = "every index of the range is here, and nothing else" if self.is_range else "every record is in the tree"
        self.e7 = report.check("E7", about)
        self.e8 = report.check("E8", "what the ledger says about itself is in the tree")
        self.e9 = report.check("E9", "times and sequences follow one another")
        self.e10 = report.check("E10", "the manifest's counts are those of the records")

    def verify(self) -> None:
        self._describe()
        self._require_members()
        with self.e4:
            self.checkpoint = self._read_checkpoint()
        if not self.e4.passed():
            return
        self._read_control()
        with self.e7:
            self._read_selection()
        self.rows.finish(self.e6, self.e9, self.e10)
        history, timestamps = None, 0
        with self.e5:
            history = self._read_history(self._read_genesis())
        with self.report.check("E11", "earlier checkpoints are of the same tree"):
            timestamps = self._read_anchors(history)
        self._ask_others(timestamps)
        self._ask_for_key(history)
        times = self.rows.times()
        if times:
            self.report.facts["received"] = "%s to %s" % (utc(times[0]), utc(times[1]))

    # --- Members ---

    def _describe(self) -> None:
        manifest, selection = self.manifest, self.manifest["selection"]
        facts = self.report.facts
        facts["ledger"] = manifest["origin"]
        facts["key"] = manifest["vkey"]
        facts["tree"] = "%d entries" % manifest["size"]
        kind = "every index from %d up to, not including, %d" if self.is_range else "query within %d..%d"
        facts["selection"] = kind % (selection["from"], selection["end"])
        if not self.is_range:
            facts["query"] = str(selection["query"])
            self.report.label = SELECTION_LABEL
        facts["records"] = ", ".join("%d %s" % (count, name) for name, count in manifest["counts"].items() if count)
        facts["gaps"] = "%d gap records" % len(manifest["gaps"])
        if manifest["withheld"]:
            facts["withheld"] = ", ".join(record.FACETS[facet] for facet in manifest["withheld"])
        facts["case"] = manifest["case"]
        facts["purpose"] = manifest["purpose"]
        exporter = manifest["exported_by"]
        facts["exported"] = "%s by %s (%s)" % (utc(manifest["exported_ms"]), exporter["label"], exporter["id"])

    def _require_members(self) -> None:
        rows = [(row["name"], row["length"], row["stored"]) for row in self.manifest["members"]]
        found = [(member.name, member.length, member.stored) for member in self.container.members[:-2]]
        if rows != found:
            self.e3.bad("the members of the archive are not those that the manifest names")
        if ("range.json" in self.container.by_name) != self.is_range:
            self.e3.bad("range.json does not go with this kind of selection")
        self._hashes = {row["name"]: row["sha256"] for row in self.manifest["members"]}
        for name in ("README.txt", "summary.html"):
            self._text(self.container.by_name[name])

    def _text(self, member: Member) -> bytes:
        """The text of a member; what is wrong with it is a finding, and its text then empty."""
        stored = self.container.stored(member)
        if hashlib.sha256(stored).digest() != self._hashes.get(member.name):
            self.e3.bad("%s: not the hash that the manifest names" % member.name)
        with self.e1:
            return self.container.text(member, stored)
        return b""

    def _lines(self, member: Member) -> Iterator[bytes]:
        text = self._text(member)
        lines = text.split(b"\n") if text else [b""]
        if lines.pop() != b"":
            self.e1.bad("%s: the last line has no end" % member.name)
        if any(len(one) > LONGEST_LINE for one in lines):
            self.e1.bad("%s: a line is too long" % member.name)
        if member.name.startswith("events/"):
            if not 1 <= len(lines) <= LINES_OF_A_PART or len(text) - len(lines[-1]) - 1 > FULL_PART:
                self.e1.bad("%s: more than belongs into a part" % member.name)
        yield from lines

    def _read_checkpoint(self) -> Checkpoint:
        member = self.container.by_name["checkpoint"]
        checkpoint = Checkpoint.parse(self._text(member))
        checkpoint.require(self.key)
        if (checkpoint.size, checkpoint.root) != (self.manifest["size"], self.manifest["root"]):
            raise Damaged("size and root are not those of the manifest")
        return checkpoint

    # --- Records ---

    def _read_control(self) -> None:
        last = -1
        for number, data in enumerate(self._lines(self.container.by_name["control.ndjson"]), 1):
            row = self.rows.read(data, "control.ndjson, line %d" % number, selected=False)
            if row is None:
                continue
            if row.index <= last:
                self.e8.bad("index %d stands after index %d" % (row.index, last))
            last = row.index
            if row.entry is not None and row.entry.kind not in CONTROL_KINDS:
                self.e8.bad("index %d: a record of kind %d" % (row.index, row.entry.kind))
            self._require_proof(self.e8, row)

    def _require_proof(self, check: Any, row: Row) -> None:
        if row.proof is None:
            check.bad("index %d: no proof" % row.index)
        elif not is_included(row.index, self.checkpoint.size, row.leaf, row.proof, self.checkpoint.root):
            check.bad("index %d: the proof does not lead to the root" % row.index)

    def _selected(self) -> Iterator[Row]:
        last = -1
        for member in self.container.parts():
            for number, data in enumerate(self._lines(member), 1):
                row = self.rows.read(data, "%s, line %d" % (member.name, number), selected=True)
                if row is None:
                    self.e7.bad("%s, line %d is no record" % (member.name, number))
                    continue
                if row.index <= last:
                    self.e7.bad("index %d stands after index %d" % (row.index, last))
                last = row.index
                self._require_asked_for(row)
                yield row

    def _require_asked_for(self, row: Row) -> None:
        selection = self.manifest["selection"]
        begin, end = selection["from_ms"], selection["to_ms"]
        if not selection["from"] <= row.index < selection["end"]:
            self.e7.bad("index %d was not asked for" % row.index)
        if row.entry is None:
            return
        if (begin is not None and row.entry.received < begin) or (end is not None and row.entry.received >= end):
            self.e7.bad("index %d was not received in the time that was asked for" % row.index)

    def _read_selection(self) -> None:
        selection = self.manifest["selection"]
        if (selection["query"] is None) != self.is_range:
            raise Damaged("a range with a query, or a query without one")
        if not selection["from"] <= selection["end"] <= self.checkpoint.size:
            raise Damaged("the selection goes beyond the tree")
        if self.is_range:
            self._read_range(selection)
        else:
            for row in self._selected():
                self._require_proof(self.e7, row)

    def _read_range(self, selection: dict[str, Any]) -> None:
        member = self.container.by_name.get("range.json")
        if member is None:
            raise Damaged("no range.json")
        bounds = line(_one_line(self._text(member)), RANGE)
        begin, end, size = bounds["from"], bounds["end"], self.checkpoint.size
        if (begin, end) != (selection["from"], selection["end"]) or not begin < end:
            raise Damaged("the range is not that of the manifest")
        self._require_neighbour("before", bounds["before"], begin - 1 if begin else None)
        self._require_neighbour("after", bounds["after"], end if end < size else None)
        leaves = Leaves()
        leaves.push_all(complete_subtrees(0, begin), bounds["left"])
        for row in self._selected():
            if row.proof is not None:
                self.e7.bad("index %d has a proof of its own" % row.index)
            if row.index == leaves.end:
                leaves.push(0, row.index, row.leaf)
            elif row.index > leaves.end:
                raise Damaged("index %d is missing" % leaves.end)
        if leaves.end != end:
            raise Damaged("index %d is missing" % leaves.end)
        leaves.push_all(complete_subtrees(end, size), bounds["right"])
        if leaves.root() != self.checkpoint.root:
            raise Damaged("the records of the range do not lead to the root of the checkpoint")

    def _require_neighbour(self, name: str, given: dict[str, Any] | None, index: int | None) -> None:
        if (given is None) != (index is None):
            raise Damaged("%s: %s" % (name, "missing" if given is None else "here, at the end of the tree"))
        if given is None or index is None:
            return
        if not is_included(
            index, self.checkpoint.size, leaf_of(given["entry"]), given["proof"], self.checkpoint.root
        ):
            raise Damaged("%s: the proof does not lead to the root" % name)
        try:
            received = self.rows.neighbour(index, given["entry"]).received
        except Undecidable as error:
            self.e7.unknown("%s: %s" % (name, error))
            return
        selection = self.manifest["selection"]
        begin, end = selection["from_ms"], selection["to_ms"]
        if (name == "before" and begin is not None and received >= begin) or (
            name == "after" and end is not None and received < end
        ):
            raise Damaged("%s: received in the time that was asked for" % name)

    # --- Keys, anchors, others ---

    def _read_genesis(self) -> dict[str, Any]:
        kind, genesis = self.rows.control.get(0, (None, None))
        if kind != record.GENESIS:
            raise Damaged("no genesis at index 0")
        if genesis is None:
            raise Damaged("the genesis cannot be read")
        if (genesis["ledger_id"], genesis["origin"]) != (self.manifest["ledger_id"], self.manifest["origin"]):
            raise Damaged("the genesis is of another ledger")
        old = read_predecessor(genesis)
        if old is not None:
            self.report.facts["continues"] = "%s at %d entries" % (old.origin, old.size)
        return genesis

    def _read_history(self, genesis: dict[str, Any]) -> History | None:
        """The keys of the ledger, and that the file's is the one in force; None where that can't be told."""
        changes = sorted((index, members) for index, (kind, members) in self.rows.control.items() if kind == record.KEY)
        if not changes and genesis["log_vkey"] != self.manifest["vkey"]:
            raise Damaged("the genesis names another key")
        history = History(genesis)
        for index, members in changes:
            if members is None:
                raise Undecidable("index %d: what this record says of the key is not known here" % index)
            try:
                history.enter(index, members)
            except Damaged as error:
                raise Damaged("index %d: %s" % (index, error))
        if history.in_force(self.manifest["size"]) != self.key:
            raise Damaged("the key in force for %d entries is another" % self.manifest["size"])
        earlier = ["%s up to index %d" % (history.in_force(change.index), change.index) for change in history.changes]
        if earlier:
            self.report.facts["keys before"] = ", ".join(earlier)
        return history

    def _read_anchors(self, history: History | None) -> int:
        """Returns how many time-stamp tokens there are."""
        last, timestamps, texts = -1, 0, set()
        for data in self._lines(self.container.by_name["anchors.ndjson"]):
            anchor = line(data, ANCHOR)
            checkpoint = Checkpoint.parse(anchor["checkpoint"].encode("utf-8", "surrogatepass"))
            if not last < checkpoint.size <= self.checkpoint.size:
                raise Damaged("a checkpoint of size %d after one of %d" % (checkpoint.size, last))
            last = checkpoint.size
            texts.add(checkpoint.note.text)
            if checkpoint.origin != self.manifest["origin"]:
                raise Damaged("a checkpoint of %s" % checkpoint.origin)
            if history is not None:
                checkpoint.require(history.in_force(checkpoint.size))
            if checkpoint.size == self.checkpoint.size and checkpoint.note.text != self.checkpoint.note.text:
                raise Damaged("another checkpoint of the same size")
            if not is_consistent(
                checkpoint.size, self.checkpoint.size, anchor["consistency"], checkpoint.root, self.checkpoint.root
            ):
                raise Damaged("the checkpoint of size %d is not of this tree" % checkpoint.size)
            timestamps += len(anchor["timestamps"])
            self.earlier.append((checkpoint.size, checkpoint.note))
            self._anchors.append((checkpoint, anchor["timestamps"]))
        for change in history.changes if history else []:
            if change.checkpoint.note.text not in texts:
                raise Damaged("no line for the checkpoint of %d entries that index %d holds" % (change.checkpoint.size, change.index))
        if history is None and texts:
            raise Undecidable("which keys must have signed is not known")
        return timestamps

    def _ask_others(self, timestamps: int) -> None:
        with self.report.check("E12", "what witnesses and time-stamping authorities say") as e12:
            cosignatures = len(self.checkpoint.note.signatures) - 1
            if self.known.policy is None:
                e12.say("%d cosignatures, not checked: no policy was given" % cosignatures)
            else:
                end = self.manifest["selection"]["end"]
                seen = [(size, say_witnesses(e12, self.known.policy, note, size)) for size, note in self._signed()]
                if not any(met and size >= end for size, met in seen):
                    raise Undecidable("no checkpoint that covers the selection is cosigned by a quorum of the policy")
            of_records = [(i, m) for i, (_, m) in sorted(self.rows.control.items()) if m and m["type"] == "timestamp"]
            if self.known.authorities is not None:
                self._ask_authorities(e12, self.known.authorities, of_records)
            elif timestamps or of_records:
                total = timestamps + len(of_records)
                e12.say("%d time-stamp tokens, not checked: no certificates of authorities were given" % total)

    def _ask_authorities(self, e12: Any, authorities: Authorities, of_records: list[tuple[int, dict[str, Any]]]) -> None:
        times = Times(authorities, self.manifest["origin"])
        times.show(self.checkpoint.size, self.checkpoint.root)
        for index, members in of_records:
            with e12:
                times.record(index, members)
        for checkpoint, tokens in self._anchors:
            times.show(checkpoint.size, checkpoint.root)
            for token in tokens:
                with e12:
                    times.take(checkpoint.size, checkpoint.root, token, "a token over %d entries" % checkpoint.size)
        wrong, covers, counting = times.finish(self.manifest["selection"]["end"])
        for finding in wrong:
            e12.bad(finding)
        e12.say("%d timestamps verified, %d by nobody that leads to the given authorities" % (times.good(), times.unknown))
        if covers is not None:
            e12.say("every record of the selection existed at %s (over %d entries)" % (utc(covers[0]), covers[1]))
        elif counting:
            time, size = max(counting, key=lambda one: one[1])
            e12.say("the first %d entries existed at %s; not all of the selection" % (size, utc(time)))
        else:
            e12.say("no timestamp proves anything of these records")

    def _signed(self) -> list[tuple[int, Note]]:
        """Size and note of the checkpoint, and of the earlier ones."""
        return [(self.checkpoint.size, self.checkpoint.note), *self.earlier]

    def _ask_for_key(self, history: History | None) -> None:
        with self.report.check("E13", "the key is the one that the auditor knows") as e13:
            mine = ask_for_key(e13, self.known)
            ours = history.keys() if history else [self.key]
            if mine and not any(key in mine for key in ours):
                if history is None and self.e5.outcome != BAD:
                    raise Undecidable("whether the key that was given is an earlier one of this ledger is not known")
                raise Damaged("the file is signed with %s, which is not the key that was given" % (self.key,))
            if mine and self.key not in mine:
                e13.say("the key that was given is an earlier one of this ledger, which has handed over to %s" % (self.key,))


def ask_for_key(check: Any, known: Known) -> list[Key]:
    """The keys that the auditor knows the ledger by. Says so where there are none."""
    keys = ([known.key] if known.key else []) + (known.policy.logs if known.policy else [])
    if not keys and known.anchor_required:
        raise Undecidable("no key was given")
    if not keys:
        check.say("self-consistent, key not pinned: no key was given, so nobody knows whose it is")
    return keys


def say_witnesses(check: Any, policy: Policy, note: Note, size: int | None = None) -> bool:
    """Says who has cosigned, and whether they are enough."""
    seen = policy.judge(note)
    if size is not None:
        check.say("of %d entries:" % size)
    for name, time in seen.cosigned:
        check.say("cosigned by %s at %s" % (name, utc(time * 1000)))
    if seen.missing:
        check.say("not cosigned by %s" % ", ".join(seen.missing))
    check.say("the quorum of the policy is %s" % ("met" if seen.met else "NOT met"))
    return seen.met


def utc(milliseconds: int) -> str:
    """Unix milliseconds for people."""
    from datetime import datetime, timedelta

    try:
        return (datetime(1970, 1, 1) + timedelta(milliseconds=milliseconds)).isoformat(" ", "milliseconds") + " UTC"
    except OverflowError:
        return "%d ms" % milliseconds


def _one_line(data: bytes) -> bytes:
    if not data.endswith(b"\n") or data.count(b"\n") != 1:
        raise Damaged("not one line")
    return data[:-1]
