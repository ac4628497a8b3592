"""Tree files: docs/format.md, section 9."""

from __future__ import annotations

import re
from typing import Iterator

from ..record import ENTRY_LENGTH
from ..verdict import Damaged

WIDTH = 256
_PATH = re.compile(r"(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


def tile_path(level: int | None, number: int, width: int = WIDTH) -> str:
    """Below `tile/`; level None is that of the bundles."""
    digits = "%03d" % (number % 1000)
    while number >= 1000:
        number //= 1000
        digits = "x%03d/%s" % (number % 1000, digits)
    path = "%s/%s" % ("entries" if level is None else level, digits)
    return path if width == WIDTH else "%s.p/%d" % (path, width)


def read_path(path: str) -> tuple[int | None, int, int] | None:
    """Level, number and width of a path below `tile/`; None if it is no such path."""
    match = _PATH.fullmatch(path)
    if not match:
        return None
    level = None if match.group(1) == "entries" else int(match.group(1))
    number = int(match.group(2).replace("x", "").replace("/", ""))
    width = int(match.group(3) or WIDTH)
    if (level or 0) > 63 or (match.group(3) and width >= WIDTH) or tile_path(level, number, width) != path:
        return None
    return level, number, width


def implied(size: int) -> Iterator[tuple[int | None, int, int]]:
    """Level, number and width of every file of a tree of so many entries."""
    if size == 0:
        return
    for level in range(64):
        hashes = size >> 8 * level
        if hashes == 0:
            return
        for kind in ([None, 0] if level == 0 else [level]):
            for number in range(hashes // WIDTH):
                yield kind, number, WIDTH
            if hashes % WIDTH:
                yield kind, hashes // WIDTH, hashes % WIDTH


def read_bundle(data: bytes, width: int) -> list[bytes]:
    step = 2 + ENTRY_LENGTH
    if len(data) != width * step:
        raise Damaged("a bundle of %d bytes for %d entries" % (len(data), width))
    entries = [data[at : at + step] for at in range(0, len(data), step)]
    if any(entry[:2] != ENTRY_LENGTH.to_bytes(2, "big") for entry in entries):
        raise Damaged("a bundle with an entry of another length")
    return [entry[2:] for entry in entries]


def read_tile(data: bytes, width: int) -> list[bytes]:
    if len(data) != 32 * width:
        raise Damaged("a tile of %d bytes for %d hashes" % (len(data), width))
    return [data[at : at + 32] for at in range(0, len(data), 32)]
