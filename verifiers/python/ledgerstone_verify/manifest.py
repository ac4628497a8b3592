"""The objects of an evidence file, member by member: docs/evidence-file.md, sections 2 to 5."""

from __future__ import annotations

from typing import Any

from .record import FACETS
from .shape import base64, decimal, hexadecimal, list_of, number, one_of, or_null, shape, short, text
from .verdict import Damaged

TYPE = "ledgerstone/evidence/v1"
SELECTION_LABEL = "a selection; completeness of the match is not provable"

_hash = base64(32)
_proof = list_of(_hash)


def _withheld(value: Any) -> list[int]:
    """Numbers of the facets, rising; never `when`."""
    facets = [FACETS.index(name) for name in list_of(one_of(*FACETS[1:]))(value)]
    if facets != sorted(set(facets)):
        raise Damaged("not in the order of the facets")
    return facets


MANIFEST = shape(
    {
        "type": one_of(TYPE),
        "case": short,
        "purpose": short,
        "exported_ms": number,
        "exported_by": shape({"id": short, "label": short}),
        "program": text,
        "origin": text,
        "vkey": text,
        "ledger_id": hexadecimal(32),
        "size": decimal,
        "root": _hash,
        "selection": shape(
            {"kind": one_of("range", "query"), "from": decimal, "end": decimal},
            {"from_ms": number, "to_ms": number, "query": short},
        ),
        "withheld": _withheld,
        "counts": shape(
            dict.fromkeys(("events", "quarantined", "accesses", "control", "withheld", "erased"), number),
        ),
        "sources": list_of(
            shape(
                {"source": number, "epoch": number, "first": decimal, "last": decimal, "count": number},
                {"numbering": one_of("source", "server")},
            )
        ),
        "gaps": list_of(decimal),
        "members": list_of(
            shape({"name": text, "length": decimal, "stored": decimal, "sha256": hexadecimal(32)}),
        ),
    }
)

_neighbour = shape({"entry": base64(), "proof": _proof})
RANGE = shape(
    {"from": decimal, "end": decimal, "left": _proof, "right": _proof},
    {"before": _neighbour, "after": _neighbour},
)

ANCHOR = shape({"checkpoint": text, "consistency": _proof, "timestamps": list_of(base64())})

_WHOLE = shape(
    {
        "form": number,
        "table_version": number,
        "seed": hexadecimal(16),
        "facets": list_of(text, 5),
        "raw": base64(),
    }
)
_PARTS = shape(
    {
        "form": number,
        "table_version": number,
        "facets": list_of(or_null(text), 5),
        "salts": list_of(or_null(hexadecimal(16)), 6),
        "digests": list_of(or_null(hexadecimal(32)), 6),
    },
    {"raw": base64(), "reason": one_of("withheld", "erased", "expired"), "by": decimal},
)


def _payload(value: Any) -> dict[str, Any]:
    form = value.get("form") if type(value) is dict else None
    if type(form) is not int or form not in (0, 1):
        raise Damaged("no form 0 or 1")
    return (_PARTS if form else _WHOLE)(value)


RECORD = shape({"index": decimal, "entry": base64(), "payload": _payload}, {"proof": _proof})
