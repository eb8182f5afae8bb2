"""What the server's answer makes of the local values: the one place where local and known meet.

An operation's answer is the local value of the place that it names, unless the place was edited since the
operation was sent. Everything else keeps its unsaved edits: other entries of a dict; a list keeps those
that it had, with the operation applied to them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import Any, NamedTuple

from rapyer.errors import DetachedError
from rapyer.paths import Path
from rapyer.schema.spec import ValueSpec
from rapyer.script.call import Digest, Primitive
from rapyer.script.in_python import dumps
from rapyer.state.document import DocumentState, News, carry_out, local_text
from rapyer.state.known import ABSENT, Known, Noted, merged, same_json
from rapyer.state.node import find
from rapyer.state.work import MISSES

_COMPARABLE = frozenset({str, int, float})


class Stale(NamedTuple):
    """A list or dict that is not what the server has and has to be read.

    ``was`` is what was known of it, if it has unsaved edits; ``keys`` are the entries that are taken over anyway.
    """

    owner: Any
    was: Any
    keys: Collection[str] | None


class Arrival:
    """The answers to one change of one document.

    ``path`` is where the owner stood when the change was sent, ``applied`` whether it is applied locally
    already, ``echo`` the list or dict that the owner is. ``stale`` collects lists and dicts that are not
    what the server has and have to be read.
    """

    __slots__ = (
        *("answers", "applied", "document", "echo", "outdated", "path"),
        *("said", "stale", "stamp", "state", "steps", "untold", "was"),
    )

    def __init__(self, document: Any, state: DocumentState, stamp: int, *, applied: bool) -> None:
        self.document, self.state, self.stamp, self.applied = document, state, stamp, applied
        self.path: Path = ()
        self.answers: Sequence[Any] = ()
        self.steps: Sequence[Primitive] = ()
        """What was sent."""
        self.echo: Any = None
        self.outdated = False
        """Whether something that followed in the block was written over it."""
        self.was: Any = None
        """What was known of the list or dict, if it had unsaved edits before a change that is applied already."""
        self.stale: list[Stale] = []
        self.untold: list[Path] = []
        """Places of lists and dicts that only an open block has, and that have to be read."""
        self.said: Callable[[Path, Any], None] | None = None
        """Told of everything that is said, where somebody wants to know."""

    # -- what the server has ---------------------------------------------------------------------

    def is_nobodys_news(self, places: Sequence[Path]) -> bool:
        """Whether what the server has at ``places``, if that is what stands there, is to be told to nobody."""
        state = self.state
        if state.flying > 1 or self.said is not None:
            return False
        known = state.known
        return known is None or not any(map(known.concerns, places))

    def say(self, below: Path, text: Any) -> None:
        """The server has ``text`` at ``below`` the owner's place."""
        path = (*self.path, *below)
        state = self.state
        known = state.known
        if known is not None and known.concerns(path):
            known.say(path, text)
            if state.work is None:  # otherwise edits may be taken off just now
                self._forget_edit(known, path, text)
        if state.flying > 1:
            state.said(self.stamp, path, text)
        if self.said is not None:
            self.said(path, text)

    def _forget_edit(self, known: Known, path: Path, text: Any) -> None:
        """A field needs no note when it is, locally, what the server has; a mutable value does."""
        if path in known.places and path:
            found = _held(self.document, path)
            if not _is_mutable(found) and local_text(self.document, path) == text:
                known.forget(path)

    def catch_up(self, newer: Sequence[News]) -> None:
        """Make again what was said later than this answer, and arrived before it."""
        for news in sorted(newer, key=attrgetter("stamp")):
            tell(self.document, self.state, news.path, news.text)

    # -- immutable values ------------------------------------------------------------------------

    def settle_value(self, parent: Any, owner: Any, value: Any, text: Any, expected: Any) -> None:
        """The server has ``value`` where ``owner`` stood; ``expected`` is what this change left there."""
        known = self.state.known
        kind = parent.__rapyer_node__
        try:
            place = kind.place_of(parent, owner)
            current = kind.raw(parent, place)
        except (DetachedError, LookupError):
            self.say((), text)
            return
        if self.applied and (self.outdated or current is not expected):
            return  # what followed in the block stands here, and says what it is
        if known is not None and current is not expected:
            was = known.text(self.path)
            if was is not None and kind.child_spec(parent, place).to_json(current) != was:
                self.say((), text)  # edited since: that edit stays
                return
        if not is_live_already(current, value):
            kind.put(parent, place, value)
        self.say((), text)

    # -- lists and dicts -------------------------------------------------------------------------

    def settle_container(
        self, owner: Any, local: Callable[[], Any] | None, keys: Collection[str] | None
    ) -> None:
        """The server has ``echo`` where ``owner`` stood; ``local`` makes the change, if that is to be done.

        ``keys`` are the entries of a dict that the change made what they are; None for all of them.
        """
        echo = self.echo
        now = find(owner)
        if now is None or now[0] is not self.document:
            self._settle_detached(echo)
            return
        spec = owner.__rapyer_node__.spec_of(owner)
        was = self.was
        if local is not None:
            was = None if self.state.known is None else self.state.known.text(self.path)
            if was is not None and is_stored_as(owner, was):
                was = None
            with suppress(*MISSES):
                local()
        if was is not None and isinstance(owner, dict) and isinstance(echo, bytes):
            self.say((), merge_text(owner, was, echo, keys))
        else:
            self._agree(Stale(owner, was, keys), spec, echo)

    def _settle_detached(self, echo: Any) -> None:
        """The list or dict is not there any more (or only an open block has it): its place is told."""
        if not isinstance(echo, bytes):
            if isinstance(echo, Digest) and not self.applied:
                self._is_done_to_edits()
                self.untold.append(self.path)
            if self.state.known is not None:
                self.state.known.lose(self.path)
            return
        if not self.applied and not self._is_done_to_edits():
            tell(self.document, self.state, self.path, echo)
        self.say((), echo)

    def _is_done_to_edits(self) -> bool:
        """Do to the edited value that stands below all blocks what was done on the server; whether there is one.

        Only a block has the value that was asked then: nobody has replaced it since.
        """
        if self.state.work is None:
            return False
        path, known = self.path, self.state.known
        was = None if known is None else known.text(path)
        now = ABSENT if was is None else local_text(self.document, path)
        if now is ABSENT or same_text(was, now):
            return False
        carry_out(self.document, path, self.steps)
        return True

    def _agree(self, found: Stale, spec: Any, echo: Any) -> None:
        owner, edited = found.owner, found.was is not None
        if isinstance(echo, Digest):
            if edited:
                self.stale.append(found)
                return
            text = spec.to_json(owner)
            if _digest(text) == echo.sha1:
                self.say((), text)
            else:
                self.stale.append(found)
        elif echo is None:
            if self.state.known is not None:
                self.state.known.lose(self.path)  # removed by somebody, or by what followed
        else:
            self.say((), echo if edited else adopt_text(owner, spec, echo))


def merge_text(owner: Any, was: Any, text: bytes, own: Collection[str] | None) -> bytes:
    """Let ``owner``, a dict with unsaved edits of what ``was``, take over what the server has as ``text`` beside them.

    Returns what is known then: ``text``, as this model writes it. Where the model does not accept that, only the
    entries that are its ``own`` are known from now on: what others wrote cannot be here, and would otherwise
    seem to be deleted.
    """
    spec = _spec_of(owner)
    if own is None:
        return adopt_text(owner, spec, text)
    before = {} if was is ABSENT else json.loads(was)
    try:
        theirs = json.loads(spec.to_json(spec.validate_json(text)))
        mine = merged(spec, before, json.loads(spec.to_json(owner)), theirs, own)
        owner.__rapyer_node__.adopt(owner, spec.validate_json(dumps(mine)))
    except ValueError:
        stored = json.loads(text)
        before.update((name, stored[name]) for name in own if name in stored)
        return dumps(before)
    return dumps(theirs)


def is_live_already(held: Any, value: Any) -> bool:
    """Whether ``held`` is the live value of ``value``. Equal zeros and datetimes need not be the same."""
    kind = type(value)
    return (
        kind in _COMPARABLE
        and getattr(type(held), "python_type", None) is kind
        and bool(value)
        and bool(held == value)
    )


def is_stored_as(owner: Any, text: Any) -> bool:
    """Whether the list or dict ``owner`` is, locally, what ``text`` says."""
    spec = _spec_of(owner)
    if text is ABSENT:
        return False
    return spec.is_written(owner, text) or same_text(spec.to_json(owner), text)


def is_told(owner: Any, echo: Any) -> bool:
    """Whether the list or dict ``owner`` is, locally and to the letter, what the server says that it is."""
    if isinstance(echo, Digest):
        return _digest(_spec_of(owner).to_json(owner)) == echo.sha1
    return isinstance(echo, bytes) and _spec_of(owner).is_written(owner, echo)


def _spec_of(owner: Any) -> ValueSpec:
    return owner.__rapyer_node__.spec_of(owner)  # type: ignore[no-any-return]


def _digest(text: bytes) -> bytes:
    return hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()


def adopt_text(owner: Any, spec: Any, text: bytes) -> bytes:
    """Make ``owner`` what the server has as ``text``; returns that as this model writes it.

    What the model does not accept is left alone: the next load will say so.
    """
    if spec.is_written(owner, text):
        return text
    try:
        fresh = spec.validate_json(text)
    except ValueError:
        return text
    owner.__rapyer_node__.adopt(owner, fresh)
    return spec.to_json(owner)  # type: ignore[no-any-return]


def tell(document: Any, state: DocumentState, path: Path, text: Any) -> None:
    """The server has ``text`` at ``path``, whoever asked: local values that are not edited follow."""
    if not path:
        if text is not ABSENT:
            _tell_document(document, state, text)
        return
    known = state.known
    node, at = document, 0
    while at < len(path) - 1:
        value = _held(node, path[at : at + 1])
        if not _is_model(value):
            break
        node, at = value, at + 1
    place, below = path[: at + 1], path[at + 1 :]
    kind = getattr(type(node), "__rapyer_node__", None)
    now = local_text(document, place)
    was = now if known is None else known.before(place, now)
    whole = Noted(was)
    whole.set(below, text)
    fresh = whole.text()
    if kind is None or fresh is ABSENT:
        if known is not None:
            known.say(path, text)
        return
    spec = kind.child_spec(node, path[at])
    with suppress(ValueError):  # what cannot be here is not told: it would seem to be deleted
        if not same_text(was, now):
            fresh = _laid_over(spec, was, now, fresh)
        value = now if fresh is ABSENT or same_text(fresh, now) else spec.validate_json(fresh)
        if known is not None:
            known.say(path, text)
        if value is not now:
            kind.take(node, path[at], value)


def _tell_document(document: Any, state: DocumentState, text: Any) -> None:
    known = state.known
    if known is None or not any(
        noted.unknown or not same_text(noted.text(), local_text(document, path))
        for path, noted in known.places.items()
    ):
        document.__rapyer_node__.adopt_document(document, text)
        return
    for name, value in json.loads(text).items():
        tell(document, state, (name,), dumps(value))


def _laid_over(spec: ValueSpec, was: Any, now: Any, theirs: Any) -> Any:
    """The text of what is ``now``, edited, where the server has ``theirs`` and not what ``was``."""
    before, mine, other = (
        text if text is ABSENT else json.loads(text) for text in (was, now, theirs)
    )
    found = merged(spec, before, mine, other)
    return ABSENT if found is ABSENT else dumps(found)


def _held(node: Any, path: Path) -> Any:
    """What is held at ``path`` (through models), or :data:`ABSENT`."""
    for segment in path:
        kind = getattr(type(node), "__rapyer_node__", None)
        try:
            node = node.__dict__[segment] if kind is None else kind.raw(node, segment)
        except (LookupError, AttributeError, TypeError):
            return ABSENT
    return node


def _is_model(value: Any) -> bool:
    return hasattr(type(value), "__pydantic_fields__")


def _is_mutable(value: Any) -> bool:
    from rapyer.state.wrapping import is_unchanging

    return not is_unchanging(value)


def same_text(a: Any, b: Any) -> bool:
    """Whether two JSON texts (or :data:`ABSENT`) say the same, exactly."""
    if a is ABSENT or b is ABSENT:
        return a is b
    return bool(a == b) or same_json(json.loads(a), json.loads(b))
