"""Strict and canonical JSON: docs/vectors/README.md, sections 1 and 2.

Two ways lead through this file. The slow one, `parse` and `write`, keeps every number as its token and is the definition.
The fast one hands the work to the standard library and is taken where nothing can go wrong with it: text without numbers
beyond doubles, without deep nesting and without characters whose sorting differs. `read_canonical` picks.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

MAX_DEPTH = 64
MAX_INTEGER = 2**53 - 1


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


def tokenize(text: str):
    position = 0
    while True:
        match = TOKEN.match(text, position)
        if match is None:
            raise NotStrict("no token after character %d" % position)
        yield match.lastgroup, match.group(match.lastgroup)
        position = match.end()


def unescape(text: str) -> str:
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


def parse(data: bytes) -> Any:
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


# --- Canonical JSON -----------------------------------------------------------------------------------------------


def ecmascript(double: float) -> str:
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


def canonical_number(token: str) -> str | None:
    """The token's only spelling as a number, or None if a double would change it."""
    double = float(token)
    if abs(double) > MAX_INTEGER:
        return None
    if double == 0:
        is_zero = not re.search("[1-9]", re.split("[eE]", token)[0])
        return "0" if is_zero and not token.startswith("-") else None
    spelt = ecmascript(double)
    return spelt if Decimal(token) == Decimal(spelt) else None


def write(value: Any, depth: int = 0) -> str:
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


def is_canonical(data: bytes) -> bool:
    try:
        read_canonical(data)
        return True
    except NotStrict:
        return False


# --- The fast way -------------------------------------------------------------------------------------------------


class _Slow(Exception):
    """This text is for the slow way."""


def read_canonical(data: bytes) -> Any:
    """The value of canonical JSON, with integers as int and other numbers as float; raises NotStrict for anything else."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotStrict(str(error))
    try:
        return _read_fast(text)
    except (_Slow, ValueError, RecursionError):
        value = parse(data)
        if write(value) != text:
            raise NotStrict("not canonical")
        return _plain(value)


def _read_fast(text: str) -> Any:
    # Text that the writer gives back as it was holds no member twice, no space, no other spelling and no other order.
    # What is left to see to: depth, numbers, and names beyond the 16 bits by which RFC 8785 sorts.
    if not text.isascii() and _BEYOND.search(text):
        raise _Slow
    value = _DECODER.decode(text)
    if text.count("{") + text.count("[") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise _Slow
    if _ENCODER.encode(value) != text:
        raise _Slow
    return value


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _integer(token: str) -> int:
    if len(token) > 17 or abs(int(token)) > MAX_INTEGER:
        raise _Slow
    return int(token)


def _float(token: str) -> float:
    # Between these bounds Python lays out the shortest digits as ECMAScript does.
    value = float(token)
    if not 1e-4 <= abs(value) <= MAX_INTEGER or value == int(value):
        raise _Slow
    return value


def _constant(token: str) -> Any:
    raise _Slow


_BEYOND = re.compile("[\U00010000-\U0010ffff]")
_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_float, parse_constant=_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _plain(value: Any) -> Any:
    """The same value with Python's numbers."""
    if isinstance(value, Number):
        return int(value) if re.fullmatch("-?[0-9]+", value) else float(value)
    if isinstance(value, list):
        return [_plain(element) for element in value]
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    return value
