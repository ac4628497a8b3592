"""Changes of a ledger's key in a store: V2, V4, V11 and V14 of docs/format.md, section 13."""

import pathlib
import tempfile
import unittest

from ledgerstone_verify.evidence import Known
from ledgerstone_verify.note import Key
from ledgerstone_verify.store import verify_store

from .store_writer import Store, change_of, state
from .test_evidence import failed
from .writer import Ledger, Signer, b64, h, mth


def some_ledger():
    ledger = Ledger()
    ledger.control("heartbeat", size="2")
    return ledger


def handed_over():
    ledger = some_ledger()
    ledger.change_key(31)
    ledger.control("heartbeat", size="4")
    ledger.change_key(32, size=4)
    ledger.control("heartbeat", size="5")
    return ledger


class Case(unittest.TestCase):
    def judge(self, store, known=Known(), after=lambda data: None):
        with tempfile.TemporaryDirectory() as folder:
            data = store.write(folder)
            after(data)
            return verify_store(str(data), None, known)

    def proven(self, store, **how):
        report = self.judge(store, **how)
        self.assertEqual(report.verdict, "proven", report.as_text())

    def fails(self, store, *checks, **how):
        report = self.judge(store, **how)
        self.assertEqual(report.verdict, "disproven", report.as_text())
        self.assertEqual(failed(report), set(checks), report.as_text())


class Good(Case):
    def test_with_and_without_changes(self):
        self.proven(Store(Ledger()))
        self.proven(Store(handed_over()))

    def test_a_change_that_waits_for_the_next_start(self):
        ledger = some_ledger()
        store = Store(ledger)
        store.keys["signing.next"] = Signer(ledger.origin, 31)
        ledger.change_key(31)
        store.key_change = change_of(ledger, 3)
        ledger.records.pop()
        ledger.signers.pop()
        self.proven(store)

    def test_cut_off_once_the_register_has_the_new_key(self):
        ledger = some_ledger()
        ledger.change_key(31)
        store = Store(ledger, published=3)
        old = ledger.signers[0][1]
        self.assertIn(old.name, store.checkpoint)
        self.proven(store)
        store.keys.update({"signing": old, "signing.next": ledger.signer})
        store.key_change = change_of(ledger, 3)
        self.proven(store)

    def test_cut_off_while_the_record_is_only_in_the_log(self):
        ledger = some_ledger()
        ledger.change_key(31)
        store = Store(ledger, published=3)
        old = ledger.signers[0][1]
        store.size, store.vkey = 3, old.vkey
        store.keys.update({"signing": old, "signing.next": ledger.signer})
        self.proven(store)

    def test_a_witnessed_checkpoint_by_an_earlier_key(self):
        for size in (3, 4, 6):
            store = Store(handed_over())
            store.witnessed = store.ledger.checkpoint(size)
            self.proven(store)

    def test_each_key_that_the_ledger_had(self):
        for _, signer in handed_over().signers:
            self.proven(Store(handed_over()), known=Known(Key.parse(signer.vkey)))
        known = Known(Key.parse(Signer(handed_over().origin, 33).vkey))
        self.fails(Store(handed_over()), "key", known=known)


class Bad(Case):
    def test_the_register_has_another_key(self):
        for seed in (7, 31, 33):
            store = Store(handed_over())
            store.keys["signing"] = Signer(store.ledger.origin, seed)
            store.vkey = store.keys["signing"].vkey
            store.checkpoint = store.keys["signing"].sign(store.ledger.body())
            self.fails(store, "V4")
        store = Store(Ledger())
        store.keys["signing"] = Signer(store.ledger.origin, 33)
        store.vkey = store.keys["signing"].vkey
        store.checkpoint = store.keys["signing"].sign(store.ledger.body())
        self.fails(store, "V4", "V11")

    def test_the_checkpoint_is_by_another_key(self):
        for stopped in (True, False):
            for seed in (7, 31, 33):
                store = Store(handed_over())
                store.stopped = stopped
                store.checkpoint = Signer(store.ledger.origin, seed).sign(store.ledger.body())
                self.fails(store, "V4")
            store = Store(handed_over())
            store.witnessed = Signer(store.ledger.origin, 7).sign(store.ledger.body())
            self.fails(store, "V4")

    def test_the_checkpoint_is_by_the_key_that_comes_after_it(self):
        ledger = some_ledger()
        ledger.change_key(31)
        store = Store(ledger, published=3)
        store.checkpoint = ledger.signer.sign(ledger.body(3))
        self.fails(store, "V4")

    def test_records_that_do_not_hold(self):
        stranger, root = Signer("stranger.test/1", 9), h(b"another")

        def statement(ledger, **other):
            said = {"size": 3, "root": mth(ledger.leaves(3)), "vkey": Signer(ledger.origin, 31).vkey, **other}
            return ledger.statement(**said)

        for how in (
            lambda ledger: {"statement": stranger.sign(statement(ledger))},
            lambda ledger: {"statement": ledger.signer.sign(statement(ledger))},
            lambda ledger: {"statement": ledger.authority.sign(statement(ledger, root=root))},
            lambda ledger: {"statement": ledger.authority.sign(statement(ledger, size=4))},
            lambda ledger: {"statement": ledger.authority.sign(statement(ledger, vkey=ledger.authority.vkey))},
            lambda ledger: {"statement": ledger.authority.sign(statement(ledger, origin="other.test/1"))},
            lambda ledger: {"checkpoint": Signer(ledger.origin, 31).sign(ledger.body(3))},
            lambda ledger: {"checkpoint": ledger.checkpoint(2)},
            lambda ledger: {
                "statement": ledger.authority.sign(statement(ledger, root=root)),
                "checkpoint": ledger.signer.sign("%s\n3\n%s\n" % (ledger.origin, b64(root))),
            },
        ):
            ledger = some_ledger()
            ledger.change_key(31, **how(ledger))
            self.fails(Store(ledger), "V11")

    def test_keys_in_their_directory(self):
        store = Store(handed_over())
        store.keys["signing"] = Signer(store.ledger.origin, 7)
        self.fails(store, "V2")
        store.keys["signing.next"] = Signer(store.ledger.origin, 31)
        self.fails(store, "V2")
        store = Store(handed_over())
        store.keys["signing.next"] = Signer("other.test/1", 33)
        self.fails(store, "V2")

        def put(name, content):
            return lambda data: (pathlib.Path(str(data) + "-keys") / name).write_bytes(content)

        self.fails(Store(handed_over()), "V2", after=put("main.signing.next.key", b"x"))
        self.fails(Store(handed_over()), "V2", after=put("main.key-change", b"x"))
        self.fails(Store(handed_over()), "V2", after=put("main.key-change", state("key-change", {"statement": "x"})))
        self.fails(Store(handed_over()), "V2", after=put("other.key-change", b""))

    def test_a_signing_key_that_is_away(self):
        def remove(data):
            (pathlib.Path(str(data) + "-keys") / "main.signing.key").unlink()

        self.assertEqual(self.judge(Store(handed_over()), after=remove).verdict, "undecidable")


class Unknown(Case):
    def test_a_record_of_an_unknown_type(self):
        from . import writer

        writer.TYPES["later"] = 9
        ledger = some_ledger()
        ledger.control("later", anything=1)
        for seed in (7, 31):
            store = Store(ledger)
            store.keys["signing"] = signer = Signer(ledger.origin, seed)
            store.vkey, store.checkpoint = signer.vkey, signer.sign(ledger.body())
            for known in (7, 31, 33):
                report = self.judge(store, known=Known(Key.parse(Signer(ledger.origin, known).vkey)))
                self.assertEqual(report.verdict, "undecidable", report.as_text())


if __name__ == "__main__":
    unittest.main()
