"""Entries and what they commit to: docs/vectors/README.md, sections 4 and 5."""

from __future__ import annotations

import struct
from hashlib import sha256 as _sha256
from typing import NamedTuple, Sequence

from .encoding import label, sha256
from .strict import NotStrict, Number, read_canonical
from .verdict import Damaged, Undecidable

GENESIS, EVENT, QUARANTINE, GAP, HEARTBEAT, SOURCE, BATCH, SEALED, ERASE, KEY, ACCESS, CUT = range(12)
# Kinds whose payload is of a person's making; all others are records of the ledger about itself.
EVENT_KINDS = (EVENT, QUARANTINE, ACCESS)
FACETS = ("when", "who", "what", "content", "where", "raw")
TABLE_VERSION = 1
TABLE_HASH = "fad97798dc1ae9be4e191bbc95fdf5d43b8176c0ed71ac4be475cdcbba8ea4d2"
ENTRY_LENGTH = 58

_SALT, _FACET, _EVENT = label("ledgerstone/salt/v1"), label("ledgerstone/facet/v1"), label("ledgerstone/event/v1")
_NUMBERS = [bytes([facet]) for facet in range(6)]
_ENTRY = struct.Struct(">BBQIIQ32s")


class Entry(NamedTuple):
    kind: int
    received: int
    source: int
    epoch: int
    sequence: int
    commitment: bytes


def read_entry(data: bytes) -> Entry:
    """Raises Undecidable for what a later version may know, Damaged for what none can."""
    if data and data[0] != 1:
        raise Undecidable("entry of unknown version %d" % data[0])
    if len(data) != ENTRY_LENGTH:
        raise Damaged("an entry of %d bytes" % len(data))
    entry = Entry(*_ENTRY.unpack(data)[1:])
    if entry.kind > CUT:
        raise Undecidable("entry of unknown kind %d" % entry.kind)
    return entry


def entry_of(kind: int, received: int, source: int, epoch: int, sequence: int, commitment: bytes) -> bytes:
    return _ENTRY.pack(1, kind, received, source, epoch, sequence, commitment)


def leaf_of(entry: bytes) -> bytes:
    return _sha256(b"\0" + entry).digest()


def salt_of(facet: int, seed: bytes) -> bytes:
    return _sha256(_SALT + _NUMBERS[facet] + seed).digest()[:16]


def digest_of(facet: int, salt: bytes, data: bytes) -> bytes:
    return _sha256(_FACET + _NUMBERS[facet] + salt + data).digest()


def commitment_of(ledger_id: bytes, table_version: int, digests: Sequence[bytes]) -> bytes:
    return sha256(_EVENT, ledger_id, table_version.to_bytes(2, "big"), bytes([len(digests)]), *digests)


def stamp_of(received: int, source: int, epoch: int, sequence: int) -> dict:
    """The ledger's stamp in `when`, as strict JSON."""
    return {
        "received": Number(received),
        "source": Number(source),
        "epoch": Number(epoch),
        "sequence": str(sequence),
    }


class Opening:
    """What is stored of a record: for each facet its salt and bytes, or the digest of what was taken away."""

    def __init__(self, facets: Sequence[bytes | None], salts: Sequence[bytes | None], digests: Sequence[bytes | None]):
        self.facets = facets
        self.salts = salts
        self.digests = digests

    @classmethod
    def whole(cls, seed: bytes, facets: Sequence[bytes]) -> "Opening":
        return cls(facets, [salt_of(facet, seed) for facet in range(6)], [None] * 6)

    def missing(self) -> list[int]:
        return [facet for facet in range(6) if self.salts[facet] is None]

    def all_digests(self) -> list[bytes]:
        return [
            digest_of(facet, salt, data or b"") if salt is not None else digest or b""
            for facet, (salt, data, digest) in enumerate(zip(self.salts, self.facets, self.digests))
        ]

    def belongs_to(self, entry: Entry, ledger_id: bytes, table_version: int) -> dict | None:
        """Raises Damaged unless this is the record of the entry. Returns facet `what` if that is here."""
        if commitment_of(ledger_id, table_version, self.all_digests()) != entry.commitment:
            raise Damaged("the payload is not what the entry commits to")
        what = None
        for facet in range(5):
            if self.salts[facet] is None:
                continue
            value = self._value(facet)
            if facet == 0:
                check_stamp(value, entry)
            elif facet == 2:
                what = value
        return what

    def _value(self, facet: int) -> dict:
        data = self.facets[facet] or b""
        try:
            value = {} if data == b"{}" else read_canonical(data)
        except NotStrict as error:
            raise Damaged("facet %s is not canonical JSON: %s" % (FACETS[facet], error))
        if not isinstance(value, dict):
            raise Damaged("facet %s is no object" % FACETS[facet])
        return value


def check_stamp(when: dict, entry: Entry) -> None:
    stamp = {
        "received": entry.received,
        "source": entry.source,
        "epoch": entry.epoch,
        "sequence": str(entry.sequence),
    }
    if when.get("ledgerstone") != stamp:
        raise Damaged("the stamp in `when` is not that of the entry")
