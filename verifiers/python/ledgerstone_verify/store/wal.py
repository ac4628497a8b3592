"""The write-ahead log: docs/format.md, section 7."""

from __future__ import annotations

import struct
from typing import NamedTuple

from ..encoding import sha256
from ..record import ENTRY_LENGTH
from ..verdict import Damaged

HEADER_LENGTH = 160
SMALLEST_GROUP, LARGEST_GROUP = 106, 512 << 20
MOST_PARTS, MOST_ENTRIES = 1024, 1 << 20
MARK = b"LSGR"
_HEADER = struct.Struct(">8sQQQQ32sQ32s16s")
_GROUP = struct.Struct(">4sI16sQQ32sH")


class Header(NamedTuple):
    number: int
    previous: int
    kept: int
    chain: bytes
    length: int
    rest: bytes
    key_id: bytes
    hash: bytes


class Part(NamedTuple):
    """A run of entries of one ledger with its payloads. `file` and `group` tell where it lies."""

    ledger: bytes
    first: int
    entries: list[bytes]
    clear: bytes
    sealed: bytes
    file: int
    group: int
    key_id: bytes

    @property
    def end(self) -> int:
        return self.first + len(self.entries)


class Group(NamedTuple):
    offset: int
    end: int
    hash: bytes
    parts: list[Part]


class LogFile:
    """A file with the groups that count up to the first bad one."""

    def __init__(self, number: int, data: bytes):
        self.number, self.data = number, data
        self.header = _read_header(data, number)
        self.groups: list[Group] = []
        self.bad_at = HEADER_LENGTH
        self.why = ""
        before = self.header.hash
        while self.bad_at < len(data):
            try:
                group = self._read_group(self.bad_at, before)
            except Damaged as error:
                self.why = str(error)
                break
            self.groups.append(group)
            self.bad_at, before = group.end, group.hash

    def hash_at(self, offset: int) -> bytes | None:
        """The hash of the group that ends there, or of the header."""
        if offset == HEADER_LENGTH:
            return self.header.hash
        return next((group.hash for group in self.groups if group.end == offset), None)

    def has_later_group(self) -> bool:
        """Whether a group of this file follows somewhere after the first bad one."""
        at = self.data.find(MARK, self.bad_at + 1)
        while at >= 0:
            length = int.from_bytes(self.data[at + 4 : at + 8], "big")
            group = self.data[at : at + length]
            if SMALLEST_GROUP <= length == len(group) and group[8:24] == self.header.key_id:
                if sha256(group[:-32]) == group[-32:]:
                    return True
            at = self.data.find(MARK, at + 1)
        return False

    def _read_group(self, offset: int, before: bytes) -> Group:
        length = int.from_bytes(self.data[offset + 4 : offset + 8], "big")
        data = self.data[offset : offset + length]
        if not SMALLEST_GROUP <= length <= LARGEST_GROUP or len(data) != length:
            raise Damaged("a group of %d bytes" % length)
        mark, _, key_id, number, _, chain, parts = _GROUP.unpack_from(data)
        if mark != MARK or sha256(data[:-32]) != data[-32:]:
            raise Damaged("no group with a fitting hash")
        if key_id != self.header.key_id or chain != before or number != len(self.groups) or parts > MOST_PARTS:
            raise Damaged("a group that does not follow the one before")
        position, read = _GROUP.size, []
        for _ in range(parts):
            part, position = self._read_part(data, position, number)
            read.append(part)
        if position != length - 32:
            raise Damaged("a group that its parts do not fill")
        return Group(offset, offset + length, data[-32:], read)

    def _read_part(self, data: bytes, position: int, group: int) -> tuple[Part, int]:
        end = len(data) - 32
        if position + 44 > end:
            raise Damaged("a part that is cut off")
        ledger = data[position : position + 32]
        first, count = struct.unpack_from(">QI", data, position + 32)
        position += 44
        if not 1 <= count <= MOST_ENTRIES or position + count * ENTRY_LENGTH > end:
            raise Damaged("a part of %d entries" % count)
        stop = position + count * ENTRY_LENGTH
        entries = [data[at : at + ENTRY_LENGTH] for at in range(position, stop, ENTRY_LENGTH)]
        position, blocks = stop, []
        for _ in range(2):
            if position + 4 > end:
                raise Damaged("a part that is cut off")
            length = int.from_bytes(data[position : position + 4], "big")
            position += 4 + length
            if position > end:
                raise Damaged("a block that is cut off")
            blocks.append(data[position - length : position])
        return Part(ledger, first, entries, blocks[0], blocks[1], self.number, group, self.header.key_id), position


def _read_header(data: bytes, number: int) -> Header:
    if len(data) < HEADER_LENGTH:
        raise Damaged("too short for a header")
    magic, named, _, previous, kept, chain, length, rest, key_id = _HEADER.unpack_from(data)
    digest = data[128:HEADER_LENGTH]
    if magic != b"LSTNWAL1" or sha256(data[:128]) != digest:
        raise Damaged("the header is damaged")
    if named != number:
        raise Damaged("the header is that of file %d" % named)
    if previous != number - 1 or (previous == 0 and (kept, chain, length, rest) != (0, bytes(32), 0, bytes(32))):
        raise Damaged("the header does not say what came before")
    return Header(number, previous, kept, chain, length, rest, key_id, digest)


def require_continues(file: LogFile, before: LogFile) -> None:
    """Raises Damaged unless the header says of the file before what is so."""
    header = file.header
    if header.length != len(before.data) or header.kept > header.length:
        raise Damaged("the file before has %d bytes, not %d" % (len(before.data), header.length))
    if before.hash_at(header.kept) != header.chain:
        raise Damaged("the file before has no such group that ends at %d" % header.kept)
    if sha256(before.data[header.kept :]) != header.rest:
        raise Damaged("what follows %d in the file before is not what it was" % header.kept)
