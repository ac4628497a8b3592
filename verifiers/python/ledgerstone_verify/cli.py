"""The command: which artefact is it, what does the auditor know, what follows."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any, BinaryIO

from . import artefacts
from .evidence import Known, verify_evidence
from .note import Key
from .policy import Policy
from .proof import TITLE
from .timestamps import Authorities
from .verdict import EXIT_CODES, UNDECIDABLE, Damaged, Report, Undecidable

DESCRIPTION = """Checks what Ledgerstone hands out, without a network and without any code of Ledgerstone: evidence
files, receipts, tlog-proofs, checkpoints, and the directory of a store at rest."""
EPILOG = """Exit codes: 0 proven, 1 disproven, 2 undecidable or wrong usage.
Without --key, proven means: the artefact agrees with itself, and nobody knows whose it is."""
KINDS = ("evidence", "receipt", "proof", "checkpoint", "store")


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        known = _known(options)
        report = _verify(options, known)
    except (Damaged, Undecidable, OSError) as error:
        print("ledgerstone-verify: %s" % error, file=sys.stderr)
        return EXIT_CODES[UNDECIDABLE]
    except Exception as error:  # A mistake in here must not look like a verdict.
        print("ledgerstone-verify: UNDECIDABLE, the verifier itself failed: %r" % error, file=sys.stderr)
        if os.environ.get("LEDGERSTONE_VERIFY_TRACE"):
            raise
        return EXIT_CODES[UNDECIDABLE]
    _show(json.dumps(report.as_json()) if options.json else report.as_text())
    return EXIT_CODES[report.verdict]


def _show(text: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except BrokenPipeError:
        # Whoever read the first lines has what they wanted; the exit code still tells the verdict.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ledgerstone-verify",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("artefact", metavar="FILE|DIR", help="what is to be checked")
    parser.add_argument("--as", dest="kind", choices=KINDS, help="what it is, where that shall not be found out")
    parser.add_argument("--key", metavar="VKEY", help="verification key of the ledger, known from elsewhere")
    parser.add_argument("--policy", metavar="FILE", help="tlog-policy: accepted logs, witnesses and their quorum")
    parser.add_argument("--tsa-ca", metavar="FILE", help="certificates (PEM) of time-stamp authorities whose tokens count")
    parser.add_argument("--raw", metavar="FILE", help="original bytes of the event of a receipt or proof")
    parser.add_argument("--keys", metavar="DIR", help="directory of a store's keys, to open payloads")
    parser.add_argument("--require-anchor", action="store_true", help="be content with nothing less than a key")
    parser.add_argument("--json", action="store_true", help="one JSON object for programs")
    return parser


def _known(options: argparse.Namespace) -> Known:
    policy = None
    if options.policy:
        with open(options.policy, "rb") as file:
            policy = Policy.parse(file.read())
    authorities = None
    if options.tsa_ca:
        with open(options.tsa_ca, "rb") as file:
            authorities = Authorities(file.read())
    return Known(Key.parse(options.key) if options.key else None, policy, options.require_anchor, authorities)


def _verify(options: argparse.Namespace, known: Known) -> Report:
    name = options.artefact
    if options.kind == "store" or (options.kind is None and os.path.isdir(name)):
        from .store import verify_store

        return verify_store(name, options.keys, known)
    raw = None
    if options.raw:
        with open(options.raw, "rb") as file:
            raw = file.read()
    with open(name, "rb") as file:
        kind = options.kind or _kind_of(file)
        file.seek(0)
        if kind == "evidence":
            return verify_evidence(file, name, known)
        data = file.read(artefacts.LARGEST)
    verify: dict[str, Any] = {
        "receipt": artefacts.verify_receipts,
        "proof": artefacts.verify_proof,
        "checkpoint": artefacts.verify_checkpoint,
    }
    return verify[kind](data, name, known, raw)


def _kind_of(file: BinaryIO) -> str:
    """What a file is, also where some of its bytes are not what they were."""
    head = file.read(4096)
    tail = head[-22:] if len(head) < 4096 else _tail(file, 22)
    if head[:2] == b"PK" or tail[:2] == b"PK":
        return "evidence"
    if head.startswith(TITLE) or b"\nindex " in head:
        return "proof"
    return "receipt" if head.lstrip()[:1] == b"{" else "checkpoint"


def _tail(file: BinaryIO, length: int) -> bytes:
    file.seek(-length, os.SEEK_END)
    return file.read(length)
