"""The ZIP archive of an evidence file, of which only one layout is allowed: docs/evidence-file.md, section 1."""

from __future__ import annotations

import re
import struct
import zlib
from typing import BinaryIO, NamedTuple

from .verdict import Damaged

LARGEST_FILE = 2**32 - 1
LARGEST_MEMBER = 1 << 30
LONGEST_LINE = 512 << 20
# The next part of the events is begun past so much text.
FULL_PART = 16 << 20

STORED, DEFLATED = 0, 8
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_VERSION, _FLAGS, _TIME, _DATE = 20, 0x0800, 0, 0x0021

# Names in their order, and the method of each.
_BEFORE = [("README.txt", DEFLATED), ("checkpoint", STORED), ("anchors.ndjson", DEFLATED)]
_RANGE = [("range.json", DEFLATED)]
_AFTER = [("control.ndjson", DEFLATED), ("summary.html", DEFLATED), ("manifest.json", STORED), ("manifest.note", STORED)]
_PART = re.compile(r"events/([0-9]{8})\.ndjson")


class Member(NamedTuple):
    name: str
    method: int
    crc: int
    # Bytes in the archive, and of the text.
    stored: int
    length: int
    # Where its data begins.
    offset: int


class Container:
    """An archive whose headers are as they must be. What the members hold is checked when they are read."""

    def __init__(self, file: BinaryIO):
        self._file = file
        end = file.seek(0, 2)
        if not _END.size <= end <= LARGEST_FILE:
            raise Damaged("a file of %d bytes" % end)
        self.members, directory = self._read_members()
        self._require_directory(directory, end)
        _require_names(self.members)
        self.by_name = {member.name: member for member in self.members}

    def parts(self) -> list[Member]:
        return [member for member in self.members if member.name.startswith("events/")]

    def stored(self, member: Member) -> bytes:
        """The data as it lies in the archive."""
        return self._at(member.offset, member.stored)

    def text(self, member: Member, stored: bytes) -> bytes:
        """The data as it was before compression."""
        text = stored if member.method == STORED else _inflate(stored, member)
        if zlib.crc32(text) != member.crc:
            raise Damaged("%s: the CRC-32 is wrong" % member.name)
        return text

    def _at(self, offset: int, length: int) -> bytes:
        self._file.seek(offset)
        data = self._file.read(length)
        if len(data) != length:
            raise Damaged("the file ends within what begins at %d" % offset)
        return data

    def _read_members(self) -> tuple[list[Member], int]:
        """The members by their local headers, and where the central directory begins."""
        members, offset = [], 0
        while len(members) < 65535 and self._at(offset, 4) != b"PK\1\2":
            (signature, version, flags, method, time, date, crc, stored, length, name_length, extra) = _LOCAL.unpack(
                self._at(offset, _LOCAL.size)
            )
            constants = (signature, version, flags, time, date, extra)
            if constants != (b"PK\3\4", _VERSION, _FLAGS, _TIME, _DATE, 0) or method not in (STORED, DEFLATED):
                raise Damaged("the header at %d is not as it must be" % offset)
            try:
                name = self._at(offset + _LOCAL.size, name_length).decode("ascii")
            except UnicodeDecodeError:
                raise Damaged("the name at %d is none that may be here" % offset)
            if method == STORED and stored != length:
                raise Damaged("%s: two lengths" % name)
            limit = LONGEST_LINE + FULL_PART + 2 if name.startswith("events/") else LARGEST_MEMBER
            if length > limit:
                raise Damaged("%s: %d bytes of text" % (name, length))
            members.append(Member(name, method, crc, stored, length, offset + _LOCAL.size + name_length))
            offset = members[-1].offset + stored
        return members, offset

    def _require_directory(self, offset: int, end: int) -> None:
        """Raises Damaged unless central directory and end record are what follows from the members."""
        expected = bytearray()
        for member in self.members:
            name = member.name.encode()
            header = member.offset - len(name) - _LOCAL.size
            numbers = (member.crc, member.stored, member.length, len(name), 0, 0, 0, 0, 0, header)
            expected += _CENTRAL.pack(
                b"PK\1\2", _VERSION, _VERSION, _FLAGS, member.method, _TIME, _DATE, *numbers
            )
            expected += name
        count = len(self.members)
        expected += _END.pack(b"PK\5\6", 0, 0, count, count, len(expected), offset, 0)
        if end - offset != len(expected) or self._at(offset, end - offset) != expected:
            raise Damaged("the central directory is not that of the members")


def _require_names(members: list[Member]) -> None:
    found = [(member.name, member.method) for member in members]
    count = sum(1 for name, _ in found if _PART.fullmatch(name))
    # The file is of a range or of a query; its manifest tells which.
    parts = [("events/%08d.ndjson" % number, DEFLATED) for number in range(count)]
    if found not in (_BEFORE + parts + _AFTER, _BEFORE + _RANGE + parts + _AFTER):
        raise Damaged("the members are not those that must be here: %s" % ", ".join(name for name, _ in found))


def _inflate(stored: bytes, member: Member) -> bytes:
    stream = zlib.decompressobj(-15)
    try:
        text = stream.decompress(stored, member.length + 1)
        # Reads the end of the stream where that is all that is left.
        text += stream.decompress(stream.unconsumed_tail, 1) if not stream.eof else b""
    except zlib.error as error:
        raise Damaged("%s: %s" % (member.name, error))
    if not stream.eof or stream.unused_data or stream.unconsumed_tail or len(text) != member.length:
        raise Damaged("%s: does not inflate to its length" % member.name)
    return text
