"""Which facet an attribute belongs to: docs/vectors/README.md, section 3."""

from __future__ import annotations

from typing import Any

from .strict import write

FACETS = ["when", "who", "what", "content", "where"]
ABSENT = object()


class Table:
    """The published facet table."""

    def __init__(self, text: str):
        title, rest, *lines = text.split("\n")
        if title != "ledgerstone facet table 1" or rest != "* content" or lines.pop() != "":
            raise ValueError("not a facet table of version 1")
        self.places = {tuple(path.split(".")): facet for path, facet in (line.split(" ") for line in lines)}

    def place(self, path: tuple) -> str:
        beginnings = (tuple(path[:length]) for length in range(len(path), 0, -1))
        return next((self.places[names] for names in beginnings if names in self.places), "content")

    def part(self, facet: str, value: Any, path: tuple = ()) -> Any:
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

    def split(self, event: Any, stamp: dict) -> list[str]:
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
