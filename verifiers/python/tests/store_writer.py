"""A store of one small ledger without events, written from docs/format.md for the tests: everything lies in the log."""

import json
import pathlib
import struct

import zstandard

from .writer import canon, h, mth

ID, STORE = bytes(range(16)), bytes(range(16, 32))


def state(title, members):
    text = ("ledgerstone/%s/v1\n%s\n" % (title, canon(members))).encode()
    return text + b"sha256:" + h(text).hex().encode() + b"\n"


def block(records, first):
    """Records of control kinds, all whole."""
    facets = [[one.encode() for one in record["facets"]] + [record["raw"]] for record in records]
    count = len(records)
    plain = struct.pack(">BHBIQ", 1, 1, 6, count, first) + struct.pack(">%dI" % count, *range(count)) + bytes(count)
    for facet in range(6):
        plain += struct.pack(">%dI" % count, *(len(one[facet]) for one in facets))
    plain += b"".join(record["seed"] for record in records)
    plain += b"".join(one[facet] for facet in range(6) for one in facets)
    return struct.pack(">I", len(plain)) + zstandard.ZstdCompressor().compress(plain)


class Store:
    """What the files say may be changed before `write`."""

    def __init__(self, ledger, published=None):
        self.ledger = ledger
        self.size = len(ledger.records)
        # Cut off after the register was written, if less is published.
        self.published = self.size if published is None else published
        self.stopped = self.published == self.size
        self.vkey = ledger.signer_for(self.size).vkey
        self.checkpoint = ledger.checkpoint(self.published)
        self.witnessed = None
        # In the key directory: the kind of file, and who is in it.
        self.keys = {"signing": ledger.signer_for(self.size), "authority": ledger.authority}
        self.key_change = None

    def write(self, folder):
        """Returns the folder of the data; that of the keys lies beside it."""
        data, keys = pathlib.Path(folder) / "data", pathlib.Path(folder) / "data-keys"
        (data / "wal").mkdir(parents=True)
        records = self.ledger.records
        entries = [record["entry"] for record in records]
        header = struct.pack(">8sQQQQ32sQ32s16s", b"LSTNWAL1", 1, records[0]["received"], 0, 0, bytes(32), 0, bytes(32), ID)
        header += h(header)
        clear = block(records, 0)
        part = self.ledger.id + struct.pack(">QI", 0, len(records)) + b"".join(entries)
        part += struct.pack(">I", len(clear)) + clear + struct.pack(">I", 0)
        group = struct.pack(">4sI16sQQ32sH", b"LSGR", 74 + len(part) + 32, ID, 0, len(header), header[-32:], 1) + part
        group += h(group)
        (data / "wal" / "0000000000000001.wal").write_bytes(header + group)
        leaves = self.ledger.leaves()
        tiles = data / "ledgers" / "main" / "tile"
        for folder, content in (("0", leaves), ("entries", [b"\0\x3a" + entry for entry in entries])):
            path = tiles / folder / "000.p" / str(self.published)
            path.parent.mkdir(parents=True)
            path.write_bytes(b"".join(content[: self.published]))
        (data / "ledgers" / "main" / "checkpoint").write_text(self.checkpoint, encoding="utf-8")
        if self.witnessed:
            (data / "ledgers" / "main" / "checkpoint.witnessed").write_text(self.witnessed, encoding="utf-8")
        ledger = {
            "name": "main",
            "id": self.ledger.id.hex(),
            "origin": self.ledger.origin,
            "vkey": self.vkey,
            "size": str(self.size),
            "root": mth(leaves[: self.size]).hex(),
            "received_ms": str(records[self.size - 1]["received"]),
            "sealed": "0",
            "sealed_frontier": [],
            "sources": [],
        }
        register = {
            "store": STORE.hex(),
            "writer_epoch": "1",
            "stopped": self.stopped,
            "written_ms": str(records[-1]["received"]),
            "settings": "",
            "wal": {"file": "1", "offset": str(len(header + group)), "chain": group[-32:].hex()},
            "wal_floor": "1",
            "ledgers": [ledger],
        }
        (data / "register").write_bytes(state("register", register))
        keys.mkdir()
        (keys / "wrapping.key").write_bytes(state("wrapping-key", {"key": h(b"wrapping").hex()}))
        for kind, signer in self.keys.items():
            seed = signer.private.private_bytes_raw().hex()
            members = {"name": signer.name, "seed": seed, "vkey": signer.vkey}
            (keys / ("main.%s.key" % kind)).write_bytes(state("signing-key", members))
        if self.key_change is not None:
            (keys / "main.key-change").write_bytes(state("key-change", self.key_change))
        return data


def change_of(ledger, index):
    """The members of a `key` record, as the key directory has them before it is entered."""
    what = json.loads(ledger.records[index]["facets"][2])
    return {"checkpoint": what["checkpoint"], "statement": what["statement"]}
