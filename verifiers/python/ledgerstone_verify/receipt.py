"""Receipts: docs/vectors/README.md, section 6."""

from __future__ import annotations

from typing import NamedTuple, Sequence

from .encoding import from_base64, from_decimal, from_hex
from .note import Checkpoint, Key
from .record import ENTRY_LENGTH, TABLE_VERSION, commitment_of, digest_of, leaf_of, read_entry
from .strict import NotStrict, Number, parse
from .tree import LONGEST_PROOF, is_included
from .verdict import Damaged, Undecidable

LONGEST_RECEIPT = 1 << 20
MEMBERS = {"type", "origin", "ledger_id", "index", "level", "entry", "table_version", "salt_5", "digests"}
LEVELS = ("durable", "committed", "witnessed", "archived")


class Receipt(NamedTuple):
    origin: str
    ledger_id: bytes
    index: int
    level: str
    entry: bytes
    table_version: int
    salt_5: bytes
    digests: Sequence[bytes]
    checkpoint: str | None
    proof: Sequence[bytes]


def read_receipt(data: bytes) -> Receipt:
    """Raises Damaged if it is not a receipt as documented."""
    if len(data) > LONGEST_RECEIPT:
        raise Damaged("a receipt of %d bytes" % len(data))
    try:
        members = parse(data)
    except NotStrict as error:
        raise Damaged("not strict JSON: %s" % error)
    return receipt_of(members)


def receipt_of(members: object) -> Receipt:
    """The receipt that strict JSON holds."""
    if not isinstance(members, dict) or set(members) not in (MEMBERS, MEMBERS | {"checkpoint", "proof"}):
        raise Damaged("not the members of a receipt")
    strings = MEMBERS - {"table_version", "digests"} | set(members) & {"checkpoint"}
    version = members["table_version"]
    if any(type(members[name]) is not str for name in strings) or not isinstance(version, Number):
        raise Damaged("a member of another type")
    if members["type"] != "ledgerstone/receipt/v1":
        raise Damaged("not a receipt of version 1")
    if members["level"] not in LEVELS:
        raise Damaged("no such level: %.40r" % members["level"])
    digests, proof = _hashes(members["digests"]), _hashes(members.get("proof", []))
    if len(digests) != 5 or len(proof) > LONGEST_PROOF:
        raise Damaged("%d digests, %d hashes of a proof" % (len(digests), len(proof)))
    return Receipt(
        origin=members["origin"],
        ledger_id=from_hex(members["ledger_id"], 32),
        index=from_decimal(members["index"]),
        level=members["level"],
        entry=from_base64(members["entry"], ENTRY_LENGTH),
        table_version=from_decimal(str(version), 2**16),
        salt_5=from_base64(members["salt_5"], 16),
        digests=digests,
        checkpoint=members.get("checkpoint"),
        proof=proof,
    )


def _hashes(value: object) -> list[bytes]:
    if not isinstance(value, list) or not all(type(item) is str for item in value):
        raise Damaged("not a list of hashes")
    return [from_base64(item, 32) for item in value]


def require_raw(receipt: Receipt, raw: bytes) -> None:
    """Raises Damaged unless these are the bytes that were recorded."""
    entry = read_entry(receipt.entry)
    if receipt.table_version != TABLE_VERSION:
        raise Undecidable("facet table of unknown version %d" % receipt.table_version)
    digests = [*receipt.digests, digest_of(5, receipt.salt_5, raw)]
    if commitment_of(receipt.ledger_id, receipt.table_version, digests) != entry.commitment:
        raise Damaged("these are not the bytes that the entry commits to")


def require_proof(receipt: Receipt, key: Key) -> Checkpoint:
    """Raises Damaged unless a checkpoint signed with the key includes the entry."""
    if receipt.checkpoint is None:
        raise Undecidable("the receipt has no proof: it was given at level %s" % receipt.level)
    checkpoint = Checkpoint.parse(receipt.checkpoint.encode("utf-8", "surrogatepass"))
    if checkpoint.origin != receipt.origin:
        raise Damaged("a checkpoint of %s in a receipt of %s" % (checkpoint.origin, receipt.origin))
    checkpoint.note.require(key)
    require_inclusion(receipt.index, receipt.entry, receipt.proof, checkpoint)
    return checkpoint


def require_inclusion(index: int, entry: bytes, proof: Sequence[bytes], checkpoint: Checkpoint) -> None:
    if not is_included(index, checkpoint.size, leaf_of(entry), proof, checkpoint.root):
        raise Damaged("the proof does not lead from entry %d to the root of the checkpoint" % index)
