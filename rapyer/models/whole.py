"""Changes of whole documents: saving, loading and deleting them, and their time to live."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from rapyer.batch.arrival import Arrival
from rapyer.batch.change import Change
from rapyer.batch.perform import perform
from rapyer.errors import InvalidValueError
from rapyer.models.keys import note_written
from rapyer.models.node import open_places
from rapyer.paths import Path
from rapyer.script.call import Primitive
from rapyer.state.document import DocumentState, document_state, local_text
from rapyer.state.known import ABSENT, Known, Noted
from rapyer.state.wrapping import is_unchanging

_LONGEST_TTL_MS = 1 << 62
_LARGEST_KEPT = 4096
"""So long a text of a document is kept for the sake of its noted places; of a longer one, only they are."""


class DocumentSaved(Change):
    """A whole document is written, and its TTL set. Sends JSON.SET (PEXPIRE).

    :param text: its stored form.
    :param places: that of the places which somebody may change unnoticed afterwards.
    :param mode: empty, ``nx`` or ``xx``.
    :param ttl: milliseconds, or empty.
    """

    __slots__ = ("_mode", "_places", "_ttl", "owner", "text", "touched", "verb")

    def __init__(
        self,
        document: Any,
        text: bytes,
        places: Mapping[Path, Noted],
        mode: bytes,
        ttl: bytes,
        verb: str = "save",
    ) -> None:
        self.verb, self.owner, self.touched = verb, document, None
        self.text, self._places, self._mode, self._ttl = text, places, mode, ttl

    def primitives(self, path: Path) -> Sequence[Primitive]:
        return (Primitive("save", (), (self.text, self._mode, self._ttl)),)

    def settle(self, arrival: Arrival) -> None:
        saved(self.owner, self._places)
        if arrival.said is not None:
            arrival.said((), self.text)


def saved(document: Any, places: Mapping[Path, Noted]) -> None:
    """The server has the document as it was written; ``places`` of it were noted then."""
    state = document_state(document)
    if hasattr(type(document), "__rapyer_key_field__"):
        note_written(document)
    known = Known()
    for path, noted in places.items():
        if not _is_settled(document, path, noted):
            known.note(path, noted)
    if state.known is not None:
        for path, noted in state.known.places.items():
            if path not in places:  # it was edited since, and noted as it was written
                known.note(path, noted)
    state.known = known


def noted_places(document: Any, text: bytes, known: Known | None) -> dict[Path, Noted]:
    """What the server will have, when ``document`` was written as ``text``, at places that may change again.

    Those that are ``known``; of an instance that was neither read nor written, those that others may hold.
    """
    if len(text) <= _LARGEST_KEPT:
        if known is None:
            return {path: Noted(within=(text, path)) for path in open_places(document)}
        return {
            path: Noted(local_text(document, path))
            if is_unchanging(value_at(document, path))
            else Noted(within=(text, path))
            for path in list(known.places)
        }
    paths = list(open_places(document) if known is None else known.places)
    return {path: Noted(local_text(document, path)) for path in paths}


def _is_settled(document: Any, path: Path, noted: Noted) -> bool:
    """Whether a place needs no note: it is what the server has, and nobody can change it unnoticed."""
    value = value_at(document, path)
    if value is not ABSENT and not is_unchanging(value):
        return False
    return bool(local_text(document, path) == noted.text())


class DocumentLoaded(Change):
    """A whole document becomes what is stored. Sends JSON.GET."""

    __slots__ = ("owner", "touched")
    verb = "load"
    effect = "read"

    def __init__(self, document: Any) -> None:
        self.owner, self.touched = document, None

    def primitives(self, path: Path) -> Sequence[Primitive]:
        return (Primitive("read", (), (b"strict",)),)

    def settle(self, arrival: Arrival) -> None:
        self.owner.__rapyer_node__.adopt_document(self.owner, arrival.answers[0])


def loaded(document: Any, state: DocumentState) -> None:
    """All that is local is what the server has."""
    if state.work is not None:
        state.work.forget_edits()
    before, state.known = state.known, Known()
    if before is not None:
        for path in before.places:
            text = local_text(document, path)
            if text is not ABSENT and not is_unchanging(value_at(document, path)):
                state.known.note(path, Noted(text))


def value_at(document: Any, path: Path) -> Any:
    """What is held at ``path`` (through models), or :data:`~rapyer.state.known.ABSENT`."""
    value = document
    for segment in path:
        kind = getattr(type(value), "__rapyer_node__", None)
        try:
            value = value.__dict__[segment] if kind is None else kind.raw(value, segment)
        except (LookupError, AttributeError):
            return ABSENT
    return value


class DocumentDropped(Change):
    """A whole document is deleted. Sends DEL."""

    __slots__ = ("owner", "touched")
    verb = "delete"
    effect = "destructive"

    def __init__(self, document: Any) -> None:
        self.owner, self.touched = document, None

    def primitives(self, path: Path) -> Sequence[Primitive]:
        return (Primitive("drop", ()),)

    def decode(self, answers: Sequence[Any]) -> Any:
        return True

    def settle(self, arrival: Arrival) -> None:
        arrival.state.known = None


class _Expiry(Change):
    """A document's time to live. Sends PEXPIRE or PERSIST."""

    __slots__ = ("_milliseconds", "owner", "touched")
    verb = "set_ttl"

    def __init__(self, document: Any, milliseconds: int) -> None:
        self.owner, self.touched = document, None
        self._milliseconds = milliseconds

    def primitives(self, path: Path) -> Sequence[Primitive]:
        return (Primitive("expire", (), (b"%d" % self._milliseconds,)),)

    def settle(self, arrival: Arrival) -> None:
        """No value changes."""

    def places(self, path: Path) -> Sequence[Path]:
        return ()


async def set_ttl(document: Any, seconds: float | timedelta | None) -> None:
    """Let ``document`` expire in ``seconds``, or never (None). Sends one EVALSHA (PEXPIRE, PERSIST).

    Less than a millisecond is a millisecond. Raises :class:`~rapyer.errors.InvalidValueError` for what is
    no length of time.
    """
    if isinstance(seconds, timedelta):
        seconds = seconds.total_seconds()
    if seconds is None:
        milliseconds = -1
    else:
        if not seconds > 0 or not math.isfinite(seconds) or seconds * 1000 >= _LONGEST_TTL_MS:
            raise InvalidValueError(
                f"a time to live must be a positive number of seconds, not {seconds}"
            )
        milliseconds = max(1, int(seconds * 1000))
    await perform(_Expiry(document, milliseconds))
