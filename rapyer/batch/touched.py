"""What a batch remembers of a list or dict that it changes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any


class Touched:
    """A list or dict that a batch changes. ``keys`` are the entries that it changes (None: any)."""

    __slots__ = ("keys", "owner")

    def __init__(self, owner: Any) -> None:
        self.owner = owner
        self.keys: set[str] | None = set()

    def add(self, keys: Collection[str] | None) -> None:
        """More entries are changed."""
        if keys is None or self.keys is None:
            self.keys = None
        else:
            self.keys.update(keys)
