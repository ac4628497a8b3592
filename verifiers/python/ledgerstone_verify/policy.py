"""Which logs are accepted and which witnesses must have cosigned: C2SP tlog-policy."""

from __future__ import annotations

import re
from typing import NamedTuple

from .note import COSIGNATURE, ED25519, Key, Note
from .verdict import Damaged, Undecidable

NONE = "none"


class Seen(NamedTuple):
    """What the witnesses of a policy say to one checkpoint."""

    met: bool
    # Name of the witness and time of its cosignature, Unix seconds.
    cosigned: list[tuple[str, int]]
    missing: list[str]


class Policy:
    def __init__(self) -> None:
        self.logs: list[Key] = []
        self.witnesses: dict[str, Key | None] = {}
        self.groups: dict[str, tuple[int, list[str]]] = {}
        self.quorum: str | None = None

    @classmethod
    def parse(cls, data: bytes) -> "Policy":
        """Raises Damaged with the number of the line. Names are octets, so they are read as Latin-1."""
        policy = cls()
        for number, line in enumerate(data.split(b"\n"), 1):
            try:
                policy._read(line)
            except Damaged as error:
                raise Damaged("policy, line %d: %s" % (number, error))
        if policy.quorum is None:
            raise Damaged("policy: no quorum")
        return policy

    def judge(self, note: Note) -> Seen:
        """Raises Damaged if a cosignature by a witness of the policy is wrong."""
        times = {name: key and note.cosigned_at(key) for name, key in self.witnesses.items()}
        cosigned = [(name, time) for name, time in times.items() if time is not None]
        missing = [name for name, time in times.items() if time is None]
        return Seen(self._is_met(self.quorum or NONE, {name for name, _ in cosigned}), cosigned, missing)

    def _is_met(self, name: str, cosigned: set[str]) -> bool:
        if name == NONE:
            return True
        if name in self.witnesses:
            return name in cosigned
        threshold, members = self.groups[name]
        return sum(self._is_met(member, cosigned) for member in members) >= threshold

    def _read(self, line: bytes) -> None:
        if re.search(b"[\x00-\x08\x0b-\x1f\x7f]", line):
            raise Damaged("a control character")
        words = re.findall("[^ \t]+", line.decode("latin-1"))
        if not words or words[0].startswith("#"):
            return
        keyword, names = words[0], words[1:]
        if keyword == "log" and len(names) in (1, 2):
            self._add_log(names[0])
        elif keyword == "witness" and len(names) in (2, 3):
            self._add_witness(names[0], names[1])
        elif keyword == "group" and len(names) >= 3:
            self._add_group(names[0], names[1], names[2:])
        elif keyword == "quorum" and len(names) == 1:
            if self.quorum is not None:
                raise Damaged("a second quorum")
            self.quorum = names[0] if names[0] == NONE else self._defined(names[0])
        else:
            raise Damaged("not understood")

    def _add_log(self, vkey: str) -> None:
        key = _key(vkey)
        if key is None or key.type != ED25519:
            raise Damaged("not a key of a log")
        if key.public in [log.public for log in self.logs]:
            raise Damaged("a log's key twice")
        self.logs.append(key)

    def _add_witness(self, name: str, vkey: str) -> None:
        key = _key(vkey)
        if key is not None and key.type != COSIGNATURE:
            raise Damaged("not a key of a witness")
        if key is not None and key.public in [known.public for known in self.witnesses.values() if known]:
            raise Damaged("a witness's key twice")
        # A witness with a key of a type that is not known here counts as one that has not cosigned.
        self.witnesses[self._new(name)] = key

    def _add_group(self, name: str, threshold: str, members: list[str]) -> None:
        taken = [member for _, others in self.groups.values() for member in others]
        for position, member in enumerate(members):
            self._defined(member)
            if member in taken or member in members[:position]:
                raise Damaged("%s is a member twice" % member)
        if threshold == "all":
            least = len(members)
        elif threshold == "any":
            least = 1
        elif re.fullmatch("[1-9][0-9]*", threshold) and int(threshold) <= len(members):
            least = int(threshold)
        else:
            raise Damaged("not a number of members: %s" % threshold)
        self.groups[self._new(name)] = (least, members)

    def _new(self, name: str) -> str:
        if name == NONE or name in self.witnesses or name in self.groups:
            raise Damaged("%s is defined already" % name)
        return name

    def _defined(self, name: str) -> str:
        if name not in self.witnesses and name not in self.groups:
            raise Damaged("%s is not defined above" % name)
        return name


def _key(vkey: str) -> Key | None:
    try:
        return Key.parse(vkey.encode("latin-1").decode("utf-8"))
    except Undecidable:
        return None
    except UnicodeDecodeError:
        raise Damaged("a key's name that is not UTF-8")
