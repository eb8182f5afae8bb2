"""Places: what a pointer leads to inside a document, and what can be done there whatever its type.

The typed operations are methods of the live values; here is what holds for every place: set it, delete
it, toggle it. The command line resolves its targets through this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from rapyer.batch.batch import perform
from rapyer.batch.change import Change, ComposedChange
from rapyer.errors import PathNotFound, WrongTypeError
from rapyer.models.node import ModelNode
from rapyer.models.raw import RawDocument
from rapyer.paths import Path, format_target
from rapyer.schema.of_models import model_spec
from rapyer.schema.spec import ValueSpec
from rapyer.script.call import Primitive
from rapyer.state.links import Document
from rapyer.state.wrapping import native
from rapyer.types.dict import RedisDict
from rapyer.types.list import RedisList
from rapyer.types.loading import set_fields


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
        return format_target(self.document.__rapyer_key__(), self.path)

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
                f"{self.target} is not there", key=self.document.__rapyer_key__()
            ) from None

    async def set(self, value: Any) -> Any:
        """Replace the value, in one atomic step; it is validated first. Sends one EVALSHA (JSON.SET)."""
        return await perform(self._set_change(value))

    def _set_change(self, value: Any) -> Change:
        parent = self.parent
        if parent is None:
            return self._replace_document(value)
        if isinstance(parent, RedisDict):
            return parent._set_change("set", {self.segment: value})
        if isinstance(parent, RedisList):
            if not -len(parent) <= self.segment < len(parent):
                raise PathNotFound(
                    f"index {self.segment} is out of range of a list of {len(parent)}"
                )
            return parent._set_change("set", self.segment, value)
        if isinstance(parent, ModelNode):
            return set_fields(parent, {self.segment: value})
        raise WrongTypeError(
            f"{self.target} cannot be set by itself: it is inside a value of another type"
        )

    def _replace_document(self, value: Any) -> Change:
        document: Any = self.document
        if isinstance(document, RawDocument):
            text = self.spec.to_json(value)
            new = native(value)

            def take_over() -> None:
                document._value = new
        else:
            valid = self.spec.validate_python(
                native(value) if isinstance(value, ModelNode) else value
            )
            text = self.spec.to_json(valid)

            def take_over() -> None:
                document.__rapyer_adopt__(valid)

        def primitives(path: Path) -> list[Primitive]:
            return [Primitive("save", (), (text, b"xx", b""))]

        return ComposedChange("set", document, document, primitives, take_over)

    async def delete(self) -> Any:
        """Delete the dict entry, list item or whole document. A model's field cannot be deleted."""
        parent = self.parent
        if parent is None:
            document: Any = self.document
            return await document.delete()
        if isinstance(parent, RedisDict):
            return await perform(parent._remove_change("del", self.segment))
        if isinstance(parent, RedisList):
            return await perform(parent._pop_change("del", self.segment, b"strict"))
        raise WrongTypeError(f"{self.target} is a field of a model: it can be set, not deleted")

    async def toggle(self) -> bool:
        """Negate a bool, whatever it is by then; returns the new value. Sends one EVALSHA."""
        value = self.value
        if not isinstance(value, bool):
            raise WrongTypeError(f"{self.target} is not a bool but {type(value).__name__}")
        spec, path = self.spec, self.path

        def rewrite(text: bytes) -> tuple[bytes, Any]:
            new = not spec.validate_json(text)
            return spec.to_json(spec.validate_python(new)), new

        guess = spec.to_json(value)

        def primitives(_: Path) -> list[Primitive]:
            return [Primitive("cas", path, (), rewrite, guess)]

        def put(new: bool) -> None:
            self.parent.__rapyer_put__(self.segment, new)

        change = ComposedChange(
            "toggle",
            self.document,
            self.parent,
            primitives,
            lambda: put(not self.value),
            lambda answers: answers[0],
            lambda answers, stamp: put(answers[0]),
        )
        return await perform(change)  # type: ignore[no-any-return]


def resolve(document: Document, pointer: Sequence[str]) -> Place:
    """The place that ``pointer`` leads to in the loaded ``document``.

    Segments are field names, dict keys and list indices (negative from the end). The last one may name
    an entry that does not exist yet. Raises :class:`~rapyer.errors.PathNotFound`.
    """
    if isinstance(document, RawDocument):
        place = Place(document, None, None, (), document.__rapyer_child_spec__(None))
    else:
        place = Place(document, None, None, (), model_spec(type(document)))  # type: ignore[arg-type]
    for segment in pointer:
        place = _step(place, segment)
    return place


def _step(place: Place, segment: str) -> Place:
    value = place.value
    key = place.document.__rapyer_key__()
    if isinstance(value, RedisDict):
        try:
            name = value._key(_key_of_text(value, segment))
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]["msg"]
            raise PathNotFound(
                f"{place.target}: {segment!r} cannot be one of its keys: {problem}", key=key
            ) from error
        path = (*place.path, value._key_text(name))
        return Place(place.document, value, name, path, value.__rapyer_child_spec__(name))
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
            place.document, value, index, (*place.path, index), value.__rapyer_child_spec__(index)
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
            value.__rapyer_child_spec__(segment),
        )
    if isinstance(value, BaseModel | dict | list | tuple):
        raise WrongTypeError(f"{place.target} can only be read and set as a whole")
    raise PathNotFound(
        f"{place.target} is a {type(native(value)).__name__}: there is nothing inside it", key=key
    )


def _key_of_text(container: RedisDict[Any, Any], text: str) -> Any:
    spec = container.__rapyer_spec_of__()
    if spec.core["type"] == "typed-dict" or spec.key.python_type is str:
        return text
    return spec.key.parse_text(text)
