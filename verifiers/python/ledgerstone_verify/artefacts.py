"""Small artefacts, check by check: receipts, tlog-proofs, checkpoints."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

from .encoding import from_decimal
from .evidence import Known, ask_for_key, say_witnesses
from .note import Checkpoint
from .proof import read_proof
from .receipt import Receipt, read_receipt, receipt_of, require_inclusion, require_proof, require_raw
from .strict import NotStrict, Number, parse
from .verdict import Damaged, Report, Undecidable

LARGEST = 1 << 30


def verify_receipts(data: bytes, name: str, known: Known, raw: bytes | None) -> Report:
    """One receipt in any layout, or what `append --receipts` wrote: a line for each record.

    A receipt says two things: what was recorded, and where it is in the tree. Either is decided only if what it takes was
    given, and one of them must be.
    """
    report = Report("receipt", name)
    lines: list[Line] = []
    with report.check("reads", "it is a receipt as documented"):
        lines = _read(data)
    if not lines:
        return report
    report.facts["ledger"] = lines[0].receipt.origin
    if len(lines) == 1:
        receipt = lines[0].receipt
        report.facts.update(index=str(receipt.index), level="%s, by the server's word" % receipt.level)
    else:
        report.facts["receipts"] = str(len(lines))
    if raw is not None:
        with report.check("raw", "the bytes are those that were recorded"):
            for line, piece in zip(lines, _cut(raw, lines)):
                _require(line.receipt, len(lines), lambda receipt: require_raw(receipt, piece))
    decided = _verify_proofs(report, [line.receipt for line in lines], known)
    if raw is None and not decided:
        report.check("proof", "").unknown("neither the bytes nor what a proof takes was given")
    return report


class Line(NamedTuple):
    """A receipt, and the length of the record that it is for, where that is told."""

    receipt: Receipt
    length: int | None


def _read(data: bytes) -> list[Line]:
    try:
        return [Line(read_receipt(data), None)]
    except Damaged:
        lines = data.splitlines()
        if len(lines) < 2 and b'"receipt"' not in data[:64]:
            raise
    return [_read_line(line) for line in lines]


def _read_line(line: bytes) -> Line:
    try:
        members = parse(line)
    except NotStrict as error:
        raise Damaged("not strict JSON: %s" % error)
    if isinstance(members, dict) and set(members) == {"bytes", "receipt", "record"}:
        if not isinstance(members["bytes"], Number):
            raise Damaged("bytes: not a number")
        return Line(receipt_of(members["receipt"]), from_decimal(members["bytes"]))
    return Line(receipt_of(members), None)


def _cut(raw: bytes, lines: list[Line]) -> list[bytes]:
    """The bytes of each record: all of them, or one line each."""
    if len(lines) == 1 and lines[0].length in (None, len(raw)):
        return [raw]
    pieces = [piece for piece in raw.split(b"\n") if piece]
    if [len(piece) for piece in pieces] != [line.length for line in lines]:
        raise Undecidable("which bytes belong to which receipt is known here only if each line is a record")
    return pieces


def _require(receipt: Receipt, count: int, require: Callable[[Receipt], Any]) -> Any:
    """Names the receipt in what is raised if there are several."""
    prefix = "index %d: " % receipt.index if count > 1 else ""
    try:
        return require(receipt)
    except Damaged as error:
        raise Damaged(prefix + str(error))
    except Undecidable as error:
        raise Undecidable(prefix + str(error))


def _verify_proofs(report: Report, receipts: list[Receipt], known: Known) -> bool:
    """Returns whether there was something to decide."""
    with report.check("proof", "the entry is in the tree of a signed checkpoint") as check:
        keys = ask_for_key(check, known)
        with_proof = [receipt for receipt in receipts if receipt.checkpoint is not None]
        if len(with_proof) < len(receipts):
            check.say("%d of %d receipts have no proof yet" % (len(receipts) - len(with_proof), len(receipts)))
        if not keys:
            return False
        for receipt in with_proof:
            require: Any = lambda one: _by_any(keys, lambda key: require_proof(one, key))
            _ask_witnesses(report, _require(receipt, len(receipts), require), known)
        return bool(with_proof)
    return True


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
