"""The parts of a store: the worked example of docs/format.md, section 18, and the published tiles."""

import pathlib
import re
import unittest

from ledgerstone_verify.note import Checkpoint, Key
from ledgerstone_verify.record import leaf_of, read_entry
from ledgerstone_verify.store import seal, tiles, wal
from ledgerstone_verify.store.block import can_unpack, read_block, unpack
from ledgerstone_verify.store.state import DATA_KEY, REGISTER, read_state
from ledgerstone_verify.tree import Row
from ledgerstone_verify.verdict import Damaged

from .test_small import vectors

PAGE = pathlib.Path(__file__).resolve().parents[3] / "docs" / "format.md"


class WorkedExample(unittest.TestCase):
    def setUp(self):
        section = PAGE.read_text(encoding="utf-8").split("\n## 18.")[1]
        texts = re.findall("```text\n(.*?)```", section, re.DOTALL)
        dumps = [text for text in texts if text.startswith("0000  ")]
        self.header, self.group, self.marker, self.place, self.unpacked = map(bytes_of, dumps)
        plain = [text for text in texts if not text.startswith("0000  ")]
        self.entry, self.wrapping, self.key_file, self.data_key, self.checkpoint, self.register = plain[:6]

    def log(self):
        """The file from group 1 on, since group 0 is not on the page."""
        log = wal.LogFile.__new__(wal.LogFile)
        log.number, log.data = 1, self.group + self.marker
        log.header = wal._read_header(self.header, 1)
        log.groups = [wal.Group(160, 1066, self.group[40:72], [])]
        return log

    def part(self):
        return self.log()._read_group(0, self.group[40:72]).parts[0]

    def test_groups(self):
        log, part = self.log(), self.part()
        self.assertEqual((part.first, part.end, len(part.clear), len(part.sealed)), (2, 3, 0, 240))
        self.assertEqual(part.entries[0].hex(), "".join(self.entry.split()))
        self.assertEqual(leaf_of(part.entries[0]).hex(), "055e77d2728124ff5de283a8387fe1a4f47429ce23e9237afe0c58e18ac3716e")
        log.groups.append(log._read_group(0, self.group[40:72]))
        marker = log._read_group(len(self.group), self.group[-32:])
        self.assertEqual((marker.parts, marker.end), ([], len(log.data)))

    def test_every_byte_of_a_group_counts(self):
        whole = self.group
        for place in range(len(whole)):
            log = self.log()
            log.data = bytearray(log.data)
            log.data[place] ^= 1
            log.data = bytes(log.data)
            with self.assertRaises(Damaged):
                log._read_group(0, whole[40:72])
        for place in range(len(self.header)):
            header = bytearray(self.header)
            header[place] ^= 1
            with self.assertRaises(Damaged):
                wal._read_header(bytes(header), 1)

    def test_a_later_group_is_found_at_any_offset(self):
        log = self.log()
        log.bad_at = 0
        self.assertTrue(log.has_later_group())
        log.data = log.data[:-1]
        self.assertFalse(log.has_later_group())

    def test_keys_and_seals(self):
        members = read_state(self.key_file.encode(), "ledgerstone/data-key/v1", DATA_KEY)
        key = seal.unwrap(bytes.fromhex(self.wrapping.strip()), members["id"], members["file"], members["wrapped"])
        self.assertEqual(key.hex(), self.data_key.strip())
        part = self.part()
        place = seal.place(part.ledger, seal.LOG, 1, 0, 1, 2, 1, False)
        self.assertEqual(place, self.place)
        packed = seal.open_sealed(key, part.sealed, place)
        self.assertEqual(len(packed), 200)
        for other in (place[:-1] + b"\1", b"", place + b"\0"):
            with self.assertRaises(Damaged):
                seal.open_sealed(key, part.sealed, other)
        with self.assertRaises(Damaged):
            seal.unwrap(bytes.fromhex(self.wrapping.strip()), members["id"], "another", members["wrapped"])
        self.assertTrue(can_unpack(), "these tests need zstd")
        self.assertEqual(unpack(packed), self.unpacked)
        for changed in (packed[:-1], packed + b"\0", b"\0\0\1\0" + packed[4:], packed[:3]):
            with self.assertRaises(Damaged):
                unpack(changed)

    def test_the_record(self):
        part = self.part()
        (index, opening), = read_block(self.unpacked)
        entry = read_entry(part.entries[0])
        self.assertEqual(index, 2)
        self.assertEqual(opening.belongs_to(entry, part.ledger, 1), {"api": {"operation": "read"}})
        with self.assertRaises(Damaged):
            opening.belongs_to(entry, bytes(32), 1)
        for changed in (self.unpacked[:-1], self.unpacked + b"\0", b"\2" + self.unpacked[1:], self.unpacked[:19] + b"\1" + self.unpacked[20:]):
            with self.assertRaises(Damaged):
                list(read_block(changed))

    def test_state(self):
        register = read_state(self.register.encode(), "ledgerstone/register/v1", REGISTER)
        ledger = register["ledgers"][0]
        checkpoint = Checkpoint.parse(self.checkpoint.encode())
        checkpoint.require(Key.parse(ledger["vkey"]))
        self.assertEqual((checkpoint.size, checkpoint.root), (ledger["size"], ledger["root"]))
        text = self.register
        for changed in (
            text[:-1],
            text + "\n",
            text.replace("register/v1", "register/v2"),
            text.replace('"stopped":true', '"stopped":false'),
            text.replace('"stopped":true', '"stopped": true'),
        ):
            with self.assertRaises(Damaged):
                read_state(changed.encode(), "ledgerstone/register/v1", REGISTER)


class Tiles(unittest.TestCase):
    def test_published_paths(self):
        published = vectors("tlog/tiles.json")
        for case in published["paths"]:
            number, width = int(case["index"]), case["width"]
            for level, path in ((case["level"], case["tile"]), (None, case["bundle"])):
                self.assertEqual("tile/" + tiles.tile_path(level, number, width), path)
                self.assertEqual(tiles.read_path(path[5:]), (level, number, width))
        for path in published["refused"]:
            self.assertIsNone(tiles.read_path(path[5:]), path)
        for case in published["implied"]:
            paths = {"tile/" + tiles.tile_path(*place) for place in tiles.implied(case["size"])}
            self.assertEqual(paths, set(case["tiles"]) | set(case["bundles"]))


class Frontier(unittest.TestCase):
    def test_roots_of_perfect_subtrees(self):
        row = Row()
        for index in range(13):
            row.push(0, index, leaf_of(b"%d" % index))
        self.assertEqual(len(row.roots()), 3)


def bytes_of(dump):
    return bytes.fromhex("".join(line[6:].replace(" ", "") for line in dump.strip().split("\n")))


if __name__ == "__main__":
    unittest.main()
