"""The spellings of bytes and numbers, each with one way to write a value."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from .verdict import Damaged

_DECIMAL = re.compile("0|[1-9][0-9]{0,19}")


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def label(text: str) -> bytes:
    """ASCII text, padded with zeros to 32 bytes."""
    return text.encode("ascii").ljust(32, b"\0")


def from_base64(text: str, length: int | None = None) -> bytes:
    """Standard alphabet, with padding, without spare bits."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise Damaged("not base64: %.40r" % text)
    if base64.b64encode(data).decode() != text:
        raise Damaged("base64 with spare bits: %.40r" % text[-40:])
    if length is not None and len(data) != length:
        raise Damaged("%d bytes of base64 instead of %d" % (len(data), length))
    return data


def from_hex(text: str, length: int) -> bytes:
    """Lower-case hexadecimal of so many bytes."""
    if len(text) != 2 * length or not re.fullmatch("[0-9a-f]*", text):
        raise Damaged("not %d bytes in hexadecimal: %.80r" % (length, text))
    return bytes.fromhex(text)


def from_decimal(text: str, limit: int = 2**64) -> int:
    """Digits without leading zeros, below the limit."""
    if not _DECIMAL.fullmatch(text) or int(text) >= limit:
        raise Damaged("not a decimal below %d: %.40r" % (limit, text))
    return int(text)
