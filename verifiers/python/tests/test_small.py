"""The parts: canonical JSON both ways, trees, notes, policies, receipts, proofs, and the command around them."""

import contextlib
import io
import json
import os
import pathlib
import random
import tempfile
import unittest

from ledgerstone_verify import ed25519
from ledgerstone_verify.artefacts import verify_checkpoint, verify_proof, verify_receipts
from ledgerstone_verify.cli import main
from ledgerstone_verify.evidence import Known
from ledgerstone_verify.note import Checkpoint, Key, Note
from ledgerstone_verify.policy import Policy
from ledgerstone_verify.proof import read_proof
from ledgerstone_verify.record import leaf_of
from ledgerstone_verify.strict import NotStrict, parse, read_canonical, write
from ledgerstone_verify.tree import Row, complete_subtrees, is_consistent, is_included
from ledgerstone_verify.verdict import Damaged

from .writer import Evidence, Signer, some_ledger

VECTORS = pathlib.Path(__file__).resolve().parents[3] / "docs" / "vectors"


def vectors(name):
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


class CanonicalJson(unittest.TestCase):
    def test_the_fast_way_accepts_what_the_slow_one_does(self):
        texts = [bytes.fromhex(case["input"]) for case in vectors("record/canonical.json")]
        texts += [text.replace(b'"', b'\\"') for text in texts] + [self.some(random.Random(seed)) for seed in range(3000)]
        accepted = 0
        for text in texts:
            try:
                slow = write(parse(text)).encode() == text
            except NotStrict:
                slow = False
            try:
                read_canonical(text)
                fast = True
            except NotStrict:
                fast = False
            self.assertEqual(fast, slow, text)
            accepted += fast
        self.assertTrue(200 < accepted < len(texts) - 200, accepted)

    def some(self, draw):
        """Text that is canonical, or nearly so."""

        def value(depth):
            kind = draw.randrange(8 if depth < 4 else 6)
            if kind < 2:
                return draw.choice(["0", "-0", "1", "-7", "1.0", "0.5", "1e5", "9007199254740991", "9007199254740992"])
            if kind < 4:
                return draw.choice(['"a"', '"\\u0001"', '"\\u001F"', '"\\n"', '"\u00e9"', '"\U0001f600"', '"\\/"', '"\\u00e9"'])
            if kind < 6:
                return draw.choice(["true", "null", "0.1", "1e-7", "0.00001", "123456.789", "1E400"])
            items = [value(depth + 1) for _ in range(draw.randrange(3))]
            if kind == 6:
                return "[" + ",".join(items) + "]"
            names = [draw.choice(['"a"', '"b"', '"\uff5e"', '"\U00010000"', '"aa"']) for _ in items]
            if draw.randrange(3):
                names = sorted(set(names))
            return "{" + ",".join(name + ":" + item for name, item in zip(names, items)) + "}"

        return value(0).encode()


class Trees(unittest.TestCase):
    def test_published_proofs_and_changed_ones(self):
        for case in vectors("tlog/inclusion.json")["proofs"]:
            proof = [bytes.fromhex(one) for one in case["proof"]]
            leaf, root = bytes.fromhex(case["leaf"]), bytes.fromhex(case["root"])
            self.assertTrue(is_included(case["index"], case["size"], leaf, proof, root))
            self.assertFalse(is_included(case["index"], case["size"], root, proof + [leaf], root))
            self.assertFalse(is_included(case["size"], case["size"], leaf, proof, root))
            if proof:
                self.assertFalse(is_included(case["index"], case["size"], leaf, proof[1:], root))
        for case in vectors("tlog/consistency.json")["proofs"]:
            proof = [bytes.fromhex(one) for one in case["proof"]]
            old, new = bytes.fromhex(case["old_root"]), bytes.fromhex(case["new_root"])
            self.assertTrue(is_consistent(case["old"], case["new"], proof, old, new))
            self.assertFalse(is_consistent(case["old"], case["new"], proof + [old], old, new))
            self.assertFalse(is_consistent(case["old"], case["new"], proof, leaf_of(old), new))
            if case["old"]:
                self.assertFalse(is_consistent(case["old"], case["new"], proof, old, leaf_of(new)))

    def test_published_roots(self):
        tree = vectors("tlog/tree.json")
        for case in tree["roots"]:
            row = Row()
            for number in range(case["size"]):
                row.push(0, number, leaf_of(b"entry %d" % number))
            self.assertEqual(row.root().hex(), case["root"])

    def test_covers(self):
        for begin in range(40):
            for end in range(begin, 40):
                place = begin
                for level, number in complete_subtrees(begin, end):
                    self.assertEqual(number << level, place)
                    place += 1 << level
                self.assertEqual(place, end)


class Notes(unittest.TestCase):
    def setUp(self):
        self.vectors = vectors("tlog/notes.json")
        self.key = Key.parse(self.vectors["log"]["vkey"])

    def test_published_checkpoints(self):
        for name in ("checkpoint", "cosigned_checkpoint", "empty_checkpoint"):
            Checkpoint.parse(self.vectors[name].encode()).require(self.key)
        witness = Key.parse(self.vectors["witness"]["vkey"])
        note = Note.parse(self.vectors["cosigned_checkpoint"].encode())
        self.assertEqual(note.cosigned_at(witness), self.vectors["timestamp"])
        self.assertIsNone(Note.parse(self.vectors["checkpoint"].encode()).cosigned_at(witness))

    def test_no_altered_byte_is_accepted(self):
        data = self.vectors["checkpoint"].encode()
        for place in range(len(data)):
            for bit in range(8):
                changed = bytearray(data)
                changed[place] ^= 1 << bit
                with self.assertRaises(Damaged):
                    Checkpoint.parse(bytes(changed)).require(self.key)

    def test_published_proof(self):
        proof = read_proof(self.vectors["tlog_proof"]["text"].encode())
        leaf = leaf_of(self.vectors["tlog_proof"]["entry"].encode())
        self.assertTrue(is_included(proof.index, proof.checkpoint.size, leaf, proof.hashes, proof.checkpoint.root))
        proof.checkpoint.require(self.key)

    def test_both_ways_to_check_a_signature(self):
        note = Note.parse(self.vectors["checkpoint"].encode())
        signature = note.signatures[0][1][4:]
        for check in (ed25519.verify, ed25519.verify_plainly):
            self.assertTrue(check(self.key.public, note.text.encode(), signature))
            self.assertFalse(check(self.key.public, note.text.encode() + b"\n", signature))
            self.assertFalse(check(self.key.public, note.text.encode(), signature[:32] + bytes(32)))
        self.assertEqual(ed25519.public_key(bytes.fromhex(self.vectors["log"]["seed"])), self.key.public)


class Policies(unittest.TestCase):
    def test_groups_of_groups(self):
        names = ["x1", "x2", "x3", "y1", "y2", "y3"]
        signers = {name: Signer("w.test/" + name, 30 + number, 4) for number, name in enumerate(names)}
        text = "".join("witness %s %s https://w.test/\n" % (name, signer.vkey) for name, signer in signers.items())
        text += "# a comment\n\n \tgroup X 2 x1 x2 x3\ngroup Y any y1 y2 y3\ngroup both all X Y\nquorum both\n"
        policy = Policy.parse(text.encode())
        ledger = some_ledger(1)
        for cosigners, met in [("x1 x2 y3", True), ("x1 y1 y2", False), ("x1 x2 x3", False), ("", False)]:
            lines = "".join(signers[name].cosign(ledger.body(), 5) for name in cosigners.split())
            seen = policy.judge(Note.parse((ledger.checkpoint() + lines).encode()))
            self.assertEqual((seen.met, [name for name, _ in seen.cosigned]), (met, cosigners.split()))

    def test_what_is_refused(self):
        a, b = Signer("w.test/a", 30, 4).vkey, Signer("w.test/b", 31, 4).vkey
        log = Signer("log.test", 33).vkey
        good = "witness a %s\nwitness b %s\n" % (a, b)
        Policy.parse((good + "group g 1 a b\nquorum g\n").encode())
        for text in [
            "",
            good,
            good + "quorum c\n",
            good + "quorum a\nquorum b\n",
            good + "group g 3 a b\nquorum g\n",
            good + "group g 0 a b\nquorum g\n",
            good + "group g all a a\nquorum g\n",
            good + "group g all a\ngroup f all a\nquorum g\n",
            good + "group g all none\nquorum g\n",
            good + "group a all b\nquorum a\n",
            good + "witness c %s\nquorum a\n" % a,
            good + "witness none %s\nquorum a\n" % Signer("w.test/c", 32, 4).vkey,
            "quorum a\n" + good,
            "witness l %s\nquorum l\n" % log,
            "log %s\nquorum none\n" % a,
            "log %s\nlog %s\nquorum none\n" % (log, log),
            "quorum none \x0c\n",
            "quorum\n",
            "hello\nquorum none\n",
        ]:
            with self.assertRaises(Damaged, msg=text):
                Policy.parse(text.encode())


class Receipts(unittest.TestCase):
    def setUp(self):
        cases = vectors("record/receipts.json")
        self.case = next(case for case in cases if case.get("proof_verdict") == case.get("raw_verdict") == "proven")
        self.receipt, self.raw = self.case["receipt"].encode(), bytes.fromhex(self.case["raw"])
        self.known = Known(Key.parse(self.case["vkey"]))

    def test_verdicts(self):
        def verdict(data, known, raw):
            return verify_receipts(data, "a test", known, raw).verdict

        self.assertEqual(verdict(self.receipt, self.known, self.raw), "proven")
        self.assertEqual(verdict(self.receipt, self.known, None), "proven")
        self.assertEqual(verdict(self.receipt, self.known, self.raw + b" "), "disproven")
        self.assertEqual(verdict(self.receipt, Known(), None), "undecidable")
        self.assertEqual(verdict(self.receipt, Known(), self.raw), "proven")
        self.assertEqual(verdict(self.receipt, Known(anchor_required=True), self.raw), "undecidable")
        other = Known(Key.parse(Signer("log.test", 33).vkey))
        self.assertEqual(verdict(self.receipt, other, self.raw), "disproven")
        self.assertEqual(verdict(b"{}", self.known, self.raw), "disproven")

    def test_lines_of_append(self):
        receipt = json.loads(self.receipt)
        lines = [json.dumps({"bytes": 3, "receipt": receipt, "record": number}) for number in (1, 2)]
        data = "\n".join(lines).encode() + b"\n"
        self.assertEqual(verify_receipts(data, "a test", self.known, None).verdict, "proven")
        wrong = data.replace(receipt["entry"].encode(), receipt["entry"].replace("A", "B", 1).encode(), 1)
        self.assertEqual(verify_receipts(wrong, "a test", self.known, None).verdict, "disproven")

    def test_proofs(self):
        text = vectors("tlog/notes.json")["tlog_proof"]["text"].encode()
        known = Known(Key.parse(vectors("tlog/notes.json")["log"]["vkey"]))
        # Its `extra` is no receipt.
        self.assertEqual(verify_proof(text, "a test", known, None).verdict, "disproven")
        checkpoint = vectors("tlog/notes.json")["checkpoint"].encode()
        self.assertEqual(verify_checkpoint(checkpoint, "a test", known, None).verdict, "proven")
        self.assertEqual(verify_checkpoint(checkpoint, "a test", Known(), None).verdict, "undecidable")


class Command(unittest.TestCase):
    def run_on(self, name, data, *options):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, name)
            with open(path, "wb") as file:
                file.write(data)
            out = io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
                code = main([path, *options])
            return code, out.getvalue()

    def test_exit_codes_and_json(self):
        ledger = some_ledger(3)
        data = Evidence(ledger).write()
        self.assertEqual(self.run_on("e", data)[0], 0)
        code, text = self.run_on("e", data, "--json", "--key", ledger.signer.vkey)
        self.assertEqual((code, json.loads(text)["verdict"]), (0, "proven"))
        self.assertEqual(self.run_on("e", b"X" + data[1:])[0], 1)
        self.assertEqual(self.run_on("e", data[:-1] + b"X")[0], 1)
        self.assertEqual(self.run_on("e", data, "--require-anchor")[0], 2)
        self.assertEqual(self.run_on("e", data, "--key", "nonsense")[0], 2)
        self.assertEqual(self.run_on("c", ledger.checkpoint().encode(), "--key", ledger.signer.vkey)[0], 0)


if __name__ == "__main__":
    unittest.main()
