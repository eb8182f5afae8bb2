"""Changes of whatever stands at a place: writing it as it is here, reading it again, putting another there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from rapyer.batch.arrival import Arrival
from rapyer.batch.change import Change
from rapyer.errors import DetachedError
from rapyer.paths import Path, format_target
from rapyer.schema.document_errors import document_error
from rapyer.schema.spec import ValueSpec
from rapyer.script.call import Primitive
from rapyer.state.node import key_of, locate, parent_of, state_of


class PlaceSaved(Change):
    """The local value of a place is written there. Sends JSON.SET."""

    __slots__ = ("_text", "owner", "touched", "verb")

    def __init__(self, owner: Any) -> None:
        self.verb, self.owner, self.touched = "save", owner, None
        locate(owner)
        parent, place = standing_at(owner)
        kind = parent.__rapyer_node__
        self._text = kind.child_spec(parent, place).to_json(kind.raw(parent, place))

    def primitives(self, path: Path) -> Sequence[Primitive]:
        return (Primitive("set", path, (self._text, b"")),)

    def settle(self, arrival: Arrival) -> None:
        arrival.say((), self._text)


class PlaceLoaded(Change):
    """The local value of a place becomes what is stored there. Sends JSON.GET."""

    __slots__ = ("_key", "_path", "_spec", "owner", "touched", "verb")
    effect = "read"

    def __init__(self, owner: Any) -> None:
        self.verb, self.owner, self.touched = "load", owner, None
        document, self._path = locate(owner)
        self._key = key_of(document)
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
        kind.take(parent, place, fresh)
        text = kind.child_spec(parent, place).to_json(kind.raw(parent, place))
        arrival.say((), text)


def standing_at(value: Any) -> tuple[Any, Any]:
    """The parent of ``value`` and its place there today."""
    parent = state_of(value).parent
    return parent, parent.__rapyer_node__.place_of(parent, value)


def current(value: Any) -> Any:
    """What stands where ``value`` stood: itself, or what has succeeded an immutable value."""
    parent = parent_of(value)
    kind = parent.__rapyer_node__
    place = kind.place_of(parent, value)
    return kind.put(parent, place, kind.raw(parent, place))
