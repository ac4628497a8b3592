"""An exporter who holds the ledger's key and means ill: at every place of a small file he alters, removes, adds and moves
rows and invents reasons, counts everything anew and signs it. Nothing but the check that is named can find it.

`forgeries` gives them to the other verifiers too: `cross_check.py` to the program, `test_page.py` to the page in a browser.
"""

import base64
import copy
import io
import json
import struct
import unittest

from ledgerstone_verify.evidence import Known, verify_evidence

from . import writer
from .writer import Evidence, b64, canon, h, some_ledger

HELD = ("content", "raw")


def small_ledger(events=6):
    return some_ledger(events)


def fields(row):
    """Kind, received, source, epoch, sequence of the row's entry."""
    return struct.unpack(">BBQIIQ", base64.b64decode(row["entry"])[:26])[1:]


def fit(evidence):
    """Counts of the manifest as the rows now have them."""
    manifest, rows = evidence.manifest, evidence.rows
    kinds = [fields(row)[0] for row in rows]
    reasons = [row["payload"].get("reason") for row in rows]
    manifest["counts"] = {
        "events": kinds.count(1),
        "quarantined": kinds.count(2),
        "accesses": kinds.count(10),
        "control": sum(kind not in (1, 2, 10) for kind in kinds),
        "withheld": reasons.count("withheld"),
        "erased": reasons.count("erased") + reasons.count("expired"),
    }
    numbering = {(one["source"], one["epoch"]): one.get("numbering") for one in manifest["sources"]}
    spans = {}
    for row in rows:
        _, _, source, epoch, sequence = fields(row)
        spans.setdefault((source, epoch), []).append(sequence)
    manifest["sources"] = []
    for place in sorted(spans):
        mine = spans[place]
        one = {"source": place[0], "epoch": place[1], "first": str(mine[0]), "last": str(mine[-1]), "count": len(mine)}
        if numbering.get(place):
            one["numbering"] = numbering[place]
        manifest["sources"].append(one)
    gaps = [int(row["index"]) for row in rows + evidence.control if fields(row)[0] == 3]
    manifest["gaps"] = [str(index) for index in sorted(set(gaps))]


def made_anew(ledger, row, change):
    """The row with a facet changed, and an entry that commits to it: all of it fits but the tree."""
    index = int(row["index"])
    record = ledger.records[index]
    facets = list(record["facets"])
    facets[3] = change(facets[3])
    data = [facet.encode() for facet in facets] + [record["raw"]]
    digests = [h(b"ledgerstone/facet/v1".ljust(32, b"\0"), bytes([f]), record["salts"][f], data[f]) for f in range(6)]
    commitment = h(b"ledgerstone/event/v1".ljust(32, b"\0"), ledger.id, b"\0\1\6", *digests)
    row["entry"] = b64(record["entry"][:26] + commitment)
    if row["payload"]["form"] == 0:
        row["payload"]["facets"] = facets
    else:
        row["payload"]["digests"] = [d and digests[f].hex() for f, d in enumerate(row["payload"]["digests"])]


def without(ledger, row, gone, reason):
    """The row without some facets, their digests in their place."""
    record = ledger.records[int(row["index"])]
    row["payload"] = {
        "form": 1,
        "table_version": 1,
        "facets": [None if f in gone else record["facets"][f] for f in range(5)],
        "salts": [None if f in gone else record["salts"][f].hex() for f in range(6)],
        "digests": [record["digests"][f].hex() if f in gone else None for f in range(6)],
        **reason,
    }


def spoilt(text):
    return canon({**json.loads(text), "forged": True})


def rows_forged(ledger, place):
    """What is done to the row at `place` of the list, and the check that must find it."""

    def alter_facet(e):
        payload = e.rows[place]["payload"]
        if payload["facets"][2] is not None:
            payload["facets"][2] = spoilt(payload["facets"][2])

    def alter_raw(e):
        payload = e.rows[place]["payload"]
        if "raw" in payload:
            payload["raw"] = b64(base64.b64decode(payload["raw"]) + b"!")
        else:
            payload["digests"][5] = h(b"!").hex()

    def alter_entry(e):
        entry = bytearray(base64.b64decode(e.rows[place]["entry"]))
        entry[9] ^= 1
        e.rows[place]["entry"] = b64(bytes(entry))

    def add_made_up(e):
        other = small_ledger()
        other.event("mallory")
        row = Evidence(other, len(other.records) - 1).rows[0]
        e.rows.insert(place, {**row, "index": e.rows[place]["index"]})

    def move(e):
        e.rows.append(e.rows.pop(place))

    def swap(e):
        e.rows[place - 1], e.rows[place] = e.rows[place], e.rows[place - 1]

    def exchange(e):
        swap(e)
        one, other = e.rows[place - 1], e.rows[place]
        one["index"], other["index"] = other["index"], one["index"]

    def rename(e):
        e.rows[place]["index"] = str(int(e.rows[place]["index"]) + 1)

    def shift(e):
        """The row is gone, and those behind it take its place and the numbers that follow."""
        del e.rows[place]
        for number, row in enumerate(e.rows):
            row["index"] = str(e.begin + number)
        e.end -= 1
        e.range["end"] = e.manifest["selection"]["end"] = str(e.end)

    yield "a facet altered", "E6", alter_facet
    yield "raw altered", "E6", alter_raw
    yield "a record made anew", "E7", lambda e: made_anew(ledger, e.rows[place], spoilt)
    yield "the entry altered", "E6", alter_entry
    yield "removed", "E7", lambda e: e.rows.pop(place)
    yield "removed and all behind it moved up", "E7", shift
    yield "there twice", "E7", lambda e: e.rows.insert(place, copy.deepcopy(e.rows[place]))
    yield "one added", "E7", add_made_up
    yield "another index", "E7", rename
    yield "swapped with the one before", "E7", swap
    yield "exchanged with the one before", "E7", exchange
    yield "moved to the end", "E7", move


def reasons_forged(ledger, place, erase=None):
    """Reasons why facets of the row at `place` are missing, none of them true."""

    def missing(gone, **reason):
        return lambda e: without(ledger, e.rows[place], gone, reason)

    yield "withheld and not named", "E6", missing((3, 5), reason="withheld")
    yield "missing without a reason", "E6", missing((3, 5))
    yield "the stamp withheld", "E6", missing((0, 5), reason="withheld")
    for reason in ("erased", "expired"):
        yield reason + " by nobody", "E6", missing((3, 5), reason=reason)
        for what, by in [("the genesis", 0), ("an event", 4), ("itself", 2 + place), ("an entry that is not here", 10**6)]:
            yield "%s by %s" % (reason, what), "E6", missing((3, 5), reason=reason, by=str(by))
    yield "erased, and all of it here", "E6", lambda e: e.rows[place]["payload"].update(reason="erased", by="0")
    yield "withheld, and all of it here", "E6", lambda e: e.rows[place]["payload"].update(reason="withheld")


def forgeries():
    """Name, bytes, verdict and the check that must not hold, of every forged file; and of the honest ones first."""
    ledger = small_ledger()
    begin, end = 2, len(ledger.records) - 1
    for name, withhold in (("whole", ()), ("withheld", HELD)):
        first = Evidence(ledger, begin, end, withhold=withhold)
        fit(first)
        yield name, first.write(), "proven", None
        for place in range(end - begin):
            how = list(rows_forged(ledger, place))
            if not withhold:
                how += reasons_forged(ledger, place)
            for what, check, change in how:
                evidence = Evidence(ledger, begin, end, withhold=withhold)
                before = copy.deepcopy(evidence.rows)
                change(evidence)
                if evidence.rows == before or what.endswith("end") and place == len(before) - 1 or "before" in what and not place:
                    continue
                fit(evidence)
                yield "%s: row %d: %s" % (name, place, what), evidence.write(), "disproven", check
    for reason in ("erased", "expired"):
        for what, index in [("nobody", None), ("the genesis", 0), ("a source", 1), ("another", 4)]:
            evidence = Evidence(ledger, begin, end, withhold=HELD)
            payload = next(row["payload"] for row in evidence.rows if row["payload"]["form"] == 1)
            payload.update({"reason": reason} if index is None else {"reason": reason, "by": str(index)})
            fit(evidence)
            yield "withheld row: %s by %s" % (reason, what), evidence.write(), "disproven", "E6"


def erased_by_an_unknown_record():
    """Erased by a record of kind 8 whose payload no version can read: nobody can tell."""
    before = writer.TYPES.get("later")
    writer.TYPES["later"] = 8
    try:
        ledger = small_ledger()
        by = ledger.control("later", anything=1)
        evidence = Evidence(ledger, 2, by + 1)
        place = next(at for at, row in enumerate(evidence.rows) if fields(row)[0] == 1)
        without(ledger, evidence.rows[place], (3, 5), {"reason": "erased", "by": str(by)})
        fit(evidence)
        return evidence.write()
    finally:
        writer.TYPES.pop("later")
        if before is not None:
            writer.TYPES["later"] = before


class Forged(unittest.TestCase):
    def judge(self, data):
        return verify_evidence(io.BytesIO(data), "a forged file", Known())

    def test_every_place(self):
        count = 0
        for name, data, verdict, check in forgeries():
            with self.subTest(name):
                report = self.judge(data)
                self.assertEqual(report.verdict, verdict, report.as_text())
                failed = {one.name for one in report.checks if one.outcome == "bad"}
                self.assertTrue(check is None or check in failed, "%s: %s" % (check, report.as_text()))
            count += 1
        self.assertGreater(count, 300)

    def test_erased_by_a_record_that_nobody_can_read(self):
        self.assertEqual(self.judge(erased_by_an_unknown_record()).verdict, "undecidable")


if __name__ == "__main__":
    unittest.main()
