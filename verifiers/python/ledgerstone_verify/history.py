"""The keys of a ledger, one after the other: docs/format.md, section 10, records `key`."""

from __future__ import annotations

from typing import Any, NamedTuple

from .encoding import from_base64, from_decimal
from .note import ED25519, LARGEST_TREE, Checkpoint, Key, Note
from .verdict import Damaged, Undecidable

TITLE = "ledgerstone/key-change/v1"


class Statement(NamedTuple):
    """What the authority says: from a tree of that size and root on, the ledger has this key."""

    size: int
    root: bytes
    key: Key


class Change(NamedTuple):
    """A `key` record. `checkpoint` is what the key before signed, of the tree that the statement names."""

    index: int
    statement: Statement
    checkpoint: Checkpoint


class History:
    """Begins with the genesis; each `key` record is entered in order of its index."""

    def __init__(self, genesis: dict[str, Any]):
        self.origin: str = genesis["origin"]
        self._authority_vkey: str = genesis["authority_vkey"]
        self.first = _key(genesis["log_vkey"], self.origin)
        self.changes: list[Change] = []

    def enter(self, index: int, members: dict[str, Any]) -> Change:
        """Raises Damaged unless K1, K2 and K4 hold, and of K3 what the record itself can show."""
        authority = _key(self._authority_vkey, None)
        statement = self._statement(members["statement"], authority)
        least = self.changes[-1].index if self.changes else 0
        if not least < statement.size <= index:
            raise Damaged("a change of the key at %d is for a tree of %d entries" % (index, statement.size))
        checkpoint = self._checkpoint(members["checkpoint"])
        if (checkpoint.size, checkpoint.root) != (statement.size, statement.root):
            raise Damaged("the checkpoint is not of the tree that the statement names")
        if statement.key.public in [key.public for key in self.keys()] + [authority.public]:
            raise Damaged("the new key is not new, or is the authority's: %s" % (statement.key,))
        self.changes.append(Change(index, statement, checkpoint))
        return self.changes[-1]

    def keys(self, size: int | None = None) -> list[Key]:
        """Those that the ledger has had, for trees of up to so many entries, the latest last."""
        later = [change.statement.key for change in self.changes if size is None or change.index < size]
        return [self.first, *later]

    def in_force(self, size: int) -> Key:
        """The key that signs the checkpoint of so many entries."""
        return self.keys(size)[-1]

    def _statement(self, data: str, authority: Key) -> Statement:
        note = _note(data)
        _require_one(note, authority)
        lines = note.text[:-1].split("\n")
        if len(lines) != 5 or lines[:2] != [TITLE, self.origin]:
            raise Damaged("not a change of the key of %s" % self.origin)
        return Statement(from_decimal(lines[2], LARGEST_TREE + 1), from_base64(lines[3], 32), _key(lines[4], self.origin))

    def _checkpoint(self, data: str) -> Checkpoint:
        checkpoint = Checkpoint.parse(data.encode("utf-8", "surrogatepass"))
        if checkpoint.origin != self.origin or checkpoint.extensions:
            raise Damaged("not the three lines of %s" % self.origin)
        _require_one(checkpoint.note, self.in_force(checkpoint.size))
        return checkpoint


def _note(data: str) -> Note:
    return Note.parse(data.encode("utf-8", "surrogatepass"))


def _require_one(note: Note, key: Key) -> None:
    if len(note.signatures) != 1:
        raise Damaged("%d signatures" % len(note.signatures))
    note.require(key)


def _key(vkey: str, name: str | None) -> Key:
    """A key that signs notes, of that name."""
    try:
        key = Key.parse(vkey)
    except Undecidable as error:
        raise Damaged(error)
    if key.type != ED25519 or name not in (None, key.name):
        raise Damaged("not a key of %s: %.200r" % (name or "an authority", vkey))
    return key
