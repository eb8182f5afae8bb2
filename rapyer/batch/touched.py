"""What a batch remembers of a list or dict that it changes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any


class Touched:
    """A list or dict that a batch changes.

    ``edited`` is whether it had unsaved edits before, ``keys`` which entries the batch changes (None: any).
    """

    __slots__ = ("edited", "keys", "owner")

    def __init__(self, owner: Any, edited: bool) -> None:
        self.owner, self.edited = owner, edited
        self.keys: set[str] | None = set()

    def add(self, keys: Collection[str] | None) -> None:
        """More entries are changed."""
        if keys is None or self.keys is None:
            self.keys = None
        else:
            self.keys.update(keys)
