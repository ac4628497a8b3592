"""The key directory: docs/format.md, section 4."""

from __future__ import annotations

import os
import re
from typing import Any

from .. import ed25519
from ..encoding import sha256
from ..note import Key
from ..verdict import Check, Damaged, Undecidable
from .seal import AESGCM, unwrap
from .state import DATA_KEY, KEY_CHANGE, PREDECESSOR, SIGNING_KEY, WRAPPING_KEY, read_state

_OF_A_LEDGER = (".signing.key", ".signing.next.key", ".key-change", ".authority.key")
_ID = re.compile("([0-9a-f]{32})[.]key")
# What a ledger that is about to be made continues.
_PREDECESSOR = re.compile("[a-z0-9][a-z0-9-]{0,39}[.]predecessor")


class Keys:
    """What can be opened. `folder` is None if there are no keys."""

    def __init__(self, folder: str | None, check: Check):
        self.folder = folder
        self._check = check
        self._data: dict[bytes, bytes] = {}
        if folder is None:
            check.say("no keys were given: payloads of events are not opened")
            return
        if AESGCM is None:
            check.unknown("no Python package `cryptography`: nothing that is encrypted can be opened")
        wrapping = None
        try:
            wrapping = self._read("wrapping.key", "wrapping-key", WRAPPING_KEY)["key"]
        except Undecidable as error:
            check.unknown(error)
        except Damaged as error:
            check.bad(error)
        if wrapping is not None and AESGCM is not None:
            self._unwrap(wrapping)

    def data_key(self, key_id: bytes, path: str) -> bytes:
        """Raises Undecidable if it is not here."""
        key = self._data.get(key_id)
        if key is None:
            raise Undecidable("the data key of %s is missing: its payloads were not opened" % path)
        return key

    def verify_ledger(self, name: str, origin: str, vkey: str) -> None:
        if self.folder is None:
            return
        here = []
        for kind in ("", ".next"):
            path = "%s.signing%s.key" % (name, kind)
            if kind and not self._has(path):
                continue
            with self._check:
                here.append(self._verify_signing(path, origin))
        # The next key is the register's where a start was cut off before it took the other's place.
        with self._check:
            if vkey not in here and self._has(name + ".signing.key"):
                raise Damaged("%s.signing.key: not the key of the register" % name)
        if self._has(name + ".key-change"):
            with self._check:
                self._read(name + ".key-change", "key-change", KEY_CHANGE)
        if self._has(name + ".authority.key"):
            with self._check:
                self._verify_signing(name + ".authority.key", origin + "/authority")

    def verify_names(self, ledgers: set[str]) -> None:
        """Raises nothing: says what is unexpected."""
        if self.folder is None:
            return
        plain = {"wrapping.key"} | {name + kind for name in ledgers for kind in _OF_A_LEDGER}
        for folder, _, files in os.walk(self.folder):
            for file in files:
                path = os.path.relpath(os.path.join(folder, file), self.folder).replace(os.sep, "/")
                is_data = path.startswith("data/") and _ID.fullmatch(path[5:])
                if _PREDECESSOR.fullmatch(path):
                    with self._check:
                        self._read(path, "predecessor", PREDECESSOR)
                elif not file.endswith(".tmp") and path not in plain and not is_data:
                    self._check.bad("unexpected among the keys: %s" % path)

    def _has(self, path: str) -> bool:
        return os.path.lexists(os.path.join(self.folder or "", path))

    def _verify_signing(self, path: str, name: str) -> str:
        """Returns its vkey."""
        members = self._read(path, "signing-key", SIGNING_KEY)
        public = b"\1" + ed25519.public_key(members["seed"])
        key_id = sha256(members["name"].encode(), b"\n", public)[:4]
        key = Key.parse(members["vkey"])
        if (members["name"], key.name, key.id, b"\1" + key.public) != (name, name, key_id, public):
            raise Damaged("%s: the key is not that of its name and seed" % path)
        return members["vkey"]

    def _unwrap(self, wrapping: bytes) -> None:
        for file in sorted(os.listdir(os.path.join(self.folder, "data"))) if self._has_data() else []:
            match = _ID.fullmatch(file)
            if not match:
                continue
            with self._check:
                members = self._read("data/" + file, "data-key", DATA_KEY)
                if members["id"].hex() != match.group(1):
                    raise Damaged("data/%s: the id is that of another key" % file)
                try:
                    self._data[members["id"]] = unwrap(wrapping, members["id"], members["file"], members["wrapped"])
                except Damaged as error:
                    raise Damaged("data/%s: %s" % (file, error))

    def _has_data(self) -> bool:
        return os.path.isdir(os.path.join(self.folder, "data"))

    def _read(self, path: str, title: str, reader: Any) -> Any:
        try:
            with open(os.path.join(self.folder, path), "rb") as file:
                return read_state(file.read(), "ledgerstone/%s/v1" % title, reader)
        except OSError as error:
            raise Undecidable("the key %s cannot be read: %s" % (path, error.strerror))
        except Damaged as error:
            raise Damaged("%s: %s" % (path, error))
