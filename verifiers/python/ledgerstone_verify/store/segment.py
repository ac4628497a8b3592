"""Segments: docs/format.md, section 8."""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

from ..encoding import sha256
from ..verdict import Damaged

EVENTS, CONTROL = 1, 2
CLASSES = {"events": EVENTS, "control": CONTROL}
HEADER_LENGTH = 109
_HEADER = struct.Struct(">8s32sBIQQ16s")
_ROW = struct.Struct(">QIQQI32s")
_NAME = re.compile(r"([0-9]{20})-([0-9]{20})\.(0|[1-9][0-9]{0,9})")


class Name(NamedTuple):
    kind: str
    first: int
    end: int
    generation: int

    @property
    def path(self) -> str:
        """Below the ledger's directory."""
        return "segment/%s/%020d-%020d.%d" % self


class Row(NamedTuple):
    offset: int
    length: int
    first: int
    end: int
    count: int
    hash: bytes


class Segment(NamedTuple):
    name: Name
    key_id: bytes
    rows: list[Row]
    data: bytes

    def block(self, row: Row) -> bytes:
        return self.data[row.offset : row.offset + row.length]


def read_name(kind: str, name: str) -> Name | None:
    match = _NAME.fullmatch(name)
    if not match:
        return None
    first, end, generation = map(int, match.groups())
    return Name(kind, first, end, generation) if first < end < 2**64 else None


def read_segment(name: Name, data: bytes, ledger: bytes) -> Segment:
    if len(data) < HEADER_LENGTH + 12 + _ROW.size + 40:
        raise Damaged("a segment of %d bytes" % len(data))
    magic, owner, kind, generation, first, end, key_id = _HEADER.unpack_from(data)
    if magic != b"LSTNSEG1" or sha256(data[:77]) != data[77:HEADER_LENGTH]:
        raise Damaged("the header is damaged")
    if (owner, kind, generation, first, end) != (ledger, CLASSES[name.kind], name.generation, name.first, name.end):
        raise Damaged("the header is that of another segment")
    if first % 256 or end % 256:
        raise Damaged("the range is not one of whole bundles")
    if (key_id == bytes(16)) != (kind == CONTROL):
        raise Damaged("a key where there must be none, or none where there must be one")
    footer = int.from_bytes(data[-40:-32], "big")
    if sha256(data[:-32]) != data[-32:]:
        raise Damaged("the hash of the file is wrong")
    if not HEADER_LENGTH <= footer <= len(data) - 52 or data[footer : footer + 8] != b"LSTNFTR1":
        raise Damaged("no footer at %d" % footer)
    count = int.from_bytes(data[footer + 8 : footer + 12], "big")
    if count < 1 or footer + 12 + count * _ROW.size + 40 != len(data):
        raise Damaged("a footer of %d rows" % count)
    rows = [Row(*_ROW.unpack_from(data, footer + 12 + number * _ROW.size)) for number in range(count)]
    segment = Segment(name, key_id, rows, data)
    _require_rows(segment, footer)
    return segment


def _require_rows(segment: Segment, footer: int) -> None:
    offset, index = HEADER_LENGTH, segment.name.first
    for number, row in enumerate(segment.rows):
        if row.offset != offset or row.first < index or row.end > segment.name.end:
            raise Damaged("block %d does not follow the one before" % number)
        if not 1 <= row.count <= row.end - row.first:
            raise Damaged("block %d has %d records" % (number, row.count))
        if sha256(segment.block(row)) != row.hash:
            raise Damaged("block %d has another hash" % number)
        offset, index = row.offset + row.length, row.end
    if offset != footer:
        raise Damaged("the last block does not end at the footer")
