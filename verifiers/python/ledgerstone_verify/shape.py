"""JSON objects with exactly the members that a table of the documentation lists.

A reader takes a JSON value and gives what it stands for, or raises Damaged. `Shape` puts readers together.
"""

from __future__ import annotations

from typing import Any, Callable

from .encoding import from_base64, from_decimal, from_hex
from .strict import MAX_INTEGER, NotStrict, read_canonical
from .verdict import Damaged

Reader = Callable[[Any], Any]


class Shape:
    """An object. Members whose name ends in `?` may be left out, and are then None."""

    def __init__(self, **members: Reader):
        self.optional = {name[:-1] for name in members if name.endswith("?")}
        self.members = {name.rstrip("?"): reader for name, reader in members.items()}

    def __call__(self, value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise Damaged("not an object")
        for name in value:
            if name not in self.members:
                raise Damaged("unknown member %.60r" % name)
        result = {}
        for name, reader in self.members.items():
            if name in value:
                try:
                    result[name] = reader(value[name])
                except Damaged as error:
                    raise Damaged("%s: %s" % (name, error))
            elif name in self.optional:
                result[name] = None
            else:
                raise Damaged("no member %s" % name)
        return result


def shape(required: dict[str, Reader], optional: dict[str, Reader] | None = None) -> Shape:
    return Shape(**required, **{name + "?": reader for name, reader in (optional or {}).items()})


def text(value: Any) -> str:
    if type(value) is not str:
        raise Damaged("not a string")
    return value


def short(value: Any) -> str:
    """At most 1,024 bytes."""
    if len(text(value).encode()) > 1024:
        raise Damaged("longer than 1,024 bytes")
    return value


def number(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MAX_INTEGER:
        raise Damaged("not a number of its kind")
    return value


def boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise Damaged("neither true nor false")
    return value


def decimal(value: Any) -> int:
    return from_decimal(text(value))


def hexadecimal(length: int) -> Reader:
    return lambda value: from_hex(text(value), length)


def base64(length: int | None = None) -> Reader:
    return lambda value: from_base64(text(value), length)


def one_of(*words: str) -> Reader:
    def read(value: Any) -> str:
        if value not in words:
            raise Damaged("%.60r is none of %s" % (value, ", ".join(words)))
        return value

    return read


def list_of(reader: Reader, length: int | None = None) -> Reader:
    def read(value: Any) -> list:
        if type(value) is not list or length not in (None, len(value)):
            raise Damaged("not a list" + (" of %d" % length if length is not None else ""))
        return [reader(item) for item in value]

    return read


def or_null(reader: Reader) -> Reader:
    return lambda value: None if value is None else reader(value)


def line(data: bytes, reader: Reader) -> Any:
    """One line of canonical JSON, without its newline."""
    try:
        return reader(read_canonical(data))
    except NotStrict as error:
        raise Damaged("not canonical JSON: %s" % error)
