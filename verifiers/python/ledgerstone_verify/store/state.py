"""State files, three lines each: docs/format.md, sections 3 and 4."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from ..shape import Reader, boolean, decimal, hexadecimal, line, list_of, number, shape, text
from ..verdict import Damaged

LEDGER_NAME = re.compile("[a-z0-9][a-z0-9-]{0,39}")


def read_state(data: bytes, title: str, reader: Reader) -> Any:
    """What the second line says. Raises Damaged unless all three are as they must be."""
    lines = data.split(b"\n")
    if len(lines) != 4 or lines[3]:
        raise Damaged("not three lines")
    if lines[0] != title.encode():
        raise Damaged("the first line is not %s" % title)
    if lines[2] != b"sha256:" + hashlib.sha256(lines[0] + b"\n" + lines[1] + b"\n").hexdigest().encode():
        raise Damaged("the hash is wrong")
    return line(lines[1], reader)


def _anything(value: Any) -> Any:
    return value


def _hash_or_nothing(value: Any) -> bytes | None:
    return None if value == "" else hexadecimal(32)(value)


def _name(value: Any) -> str:
    if not LEDGER_NAME.fullmatch(text(value)):
        raise Damaged("not the name of a ledger: %.60r" % value)
    return value


REGISTER = shape(
    {
        "store": hexadecimal(16),
        "writer_epoch": decimal,
        "stopped": boolean,
        "written_ms": decimal,
        "settings": _hash_or_nothing,
        "wal": shape({"file": decimal, "offset": decimal, "chain": hexadecimal(32)}),
        "wal_floor": decimal,
        "ledgers": list_of(
            shape(
                {
                    "name": _name,
                    "id": hexadecimal(32),
                    "origin": text,
                    "vkey": text,
                    "size": decimal,
                    "root": hexadecimal(32),
                    "received_ms": decimal,
                    "sealed": decimal,
                    "sealed_frontier": list_of(hexadecimal(32)),
                    "sources": list_of(
                        shape(
                            {
                                "source": number,
                                "epoch": number,
                                "numbered_by_source": boolean,
                                "last_sequence": decimal,
                            }
                        )
                    ),
                }
            )
        ),
    }
)

TOKENS = shape(
    {
        "tokens": list_of(
            shape(
                {
                    "created_ms": number,
                    "id": hexadecimal(8),
                    "label": text,
                    "roles": list_of(text),
                    "sha256": hexadecimal(32),
                },
                {
                    "actions": list_of(text),
                    "certificate": hexadecimal(32),
                    "expires_ms": number,
                    "ledgers": list_of(text),
                    "purpose": text,
                    "source": number,
                },
            )
        )
    }
)

SCRUB = shape(
    {
        "alarms": list_of(
            shape(
                dict.fromkeys(("file", "kind", "detail", "first_seen_ms", "last_seen_ms"), _anything),
                dict.fromkeys(("ledger", "first", "end", "good_ms"), _anything),
            )
        ),
        "beyond": number,
    },
    {
        "last": shape(
            dict.fromkeys(
                ("began_ms", "ended_ms", "took_ms", "verdict", "bytes", "entries", "payloads_opened"), _anything
            )
        )
    },
)

WRAPPING_KEY = shape({"key": hexadecimal(32)})
SIGNING_KEY = shape({"name": text, "seed": hexadecimal(32), "vkey": text})
KEY_CHANGE = shape({"statement": text, "checkpoint": text})
PREDECESSOR = shape({"checkpoint": text, "reason": text})
DATA_KEY = shape({"id": hexadecimal(16), "file": text, "wrapped": hexadecimal(72)})
