#!/usr/bin/env python3
"""Checks Ledgerstone's published test vectors with an implementation of its own.

Written from docs/vectors/README.md and the specifications it names, sharing no code with the Rust crates, and needing
nothing but the standard library (Python 3.9 or later). Usage:

    python3 verifiers/python/ledgerstone_vectors.py [FOLDER]

FOLDER is docs/vectors/record of this repository unless given. Prints a line for each file and each failed case, then the
total; exits 0 if every case passed and 1 otherwise.
"""

import base64
import binascii
import hashlib
import json
import pathlib
import re
import sys
from decimal import Decimal

MAX_DEPTH = 64
MAX_INTEGER = 2**53 - 1
FACETS = ["when", "who", "what", "content", "where"]


# --- README section 1: strict JSON --------------------------------------------------------------------------------


class NotStrict(Exception):
    """The input is not strict JSON."""


class Number(str):
    """A number, known by its token."""


TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
        (?P<mark>[\[\]{},:])
      | (?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![0-9])
      | "(?P<string>(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*)"
      | (?P<word>true|false|null)
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
PAIR = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
ESCAPE = re.compile(r"(?P<pair>" + PAIR + r")|\\u(?P<unit>[0-9a-fA-F]{4})|\\(?P<letter>.)")
LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def tokenize(text):
    position = 0
    while True:
        match = TOKEN.match(text, position)
        if match is None:
            raise NotStrict("no token after character %d" % position)
        yield match.lastgroup, match.group(match.lastgroup)
        position = match.end()


def unescape(text):
    def one(match):
        if match.group("pair"):
            return bytes.fromhex(match.group("pair").replace("\\u", "")).decode("utf-16-be")
        if match.group("unit"):
            char = chr(int(match.group("unit"), 16))
            if "\ud800" <= char <= "\udfff":
                raise NotStrict("lone surrogate")
            return char
        return LETTERS.get(match.group("letter"), match.group("letter"))

    return ESCAPE.sub(one, text)


def parse(data):
    """Reads bytes as strict JSON: None, bool, Number, str, list and dict."""
    try:
        tokens = tokenize(data.decode("utf-8", "strict"))
    except UnicodeDecodeError as error:
        raise NotStrict(str(error))

    def value(token, depth):
        kind, text = token
        if kind == "number":
            return Number(text)
        if kind == "string":
            return unescape(text)
        if kind == "word":
            return {"true": True, "false": False, "null": None}[text]
        if text not in ("[", "{") or depth == MAX_DEPTH:
            raise NotStrict("too deep or unexpected " + text)
        return (array if text == "[" else members)(depth + 1)

    def separated(close, item):
        token = next(tokens)
        if token == ("mark", close):
            return
        while True:
            item(token)
            token = next(tokens)
            if token == ("mark", close):
                return
            if token != ("mark", ","):
                raise NotStrict("no comma")
            token = next(tokens)

    def array(depth):
        result = []
        separated("]", lambda token: result.append(value(token, depth)))
        return result

    def members(depth):
        result = {}

        def member(token):
            if token[0] != "string":
                raise NotStrict("key is no string")
            key = unescape(token[1])
            if key in result or next(tokens) != ("mark", ":"):
                raise NotStrict("repeated key or no colon")
            result[key] = value(next(tokens), depth)

        separated("}", member)
        return result

    result = value(next(tokens), 0)
    if next(tokens)[0] != "end":
        raise NotStrict("bytes after the value")
    return result


# --- README section 2: canonical JSON -----------------------------------------------------------------------------


def ecmascript(double):
    """Number::toString of ECMA-262 for a double other than zero: it is 0.DIGITS times ten to the power of n."""
    # The standard library finds the same shortest digits, and lays them out in another way.
    shortest = Decimal(repr(abs(double)))
    digits = "".join(map(str, shortest.as_tuple().digits)).strip("0")
    n = shortest.adjusted() + 1
    k = len(digits)
    sign = "-" if double < 0 else ""
    if k <= n <= 21:
        return sign + digits + "0" * (n - k)
    if 0 < n <= 21:
        return sign + digits[:n] + "." + digits[n:]
    if -6 < n <= 0:
        return sign + "0." + "0" * -n + digits
    power = "e%+d" % (n - 1)
    return sign + digits[0] + ("." + digits[1:] if k > 1 else "") + power


def canonical_number(token):
    """The token's only spelling as a number, or None if a double would change it."""
    double = float(token)
    if abs(double) > MAX_INTEGER:
        return None
    if double == 0:
        is_zero = not re.search("[1-9]", re.split("[eE]", token)[0])
        return "0" if is_zero and not token.startswith("-") else None
    spelt = ecmascript(double)
    return spelt if Decimal(token) == Decimal(spelt) else None


def write(value, depth=0):
    """The canonical form, as text."""
    if isinstance(value, Number):
        return canonical_number(value) or '"%s"' % value
    if isinstance(value, (list, dict)) and depth == MAX_DEPTH:
        return write(write(value))
    if isinstance(value, list):
        return "[" + ",".join(write(element, depth + 1) for element in value) + "]"
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(write(key) + ":" + write(value[key], depth + 1) for key in keys) + "}"
    # For strings and literals the standard library writes what RFC 8785 asks.
    return json.dumps(value, ensure_ascii=False)


def is_canonical(data):
    try:
        return write(parse(data)).encode() == data
    except NotStrict:
        return False


# --- README section 3: facets -------------------------------------------------------------------------------------

ABSENT = object()


class Table:
    """The published facet table."""

    def __init__(self, text):
        title, rest, *lines = text.split("\n")
        if title != "ledgerstone facet table 1" or rest != "* content" or lines.pop() != "":
            raise ValueError("not a facet table of version 1")
        self.places = {tuple(path.split(".")): facet for path, facet in (line.split(" ") for line in lines)}

    def place(self, path):
        beginnings = (tuple(path[:length]) for length in range(len(path), 0, -1))
        return next((self.places[names] for names in beginnings if names in self.places), "content")

    def part(self, facet, value, path=()):
        """The part of a value that belongs to a facet, or ABSENT."""
        if isinstance(value, dict) and value:
            parts = {key: self.part(facet, member, path + (key,)) for key, member in value.items()}
            return {key: part for key, part in parts.items() if part is not ABSENT} or ABSENT
        if isinstance(value, list) and value:
            parts = [self.part(facet, element, path) for element in value]
            while parts and parts[-1] is ABSENT:
                parts.pop()
            return [{} if part is ABSENT else part for part in parts] or ABSENT
        return value if self.place(path) == facet else ABSENT

    def split(self, event, stamp):
        """Facets 0 to 4 of an event, as text."""
        if not isinstance(event, dict):
            event = {"unmapped": {"value": event}}
        if "ledgerstone" in event:
            event = dict(event)
            claim, name = event.pop("ledgerstone"), "ledgerstone"
            unmapped = event.get("unmapped", {})
            unmapped = dict(unmapped) if isinstance(unmapped, dict) else {"unmapped": unmapped}
            while name in unmapped:
                name += "_"
            event["unmapped"] = {**unmapped, name: claim}
        parts = [self.part(facet, event) for facet in FACETS]
        parts = [{} if part is ABSENT else part for part in parts]
        parts[0] = {**parts[0], "ledgerstone": stamp}
        return [write(part) for part in parts]


def stamp_of(received, source, epoch, sequence):
    return {
        "received": Number(received),
        "source": Number(source),
        "epoch": Number(epoch),
        "sequence": str(sequence),
    }


# --- README section 4: commitment, entry, leaf --------------------------------------------------------------------


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def label(text):
    return text.encode("ascii").ljust(32, b"\0")


def salt_of(facet, seed):
    return sha256(label("ledgerstone/salt/v1"), bytes([facet]), seed)[:16]


def digest_of(facet, salt, data):
    return sha256(label("ledgerstone/facet/v1"), bytes([facet]), salt, data)


def commitment_of(ledger_id, table_version, digests):
    counts = table_version.to_bytes(2, "big") + bytes([len(digests)])
    return sha256(label("ledgerstone/event/v1"), ledger_id, counts, *digests)


def entry_of(kind, received, source, epoch, sequence, commitment):
    numbers = [(1, 1), (kind, 1), (received, 8), (source, 4), (epoch, 4), (sequence, 8)]
    return b"".join(number.to_bytes(length, "big") for number, length in numbers) + commitment


def leaf_of(entry):
    return sha256(b"\0", entry)


def read_entry(data):
    """(verdict, kind, received, source, epoch, sequence, commitment)"""
    if data and data[0] != 1:
        return ("undecidable",)
    if len(data) != 58:
        return ("damaged",)
    if data[1] > 11:
        return ("undecidable",)
    numbers = [int.from_bytes(data[start:end], "big") for start, end in ((2, 10), (10, 14), (14, 18), (18, 26))]
    return ("entry", data[1], *numbers, data[26:])


# --- README section 5: stored forms -------------------------------------------------------------------------------


def stored_digests(case):
    """The digests and which facets are there; None for the digests if an erased facet has bytes."""
    facets = [facet.encode() for facet in case["facets"]] + [bytes.fromhex(case["raw"])]
    if "seed" in case:
        seed = bytes.fromhex(case["seed"])
        known = [{"salt": salt_of(facet, seed).hex()} for facet in range(6)]
    else:
        known = case["known"]
    digests, there = [], []
    for number, (facet, keys) in enumerate(zip(facets, known)):
        there.append("salt" in keys)
        if "salt" in keys:
            digests.append(digest_of(number, bytes.fromhex(keys["salt"]), facet))
        elif facet:
            return None, there, facets
        else:
            digests.append(bytes.fromhex(keys["digest"]))
    return digests, there, facets


def is_stored_well(case):
    digests, there, facets = stored_digests(case)
    if digests is None:
        return False
    verdict, _, *numbers, commitment = read_entry(bytes.fromhex(case["entry"]))
    if commitment_of(bytes.fromhex(case["ledger_id"]), case["table_version"], digests) != commitment:
        return False
    for present, facet in zip(there[:5], facets):
        if present and not (is_canonical(facet) and isinstance(parse(facet), dict)):
            return False
    return not there[0] or parse(facets[0]).get("ledgerstone") == stamp_of(*numbers)


# --- README section 6: receipts -----------------------------------------------------------------------------------

MEMBERS = {"type", "origin", "ledger_id", "index", "level", "entry", "table_version", "salt_5", "digests"}


def from_base64(text, length):
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NotStrict("not base64")
    if len(data) != length or base64.b64encode(data).decode() != text:
        raise NotStrict("not base64 of %d bytes" % length)
    return data


def integer(text, limit):
    if not re.fullmatch("0|[1-9][0-9]{0,19}", text) or int(text) >= limit:
        raise NotStrict("not an integer below %d" % limit)
    return int(text)


def read_receipt(text):
    receipt = parse(text.encode())
    if not isinstance(receipt, dict) or set(receipt) not in (MEMBERS, MEMBERS | {"checkpoint", "proof"}):
        raise NotStrict("members")
    strings = MEMBERS - {"table_version", "digests"} | set(receipt) & {"checkpoint"}
    if any(type(receipt[name]) is not str for name in strings) or not isinstance(receipt["table_version"], Number):
        raise NotStrict("types")
    if receipt["type"] != "ledgerstone/receipt/v1":
        raise NotStrict("type")
    if receipt["level"] not in ("durable", "committed", "witnessed", "archived"):
        raise NotStrict("level")
    if not re.fullmatch("[0-9a-f]{64}", receipt["ledger_id"]):
        raise NotStrict("ledger_id")
    for name, longest in (("digests", 5), ("proof", 64)):
        hashes = receipt.get(name, [])
        if not isinstance(hashes, list) or len(hashes) > longest or any(type(item) is not str for item in hashes):
            raise NotStrict(name)
        receipt[name] = [from_base64(item, 32) for item in hashes]
    if len(receipt["digests"]) != 5:
        raise NotStrict("digests")
    receipt["ledger_id"] = bytes.fromhex(receipt["ledger_id"])
    receipt["index"] = integer(receipt["index"], 2**64)
    receipt["table_version"] = integer(receipt["table_version"], 2**16)
    receipt["entry"] = from_base64(receipt["entry"], 58)
    receipt["salt_5"] = from_base64(receipt["salt_5"], 16)
    return receipt


def judge_raw(receipt, raw):
    verdict, *entry = read_entry(receipt["entry"])
    if receipt["table_version"] != 1 or verdict != "entry":
        return "undecidable"
    digests = receipt["digests"] + [digest_of(5, receipt["salt_5"], raw)]
    matches = commitment_of(receipt["ledger_id"], receipt["table_version"], digests) == entry[-1]
    return "proven" if matches else "disproven"


def judge_proof(receipt, vkey):
    if "checkpoint" not in receipt:
        return "undecidable"
    name, key_id, key = vkey.split("+", 2)
    key = base64.b64decode(key)
    if key[0] != 1 or sha256(name.encode(), b"\n", key)[:4].hex() != key_id:
        return "undecidable"
    text, _, signatures = receipt["checkpoint"].rpartition("\n\n")
    message = text + "\n"
    signed = False
    for line in signatures.splitlines():
        _, signer, blob = line.split(" ")
        blob = base64.b64decode(blob)
        if signer == name and blob[:4].hex() == key_id:
            if not ed25519_verify(key[1:], message.encode(), blob[4:]):
                return "disproven"
            signed = True
    origin, size, root = text.split("\n")
    if not signed or origin != receipt["origin"]:
        return "disproven"
    found = root_from(receipt["index"], int(size), leaf_of(receipt["entry"]), receipt["proof"])
    return "proven" if found == base64.b64decode(root) else "disproven"


def root_from(index, size, leaf, proof):
    """The root of RFC 6962 section 2.1 by following the definition of the audit path from the top; None if it cannot be."""
    if index >= size or (size == 1) != (not proof):
        return None
    if size == 1:
        return leaf
    split = 1 << (size - 1).bit_length() - 1
    if index < split:
        below, side = root_from(index, split, leaf, proof[:-1]), "left"
    else:
        below, side = root_from(index - split, size - split, leaf, proof[:-1]), "right"
    if below is None:
        return None
    return sha256(b"\1", below, proof[-1]) if side == "left" else sha256(b"\1", proof[-1], below)


# --- Ed25519, RFC 8032 section 5.1 --------------------------------------------------------------------------------

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def decompress(data):
    y = int.from_bytes(data, "little") & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square or (x == 0 and data[31] >> 7):
        return None
    return (P - x if x & 1 != data[31] >> 7 else x, y)


def add(a, b):
    product = D * a[0] * b[0] * a[1] * b[1] % P
    x = (a[0] * b[1] + a[1] * b[0]) * pow(1 + product, -1, P) % P
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, P) % P
    return (x, y)


def multiply(scalar, point):
    result = (0, 1)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


BASE = decompress((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def ed25519_verify(key, message, signature):
    if len(key) != 32 or len(signature) != 64:
        return False
    a, r, s = decompress(key), decompress(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= Q:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % Q
    return multiply(s, BASE) == add(r, multiply(k, a))


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
    yield "read entry", ("entry", case["kind"], *numbers, commitment), read_entry(entry)
    yield "canonical facets", [True] * 5, [is_canonical(facet) for facet in facets[:5]]
    yield "stamp", stamp_of(*numbers), parse(facets[0])["ledgerstone"]
    what = parse(facets[2])
    if what.get("type") == "genesis":
        yield "table hash", table.hash, what["table_hash"]


def check_entries(case, table):
    yield "verdict", case["verdict"], read_entry(bytes.fromhex(case["entry"]))[0]


def check_openings(case, table):
    digests, _, _ = stored_digests(case)
    yield "digests", case.get("digests"), digests and [digest.hex() for digest in digests]
    yield "valid", case["valid"], is_stored_well(case)


def check_receipts(case, table):
    try:
        receipt = read_receipt(case["receipt"])
    except NotStrict:
        receipt = None
    yield "well_formed", case["well_formed"], receipt is not None
    if receipt is not None:
        yield "leaf", case.get("leaf"), leaf_of(receipt["entry"]).hex()
        yield "raw_verdict", case.get("raw_verdict"), judge_raw(receipt, bytes.fromhex(case["raw"]))
        yield "proof_verdict", case.get("proof_verdict"), judge_proof(receipt, case["vkey"])


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
