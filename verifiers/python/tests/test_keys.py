"""Changes of a ledger's key: docs/format.md, section 10, K1 to K4, and what evidence files show of them."""

import unittest

from ledgerstone_verify.evidence import Known
from ledgerstone_verify.note import Key

from . import test_evidence, writer
from .test_evidence import failed
from .writer import Evidence, Signer, h, mth, some_ledger


def judge(evidence, known=Known()):
    # By its module, where other programs put theirs in between.
    return test_evidence.judge(evidence, known)


def handed_over(events=9):
    """A ledger that has had three keys, the second change being for an earlier tree than there was by then."""
    ledger = some_ledger(events)
    ledger.change_key(31)
    ledger.event("between")
    ledger.change_key(32, size=len(ledger.records) - 1)
    ledger.event("after")
    return ledger


class Good(unittest.TestCase):
    def proven(self, evidence, known=Known()):
        report = judge(evidence, known)
        self.assertEqual(report.verdict, "proven", report.as_text())
        return report

    def test_selections_of_every_sort(self):
        ledger = handed_over()
        size = len(ledger.records)
        for begin, end in [(0, size), (0, 1), (3, 9), (size - 3, size), (size - 1, size), (size - 5, size - 2)]:
            self.proven(Evidence(ledger, begin, end))
        self.proven(Evidence(ledger, 0, size, query="user", picked=[4, 7]))
        self.proven(Evidence(ledger, 0, size, query="kind:key", picked=[size - 4, size - 2]))

    def test_right_after_the_genesis_and_at_the_very_end(self):
        ledger = writer.Ledger()
        ledger.change_key(31, size=1)
        self.proven(Evidence(ledger))
        ledger.change_key(32)
        self.proven(Evidence(ledger))

    def test_earlier_checkpoints_are_signed_by_the_key_of_their_time(self):
        ledger = handed_over()
        evidence = Evidence(ledger)
        evidence.anchors = [evidence.anchor(size) for size in range(evidence.size + 1)]
        self.proven(evidence)

    def test_cosignatures_may_stand_under_the_checkpoint_that_is_needed(self):
        evidence = Evidence(handed_over())
        size = evidence.ledger.changed_at[0]
        cosigned = Signer("witness.test/w", 21, 4).cosign(evidence.ledger.body(size), 1763715700)
        evidence.anchors[0]["checkpoint"] += cosigned
        self.proven(evidence)

    def test_each_key_that_the_ledger_had_leads_to_the_one_in_force(self):
        ledger = handed_over()
        for _, signer in ledger.signers:
            text = self.proven(Evidence(ledger), Known(Key.parse(signer.vkey))).as_text()
            self.assertNotIn("not pinned", text)
            self.assertEqual("an earlier one" in text, signer is not ledger.signer)


class Bad(unittest.TestCase):
    """By a writer who has every key, so that nothing but the rule in question can find what is wrong."""

    def fails(self, evidence, *checks, known=Known()):
        report = judge(evidence, known)
        self.assertEqual(report.verdict, "disproven", report.as_text())
        self.assertLessEqual(set(checks), failed(report), report.as_text())

    def changed(self, change, *checks, ledger=None):
        evidence = Evidence(ledger or handed_over())
        change(evidence)
        self.fails(evidence, *checks)

    def record(self, size=None, **members):
        """A ledger whose second change has members of its own."""
        ledger = some_ledger(5)
        ledger.change_key(31)
        ledger.event("between")
        made = {name: make(ledger) for name, make in members.items()}
        ledger.change_key(32, size, **made)
        ledger.event("after")
        return ledger

    def stated(self, by=None, **other):
        """Makes the statement with something else in it."""

        def make(ledger):
            size = other.get("size", len(ledger.records))
            root = other.get("root", mth(ledger.leaves(min(size, len(ledger.records)))))
            vkey = other.get("vkey", Signer(ledger.origin, 32).vkey)
            text = ledger.statement(size, root, vkey, other.get("origin"))
            return (by or ledger.authority).sign(other.get("change", lambda text: text)(text))

        return make

    def test_statements(self):
        origin = some_ledger(0).origin
        stranger = Signer("stranger.test/1", 31)
        for other in (
            {"origin": "other.test/1"},
            {"root": h(b"another")},
            {"size": 3},
            {"size": 0},
            {"size": 99},
            {"vkey": Signer(origin, 7).vkey},
            {"vkey": Signer(origin, 31).vkey},
            {"vkey": Signer(origin, 8).vkey},
            {"vkey": Signer(origin + "/other", 32).vkey},
            {"vkey": Signer(origin, 32, 4).vkey},
            {"vkey": "no key"},
            {"by": Signer(origin + "/authority", 9)},
            {"by": Signer(origin, 7)},
            {"by": Signer(origin, 31)},
            {"by": stranger},
            {"change": lambda text: text + "more\n"},
            {"change": lambda text: text.replace("key-change/v1", "key-change/v2")},
            {"change": lambda text: "\n".join("0" + line if line.isdigit() else line for line in text.split("\n"))},
            {"change": lambda text: text.split("\n", 1)[1]},
        ):
            self.fails(Evidence(self.record(statement=self.stated(**other))), "E5")

    def test_signatures_under_a_statement(self):
        def twice(ledger):
            note = self.stated()(ledger)
            return note + ledger.authority.line(bytes(64))

        def altered(ledger):
            return self.stated()(ledger).replace(Signer(ledger.origin, 32).vkey, Signer(ledger.origin, 33).vkey)

        for make in (twice, altered, lambda ledger: "", lambda ledger: "no note", lambda ledger: self.stated()(ledger)[:-1]):
            self.fails(Evidence(self.record(statement=make)), "E5")

    def test_checkpoints(self):
        def by(seed, origin=None, size=None):
            return lambda ledger: Signer(origin or ledger.origin, seed).sign(ledger.body(size))

        def two(ledger):
            return ledger.checkpoint() + Signer("witness.test/w", 21, 4).cosign(ledger.body(), 1763715700)

        def other_root(ledger):
            return ledger.signer.sign("%s\n%d\n%s\n" % (ledger.origin, len(ledger.records), writer.b64(h(b"x"))))

        def other_origin(ledger):
            return ledger.signer.sign(ledger.body().replace(ledger.origin, "other.test/1"))

        def extended(ledger):
            return ledger.signer.sign(ledger.body() + "more\n")

        for make in (by(7), by(32), by(8), by(31, size=9), two, other_root, other_origin, extended, lambda ledger: "no note"):
            self.fails(Evidence(self.record(checkpoint=make)), "E5")

    def test_a_tree_that_the_ledger_never_had(self):
        """Statement and checkpoint agree, by the keys that they must be by: another history was continued."""
        other = some_ledger(8)
        size = 9

        def forked(ledger):
            return ledger.signer.sign(other.body(size))

        root = mth(other.leaves(size))
        ledger = self.record(size, statement=self.stated(size=size, root=root), checkpoint=forked)
        self.fails(Evidence(ledger))
        evidence = Evidence(ledger)
        evidence.anchors[-1]["checkpoint"] = forked(ledger)
        self.fails(evidence, "E11")
        evidence.anchors.pop()
        self.fails(evidence)

    def test_sizes(self):
        ledger = some_ledger(5)
        first = ledger.change_key(31)
        # The same tree a second time, one before the last change, and one with the record itself.
        for size in (first, first - 1, 1):
            other = some_ledger(5)
            other.change_key(31)
            signed = other.signer_for(size).sign(other.body(size))
            other.change_key(32, size, checkpoint=signed)
            self.fails(Evidence(other), "E5")
        ledger = some_ledger(5)
        size = len(ledger.records)
        body = "%s\n%d\n%s\n" % (ledger.origin, size + 1, writer.b64(h(b"not yet")))
        signer = Signer(ledger.origin, 31)
        statement = ledger.authority.sign(ledger.statement(size + 1, h(b"not yet"), signer.vkey))
        ledger.change_key(31, size, statement=statement, checkpoint=ledger.signer.sign(body))
        self.fails(Evidence(ledger), "E5")
        ledger = writer.Ledger()
        empty = ledger.signers[0][1].sign(ledger.body(0))
        ledger.change_key(31, 0, checkpoint=empty)
        self.fails(Evidence(ledger), "E5")

    def test_records_left_out(self):
        def drop(at, index):
            return lambda e: getattr(e, at).pop(index)

        ledger = handed_over()
        kept = Evidence(ledger, 3, 9)
        keys = [at for at, row in enumerate(kept.control) if '"type":"key"' in row["payload"]["facets"][2]]
        self.assertEqual(len(keys), 2)
        for dropped in (keys[:1], keys[1:], keys):
            evidence = Evidence(ledger, 3, 9)
            evidence.control = [row for at, row in enumerate(evidence.control) if at not in dropped]
            self.fails(evidence, "E5")
        self.changed(drop("anchors", 0), "E11", ledger=ledger)
        self.changed(drop("anchors", 1), "E11", ledger=ledger)
        self.changed(lambda e: e.anchors.clear(), "E11", ledger=ledger)

    def test_lines_by_a_key_that_was_not_in_force(self):
        ledger = handed_over()
        for size in (3, *ledger.changed_at, len(ledger.records) - 1):
            for _, signer in ledger.signers:
                if signer is ledger.signer_for(size):
                    continue

                def sign(e):
                    line = {**e.anchor(size), "checkpoint": signer.sign(ledger.body(size))}
                    others = [one for one in e.anchors if "\n%d\n" % size not in one["checkpoint"]]
                    e.anchors = sorted([*others, line], key=lambda one: int(one["checkpoint"].split("\n")[1]))

                self.changed(sign, "E11", ledger=ledger)

    def test_the_old_key_goes_on(self):
        ledger = handed_over()
        for _, signer in ledger.signers[:-1]:

            def everything(e):
                e.signer, e.checkpoint = signer, signer.sign(ledger.body())
                e.manifest["vkey"] = signer.vkey

            self.changed(everything, "E5", ledger=ledger)
            self.changed(lambda e: setattr(e, "signer", signer), "E2", ledger=ledger)
            self.changed(lambda e: setattr(e, "checkpoint", signer.sign(ledger.body())), "E4", ledger=ledger)

            def manifest(e):
                e.signer = signer
                e.manifest["vkey"] = signer.vkey

            self.changed(manifest, "E4", ledger=ledger)

    def test_the_new_key_before_its_time(self):
        """The first checkpoint that covers the record is the first by the new key, not one before."""
        ledger = some_ledger(5)
        old, size = ledger.signer, len(ledger.records)
        ledger.change_key(31, size - 2)
        ledger.records.pop()
        evidence = Evidence(ledger)
        evidence.manifest["vkey"], evidence.signer = ledger.signer.vkey, ledger.signer
        evidence.checkpoint = ledger.signer.sign(ledger.body())
        self.fails(evidence, "E5")
        self.assertNotEqual(old, ledger.signer)

    def test_a_key_that_the_ledger_never_had(self):
        for seed in (8, 33):
            known = Known(Key.parse(Signer(some_ledger(0).origin, seed).vkey))
            self.fails(Evidence(handed_over()), "E13", known=known)


class Unknown(unittest.TestCase):
    def test_a_record_of_an_unknown_type_leaves_the_key_undecided(self):
        writer.TYPES["later"] = 9
        ledger = some_ledger(5)
        first = ledger.signer
        ledger.control("later", anything=1)
        for vkey in (first.vkey, Signer(ledger.origin, 31).vkey):
            report = judge(Evidence(ledger), Known(Key.parse(vkey)))
            self.assertEqual(report.verdict, "undecidable", report.as_text())


if __name__ == "__main__":
    unittest.main()
