"""Merkle trees of RFC 6962, section 2.1: roots, proofs, and ranges of leaves."""

from __future__ import annotations

from hashlib import sha256 as _sha256
from typing import Iterable, Sequence

from .verdict import Damaged

EMPTY_ROOT = _sha256(b"").digest()
LONGEST_PROOF = 64


def node(left: bytes, right: bytes) -> bytes:
    return _sha256(b"\1" + left + right).digest()


def complete_subtrees(begin: int, end: int) -> list[tuple[int, int]]:
    """The (level, number) of the largest complete subtrees that cover begin..end, from left to right."""
    cover = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        if begin:
            # A subtree begins at a multiple of its width.
            level = min(level, (begin & -begin).bit_length() - 1)
        cover.append((level, begin >> level))
        begin += 1 << level
    return cover


class Row:
    """Neighbouring complete subtrees, merged as they come."""

    def __init__(self) -> None:
        self._stack: list[tuple[int, int, bytes]] = []
        self.end = 0

    def push(self, level: int, number: int, root: bytes) -> None:
        if number << level != self.end:
            raise Damaged("a subtree begins at %d instead of %d" % (number << level, self.end))
        stack = self._stack
        self.end = (number + 1) << level
        while number & 1 and stack and stack[-1][0] == level:
            root = node(stack.pop()[2], root)
            level, number = level + 1, number >> 1
        stack.append((level, number, root))

    def push_all(self, cover: Iterable[tuple[int, int]], roots: Sequence[bytes]) -> None:
        cover = list(cover)
        if len(cover) != len(roots):
            raise Damaged("%d subtrees where there must be %d" % (len(roots), len(cover)))
        for (level, number), root in zip(cover, roots):
            self.push(level, number, root)

    def roots(self) -> list[bytes]:
        """The subtrees as they stand, from left to right."""
        return [root for _, _, root in self._stack]

    def root(self) -> bytes:
        """The root of the tree, if the row begins at 0."""
        if not self._stack:
            return EMPTY_ROOT
        root = self._stack[-1][2]
        for _, _, left in reversed(self._stack[:-1]):
            root = node(left, root)
        return root


def root_from(index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes | None:
    """The root by following the definition of the audit path from the top; None if it cannot be."""
    if index >= size or (size == 1) != (not proof):
        return None
    if size == 1:
        return leaf
    split = 1 << (size - 1).bit_length() - 1
    if index < split:
        below = root_from(index, split, leaf, proof[:-1])
        return None if below is None else node(below, proof[-1])
    below = root_from(index - split, size - split, leaf, proof[:-1])
    return None if below is None else node(proof[-1], below)


def is_included(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    return len(proof) <= LONGEST_PROOF and root_from(index, size, leaf, proof) == root


def is_consistent(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether the tree of `old` entries is the beginning of that of `new`, by RFC 6962 section 2.1.2."""
    if old > new or len(proof) > LONGEST_PROOF:
        return False
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    if old == new:
        return not proof and old_root == new_root
    roots = _both_roots(old, new, list(proof), True, old_root)
    return roots == (old_root, new_root)


def _both_roots(old: int, new: int, proof: list[bytes], whole: bool, old_root: bytes) -> tuple[bytes, bytes] | None:
    """SUBPROOF(m, D[n], b) of the RFC, read backwards: the old and the new root of this subtree."""
    if old == new:
        if whole:
            return None if proof else (old_root, old_root)
        return (proof[0], proof[0]) if len(proof) == 1 else None
    if not proof:
        return None
    split = 1 << (new - 1).bit_length() - 1
    last, rest = proof[-1], proof[:-1]
    if old <= split:
        roots = _both_roots(old, split, rest, whole, old_root)
        return roots and (roots[0], node(roots[1], last))
    roots = _both_roots(old - split, new - split, rest, False, old_root)
    return roots and (node(last, roots[0]), node(last, roots[1]))
