"""The nine rules of local state on plain dicts: what is stored, what is known, what is local.

An instance has a base (what the server last said, and unsaved edits), what is known, and entries: the
changes of an open block and the edits that were made beside it, in the order in which they were made. Local
is the base with the entries on top.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]
Place = tuple[str, ...]
ABSENT: Any = object()


@dataclass(frozen=True)
class Change:
    """A change of one place: what it is called, where it is, what it makes of a document.

    ``keys`` are the entries of a dict that it makes what they are.
    """

    name: str
    place: str
    apply: Callable[[Document], Any]
    keys: tuple[str, ...] = ()


@dataclass
class Instance:
    """One instance of the document; ``in_block`` are the block's own changes."""

    base: Document
    known: Document
    entries: list[tuple[bool, Change]] = field(default_factory=list)
    has_block: bool = False

    def local(self) -> Document:
        """What the user sees."""
        return self._with(lambda in_block: True)

    def own(self) -> Document:
        """What belongs to no open block: what is saved."""
        return self._with(lambda in_block: not in_block)

    def _with(self, wanted: Callable[[bool], bool]) -> Document:
        seen = copy.deepcopy(self.base)
        for in_block, change in self.entries:
            if wanted(in_block):
                change.apply(seen)
        return seen

    def unsaved(self) -> set[Place]:
        """The places that are not what is known."""
        return {place for place, _ in differing(self.known, self.own())}

    def has_new_list(self) -> bool:
        """Whether the list that is seen is one that somebody assigned while a block was open."""
        return any(change.name == "list" for _, change in self.entries)

    # -- steps -----------------------------------------------------------------------------------

    def edit(self, change: Change) -> None:
        """An edit by a task that is in no block. ``+=`` is an assignment of what it gives here."""
        if change.name in ("add", "y"):
            change = _assignment_of(change, self.local())
        if self.has_block:
            self.entries.append((False, change))
        else:
            change.apply(self.base)

    def operate(self, change: Change, stored: Document) -> None:
        """An awaited operation, which ``stored`` has already seen."""
        edited = self.base[change.place] != self.known[change.place]
        self._agree(change.place, [change], stored, edited=edited, applied=False)

    def begin(self) -> None:
        """A block begins."""
        self.has_block = True

    def change_in_block(self, change: Change) -> None:
        """The block changes something."""
        self.entries.append((True, change))

    def abort(self) -> None:
        """The block is not applied."""
        self._end([change for in_block, change in self.entries if not in_block])

    def commit(self, stored: Document) -> None:
        """The block was applied: ``stored`` has seen all of it."""
        changes = [change for in_block, change in self.entries if in_block]
        beside = [change for in_block, change in self.entries if not in_block]
        edited = {place: self.base[place] != self.known[place] for place in self.base}
        for change in changes:
            change.apply(self.base)
        for place in dict.fromkeys(change.place for change in changes):
            mine = [change for change in changes if change.place == place]
            self._agree(place, mine, stored, edited=edited[place], applied=True)
        self._end(beside)

    def _end(self, beside: list[Change]) -> None:
        self.entries, self.has_block = [], False
        for change in beside:
            change.apply(self.base)

    def _agree(
        self, place: str, changes: list[Change], stored: Document, *, edited: bool, applied: bool
    ) -> None:
        theirs = copy.deepcopy(stored[place])
        if edited and isinstance(theirs, list):
            if not applied:
                for change in changes:
                    change.apply(self.base)
        elif edited and isinstance(theirs, dict):
            own = {key for change in changes for key in change.keys}
            self._merge(place, theirs, own)
            if place == "inner":  # only the fields that were asked for were told
                told = {key: theirs[key] for key in own}
                self.known[place] = {**self.known[place], **told}
                return
        elif place == "inner":
            for change in changes:
                for key in change.keys:
                    self.base[place][key] = self.known[place][key] = theirs[key]
            return
        else:
            self.base[place] = theirs
        self.known[place] = copy.deepcopy(stored[place])

    def _merge(self, place: str, theirs: Document, own: set[str]) -> None:
        mine, known = self.base[place], self.known[place]
        for key in {*mine, *known, *theirs}:
            if place == "inner" and key not in own:
                continue
            if key in own or mine.get(key, ABSENT) == known.get(key, ABSENT):
                if key in theirs:
                    mine[key] = theirs[key]
                else:
                    mine.pop(key, None)

    def save(self) -> Document:
        """The whole document is saved; returns what is stored now."""
        self._fold()
        self.known = copy.deepcopy(self.base)
        return copy.deepcopy(self.known)

    def _fold(self) -> None:
        """Edits that were made beside an open block were saved, and are edits no more."""
        self.base = self.own()
        self.entries = [entry for entry in self.entries if entry[0]]

    def save_changes(self, stored: Document) -> None:
        """What is unsaved is written into ``stored``."""
        own = self.own()
        for place, value in differing(self.known, own):
            for document in (stored, self.known):
                _put(document, place, value)
        self._fold()

    def load(self, stored: Document) -> None:
        """Everything is read; edits made beside an open block are gone, too."""
        self.base, self.known = copy.deepcopy(stored), copy.deepcopy(stored)
        self.entries = [entry for entry in self.entries if entry[0]]


def _assignment_of(change: Change, local: Document) -> Change:
    """The assignment that a ``+=`` outside of a block is."""
    change.apply(local)
    value = copy.deepcopy(local[change.place])
    if not change.keys:
        return Change("=", change.place, lambda d: d.__setitem__(change.place, value))
    (key,) = change.keys
    return Change("=", change.place, lambda d: d[change.place].__setitem__(key, value[key]), (key,))


def differing(before: Document, now: Document) -> Iterator[tuple[Place, Any]]:
    """The places at which two documents differ: fields, entries of dicts, whole lists."""
    for name in now:
        if isinstance(now[name], dict):
            for key in {**before[name], **now[name]}:
                old, new = before[name].get(key, ABSENT), now[name].get(key, ABSENT)
                if old != new:
                    yield (name, key), new
        elif before[name] != now[name]:
            yield (name,), now[name]


def _put(document: Document, place: Place, value: Any) -> None:
    for segment in place[:-1]:
        document = document[segment]
    if value is ABSENT:
        document.pop(place[-1], None)
    else:
        document[place[-1]] = copy.deepcopy(value)
