"""Proofs of inclusion for any log: C2SP tlog-proof."""

from __future__ import annotations

from typing import NamedTuple, Sequence

from .encoding import from_base64, from_decimal
from .note import Checkpoint
from .tree import LONGEST_PROOF
from .verdict import Damaged

TITLE = b"c2sp.org/tlog-proof@v1\n"


class Proof(NamedTuple):
    # Not authenticated. Ledgerstone puts the receipt of the entry here.
    extra: bytes | None
    index: int
    hashes: Sequence[bytes]
    checkpoint: Checkpoint


def read_proof(data: bytes) -> Proof:
    head, separator, checkpoint = data.partition(b"\n\n")
    if not data.startswith(TITLE) or not separator:
        raise Damaged("not a tlog-proof")
    try:
        lines = head.decode("ascii").split("\n")[1:]
    except UnicodeDecodeError:
        raise Damaged("not a tlog-proof: not ASCII")
    extra = from_base64(lines.pop(0)[6:]) if lines and lines[0].startswith("extra ") else None
    if not lines or not lines[0].startswith("index "):
        raise Damaged("not a tlog-proof: no index")
    index = from_decimal(lines[0][6:], 2**63)
    if len(lines) - 1 > LONGEST_PROOF:
        raise Damaged("a proof of %d hashes" % (len(lines) - 1))
    return Proof(extra, index, [from_base64(line, 32) for line in lines[1:]], Checkpoint.parse(checkpoint))
