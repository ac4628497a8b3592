"""Signed notes, keys, checkpoints and cosignatures: C2SP signed-note, tlog-checkpoint and tlog-cosignature."""

from __future__ import annotations

import re
from typing import NamedTuple

from . import ed25519
from .encoding import from_base64, from_decimal, sha256
from .verdict import Damaged, Undecidable

ED25519, COSIGNATURE, ML_DSA = 1, 4, 6
LARGEST_NOTE = 1_000_000
MOST_SIGNATURES = 100
LARGEST_TREE = 2**63 - 1

_LINE = re.compile(r"\u2014 ([^\s+]+) ([A-Za-z0-9+/=]+)")


class Key(NamedTuple):
    """A verification key."""

    name: str
    id: bytes
    type: int
    public: bytes

    @classmethod
    def parse(cls, vkey: str) -> "Key":
        """Raises Damaged if it is no vkey, Undecidable if it is of a type that is not known here."""
        parts = vkey.split("+", 2)
        if len(parts) != 3 or not parts[0] or re.search(r"\s", parts[0]):
            raise Damaged("not a verification key: %.200r" % vkey)
        name, digits, encoded = parts
        key = from_base64(encoded)
        if not key or sha256(name.encode(), b"\n", key)[:4].hex() != digits:
            raise Damaged("the key's id is not that of its name and bytes: %.200r" % vkey)
        if key[0] not in (ED25519, COSIGNATURE):
            raise Undecidable("a verification key of type %d, which is not known here: %.200r" % (key[0], vkey))
        if len(key) != 33:
            raise Damaged("an Ed25519 key of %d bytes: %.200r" % (len(key) - 1, vkey))
        return cls(name, bytes.fromhex(digits), key[0], key[1:])

    def __str__(self) -> str:
        return "%s+%s" % (self.name, self.id.hex())


class Note:
    """A text and the signatures under it."""

    def __init__(self, text: str, signatures: list[tuple[str, bytes]]):
        self.text = text
        self.signatures = signatures

    @classmethod
    def parse(cls, data: bytes) -> "Note":
        if len(data) > LARGEST_NOTE:
            raise Damaged("a note of %d bytes" % len(data))
        try:
            note = data.decode("utf-8")
        except UnicodeDecodeError:
            raise Damaged("a note that is not UTF-8")
        if re.search("[\x00-\x09\x0b-\x1f]", note):
            raise Damaged("a control character in a note")
        text, separator, rest = note.rpartition("\n\n")
        lines = rest.split("\n")
        if not separator or lines.pop() != "" or not lines or len(lines) > MOST_SIGNATURES:
            raise Damaged("not a signed note")
        signatures = []
        for line in lines:
            match = _LINE.fullmatch(line)
            if not match:
                raise Damaged("not a line of a signature: %.100r" % line)
            blob = from_base64(match.group(2))
            if len(blob) < 5:
                raise Damaged("a signature of %d bytes" % len(blob))
            signatures.append((match.group(1), blob))
        return cls(text + "\n", signatures)

    def require(self, key: Key) -> None:
        """Raises Damaged unless there is a signature by this key, and every one of them is good."""
        mine = self._of(key)
        if key.type != ED25519 or not mine:
            raise Damaged("no signature by %s" % (key,))
        for signature in mine:
            if not ed25519.verify(key.public, self.text.encode(), signature):
                raise Damaged("the signature by %s is wrong" % (key,))

    def cosigned_at(self, key: Key) -> int | None:
        """The time of this witness's newest cosignature, Unix seconds; Damaged if one is wrong, None if there is none."""
        newest = None
        for blob in self._of(key):
            time = int.from_bytes(blob[:8], "big")
            message = "cosignature/v1\ntime %d\n%s" % (time, self.text)
            if len(blob) != 72 or time >= 2**63 or not ed25519.verify(key.public, message.encode(), blob[8:]):
                raise Damaged("the cosignature by %s is wrong" % (key,))
            newest = max(time, newest or 0)
        return newest

    def _of(self, key: Key) -> list[bytes]:
        return [blob[4:] for name, blob in self.signatures if name == key.name and blob[:4] == key.id]


class Checkpoint:
    """A signed tree head."""

    def __init__(self, note: Note, origin: str, size: int, root: bytes, extensions: list[str]):
        self.note = note
        self.origin = origin
        self.size = size
        self.root = root
        self.extensions = extensions

    @classmethod
    def parse(cls, data: bytes) -> "Checkpoint":
        note = Note.parse(data)
        origin, *rest = note.text[:-1].split("\n")
        if not origin or len(rest) < 2 or not all(rest):
            raise Damaged("not a checkpoint")
        return cls(note, origin, from_decimal(rest[0], LARGEST_TREE + 1), from_base64(rest[1], 32), rest[2:])

    def require(self, key: Key) -> None:
        """Raises Damaged unless it is a checkpoint of the log with this key."""
        if self.origin != key.name:
            raise Damaged("a checkpoint of %s, not of %s" % (self.origin, key.name))
        self.note.require(key)


def read_predecessor(genesis: dict) -> Checkpoint | None:
    """The checkpoint of another ledger that this one continues. Its signature is not checked: the key is not known here."""
    told = genesis.get("predecessor")
    if told is None:
        return None
    try:
        checkpoint = Checkpoint.parse(told.encode("utf-8", "surrogatepass"))
    except Damaged as error:
        raise Damaged("what the ledger continues is not told by a checkpoint: %s" % error)
    if checkpoint.extensions or checkpoint.size == 0:
        raise Damaged("what the ledger continues is not three lines of a tree with entries")
    if checkpoint.origin == genesis["origin"]:
        raise Damaged("the ledger says that it continues itself")
    if not any(name == checkpoint.origin for name, _ in checkpoint.note.signatures):
        raise Damaged("%s has not signed what the ledger says that it continues" % checkpoint.origin)
    return checkpoint
