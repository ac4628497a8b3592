"""OpenTimestamps files: what one is over, and which Bitcoin blocks it leads to."""

from __future__ import annotations

import hashlib

from .verdict import Damaged

MAGIC = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94" + b"\x01"
BITCOIN, PENDING = bytes.fromhex("0588960d73d71901"), bytes.fromhex("83dfe30d2ef90c8e")
LONGEST_MESSAGE, LONGEST_PAYLOAD, LONGEST_ADDRESS = 4096, 8192, 1000
DEEPEST, MOST_NODES = 256, 4096
LARGEST = 1 << 20
ADDRESS = set(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/:")


class OtsFile:
    def __init__(self, data: bytes):
        self._data, self._at, self._nodes = data, 0, 0
        # Heights of blocks, and how many calendars promise one.
        self.blocks: list[int] = []
        self.promises = 0
        if len(data) > LARGEST or self._take(len(MAGIC)) != MAGIC:
            raise Damaged("no OpenTimestamps proof of version 1")
        if self._take(1) != b"\x08":
            raise Damaged("an OpenTimestamps proof over another digest than SHA-256")
        self.digest = self._take(32)
        self._read(self.digest, DEEPEST)
        if self._at != len(data):
            raise Damaged("an OpenTimestamps proof with bytes after its end")

    def _take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) != count:
            raise Damaged("an OpenTimestamps proof that ends early")
        self._at += count
        return taken

    def _number(self) -> int:
        number = shift = 0
        while True:
            byte = self._take(1)[0]
            number |= (byte & 0x7F) << shift
            if not byte & 0x80:
                if (byte == 0 and shift) or number >> 64:
                    raise Damaged("an OpenTimestamps proof with a number that is not spelt as it must be")
                return number
            shift += 7
            if shift > 63:
                raise Damaged("an OpenTimestamps proof with a number that is too large")

    def _string(self, least: int, most: int) -> bytes:
        length = self._number()
        if not least <= length <= most:
            raise Damaged("an OpenTimestamps proof with a string of %d bytes" % length)
        return self._take(length)

    def _read(self, message: bytes, depth: int) -> None:
        if depth == 0:
            raise Damaged("an OpenTimestamps proof that is too deep")
        forks = True
        while forks:
            tag = self._take(1)[0]
            forks = tag == 0xFF
            if forks:
                tag = self._take(1)[0]
            self._nodes += 1
            if self._nodes > MOST_NODES:
                raise Damaged("an OpenTimestamps proof that is too large")
            if tag == 0x00:
                self._attest(message)
            else:
                self._read(self._apply(tag, message), depth - 1)

    def _apply(self, tag: int, message: bytes) -> bytes:
        if tag == 0x08:
            message = hashlib.sha256(message).digest()
        elif tag == 0xF0:
            message += self._string(1, LONGEST_MESSAGE)
        elif tag == 0xF1:
            message = self._string(1, LONGEST_MESSAGE) + message
        elif tag == 0xF2:
            message = message[::-1]
        elif tag == 0xF3:
            message = message.hex().encode()
        else:
            raise Damaged("an OpenTimestamps proof with an operation that is not accepted: %#04x" % tag)
        if len(message) > LONGEST_MESSAGE:
            raise Damaged("an OpenTimestamps proof with a message that is too long")
        return message

    def _attest(self, message: bytes) -> None:
        tag, end = self._take(8), self._number()
        if end > LONGEST_PAYLOAD or self._at + end > len(self._data):
            raise Damaged("an OpenTimestamps proof with an attestation that is too long")
        end += self._at
        if tag == BITCOIN:
            height = self._number()
            if len(message) == 32:
                self.blocks.append(height)
        elif tag == PENDING:
            if not set(self._string(0, LONGEST_ADDRESS)) <= ADDRESS:
                raise Damaged("an OpenTimestamps proof with a malformed address of a calendar")
            self.promises += 1
        else:
            self._at = end
        if self._at != end:
            raise Damaged("an OpenTimestamps proof with a malformed attestation")
