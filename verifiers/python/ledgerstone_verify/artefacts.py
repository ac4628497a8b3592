"""Small artefacts, check by check: receipts, tlog-proofs, checkpoints."""

from __future__ import annotations

from typing import Any

from .evidence import Known, ask_for_key, say_witnesses
from .note import Checkpoint
from .proof import read_proof
from .receipt import Receipt, read_receipt, receipt_of, require_inclusion, require_proof, require_raw
from .strict import NotStrict, parse
from .verdict import Check, Damaged, Report, Undecidable

LARGEST = 1 << 30


def verify_receipts(data: bytes, name: str, known: Known, raw: bytes | None) -> Report:
    """One receipt in any layout, or what `append --receipts` wrote: a line for each record."""
    report = Report("receipt", name)
    receipts: list[Receipt] = []
    with report.check("reads", "it is a receipt as documented"):
        receipts = _read(data)
    for position, receipt in enumerate(receipts):
        prefix = "index %d: " % receipt.index if len(receipts) > 1 else ""
        _verify_receipt(report, receipt, known, raw if len(receipts) == 1 else None, prefix)
        if position == 0:
            report.facts["ledger"] = receipt.origin
    if len(receipts) == 1:
        report.facts.update(index=str(receipts[0].index), level="%s, by the server's word" % receipts[0].level)
    elif receipts:
        report.facts["receipts"] = str(len(receipts))
        if raw is not None:
            report.check("raw", "the bytes are those that were recorded").unknown(
                "which bytes belong to which of several receipts is not known here"
            )
    return report


def _read(data: bytes) -> list[Receipt]:
    try:
        return [read_receipt(data)]
    except Damaged:
        lines = data.splitlines()
        if len(lines) < 2 and b'"receipt"' not in data[:64]:
            raise
    return [_read_line(line) for line in lines]


def _read_line(line: bytes) -> Receipt:
    try:
        members = parse(line)
    except NotStrict as error:
        raise Damaged("not strict JSON: %s" % error)
    if isinstance(members, dict) and set(members) == {"bytes", "receipt", "record"}:
        members = members["receipt"]
    return receipt_of(members)


def _verify_receipt(report: Report, receipt: Receipt, known: Known, raw: bytes | None, prefix: str) -> None:
    if raw is not None:
        with report.check("raw", "the bytes are those that were recorded"):
            require_raw(receipt, raw)
    with report.check("proof", "the entry is in the tree of a signed checkpoint") as check:
        try:
            _require_proof(report, check, receipt, known)
        except Damaged as error:
            raise Damaged(prefix + str(error))
        except Undecidable as error:
            raise Undecidable(prefix + str(error))


def _require_proof(report: Report, check: Check, receipt: Receipt, known: Known) -> None:
    if receipt.checkpoint is None:
        raise Undecidable("the receipt has no proof: it was given at level %s" % receipt.level)
    keys = ask_for_key(check, known)
    if keys:
        checkpoint = _by_any(keys, lambda key: require_proof(receipt, key))
        _ask_witnesses(report, checkpoint, known)
        return
    checkpoint = Checkpoint.parse(receipt.checkpoint.encode())
    if checkpoint.origin != receipt.origin:
        raise Damaged("a checkpoint of %s in a receipt of %s" % (checkpoint.origin, receipt.origin))
    require_inclusion(receipt.index, receipt.entry, receipt.proof, checkpoint)
    raise Undecidable("the proof leads to the checkpoint, whose signature cannot be checked without a key")


def verify_proof(data: bytes, name: str, known: Known, raw: bytes | None) -> Report:
    report = Report("tlog-proof", name)
    with report.check("reads", "it is a tlog-proof"):
        proof = read_proof(data)
    if not report.passed():
        return report
    report.facts.update(ledger=proof.checkpoint.origin, index=str(proof.index), tree="%d entries" % proof.checkpoint.size)
    with report.check("signature", "the checkpoint is signed by the ledger's key") as check:
        keys = ask_for_key(check, known)
        if not keys:
            raise Undecidable("the signature cannot be checked without a key")
        _by_any(keys, proof.checkpoint.require)
        _ask_witnesses(report, proof.checkpoint, known)
    with report.check("proof", "the entry is in the tree"):
        if proof.extra is None:
            raise Undecidable("the file does not hold the receipt of the entry, so the entry is not known")
        receipt = read_receipt(proof.extra)
        if (receipt.index, receipt.origin) != (proof.index, proof.checkpoint.origin):
            raise Damaged("the receipt inside is of another entry")
        require_inclusion(proof.index, receipt.entry, proof.hashes, proof.checkpoint)
        if raw is not None:
            with report.check("raw", "the bytes are those that were recorded"):
                require_raw(receipt, raw)
    return report


def verify_checkpoint(data: bytes, name: str, known: Known, raw: bytes | None) -> Report:
    report = Report("checkpoint", name)
    with report.check("reads", "it is a checkpoint"):
        checkpoint = Checkpoint.parse(data)
    if not report.passed():
        return report
    report.facts.update(ledger=checkpoint.origin, tree="%d entries" % checkpoint.size, root=checkpoint.root.hex())
    with report.check("signature", "it is signed by the ledger's key") as check:
        keys = ask_for_key(check, known)
        if not keys:
            raise Undecidable("the signature cannot be checked without a key")
        _by_any(keys, checkpoint.require)
        _ask_witnesses(report, checkpoint, known)
    return report


def _by_any(keys: list[Any], require: Any) -> Any:
    """What `require` says to the first key it does not refuse."""
    for key in keys[:-1]:
        try:
            return require(key)
        except Damaged:
            continue
    return require(keys[-1])


def _ask_witnesses(report: Report, checkpoint: Checkpoint, known: Known) -> None:
    if known.policy is None:
        return
    with report.check("witnesses", "the witnesses of the policy have cosigned") as check:
        if not say_witnesses(check, known.policy, checkpoint.note):
            raise Undecidable("too few witnesses have cosigned")
