"""Blocks, the payloads of several records: docs/format.md, section 6."""

from __future__ import annotations

import struct
from typing import Iterator

from ..record import TABLE_VERSION, Opening
from ..verdict import Damaged, Undecidable

try:
    from compression import zstd as _standard  # Python 3.14
except ImportError:
    _standard = None
try:
    import zstandard as _package
except ImportError:
    _package = None

LARGEST_BLOCK = 512 << 20
MOST_RECORDS = 1 << 20
VERSION = 1
_HEAD = struct.Struct(">BHBIQ")


def can_unpack() -> bool:
    return _standard is not None or _package is not None


def unpack(packed: bytes) -> bytes:
    """Raises Undecidable where there is no zstd."""
    if not can_unpack():
        raise Undecidable("no zstd: install the Python package `zstandard`, or use Python 3.14")
    length = int.from_bytes(packed[:4], "big")
    if len(packed) < 4 or length > LARGEST_BLOCK:
        raise Damaged("a block of %d bytes" % length)
    frame = packed[4:]
    try:
        data, ended_well = _decompress(frame, length)
    except Exception as error:  # Either library has errors of its own.
        raise Damaged("zstd: %s" % error)
    if not ended_well or len(data) != length:
        raise Damaged("does not unpack to %d bytes" % length)
    return data


def _decompress(frame: bytes, length: int) -> tuple[bytes, bool]:
    """What a frame holds, and whether it says how much that is and is all there is."""
    if _standard is not None:
        if _standard.get_frame_info(frame).decompressed_size != length:
            return b"", False
        stream = _standard.ZstdDecompressor()
        return stream.decompress(frame, length + 1), stream.eof and not stream.unused_data
    if _package.get_frame_parameters(frame).content_size != length:
        return b"", False
    stream = _package.ZstdDecompressor().decompressobj()
    return stream.decompress(frame), stream.eof and not stream.unused_data


def read_block(data: bytes) -> Iterator[tuple[int, Opening]]:
    """The index and the opening of each record, rising."""
    if len(data) < _HEAD.size:
        raise Damaged("a block of %d bytes" % len(data))
    version, table, facets, count, first = _HEAD.unpack_from(data)
    if version != VERSION or facets != 6 or not 1 <= count <= MOST_RECORDS:
        raise Damaged("a block of version %d with %d records of %d facets" % (version, count, facets))
    if table != TABLE_VERSION:
        raise Undecidable("facet table of unknown version %d" % table)
    reader = _Reader(data, _HEAD.size)
    offsets = struct.unpack(">%dI" % count, reader.take(4 * count))
    if offsets[0] != 0 or any(one >= other for one, other in zip(offsets, offsets[1:])):
        raise Damaged("the indexes of a block do not rise from its first")
    forms = reader.take(count)
    lengths = struct.unpack(">%dI" % (6 * count), reader.take(24 * count))
    openings = [_read_opening(form, reader) for form in forms]
    facets_of: list[list[bytes]] = [[] for _ in range(count)]
    for position, length in enumerate(lengths):
        facets_of[position % count].append(reader.take(length))
    reader.require_end()
    for offset, opening, parts in zip(offsets, openings, facets_of):
        yield first + offset, _opening(opening, parts)


class _Reader:
    def __init__(self, data: bytes, position: int):
        self._data, self._position = data, position

    def take(self, length: int) -> bytes:
        taken = self._data[self._position : self._position + length]
        if len(taken) != length:
            raise Damaged("a block that is too short for what it says")
        self._position += length
        return taken

    def require_end(self) -> None:
        if self._position != len(self._data):
            raise Damaged("%d bytes after the end of a block" % (len(self._data) - self._position))


Parts = "tuple[list, list] | bytes"


def _read_opening(form: int, reader: _Reader) -> Parts:
    """A seed, or salts and digests."""
    if form == 0:
        return reader.take(16)
    if form != 1:
        raise Undecidable("a record of form %d" % form)
    salts: list[bytes | None] = []
    digests: list[bytes | None] = []
    for _ in range(6):
        kind = reader.take(1)[0]
        if kind > 1:
            raise Damaged("an opening that is neither salt nor digest")
        salts.append(None if kind else reader.take(16))
        digests.append(reader.take(32) if kind else None)
    return salts, digests


def _opening(parts: Parts, facets: list[bytes]) -> Opening:
    if isinstance(parts, bytes):
        return Opening.whole(parts, facets)
    salts, digests = parts
    if any(salt is None and facet for salt, facet in zip(salts, facets)):
        raise Damaged("an erased facet has bytes")
    return Opening(facets, salts, digests)
