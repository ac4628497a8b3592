"""The directory of a store at rest: docs/format.md."""

from .verify import verify_store

__all__ = ["verify_store"]
