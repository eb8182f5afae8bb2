"""Validating and writing the values of one annotation: document schemas, compiled when they are needed.

:class:`Converter` is the part of a spec (:mod:`rapyer.schema.spec`) that turns values into stored JSON and back.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import CoreSchema, SchemaSerializer, SchemaValidator

from rapyer.errors import InvalidValueError
from rapyer.schema import walking, wording
from rapyer.schema.marks import count_subclasses, incomplete_subclasses
from rapyer.schema.numbers import is_fragile
from rapyer.schema.reading_form import Reading, bounded, differs, patient
from rapyer.schema.stored_form import STORED_CONFIG, Stored
from rapyer.schema.walking import Schema

_MAY_NAME_CLASSES = ("model", "dataclass", "tagged-union", "definition-ref")
"""The types of schemas that say something of a class, or of what is defined elsewhere."""
_UNVALIDATED = frozenset(
    {"model", "dataclass", "set", "tuple", "deque", "counter", "ordered-dict"}
    | {"call", "is-instance", "function-wrap", "function-plain"}
)
"""Schemas of what is handed in or out as it is; those of some collections are functions."""


class Origin:
    """The document that specs are parts of: it notices subclasses that were defined since.

    ``make`` makes its schema anew; the names in ``definitions`` stay, what they stand for may change.
    """

    __slots__ = ("_count", "_make", "_waiting", "definitions", "nested", "version")

    def __init__(self, stored: Stored, make: Callable[[], Stored]) -> None:
        self.definitions = dict(stored.definitions)
        self.version = 0
        self._make = make
        self._note(stored)

    def _note(self, stored: Stored) -> None:
        self.nested = stored.nested
        self._count = count_subclasses(stored.nested)
        self._waiting = incomplete_subclasses(stored.nested)

    def concerns(self, schema: Schema) -> bool:
        """Whether subclasses defined later may change what ``schema``, a part of the document's, means."""
        return bool(self.nested) and walking.mentions(schema, *_MAY_NAME_CLASSES)

    def current(self) -> int:
        """The version that holds now."""
        if self._count != count_subclasses(self.nested) or (
            self._waiting and any(cls.__pydantic_complete__ for cls in self._waiting)
        ):
            stored = self._make()
            self.definitions.update(stored.definitions)
            self._note(stored)
            self.version += 1
        return self.version


class Converter:
    """Converts between the values that a document schema describes and their stored JSON."""

    def __init__(
        self,
        schema: Schema,
        definitions: dict[str, Schema],
        config: Schema,
        origin: Origin | None = None,
    ) -> None:
        self.schema = schema
        self.definitions = definitions
        self.config = config
        self._origin = origin if origin is not None and origin.concerns(schema) else None
        self._version = 0 if origin is None else origin.version

    def _agree(self) -> None:
        """Forget what was made before a nested class got a subclass."""
        origin = self._origin
        if origin is not None and self._version != origin.current():
            self._version = origin.version
            self._forget()

    def _forget(self) -> None:
        """Drop everything that was made of the schema."""
        for name in _made_by(type(self)):
            self.__dict__.pop(name, None)

    # -- compiling -------------------------------------------------------------------------------

    def _compile(self, change: Callable[[Schema], Schema] | None) -> SchemaValidator:
        definitions, schema = self.definitions, self.schema
        if change is not None:
            definitions = walking.reachable(schema, definitions)
            definitions = {name: _named(name, inner, change) for name, inner in definitions.items()}
            schema = change(schema)
        made = walking.complete(schema, definitions)
        return SchemaValidator(cast(CoreSchema, made), self._core_config(), _use_prebuilt=False)

    def _core_config(self) -> Any:
        return {**self.config, **STORED_CONFIG}

    @cached_property
    def _validator(self) -> SchemaValidator:
        return self._compile(bounded)

    @cached_property
    def _loader(self) -> SchemaValidator:
        return self._compile(self._reading if differs(self.schema, self.definitions) else None)

    @cached_property
    def _reading(self) -> Callable[[Schema], Schema]:
        return Reading(self.schema, self.definitions)

    @cached_property
    def _patient_loader(self) -> SchemaValidator:
        reading = self._reading
        return self._compile(lambda schema: patient(reading(schema)))

    @cached_property
    def _serializer(self) -> SchemaSerializer:
        made = walking.complete(self.schema, self.definitions)
        return SchemaSerializer(cast(CoreSchema, made), self._core_config(), _use_prebuilt=False)

    # -- converting ------------------------------------------------------------------------------

    def validate_python(self, value: Any) -> Any:
        """The native value that ``value`` stands for; raises :class:`pydantic.ValidationError`."""
        self._agree()
        return self._validator.validate_python(value)

    def accept(self, value: Any) -> Any:
        """The native value that ``value``, which somebody gives, stands for; raises :class:`pydantic.ValidationError`.

        Pydantic takes an instance of a dataclass or model as it is, however it was made or changed. What could
        not be read any more once it is stored is refused here.
        """
        valid = self.validate_python(value)
        if self.takes_objects:
            self.validate_json(self.to_json(valid))
        return valid

    @cached_property
    def takes_objects(self) -> bool:
        """Whether values may be or hold objects that can be made or changed without any validation."""
        return any(
            one["type"] in _UNVALIDATED for one in walking.everything(self.schema, self.definitions)
        )

    def validate_json(self, text: bytes | str) -> Any:
        """The native value that stored JSON ``text`` stands for; raises ``ValidationError``.

        A field is looked for under its own name; where that is absent, under the names that its
        ``validation_alias`` allows.
        """
        self._agree()
        try:
            return self._loader.validate_json(text, by_alias=True, by_name=False)
        except ValidationError as error:
            if not any(entry["type"].startswith("datetime") for entry in error.errors()):
                raise
            return self._patient_loader.validate_json(text, by_alias=True, by_name=False)

    def validate_assignment(self, model: BaseModel, name: str, value: Any) -> Any:
        """Pydantic's validation of one assignment, field and model validators included."""
        self._agree()
        return self._validator.validate_assignment(model, name, value)

    def to_json(self, value: Any) -> bytes:
        """The stored form of ``value``, whatever of it is written: with the mark of a subclass.

        Raises :class:`~rapyer.errors.InvalidValueError` for what JSON in Redis cannot hold exactly.
        """
        data = self._written(value)
        is_fragile(data)  # refuses numbers that cannot be stored at all
        return data

    def is_written(self, value: Any, text: bytes) -> bool:
        """Whether ``text``, which is stored, is the stored form of ``value``."""
        self._agree()
        try:
            return self._serializer.to_json(value, by_alias=False, warnings=False) == text
        except ValueError:
            return False

    def to_checked_json(self, value: Any) -> tuple[bytes, bool]:
        """As :meth:`to_json`, and whether the server would misread a number (``is_fragile``)."""
        data = self._written(value)
        return data, is_fragile(data)

    def _written(self, value: Any) -> bytes:
        self._agree()
        try:
            return self._serializer.to_json(value, by_alias=False, warnings=False)
        except ValueError as error:
            raise InvalidValueError(
                f"{wording.describe(self.schema, self.definitions)} cannot be stored as JSON: {error}"
            ) from error


def _made_by(cls: type[Any]) -> tuple[str, ...]:
    """The names of what a spec makes of its schema when it is first asked."""
    return tuple(
        name
        for base in cls.__mro__
        for name, made in vars(base).items()
        if isinstance(made, cached_property)
    )


def _named(name: str, schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """A definition after ``change``, which may have put something around it."""
    bare = {key: value for key, value in schema.items() if key != "ref"}
    return {**change(bare), "ref": name}
