"""The plan of a change of many documents: a stream of what each is and is to become. Carried out by
:mod:`rapyer_cli.change.many`, journalled and taken back as one.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple, TypeAlias

from rapyer_cli.language.grammar import Effect
from rapyer_cli.session.plan import Done


class Rewrite(NamedTuple):
    """One document: its JSON before and after (``MISSING`` where there is none), and its text as it was read.

    ``ttl`` are the seconds that a document lives that comes or goes, ``refresh`` the milliseconds to which a change
    sets its time to live. ``why`` says what is done where several things are, for counting.
    """

    key: str
    before: Any
    after: Any
    text: bytes
    ttl: float | None = None
    refresh: int | None = None
    why: tuple[str, ...] = ()


class Unfit(NamedTuple):
    """A document that is left as it is, and why. Not ``bad`` is what was to be expected."""

    key: str
    reason: str
    bad: bool = True


Documents: TypeAlias = "Callable[[], AsyncIterator[Rewrite | Unfit]]"


@dataclass(slots=True)
class ManyPlan:
    """Changes of many documents, each by itself and only while it is what was read.

    ``line`` says which change it is: the same one again goes on where it was interrupted. ``documents`` begins the
    stream anew at each call; ``question`` is what a person is asked, with the number of documents in front.
    """

    verb: str
    line: str
    effect: Effect
    question: str
    documents: Documents
    undoes: Done | None = None
    anew: bool = False
    groups: bool = False
    """Whether it is shown by the reasons of its rewrites."""
    undo_with: str = ""
    """What 'undo' needs besides the number, where that is another server."""
    irreversible: str = ""
    notes: tuple[str, ...] = field(default=())


class SeenKeys:
    """Keys that were seen, in eight bytes each: a digest, so that one in 2⁶⁴ could be taken for another."""

    _FEW = 50_000

    def __init__(self) -> None:
        self._recent: set[int] = set()
        self._sorted: list[array[int]] = []

    def add(self, key: str) -> bool:
        """Enter a key; whether it is new."""
        number = _number(key)
        if self._has(number):
            return False
        self._recent.add(number)
        if len(self._recent) >= self._FEW:
            self._sorted.append(array("Q", sorted(self._recent)))
            self._recent = set()
        return True

    def __contains__(self, key: str) -> bool:
        return self._has(_number(key))

    def _has(self, number: int) -> bool:
        if number in self._recent:
            return True
        for numbers in self._sorted:
            position = bisect_left(numbers, number)
            if position < len(numbers) and numbers[position] == number:
                return True
        return False


def _number(key: str) -> int:
    digest = blake2b(key.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big")
