"""Control records, what the ledger says about itself: docs/format.md, section 10."""

from __future__ import annotations

from typing import Any

from . import record
from .record import Opening
from .shape import boolean, decimal, hexadecimal, number, one_of, shape, text
from .verdict import Damaged, Undecidable

# Type of a record: its kind, and the members beside `type`.
TYPES = {
    "genesis": (
        record.GENESIS,
        shape(
            {
                "ledger_id": hexadecimal(32),
                "origin": text,
                "log_vkey": text,
                "authority_vkey": text,
                "table_version": number,
                "table_hash": hexadecimal(32),
                "created_ms": number,
            },
            {"predecessor": text},
        ),
    ),
    "source": (
        record.SOURCE,
        shape(
            {"source": number, "epoch": number, "numbering": one_of("source", "server")},
            {"previous_last_sequence": decimal},
        ),
    ),
    "gap": (
        record.GAP,
        shape(
            {"cause": one_of("downtime", "suspended", "sequence"), "detail": text},
            {
                "source": number,
                "epoch": number,
                "from_sequence": decimal,
                "to_sequence": decimal,
                "from_ms": number,
                "to_ms": number,
                "clean": boolean,
            },
        ),
    ),
    "heartbeat": (record.HEARTBEAT, shape({"size": decimal}, {"system": text})),
    "sealed": (
        record.SEALED,
        shape(
            {
                "file": text,
                "class": one_of("events", "control"),
                "generation": number,
                "first": decimal,
                "end": decimal,
                "length": decimal,
                "sha256": hexadecimal(32),
            },
            {"supersedes": number},
        ),
    ),
    "cut": (
        record.CUT,
        shape({"file": text, "offset": decimal, "length": decimal, "sha256": hexadecimal(32)}),
    ),
    "clock": (record.CUT, shape({"expected_ms": number, "wall_ms": number})),
    "refusal": (
        record.CUT,
        shape(
            {
                "party": text,
                "reason": one_of("ahead", "conflict", "key", "behind"),
                "size": decimal,
                "stopped": boolean,
                "detail": text,
            },
            {"claimed": decimal, "note": text},
        ),
    ),
    "timestamp": (
        record.CUT,
        shape(
            {
                "size": decimal,
                "root": hexadecimal(32),
                "authority": text,
                "gen_time_ms": number,
                "token_sha256": hexadecimal(32),
                "token": text,
            },
            {"accuracy_ms": number},
        ),
    ),
    "key": (record.KEY, shape({"statement": text, "checkpoint": text})),
}


def read_control(kind: int, what: dict, opening: Opening) -> dict[str, Any]:
    """The members of a control record, `type` among them. Raises Undecidable for a type that is not known here."""
    name = what.get("type")
    known, members = TYPES.get(name, (None, None)) if type(name) is str else (None, None)
    if members is None:
        raise Undecidable("a record of kind %d and unknown type %.60r" % (kind, name))
    if known != kind:
        raise Damaged("a record of type %s and kind %d" % (name, kind))
    read = members({key: value for key, value in what.items() if key != "type"})
    if list(opening.facets[1:2]) + list(opening.facets[3:]) != [b"{}", b"{}", b"{}", b""]:
        raise Damaged("a control record with something in who, content, where or raw")
    return {"type": name, **read}
