"""XAES-256-GCM of C2SP, and what it is used for: docs/format.md, sections 4 and 5."""

from __future__ import annotations

import struct

from ..encoding import label, sha256
from ..verdict import Damaged, Undecidable

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ImportError:
    AESGCM = None

NONCE, TAG = 24, 16
LOG, SEGMENT = 1, 2
_BLOCK, _DATA_KEY = label("ledgerstone/block/v1"), label("ledgerstone/data-key/v1")


def open_sealed(key: bytes, sealed: bytes, associated: bytes) -> bytes:
    if AESGCM is None:
        raise Undecidable("without the Python package `cryptography` nothing that is encrypted can be opened")
    if len(sealed) < NONCE + TAG:
        raise Damaged("too short to be sealed")
    try:
        return AESGCM(_derive(key, sealed[:12])).decrypt(sealed[12:NONCE], sealed[NONCE:], associated)
    except InvalidTag:
        raise Damaged("does not open with its key at its place")


def _derive(key: bytes, nonce: bytes) -> bytes:
    """The key of AES-256-GCM, by NIST SP 800-108r1 in counter mode over CMAC."""
    block = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    doubled = int.from_bytes(block.update(bytes(16)), "big") << 1
    if doubled >> 128:
        doubled = doubled & (1 << 128) - 1 ^ 0x87
    inputs = [b"\0" + bytes([counter]) + b"X\0" + nonce for counter in (1, 2)]
    return b"".join(block.update((doubled ^ int.from_bytes(data, "big")).to_bytes(16, "big")) for data in inputs)


def unwrap(wrapping_key: bytes, key_id: bytes, file: str, wrapped: bytes) -> bytes:
    """A data key."""
    key = open_sealed(wrapping_key, wrapped, _DATA_KEY + key_id + sha256(file.encode()))
    if len(key) != 32:
        raise Damaged("a data key of %d bytes" % len(key))
    return key


def place(ledger: bytes, kind: int, file: int, generation: int, block: int, first: int, count: int, last: bool) -> bytes:
    """The associated data of a block, which tells where it belongs."""
    return _BLOCK + ledger + struct.pack(">BQIQQIB", kind, file, generation, block, first, count, last)
