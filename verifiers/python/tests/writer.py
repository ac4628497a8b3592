"""A ledger of its own and evidence of it, written from docs/evidence-file.md for the tests: plain and slow.

Nothing here is shared with the verifier but canonical JSON: trees, proofs, entries and the archive are made a second time.
"""

import base64
import hashlib
import io
import json
import struct
import zipfile
import zlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

START = 1763715600000
FACETS = ["when", "who", "what", "content", "where", "raw"]
TABLE_HASH = "fad97798dc1ae9be4e191bbc95fdf5d43b8176c0ed71ac4be475cdcbba8ea4d2"
TYPES = {"genesis": 0, "gap": 3, "heartbeat": 4, "source": 5, "sealed": 7, "cut": 11, "clock": 11, "refusal": 11, "timestamp": 11, "key": 9}


def h(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def b64(data):
    return base64.b64encode(data).decode()


def canon(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def mth(leaves):
    """RFC 6962 section 2.1, as written."""
    if not leaves:
        return h()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return h(b"\1", mth(leaves[:k]), mth(leaves[k:]))


def path(m, leaves):
    if len(leaves) == 1:
        return []
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if m < k:
        return path(m, leaves[:k]) + [mth(leaves[k:])]
    return path(m - k, leaves[k:]) + [mth(leaves[:k])]


def subproof(m, leaves, whole=True):
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if m <= k:
        return subproof(m, leaves[:k], whole) + [mth(leaves[k:])]
    return subproof(m - k, leaves[k:], False) + [mth(leaves[:k])]


def cover(begin, end, leaves):
    roots = []
    while begin < end:
        width = 1
        while begin % (2 * width) == 0 and begin + 2 * width <= end:
            width *= 2
        roots.append(mth(leaves[begin : begin + width]))
        begin += width
    return roots


class Signer:
    def __init__(self, name, seed, kind=1):
        self.name = name
        self.private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.key = bytes([kind]) + self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.id = h(name.encode(), b"\n", self.key)[:4]
        self.vkey = "%s+%s+%s" % (name, self.id.hex(), b64(self.key))

    def sign(self, text):
        """A signed note."""
        return text + "\n" + self.line(self.private.sign(text.encode()))

    def line(self, signature):
        return "\u2014 %s %s\n" % (self.name, b64(self.id + signature))

    def cosign(self, text, time):
        signature = self.private.sign(("cosignature/v1\ntime %d\n%s" % (time, text)).encode())
        return self.line(struct.pack(">Q", time) + signature)


class Ledger:
    """Records in memory; index 0 is the genesis, index 1 the record of source 1."""

    def __init__(self, **genesis):
        self.origin = "ledgerstone.test/00112233445566aa"
        self.signer = Signer(self.origin, 7)
        # From which size on each key is in force.
        self.signers = [(0, self.signer)]
        # Sizes that statements of its authority name.
        self.changed_at = []
        self.id = h(b"ledger")
        self.records = []
        self.sequences = {}
        self.now = START
        self.authority = authority = Signer(self.origin + "/authority", 8)
        self.control(
            "genesis",
            ledger_id=self.id.hex(),
            origin=self.origin,
            log_vkey=self.signer.vkey,
            authority_vkey=authority.vkey,
            table_version=1,
            table_hash=TABLE_HASH,
            created_ms=START,
            **genesis,
        )
        self.control("source", source=1, epoch=1, numbering="server")

    def control(self, name, **members):
        when = {
            "activity_id": 99,
            "activity_name": name,
            "category_uid": 1,
            "class_uid": 1008,
            "metadata": {
                "mapping": {"name": "ledgerstone-control", "version": "1"},
                "product": {"name": "Ledgerstone"},
                "version": "1.8.0",
            },
            "severity_id": 3 if name in ("gap", "cut", "clock") else 1,
            "type_uid": 100899,
        }
        return self.record(TYPES[name], 0, 1, [when, {}, {"type": name, **members}, {}, {}], b"")

    def statement(self, size, root, vkey, origin=None):
        return "ledgerstone/key-change/v1\n%s\n%s\n%s\n%s\n" % (origin or self.origin, size, b64(root), vkey)

    def change_key(self, seed, size=None, **other):
        """A `key` record; members of it may be given otherwise than they should be."""
        size = len(self.records) if size is None else size
        signer = Signer(self.origin, seed)
        statement = self.authority.sign(self.statement(size, mth(self.leaves(size)), signer.vkey))
        members = {"statement": statement, "checkpoint": self.checkpoint(size), **other}
        index = self.control("key", **members)
        self.signer = signer
        self.signers.append((index + 1, signer))
        self.changed_at.append(size)
        return index

    def signer_for(self, size):
        return [signer for first, signer in self.signers if first <= size][-1]

    def event(self, user, kind=1, source=1, epoch=1, raw=None, **content):
        facets = [{"class_uid": 6003, "time": self.now}, {"actor": {"user": {"name": user}}}]
        facets += [{"api": {"operation": "read"}}, content or {"message": "secret of " + user}, {}]
        return self.record(kind, source, epoch, facets, raw if raw is not None else ("raw of " + user).encode())

    def record(self, kind, source, epoch, facets, raw):
        self.now += 13
        sequence = self.sequences[source, epoch] = self.sequences.get((source, epoch), 0) + 1
        stamp = {"epoch": epoch, "received": self.now, "sequence": str(sequence), "source": source}
        facets = [canon({**facets[0], "ledgerstone": stamp})] + [canon(facet) for facet in facets[1:]]
        seed = h(b"seed", bytes([len(self.records) & 255]))[:16]
        data = [facet.encode() for facet in facets] + [raw]
        salts = [h(b"ledgerstone/salt/v1".ljust(32, b"\0"), bytes([f]), seed)[:16] for f in range(6)]
        digests = [
            h(b"ledgerstone/facet/v1".ljust(32, b"\0"), bytes([f]), salts[f], data[f]) for f in range(6)
        ]
        commitment = h(b"ledgerstone/event/v1".ljust(32, b"\0"), self.id, b"\0\1\6", *digests)
        entry = struct.pack(">BBQIIQ", 1, kind, self.now, source, epoch, sequence) + commitment
        self.records.append(
            {
                "kind": kind,
                "source": source,
                "epoch": epoch,
                "sequence": sequence,
                "received": self.now,
                "entry": entry,
                "seed": seed,
                "facets": facets,
                "raw": raw,
                "salts": salts,
                "digests": digests,
                "numbering": json.loads(facets[2]).get("numbering"),
            }
        )
        return len(self.records) - 1

    def leaves(self, size=None):
        return [h(b"\0", record["entry"]) for record in self.records[:size]]

    def body(self, size=None):
        size = len(self.records) if size is None else size
        return "%s\n%d\n%s\n" % (self.origin, size, b64(mth(self.leaves(size))))

    def checkpoint(self, size=None):
        return self.signer_for(len(self.records) if size is None else size).sign(self.body(size))


def some_ledger(events=30):
    """With every sort of record that the tests ask for."""
    ledger = Ledger()
    ledger.control("heartbeat", size="2")
    for number in range(events):
        if number == events // 3:
            ledger.control("gap", cause="downtime", clean=True, detail="stopped", from_ms=START, to_ms=START + 5)
            ledger.control("source", source=2, epoch=1, numbering="source")
        if number == events // 2:
            ledger.event("robot", source=2)
            ledger.event("robot", source=2, kind=2)
            ledger.event("clerk", source=2, kind=10)
        ledger.event("user%d" % number)
    ledger.event("\u00fcml\u00e4ut \U0001f600", number=0.25, raw=b"\x00\xff")
    ledger.control("clock", expected_ms=START, wall_ms=START - 1)
    ledger.control("heartbeat", size="9")
    return ledger


class Evidence:
    """An evidence file in the making: change what it holds, then ask for `write`."""

    def __init__(self, ledger, begin=0, end=None, query=None, withhold=(), picked=None):
        self.ledger = ledger
        self.size = len(ledger.records)
        self.begin, self.end = begin, self.size if end is None else end
        self.leaves = ledger.leaves()
        self.query = query
        self.withhold = [FACETS.index(name) for name in withhold]
        picked = range(self.begin, self.end) if picked is None else picked
        self.rows = [self.row(index, query is not None) for index in picked]
        others = [
            index
            for index, record in enumerate(ledger.records)
            if record["kind"] in (0, 3, 5, 6, 8, 9, 11) and index not in picked
        ]
        self.control = [self.row(index, True) for index in others]
        self.range = {"from": str(self.begin), "end": str(self.end)}
        self.range["left"] = [b64(root) for root in cover(0, self.begin, self.leaves)]
        self.range["right"] = [b64(root) for root in cover(self.end, self.size, self.leaves)]
        if self.begin:
            self.range["before"] = self.neighbour(self.begin - 1)
        if self.end < self.size:
            self.range["after"] = self.neighbour(self.end)
        self.checkpoint = ledger.checkpoint()
        self.anchors = [self.anchor(size) for size in sorted(set(ledger.changed_at))]
        self.manifest = self.first_manifest(picked)
        self.signer = ledger.signer
        self.part_lines = 4096

    def neighbour(self, index):
        proof = [b64(one) for one in path(index, self.leaves)]
        return {"entry": b64(self.ledger.records[index]["entry"]), "proof": proof}

    def anchor(self, size, timestamps=()):
        proof = [b64(one) for one in subproof(size, self.leaves)] if size else []
        note = self.ledger.checkpoint(size)
        return {"checkpoint": note, "consistency": proof, "timestamps": [b64(token) for token in timestamps]}

    def row(self, index, proof):
        record = self.ledger.records[index]
        row = {"index": str(index), "entry": b64(record["entry"])}
        if proof:
            row["proof"] = [b64(one) for one in path(index, self.leaves)]
        gone = self.withhold if record["kind"] in (1, 2, 10) else []
        if not gone:
            row["payload"] = {
                "form": 0,
                "table_version": 1,
                "seed": record["seed"].hex(),
                "facets": list(record["facets"]),
                "raw": b64(record["raw"]),
            }
            return row
        payload = {
            "form": 1,
            "table_version": 1,
            "facets": [None if f in gone else record["facets"][f] for f in range(5)],
            "salts": [None if f in gone else record["salts"][f].hex() for f in range(6)],
            "digests": [record["digests"][f].hex() if f in gone else None for f in range(6)],
            "reason": "withheld",
        }
        if 5 not in gone:
            payload["raw"] = b64(record["raw"])
        row["payload"] = payload
        return row

    def first_manifest(self, picked):
        records = [self.ledger.records[index] for index in picked]
        kinds = [record["kind"] for record in records]
        numbering = {}
        for record in self.ledger.records:
            if record["kind"] == 5:
                what = json.loads(record["facets"][2])
                numbering[what["source"], what["epoch"]] = what["numbering"]
        sources = []
        for place in sorted({(record["source"], record["epoch"]) for record in records}):
            mine = [record["sequence"] for record in records if (record["source"], record["epoch"]) == place]
            row = {"source": place[0], "epoch": place[1], "first": str(mine[0]), "last": str(mine[-1])}
            row["count"] = len(mine)
            if place[0]:
                row["numbering"] = numbering[place]
            sources.append(row)
        selection = {"kind": "query" if self.query else "range", "from": str(self.begin), "end": str(self.end)}
        if self.query:
            selection["query"] = self.query
        withheld = sum(kind in (1, 2, 10) for kind in kinds) if self.withhold else 0
        shown = {int(row["index"]) for row in self.rows + self.control}
        return {
            "type": "ledgerstone/evidence/v1",
            "case": "2026-17",
            "purpose": "who read it",
            "exported_ms": self.ledger.now + 1000,
            "exported_by": {"id": "0011223344556677", "label": "auditor"},
            "program": "a test",
            "origin": self.ledger.origin,
            "vkey": self.ledger.signer.vkey,
            "ledger_id": self.ledger.id.hex(),
            "size": str(self.size),
            "root": b64(mth(self.leaves)),
            "selection": selection,
            "withheld": [FACETS[f] for f in self.withhold],
            "counts": {
                "events": kinds.count(1),
                "quarantined": kinds.count(2),
                "accesses": kinds.count(10),
                "control": sum(kind not in (1, 2, 10) for kind in kinds),
                "withheld": withheld,
                "erased": 0,
            },
            "sources": sources,
            "gaps": [str(i) for i, record in enumerate(self.ledger.records) if record["kind"] == 3 and i in shown],
        }

    def texts(self):
        """Names, methods and texts of all members before the manifest."""
        lines = lambda rows: "".join(canon(row) + "\n" for row in rows).encode()
        members = [
            ("README.txt", 8, b"Read me.\n"),
            ("checkpoint", 0, self.checkpoint.encode()),
            ("anchors.ndjson", 8, lines(self.anchors)),
        ]
        if self.range is not None and not self.query:
            members.append(("range.json", 8, lines([self.range])))
        for number in range(0, len(self.rows), self.part_lines):
            part = self.rows[number : number + self.part_lines]
            members.append(("events/%08d.ndjson" % (number // self.part_lines), 8, lines(part)))
        return members + [("control.ndjson", 8, lines(self.control)), ("summary.html", 8, b"<!doctype html>\n")]

    def write(self):
        members = self.texts()
        stored = [deflate(text) if method == 8 else text for _, method, text in members]
        rows = [
            {"name": name, "length": str(len(text)), "stored": str(len(data)), "sha256": h(data).hex()}
            for (name, _, text), data in zip(members, stored)
        ]
        manifest = (canon({**self.manifest, "members": rows}) + "\n").encode()
        note = self.signer.sign("ledgerstone/evidence/v1\n%s\n%s\n" % (self.ledger.origin, h(manifest).hex()))
        return archive(members + [("manifest.json", 0, manifest), ("manifest.note", 0, note.encode())])


def deflate(text):
    stream = zlib.compressobj(6, zlib.DEFLATED, -15)
    return stream.compress(text) + stream.flush()


def archive(members):
    """The archive, which the standard library must be able to read."""
    out, central = io.BytesIO(), b""
    for name, method, text in members:
        data = deflate(text) if method == 8 else text
        numbers = (zlib.crc32(text), len(data), len(text), len(name))
        offset = out.tell()
        out.write(b"PK\3\4" + struct.pack("<HHHHHIIIHH", 20, 0x800, method, 0, 0x21, *numbers, 0) + name.encode() + data)
        central += b"PK\1\2" + struct.pack("<HHHHHHIIIH", 20, 20, 0x800, method, 0, 0x21, *numbers)
        central += struct.pack("<HHHHII", 0, 0, 0, 0, 0, offset) + name.encode()
    begin, count = out.tell(), len(members)
    out.write(central + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, len(central), begin, 0))
    assert zipfile.ZipFile(out).testzip() is None
    return out.getvalue()
