#!/usr/bin/env python3
"""Checks Ledgerstone's published test vectors with an implementation of its own.

Written from docs/vectors/README.md and the specifications it names, sharing no code with the Rust crates, and needing
nothing but the standard library (Python 3.8 or later). The implementation is that of the verifier beside this file. Usage:

    python3 verifiers/python/ledgerstone_vectors.py [FOLDER]

FOLDER is docs/vectors/record of this repository unless given. Prints a line for each file and each failed case, then the
total; exits 0 if every case passed and 1 otherwise.
"""

import hashlib
import json
import pathlib
import sys

from ledgerstone_verify.encoding import from_hex
from ledgerstone_verify.facets import Table
from ledgerstone_verify.note import Key
from ledgerstone_verify.receipt import read_receipt, require_proof, require_raw
from ledgerstone_verify.record import (
    Opening,
    commitment_of,
    digest_of,
    entry_of,
    leaf_of,
    read_entry,
    salt_of,
    stamp_of,
)
from ledgerstone_verify.strict import NotStrict, is_canonical, parse, write
from ledgerstone_verify.verdict import Damaged, Undecidable


def verdict_of(check, *arguments):
    """What a check that raises comes to, and what it gave."""
    try:
        return "proven", check(*arguments)
    except Damaged:
        return "disproven", None
    except Undecidable:
        return "undecidable", None


def opening_of(case):
    """The stored form that a case tells."""
    facets = [facet.encode() for facet in case["facets"]] + [bytes.fromhex(case["raw"])]
    if "seed" in case:
        return Opening.whole(bytes.fromhex(case["seed"]), facets)
    known = [(keys.get("salt"), keys.get("digest")) for keys in case["known"]]
    salts = [salt and from_hex(salt, 16) for salt, _ in known]
    return Opening(facets, salts, [digest and from_hex(digest, 32) for _, digest in known])


def has_erased_bytes(opening):
    return any(opening.facets[facet] for facet in opening.missing())


# --- The files ----------------------------------------------------------------------------------------------------
# One function for each: it yields (what, expected, found) for everything a case says.


def check_canonical(case, table):
    data = bytes.fromhex(case["input"])
    yield "canonical", case["canonical"], is_canonical(data)
    try:
        written = write(parse(data))
        # What is written must be canonical itself.
        yield "written is canonical", True, is_canonical(written.encode())
    except NotStrict:
        written = None
    yield "strict", case["strict"], written is not None
    yield "written", case.get("written"), written


def check_splits(case, table):
    stamp = stamp_of(case["received"], case["source"], case["epoch"], case["sequence"])
    yield "facets", case["facets"], table.split(parse(case["event"].encode()), stamp)


def check_records(case, table):
    seed = bytes.fromhex(case["seed"])
    facets = [facet.encode() for facet in case["facets"]] + [bytes.fromhex(case["raw"])]
    salts = [salt_of(facet, seed) for facet in range(6)]
    digests = [digest_of(number, salts[number], facet) for number, facet in enumerate(facets)]
    commitment = commitment_of(bytes.fromhex(case["ledger_id"]), case["table_version"], digests)
    numbers = (case["received"], case["source"], case["epoch"], int(case["sequence"]))
    entry = entry_of(case["kind"], *numbers, commitment)
    yield "salts", case["salts"], [salt.hex() for salt in salts]
    yield "digests", case["digests"], [digest.hex() for digest in digests]
    yield "commitment", case["commitment"], commitment.hex()
    yield "entry", case["entry"], entry.hex()
    yield "leaf", case["leaf"], leaf_of(entry).hex()
    yield "read entry", (case["kind"], *numbers, commitment), tuple(read_entry(entry))
    yield "canonical facets", [True] * 5, [is_canonical(facet) for facet in facets[:5]]
    yield "stamp", stamp_of(*numbers), parse(facets[0])["ledgerstone"]
    what = parse(facets[2])
    if what.get("type") == "genesis":
        yield "table hash", table.hash, what["table_hash"]


def check_entries(case, table):
    words = {"proven": "entry", "disproven": "damaged", "undecidable": "undecidable"}
    yield "verdict", case["verdict"], words[verdict_of(read_entry, bytes.fromhex(case["entry"]))[0]]


def check_openings(case, table):
    opening = opening_of(case)
    digests = None if has_erased_bytes(opening) else [digest.hex() for digest in opening.all_digests()]
    yield "digests", case.get("digests"), digests
    entry, ledger_id = read_entry(bytes.fromhex(case["entry"])), bytes.fromhex(case["ledger_id"])
    verdict, _ = verdict_of(opening.belongs_to, entry, ledger_id, case["table_version"])
    yield "valid", case["valid"], digests is not None and verdict == "proven"


def check_receipts(case, table):
    verdict, receipt = verdict_of(read_receipt, case["receipt"].encode())
    yield "well_formed", case["well_formed"], verdict == "proven"
    if receipt is not None:
        yield "leaf", case.get("leaf"), leaf_of(receipt.entry).hex()
        raw_verdict, _ = verdict_of(require_raw, receipt, bytes.fromhex(case["raw"]))
        yield "raw_verdict", case.get("raw_verdict"), raw_verdict
        proof_verdict, _ = verdict_of(require_proof, receipt, Key.parse(case["vkey"]))
        yield "proof_verdict", case.get("proof_verdict"), proof_verdict


FILES = {
    "canonical.json": check_canonical,
    "splits.json": check_splits,
    "records.json": check_records,
    "entries.json": check_entries,
    "openings.json": check_openings,
    "receipts.json": check_receipts,
}


def main(arguments):
    default = pathlib.Path(__file__).resolve().parents[2] / "docs" / "vectors" / "record"
    folder = pathlib.Path(arguments[0]) if arguments else default
    published = (folder / "facet-table-v1.txt").read_bytes()
    table = Table(published.decode())
    table.hash = hashlib.sha256(published).hexdigest()
    passed = failed = 0
    for name, check in FILES.items():
        cases = json.loads((folder / name).read_text(encoding="utf-8"))
        bad = 0
        for case in cases:
            wrong = [result for result in check(case, table) if result[1] != result[2]]
            bad += bool(wrong)
            for what, expected, found in wrong:
                print("FAILED %s: %s: %s\n  published %r\n  computed  %r" % (name, case["name"], what, expected, found))
        print("%s: %d passed, %d failed" % (name, len(cases) - bad, bad))
        passed, failed = passed + len(cases) - bad, failed + bad
    print("%d passed, %d failed" % (passed, failed))
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
