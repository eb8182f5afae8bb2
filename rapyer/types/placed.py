"""Changes of whatever stands at a place: writing it as it is here, reading it again, putting another there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from rapyer.batch.arrival import Arrival
from rapyer.batch.change import Change, Queued
from rapyer.batch.perform import perform
from rapyer.errors import DetachedError
from rapyer.paths import Path, format_target
from rapyer.schema.document_errors import document_error
from rapyer.schema.spec import ValueSpec
from rapyer.script.call import Primitive
from rapyer.state.node import document_key, locate, parent_of, state_of
from rapyer.state.wrapping import is_unchanging


class PlaceSaved(Change):
    """The local value of a place is written there. Sends JSON.SET."""

    __slots__ = ("_text", "owner", "touched", "verb")

    def __init__(self, owner: Any) -> None:
        self.verb, self.owner, self.touched = "save", owner, None
        locate(owner)
        parent, place = standing_at(owner)
        kind = parent.__rapyer_node__
        spec = kind.child_spec(parent, place)
        value = kind.raw(parent, place)
        self._text = spec.to_json(value)
        if not is_unchanging(value):  # somebody may have changed it without any validation
            spec.validate_json(self._text)

    def primitives(self, path: Path) -> Sequence[Primitive]:
        return (Primitive("set", path, (self._text, b"")),)

    def settle(self, arrival: Arrival) -> None:
        arrival.say((), self._text)


class PlaceLoaded(Change):
    """The local value of a place becomes what is stored there. Sends JSON.GET."""

    __slots__ = ("_key", "_path", "_spec", "owner", "standing", "touched", "verb")
    effect = "read"

    def __init__(self, owner: Any) -> None:
        self.verb, self.owner, self.touched = "load", owner, None
        self.standing = owner
        """What stands there now: the owner itself, if it could be made equal to what is stored."""
        document, self._path = locate(owner)
        self._key = document_key(document)
        parent, place = standing_at(owner)
        self._spec: ValueSpec = parent.__rapyer_node__.child_spec(parent, place)

    def primitives(self, path: Path) -> Sequence[Primitive]:
        return (Primitive("read", path, (b"strict",)),)

    def decode(self, answers: Sequence[Any]) -> Any:
        """The stored value; raises :class:`~rapyer.errors.DocumentError`."""
        try:
            return self._spec.validate_json(answers[0])
        except ValidationError as error:
            raise document_error(format_target(self._key, self._path), error) from error

    def settle(self, arrival: Arrival) -> None:
        fresh = self.decode(arrival.answers)
        parent = parent_of(self.owner)
        kind = parent.__rapyer_node__
        try:
            place = kind.place_of(parent, self.owner)
        except DetachedError:
            arrival.say((), arrival.answers[0])
            return
        self.standing = kind.take(parent, place, fresh)
        text = kind.child_spec(parent, place).to_json(kind.raw(parent, place))
        arrival.say((), text)


def standing_at(value: Any) -> tuple[Any, Any]:
    """The parent of ``value`` and its place there today."""
    parent = state_of(value).parent
    return parent, parent.__rapyer_node__.place_of(parent, value)


async def load_place(owner: Any) -> Any:
    """Read what is stored where ``owner`` stands; returns the live value there, or what is queued."""
    change = PlaceLoaded(owner)
    queued = await perform(change)
    return queued if isinstance(queued, Queued) else change.standing
