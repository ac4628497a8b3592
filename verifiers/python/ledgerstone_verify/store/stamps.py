"""Timestamps of a store: docs/format.md, V15."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

from ..evidence import utc
from ..note import Checkpoint
from ..ots import OtsFile
from ..record import leaf_of
from ..tree import Row
from ..verdict import Damaged, Undecidable
from .block import can_unpack

_NAME = re.compile(r"([0-9]{20})(?:\.(checkpoint|ots)|-([0-9a-f]{64})\.der)")


def verify_stamps(ledger: Any) -> None:
    """Holds records of timestamps, and what lies beside stamped checkpoints, against the ledger's tree."""
    folder = "ledgers/%s/stamped" % ledger.name
    names = [(name, _NAME.fullmatch(name)) for name in ledger.store.list(folder)]
    files = [(name, int(match.group(1)), match) for name, match in names if match]
    sizes = {members["size"] for members in ledger.timestamps.values()} | {size for _, size, _ in files}
    roots = _roots(ledger.entries, {size for size in sizes if size <= ledger.size})
    check = ledger.check("V15")
    for index, members in sorted(ledger.timestamps.items()):
        with check:
            _verify_record(ledger, check, index, members, roots)
    attested, promised = [], 0
    for name, size, match in files:
        with check:
            path = "%s/%s" % (folder, name)
            try:
                ots = _verify_file(ledger, ledger.store.read(path), size, match, roots)
            except Damaged as error:
                raise Damaged("%s: %s" % (path, error))
            if ots is not None and ots.blocks:
                attested.append((size, min(ots.blocks)))
            promised += ots is not None and not ots.blocks
    if attested:
        check.say("%s: the checkpoint of %d entries leads to Bitcoin block %d, whose header must be looked up" % (ledger.name, *max(attested)))
    if promised:
        check.say("%s: %d checkpoints are promised by calendars, which proves nothing" % (ledger.name, promised))


def _verify_record(ledger: Any, check: Any, index: int, members: dict[str, Any], roots: dict[int, bytes]) -> None:
    size, root = members["size"], members["root"]
    if size > index or roots.get(size) != root:
        raise Damaged("%s: index %d: a timestamp of another tree than the ledger's" % (ledger.name, index))
    authorities = ledger.store.authorities
    if authorities is None:
        check.say("timestamps are not checked: no certificates of authorities were given")
        return
    body = "%s\n%d\n%s\n" % (ledger.row["origin"], size, base64.b64encode(root).decode())
    try:
        told = authorities.judge(body.encode(), base64.b64decode(members["token"]))
    except Damaged as error:
        raise Damaged("%s: index %d: %s" % (ledger.name, index, error))
    except Undecidable as error:
        raise Undecidable("%s: index %d: %s" % (ledger.name, index, error))
    if told != (members["gen_time_ms"], members.get("accuracy_ms")):
        raise Damaged("%s: index %d: the record says another time than its timestamp token" % (ledger.name, index))
    check.say("%s: the first %d entries existed at %s" % (ledger.name, size, utc(told.gen_time_ms)))


def _verify_file(ledger: Any, data: bytes, size: int, match: Any, roots: dict[int, bytes]) -> OtsFile | None:
    kind, digest = match.group(2), match.group(3)
    if kind == "checkpoint":
        _checkpoint(ledger, data, size, roots)
        return None
    if digest is not None:
        if hashlib.sha256(data).hexdigest() != digest:
            raise Damaged("not the token that its name says")
        tokens = [base64.b64decode(one["token"]) for one in ledger.timestamps.values() if one["size"] == size]
        if data not in tokens and can_unpack():
            raise Damaged("no record of the ledger holds this token")
        return None
    ots = OtsFile(data)
    note = ledger.store.read("ledgers/%s/stamped/%020d.checkpoint" % (ledger.name, size))
    if ots.digest != hashlib.sha256(_checkpoint(ledger, note, size, roots).note.text.encode()).digest():
        raise Damaged("it is over other data than the checkpoint")
    return ots


def _checkpoint(ledger: Any, data: bytes, size: int, roots: dict[int, bytes]) -> Checkpoint:
    checkpoint = Checkpoint.parse(data)
    if ledger.history is not None:
        checkpoint.require(ledger.history.in_force(checkpoint.size))
    if checkpoint.extensions or checkpoint.origin != ledger.row["origin"] or checkpoint.size != size:
        raise Damaged("not the checkpoint that its name says")
    if roots.get(size) != checkpoint.root:
        raise Damaged("a checkpoint of another tree than the ledger's")
    return checkpoint


def _roots(entries: list[bytes], sizes: set[int]) -> dict[int, bytes]:
    """Roots of the first entries, for these sizes."""
    row, roots = Row(), {}
    for index, entry in enumerate(entries[: max(sizes, default=0)]):
        row.push(0, index, leaf_of(entry))
        if index + 1 in sizes:
            roots[index + 1] = row.root()
    return roots
