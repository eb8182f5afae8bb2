"""The document that all workers change, and the one that each has for itself."""

from __future__ import annotations

from rapyer import AtomicRedisModel, Key


class Ledger(AtomicRedisModel):
    """One place for each kind of operation."""

    name: Key[str]
    counter: int = 0
    queue: list[int] = []
    appended: list[str] = []
    left: int = 0
    right: int = 0
    entries: dict[str, int] = {}
    watched: int = 0
    locked: int = 0


class Own(AtomicRedisModel):
    """A document that only one task changes: what it holds locally is what is stored, or was said to be unknown."""

    name: Key[str]
    n: int = 0
    items: list[int] = []
    table: dict[str, int] = {}
