"""Places: what a pointer leads to inside a document, and what can be done there whatever its type.

The typed operations are methods of the live values; here is what holds for every place: set it, delete
it, toggle it. The command line resolves its targets through this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from rapyer.batch.arrival import Arrival
from rapyer.batch.change import Change
from rapyer.batch.perform import perform
from rapyer.errors import PathNotFound, WrongTypeError
from rapyer.models.assignment import set_fields
from rapyer.models.node import ModelNode
from rapyer.models.raw import RawDocument
from rapyer.models.whole import DocumentSaved
from rapyer.paths import Path, format_target
from rapyer.schema.of_models import model_spec
from rapyer.schema.spec import ValueSpec
from rapyer.script.call import Primitive
from rapyer.state.node import Document, document_key
from rapyer.state.wrapping import native
from rapyer.types import dict_changes, list_changes
from rapyer.types.dict import RedisDict
from rapyer.types.dict_node import DICT
from rapyer.types.list import RedisList


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a loaded document.

    ``parent`` holds the value under ``segment`` (a field name, a dict key as Python value, an index);
    it is None for the whole document. ``path`` is the path as stored, ``spec`` what the annotation says.
    """

    document: Document
    parent: Any
    segment: Any
    path: Path
    spec: ValueSpec

    @property
    def target(self) -> str:
        """The place as target text: ``BlogPost:42/tags/0``."""
        return format_target(document_key(self.document), self.path)

    @property
    def exists(self) -> bool:
        """Whether there is a value now; a new dict key or an unset field has none yet."""
        try:
            self.value  # noqa: B018
        except PathNotFound:
            return False
        return True

    @property
    def value(self) -> Any:
        """The live value (or plain bool, None, enum …). Raises ``PathNotFound`` when there is none."""
        if self.parent is None:
            return self.document.value if isinstance(self.document, RawDocument) else self.document
        try:
            if isinstance(self.parent, RedisList | RedisDict):
                return self.parent[self.segment]
            return getattr(self.parent, self.segment)
        except (LookupError, AttributeError):
            raise PathNotFound(
                f"{self.target} is not there", key=document_key(self.document)
            ) from None

    async def set(self, value: Any) -> Any:
        """Replace the value, in one atomic step; it is validated first. Sends one EVALSHA (JSON.SET)."""
        return await perform(self._set_change(value))

    def _set_change(self, value: Any) -> Change:
        parent = self.parent
        if parent is None:
            return _document_replaced(self.document, self.spec, value)
        if isinstance(parent, RedisDict):
            return dict_changes.set_entries(parent, "set", {self.segment: value})
        if isinstance(parent, RedisList):
            if not -len(parent) <= self.segment < len(parent):
                raise PathNotFound(
                    f"index {self.segment} is out of range of a list of {len(parent)}"
                )
            return list_changes.set_item(parent, "set", self.segment, value)
        if isinstance(parent, ModelNode):
            return set_fields(parent, {self.segment: value})
        raise WrongTypeError(
            f"{self.target} cannot be set by itself: it is inside a value of another type"
        )

    async def delete(self) -> Any:
        """Delete the dict entry, list item or whole document. A model's field cannot be deleted."""
        parent = self.parent
        if parent is None:
            document: Any = self.document
            return await document.delete()
        if isinstance(parent, RedisDict):
            return await perform(dict_changes.remove(parent, "del", self.segment))
        if isinstance(parent, RedisList):
            return await perform(list_changes.pop(parent, "del", self.segment, b"strict"))
        raise WrongTypeError(f"{self.target} is a field of a model: it can be set, not deleted")

    async def toggle(self) -> bool:
        """Negate a bool, whatever it is by then; returns the new value. Sends one EVALSHA."""
        value = self.value
        if not isinstance(value, bool):
            raise WrongTypeError(f"{self.target} is not a bool but {type(value).__name__}")
        return await perform(_Toggled(self))  # type: ignore[no-any-return]


class _Toggled(Change):
    """A bool becomes the other one. Compared and set."""

    __slots__ = ("_place", "owner", "touched")
    verb = "toggle"

    def __init__(self, place: Place) -> None:
        self._place = place
        self.owner, self.touched = place.document, place.parent

    def primitives(self, path: Path) -> Sequence[Primitive]:
        place = self._place
        guess = place.spec.to_json(place.value)
        return [Primitive("cas", place.path, (), self._rewrite, guess)]

    def _rewrite(self, text: bytes) -> tuple[bytes, Any]:
        spec = self._place.spec
        new = not spec.validate_json(text)
        return spec.to_json(spec.validate_python(new)), new

    def local(self) -> None:
        self._put(not self._place.value)

    def _put(self, new: bool) -> None:
        parent = self._place.parent
        parent.__rapyer_node__.put(parent, self._place.segment, new)

    def decode(self, answers: Sequence[Any]) -> Any:
        return answers[0]

    def settle(self, arrival: Arrival) -> None:
        self._put(answer := arrival.answers[0])
        arrival.say(self._place.path, self._place.spec.to_json(answer))

    def places(self, path: Path) -> Sequence[Path]:
        return [self._place.path]


class _DocumentReplaced(DocumentSaved):
    """A whole document becomes another value, here and on the server."""

    __slots__ = ()

    def depart(self) -> None:
        self.local()

    def local(self) -> None:
        self.owner.__rapyer_node__.adopt_document(self.owner, self.text)


def _document_replaced(document: Any, spec: ValueSpec, value: Any) -> Change:
    valid = spec.accept(native(value) if isinstance(value, ModelNode) else value)
    change = _DocumentReplaced(document, spec.to_json(valid), {}, b"xx", b"", "set")
    change.touched = document
    return change


def resolve(document: Document, pointer: Sequence[str]) -> Place:
    """The place that ``pointer`` leads to in the loaded ``document``.

    Segments are field names, dict keys and list indices (negative from the end). The last one may name
    an entry that does not exist yet. Raises :class:`~rapyer.errors.PathNotFound`.
    """
    if isinstance(document, RawDocument):
        place = Place(document, None, None, (), document.__rapyer_node__.child_spec(document, None))
    else:
        place = Place(document, None, None, (), model_spec(type(document)))  # type: ignore[arg-type]
    for segment in pointer:
        place = _step(place, segment)
    return place


def _step(place: Place, segment: str) -> Place:
    value = place.value
    key = document_key(place.document)
    if isinstance(value, RedisDict):
        try:
            name = DICT.valid_key(value, _key_of_text(value, segment))
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]["msg"]
            raise PathNotFound(
                f"{place.target}: {segment!r} cannot be one of its keys: {problem}", key=key
            ) from error
        path = (*place.path, DICT.key_text(value, name))
        return Place(place.document, value, name, path, DICT.child_spec(value, name))
    if isinstance(value, RedisList):
        try:
            index = int(segment)
        except ValueError:
            raise PathNotFound(
                f"{place.target} is a list: {segment!r} is not an index", key=key
            ) from None
        if not -len(value) <= index < len(value):
            raise PathNotFound(
                f"{place.target} has {len(value)} items: there is no index {index}", key=key
            )
        index %= len(value)
        return Place(
            place.document,
            value,
            index,
            (*place.path, index),
            value.__rapyer_node__.child_spec(value, index),
        )
    if isinstance(value, ModelNode):
        fields = type(value).__pydantic_fields__  # type: ignore[attr-defined]
        if segment not in fields:
            known = ", ".join(fields)
            raise PathNotFound(f"{place.target} has no field {segment!r}; it has {known}", key=key)
        return Place(
            place.document,
            value,
            segment,
            (*place.path, segment),
            value.__rapyer_node__.child_spec(value, segment),
        )
    if isinstance(value, BaseModel | dict | list | tuple):
        raise WrongTypeError(f"{place.target} can only be read and set as a whole")
    raise PathNotFound(
        f"{place.target} is a {type(native(value)).__name__}: there is nothing inside it", key=key
    )


def _key_of_text(container: RedisDict[Any, Any], text: str) -> Any:
    spec = DICT.spec_of(container)
    if spec.core["type"] == "typed-dict" or spec.key.python_type is str:
        return text
    return spec.key.parse_text(text)
