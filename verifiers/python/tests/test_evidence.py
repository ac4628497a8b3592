"""Evidence files: each check of docs/evidence-file.md, section 6, seen to hold and seen to fail."""

import base64
import io
import json
import struct
import unittest

from ledgerstone_verify.evidence import Known, verify_evidence
from ledgerstone_verify.note import Key
from ledgerstone_verify.policy import Policy

from .writer import Evidence, Ledger, Signer, b64, h, some_ledger

LEDGER = some_ledger()
EVERYTHING = ("who", "what", "content", "where", "raw")


def judge(evidence, known=Known()):
    data = evidence if isinstance(evidence, (bytes, bytearray)) else evidence.write()
    return verify_evidence(io.BytesIO(data), "a test", known)


def failed(report):
    return {check.name for check in report.checks if check.outcome == "bad"}


class Good(unittest.TestCase):
    def proven(self, evidence, known=Known()):
        report = judge(evidence, known)
        self.assertEqual(report.verdict, "proven", report.as_text())
        return report

    def test_ranges_of_all_places(self):
        size = len(LEDGER.records)
        for begin, end in [(0, size), (0, 1), (size - 1, size), (5, 6), (7, 24), (8, 16), (1, size - 1), (3, 33)]:
            self.proven(Evidence(LEDGER, begin, end))

    def test_every_small_range_of_small_trees(self):
        for events in range(0, 6):
            ledger = Ledger()
            for number in range(events):
                ledger.event("u%d" % number)
            size = len(ledger.records)
            for begin in range(size):
                for end in range(begin + 1, size + 1):
                    self.proven(Evidence(ledger, begin, end))

    def test_withheld_facets(self):
        for withheld in [("raw",), ("content", "raw"), EVERYTHING]:
            report = self.proven(Evidence(LEDGER, 5, 30, withhold=withheld))
            self.assertEqual(report.facts["withheld"], ", ".join(withheld))

    def test_several_parts(self):
        evidence = Evidence(LEDGER, 2, 40)
        evidence.part_lines = 7
        self.proven(evidence)

    def test_a_query_is_a_selection(self):
        report = self.proven(Evidence(LEDGER, 0, 30, query="user", picked=[4, 9, 20]))
        self.assertIn("completeness of the match is not provable", report.as_text().split("\n")[0])
        self.proven(Evidence(LEDGER, 0, 30, query="nothing", picked=[]))

    def test_earlier_checkpoints(self):
        evidence = Evidence(LEDGER)
        evidence.anchors = [evidence.anchor(size) for size in (0, 1, 2, 17, 32, evidence.size)]
        self.proven(evidence)

    def test_the_key_from_elsewhere(self):
        known = Known(Key.parse(LEDGER.signer.vkey))
        self.assertNotIn("not pinned", self.proven(Evidence(LEDGER), known).as_text())
        self.assertIn("not pinned", self.proven(Evidence(LEDGER)).as_text())

    def test_witnesses(self):
        witness, other = Signer("witness.test/w", 21, 4), Signer("witness.test/x", 22, 4)
        evidence = Evidence(LEDGER)
        evidence.checkpoint += witness.cosign(LEDGER.body(), 1763715700)
        policy = "witness w %s\nwitness x %s\ngroup g %s w x\nquorum g\n"
        parsed = Policy.parse((policy % (witness.vkey, other.vkey, "any")).encode())
        self.assertIn("quorum of the policy is met", self.proven(evidence, Known(policy=parsed)).as_text())
        parsed = Policy.parse((policy % (witness.vkey, other.vkey, "all")).encode())
        report = judge(evidence, Known(policy=parsed))
        self.assertEqual(report.verdict, "undecidable", report.as_text())
        self.assertIn("quorum of the policy is NOT met", report.as_text())

    def test_witnesses_of_an_earlier_checkpoint(self):
        witness = Signer("witness.test/w", 21, 4)
        policy = Policy.parse(("witness w %s\nquorum w\n" % witness.vkey).encode())
        for size, verdict in ((20, "proven"), (19, "undecidable")):
            evidence = Evidence(LEDGER, 5, 20)
            anchor = evidence.anchor(size)
            anchor["checkpoint"] += witness.cosign(LEDGER.body(size), 1763715700)
            evidence.anchors = [anchor]
            report = judge(evidence, Known(policy=policy))
            self.assertEqual(report.verdict, verdict, report.as_text())

    def test_a_range_of_time(self):
        evidence = Evidence(LEDGER, 4, 20)
        times = {"from_ms": LEDGER.records[4]["received"], "to_ms": LEDGER.records[20]["received"]}
        evidence.manifest["selection"].update(times)
        self.proven(evidence)


class Bad(unittest.TestCase):
    """Files by a writer who has the key, so that nothing but the check in question can find what is wrong."""

    def fails(self, evidence, *checks, known=Known()):
        report = judge(evidence, known)
        self.assertEqual(report.verdict, "disproven", report.as_text())
        self.assertLessEqual(set(checks), failed(report), report.as_text())

    def changed(self, change, *checks, **how):
        evidence = Evidence(LEDGER, **(how or {"begin": 5, "end": 30}))
        change(evidence)
        self.fails(evidence, *checks)

    def test_rows_removed_added_swapped_altered(self):
        self.changed(lambda e: e.rows.pop(4), "E7", "E10")
        self.changed(lambda e: e.rows.pop(), "E7")
        self.changed(lambda e: e.rows.pop(0), "E7")
        self.changed(lambda e: e.rows.insert(4, e.rows[4]), "E7", "E9")
        self.changed(lambda e: e.rows.append(e.row(30, False)), "E7")
        self.changed(lambda e: e.rows.insert(0, e.row(4, False)), "E7")

        def swap(e):
            e.rows[3], e.rows[4] = e.rows[4], e.rows[3]

        def exchange(e):
            """The records change places and take the other's index."""
            swap(e)
            e.rows[3]["index"], e.rows[4]["index"] = e.rows[4]["index"], e.rows[3]["index"]

        self.changed(swap, "E7")
        self.changed(exchange, "E7", "E9")

        def alter(e):
            payload = e.rows[6]["payload"]
            payload["facets"][1] = payload["facets"][1].replace("user", "usor")

        self.changed(alter, "E6")

    def test_a_record_made_anew(self):
        def forge(e):
            other = some_ledger()
            other.event("mallory")
            record = other.records[-1]
            e.ledger = other
            e.rows[3] = {**e.row(len(other.records) - 1, False), "index": e.rows[3]["index"]}
            self.assertEqual(base64.b64decode(e.rows[3]["entry"]), record["entry"])

        self.changed(forge, "E7")

    def test_payloads(self):
        def payload(change, *checks, **how):
            self.changed(lambda e: change(e.rows[1]["payload"]), *checks, **how)

        held = {"begin": 5, "end": 30, "withhold": ("content", "raw")}
        payload(lambda p: p.update(seed="00" * 16), "E6")
        payload(lambda p: p.update(raw=b64(b"other")), "E6")
        payload(lambda p: p.update(more=1), "E6")
        payload(lambda p: p.update(reason="withheld"), "E6")
        payload(lambda p: p.update(form=2), "E6")
        payload(lambda p: p["facets"].append("{}"), "E6")
        payload(lambda p: p.pop("reason"), "E6", **held)
        payload(lambda p: p.update(reason="erased"), "E6", **held)
        payload(lambda p: p.update(reason="erased", by="0"), "E6", **held)
        payload(lambda p: p.update(reason="erased", by="77"), "E6", **held)
        payload(lambda p: p.update(by="0"), "E6", **held)
        payload(lambda p: p["digests"].__setitem__(3, "00" * 32), "E6", **held)
        payload(lambda p: p["salts"].__setitem__(3, "00" * 16), "E6", **held)
        payload(lambda p: p["facets"].__setitem__(3, "{}"), "E6", **held)
        payload(lambda p: p.update(raw=""), "E6", **held)

    def test_what_was_withheld_and_is_not_named(self):
        self.changed(lambda e: e.manifest.update(withheld=[]), "E6", begin=5, end=30, withhold=("content", "raw"))
        self.changed(lambda e: e.manifest.update(withheld=["raw", "content"]), "E3", begin=5, end=30)
        self.changed(lambda e: e.manifest.update(withheld=["when"]), "E3", begin=5, end=30)

    def test_raw_goes_with_any_facet(self):
        def keep_raw(e):
            for index, row in enumerate(e.rows):
                record = LEDGER.records[index + 5]
                if row["payload"]["form"] == 1:
                    row["payload"]["raw"] = b64(record["raw"])
                    row["payload"]["salts"][5] = record["salts"][5].hex()
                    row["payload"]["digests"][5] = None

        self.changed(keep_raw, "E6", begin=5, end=30, withhold=("content", "raw"))

    def test_bounds_of_the_range(self):
        self.changed(lambda e: e.range.pop("before"), "E7")
        self.changed(lambda e: e.range.pop("after"), "E7")
        self.changed(lambda e: e.range["before"].update(entry=e.range["after"]["entry"]), "E7")
        self.changed(lambda e: e.range["left"].pop(), "E7")
        self.changed(lambda e: e.range["right"].append(e.range["right"][0]), "E7")
        self.changed(lambda e: e.range["right"].__setitem__(0, b64(h(b"x"))), "E7")
        self.changed(lambda e: e.range.update({"from": "4"}), "E7")
        self.changed(lambda e: e.range.update(end="31"), "E7")
        self.changed(lambda e: e.range.update({"from": "05"}), "E7")
        self.changed(lambda e: e.manifest["selection"].update(end="29"), "E7")
        self.changed(lambda e: e.rows[0].update(proof=[]), "E7")

    def test_times_that_were_asked_for(self):
        def ask(begin, end):
            times = {"from_ms": LEDGER.records[begin]["received"], "to_ms": LEDGER.records[end]["received"]}
            return lambda e: e.manifest["selection"].update(times)

        for begin, end in [(6, 30), (4, 30), (5, 29), (5, 31)]:
            self.changed(ask(begin, end), "E7")

    def test_queries(self):
        query = {"begin": 0, "end": 30, "query": "user", "picked": [4, 9, 20]}
        self.changed(lambda e: e.rows[1].pop("proof"), "E7", **query)
        self.changed(lambda e: e.rows[1]["proof"].pop(), "E7", **query)
        self.changed(lambda e: e.rows[1].update(index="10"), "E7", **query)
        self.changed(lambda e: e.manifest["selection"].update(end="20"), "E7", **query)
        self.changed(lambda e: e.manifest["selection"].update(end="99"), "E7", **query)
        self.changed(lambda e: e.manifest["selection"].update(kind="range"), "E3", **query)
        self.changed(lambda e: e.manifest["selection"].pop("query"), "E7", **query)
        self.changed(lambda e: e.rows.reverse(), "E7", **query)

    def test_control_records(self):
        self.changed(lambda e: e.control.pop(0), "E5")
        self.changed(lambda e: e.control[1]["proof"].pop(), "E8")
        self.changed(lambda e: e.control[1].pop("proof"), "E8")
        self.changed(lambda e: e.control.reverse(), "E8")
        self.changed(lambda e: e.control.append(e.row(40, True)), "E8")
        self.changed(lambda e: e.control.pop(1), "E10")
        self.changed(lambda e: e.control.append(e.row(31, True)), "E8")
        self.changed(lambda e: e.control.insert(1, e.row(7, True)), "E9")

    def test_control_records_that_are_not_as_documented(self):
        for name, members in [
            ("gap", {"cause": "downtime", "detail": "x", "more": 1}),
            ("gap", {"cause": "rain", "detail": "x"}),
            ("source", {"source": 2, "epoch": "1", "numbering": "source"}),
            ("clock", {"expected_ms": 1}),
            ("timestamp", {"size": "1", "root": "00", "authority": "a", "gen_time_ms": 1, "token_sha256": "00" * 32, "token": ""}),
        ]:
            ledger = some_ledger(3)
            ledger.control(name, **members)
            self.fails(Evidence(ledger), "E6")

    def test_what_the_ledger_continues(self):
        old = Signer("ledgerstone.test/ffeeddccbbaa9988", 9)
        body = "ledgerstone.test/ffeeddccbbaa9988\n640\n%s\n" % b64(h(b"old"))
        note = old.sign(body)
        report = judge(Evidence(Ledger(predecessor=note)))
        self.assertEqual((report.verdict, report.facts["continues"]), ("proven", old.name + " at 640 entries"))
        own = Ledger().signer
        for bad in [
            "",
            body,
            note.replace("\n640\n", "\n0\n"),
            note.replace("\n640\n", "\n0640\n"),
            note.replace("\n\n", "\nmore\n\n"),
            note.replace("\u2014 ledgerstone.test/f", "\u2014 ledgerstone.test/e"),
            own.sign(body.replace(old.name, own.name)),
            note[:-1],
            note.replace(b64(h(b"old")), "AAAA"),
        ]:
            self.fails(Evidence(Ledger(predecessor=bad)), "E5")

    def test_genesis(self):
        for member, value in [
            ("origin", "other.test/1"),
            ("ledger_id", "00" * 32),
            ("log_vkey", Signer("ledgerstone.test/00112233445566aa", 9).vkey),
        ]:
            ledger = Ledger()
            record = ledger.records.pop(0)
            what = {**json.loads(record["facets"][2]), member: value}
            ledger.sequences[0, 1] = 0
            ledger.records, rest = [], ledger.records
            ledger.control(what.pop("type"), **what)
            ledger.records += rest
            ledger.records[0]["received"] = rest[0]["received"]
            self.fails(Evidence(ledger, 0, 1), "E5")

    def test_sequences_and_times(self):
        ledger = some_ledger(5)
        ledger.sequences[1, 1] += 1
        ledger.event("after a hole")
        self.fails(Evidence(ledger), "E9")
        ledger = some_ledger(5)
        ledger.now -= 1000
        ledger.event("earlier")
        self.fails(Evidence(ledger), "E9")

    def test_counts(self):
        def count(name):
            return lambda e: e.manifest["counts"].update({name: e.manifest["counts"][name] + 1})

        for name in ("events", "quarantined", "accesses", "control", "withheld", "erased"):
            self.changed(count(name), "E10")
        self.changed(lambda e: e.manifest.update(gaps=[]), "E10")
        self.changed(lambda e: e.manifest["gaps"].append("30"), "E10")
        self.changed(lambda e: e.manifest["sources"].pop(), "E10")
        self.changed(lambda e: e.manifest["sources"].reverse(), "E10")
        self.changed(lambda e: e.manifest["sources"][1].update(last="99"), "E10")
        self.changed(lambda e: e.manifest["sources"][1].update(numbering="source"), "E10")
        self.changed(lambda e: e.manifest["sources"][1].pop("numbering"), "E10")

    def test_manifest(self):
        self.changed(lambda e: e.manifest.update(more=1), "E3")
        self.changed(lambda e: e.manifest.pop("case"), "E3")
        self.changed(lambda e: e.manifest.update(case="x" * 1025), "E3")
        self.changed(lambda e: e.manifest.update(size=41), "E3")
        self.changed(lambda e: e.manifest.update(type="ledgerstone/evidence/v2"), "E3")
        self.changed(lambda e: e.manifest.update(size="40"), "E4")
        self.changed(lambda e: e.manifest.update(root=b64(h(b"x"))), "E4")
        self.changed(lambda e: e.manifest.update(ledger_id="00" * 32), "E6", "E5")
        self.changed(lambda e: e.manifest.update(origin="other.test/1"), "E2")
        self.changed(lambda e: e.manifest.update(vkey=Signer(LEDGER.origin, 9).vkey), "E2")
        self.changed(lambda e: setattr(e, "signer", Signer(LEDGER.origin, 9)), "E2")

    def test_checkpoint(self):
        stranger = Signer(LEDGER.origin, 9)
        self.changed(lambda e: setattr(e, "checkpoint", LEDGER.checkpoint(40)), "E4")
        self.changed(lambda e: setattr(e, "checkpoint", stranger.sign(LEDGER.body())), "E4")
        self.changed(lambda e: setattr(e, "checkpoint", e.checkpoint.replace("4", "5", 1)), "E4")

    def test_earlier_checkpoints(self):
        other = some_ledger(31)
        self.changed(lambda e: e.anchors.extend([e.anchor(9), e.anchor(4)]), "E11")
        self.changed(lambda e: e.anchors.extend([e.anchor(9), e.anchor(9)]), "E11")
        self.changed(lambda e: e.anchors.append({**e.anchor(9), "consistency": []}), "E11")
        self.changed(lambda e: e.anchors.append({**e.anchor(9), "checkpoint": other.checkpoint(20)}), "E11")
        self.changed(lambda e: e.anchors.append({**e.anchor(41), "checkpoint": other.checkpoint(41)}), "E11")
        self.changed(lambda e: e.anchors.append({**e.anchor(41), "checkpoint": other.checkpoint(42)}), "E11")
        stranger = Signer(LEDGER.origin, 9)
        self.changed(lambda e: e.anchors.append({**e.anchor(9), "checkpoint": stranger.sign(LEDGER.body(9))}), "E11")

    def test_another_key_from_elsewhere(self):
        other = Signer(LEDGER.origin, 9)
        self.fails(Evidence(LEDGER), "E13", known=Known(Key.parse(other.vkey)))
        policy = Policy.parse(("log %s\nquorum none\n" % other.vkey).encode())
        self.fails(Evidence(LEDGER), "E13", known=Known(policy=policy))

    def test_a_wrong_cosignature_of_a_known_witness(self):
        witness = Signer("witness.test/w", 21, 4)
        evidence = Evidence(LEDGER)
        evidence.checkpoint += witness.cosign(LEDGER.body(40), 1763715700)
        policy = Policy.parse(("witness w %s\nquorum none\n" % witness.vkey).encode())
        self.fails(evidence, "E12", known=Known(policy=policy))
        self.assertEqual(judge(evidence).verdict, "proven")


class Unknown(unittest.TestCase):
    def undecidable(self, evidence, *checks, known=Known()):
        report = judge(evidence, known)
        self.assertEqual(report.verdict, "undecidable", report.as_text())
        unknown = {check.name for check in report.checks if check.outcome == "unknown"}
        self.assertLessEqual(set(checks), unknown, report.as_text())

    def test_entries_of_later_versions(self):
        for byte, value in ((0, 2), (1, 12)):
            ledger = some_ledger(5)
            entry = bytearray(ledger.records[4]["entry"])
            entry[byte] = value
            ledger.records[4]["entry"] = bytes(entry)
            self.undecidable(Evidence(ledger), "E6", "E9", "E10")

    def test_records_of_unknown_types(self):
        from . import writer

        for kind in (6, 8, 9):
            ledger = some_ledger(5)
            writer.TYPES["later"] = kind
            ledger.control("later", anything=1)
            self.undecidable(Evidence(ledger), "E6", *(["E5"] if kind == 9 else []))

    def test_a_key_is_wanted_and_none_was_given(self):
        self.undecidable(Evidence(LEDGER), "E13", known=Known(anchor_required=True))


class Archive(unittest.TestCase):
    """The container: nothing may be altered, put in, left out or spelt in another way."""

    def setUp(self):
        self.data = Evidence(some_ledger(4), 3, 9).write()

    def fails(self, data):
        self.assertEqual(judge(data).verdict, "disproven")

    def test_every_byte(self):
        # Another bit each time; a lesser step would need minutes.
        for place in range(len(self.data)):
            changed = bytearray(self.data)
            changed[place] ^= 1 << place % 8
            report = judge(changed)
            self.assertEqual(report.verdict, "disproven", "byte %d\n%s" % (place, report.as_text()))

    def test_every_length(self):
        for length in range(0, len(self.data), 7):
            self.fails(self.data[:length])

    def test_bytes_around(self):
        self.fails(b"\0" + self.data)
        self.fails(self.data + b"\0")
        self.fails(self.data + self.data)
        self.fails(b"")

    def test_a_comment(self):
        self.fails(self.data[:-2] + struct.pack("<H", 1) + b"x")

    def test_members_in_another_order(self):
        evidence = Evidence(some_ledger(4), 3, 9)
        texts = evidence.texts
        evidence.texts = lambda: sorted(texts())
        self.fails(evidence)
        evidence.texts = lambda: texts() + [("more.txt", 8, b"")]
        self.fails(evidence)
        evidence.texts = lambda: [(name, 8, text) for name, _, text in texts()]
        self.fails(evidence)

    def test_lines(self):
        evidence = Evidence(some_ledger(4), 3, 9)
        texts = evidence.texts

        def with_part(change):
            evidence.texts = lambda: [
                (name, method, change(text) if name.startswith("events/") else text) for name, method, text in texts()
            ]
            self.fails(evidence)

        with_part(lambda text: text[:-1])
        with_part(lambda text: text + b"\n")
        with_part(lambda text: b"")
        with_part(lambda text: text.replace(b'{"entry"', b'{ "entry"', 1))
        with_part(lambda text: text.replace(b"\n", b"\r\n", 1))

    def test_parts(self):
        evidence = Evidence(some_ledger(4), 3, 9)
        evidence.rows = evidence.rows * 1000
        evidence.part_lines = 5000
        report = judge(evidence)
        self.assertIn("more than belongs into a part", report.as_text())

    def test_findings_are_bounded(self):
        evidence = Evidence(some_ledger(60))
        for row in evidence.rows:
            row["payload"]["table_version"] = "1"
        report = judge(evidence)
        self.assertLess(report.as_text().count("\n"), 100)
        self.assertIn("more", report.as_text())


if __name__ == "__main__":
    unittest.main()
