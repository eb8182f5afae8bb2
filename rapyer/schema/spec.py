"""What an annotation says about a value: how it is validated, stored, navigated and described.

:class:`ValueSpec` compiles and walks the document schemas of :mod:`rapyer.schema.stored_form`. Values are only
converted here; where they live and how they reach the server is not this module's business.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import CoreSchema, SchemaSerializer, SchemaValidator

from rapyer.errors import InvalidValueError
from rapyer.schema.numbers import is_fragile
from rapyer.schema.stored_form import (
    POLYMORPHIC,
    STORED_CONFIG,
    Schema,
    bounded_schema,
    count_subclasses,
    document_schema,
    loading_schema,
    mentions,
    patient_schema,
)

SPEC_ATTRIBUTE = "__rapyer_spec__"


class Bounds(NamedTuple):
    """The constraints of a number that the server itself can hold; empty text does not bind."""

    ge: str = ""
    gt: str = ""
    le: str = ""
    lt: str = ""


_TRANSPARENT = (
    "default",
    "nullable",
    "function-before",
    "function-after",
    "function-wrap",
    "custom-error",
)
_PYTHON_TYPES: dict[str, type] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "bytes": bytes,
    "datetime": datetime,
    "list": list,
    "dict": dict,
    "typed-dict": dict,
}
_JSON_ARGUMENTS = (
    "list",
    "dict",
    "model",
    "typed-dict",
    "tagged-union",
    "tuple",
    "set",
    "frozenset",
    "dataclass",
)
_ANY: Schema = {"type": "any"}


class ValueSpec:
    """What one annotation says about one value.

    ``schema`` is the document schema of the value, ``core`` the part of it that describes the value
    itself when wrappers (defaults, None, validators, unions) are peeled off.
    """

    def __init__(self, schema: Schema, definitions: dict[str, Schema], config: Schema) -> None:
        self.schema = schema
        self.definitions = definitions
        self.config = config
        self.source: Schema | None = None
        self.nested: tuple[type[BaseModel], ...] = ()
        self.subclasses = 0
        self.model_fields: tuple[str, ...] | None = None
        self._children: dict[Any, ValueSpec] = {}

    # -- compiling -------------------------------------------------------------------------------

    def _complete(self, schema: Schema) -> CoreSchema:
        if self.definitions:
            schema = {
                "type": "definitions",
                "schema": schema,
                "definitions": list(self.definitions.values()),
            }
        return cast(CoreSchema, schema)

    def _core_config(self) -> Any:
        return {**self.config, **STORED_CONFIG}

    @cached_property
    def _compiled(self) -> SchemaValidator:
        return SchemaValidator(
            self._complete(self.schema), self._core_config(), _use_prebuilt=False
        )

    @cached_property
    def _validator(self) -> SchemaValidator:
        return self._changed(bounded_schema)._compiled

    @cached_property
    def _loader(self) -> SchemaValidator:
        schemas = (self.schema, *self.definitions.values())
        if all(any(mentions(schema, kind) for schema in schemas) for kind in ("bytes", "function")):
            return self._changed(loading_schema)._compiled
        return self._compiled

    @cached_property
    def _patient_loader(self) -> SchemaValidator:
        return self._changed(patient_schema)._loader

    def _changed(self, change: Callable[[Schema], Schema]) -> ValueSpec:
        definitions = {name: change(schema) for name, schema in self.definitions.items()}
        return ValueSpec(change(self.schema), definitions, self.config)

    @cached_property
    def _serializer(self) -> SchemaSerializer:
        return SchemaSerializer(
            self._complete(self.schema), self._core_config(), _use_prebuilt=False
        )

    # -- converting ------------------------------------------------------------------------------

    def validate_python(self, value: Any) -> Any:
        """The native value that ``value`` stands for; raises :class:`pydantic.ValidationError`."""
        return self._validator.validate_python(value)

    def validate_json(self, text: bytes | str) -> Any:
        """The native value that stored JSON ``text`` stands for; raises ``ValidationError``."""
        try:
            return self._loader.validate_json(text, by_alias=False, by_name=True)
        except ValidationError as error:
            if not any(entry["type"].startswith("datetime") for entry in error.errors()):
                raise
            return self._patient_loader.validate_json(text, by_alias=False, by_name=True)

    def validate_assignment(self, model: BaseModel, name: str, value: Any) -> Any:
        """Pydantic's validation of one assignment, field and model validators included."""
        return self._validator.validate_assignment(model, name, value)

    def to_json(self, value: Any) -> bytes:
        """The stored form of ``value``.

        Raises :class:`~rapyer.errors.InvalidValueError` for what JSON in Redis cannot hold exactly.
        """
        data = self._written(value)
        is_fragile(data)  # refuses numbers that cannot be stored at all
        return data

    def is_written(self, value: Any, text: bytes) -> bool:
        """Whether ``text``, which is stored, is the stored form of ``value``."""
        try:
            return self._serializer.to_json(value, by_alias=False, warnings=False) == text
        except ValueError:
            return False

    def to_checked_json(self, value: Any) -> tuple[bytes, bool]:
        """As :meth:`to_json`, and whether the server would misread a number (``is_fragile``)."""
        data = self._written(value)
        return data, is_fragile(data)

    def _written(self, value: Any) -> bytes:
        try:
            return self._serializer.to_json(value, by_alias=False, warnings=False)
        except ValueError as error:
            raise InvalidValueError(
                f"{self.describe()} cannot be stored as JSON: {error}"
            ) from error

    def parse_text(self, text: str) -> Any:
        """The value that one command-line argument means for this annotation.

        Text fields take it literally, scalars, enums and datetimes as Pydantic parses strings,
        containers and models as JSON. Raises :class:`pydantic.ValidationError`.
        """
        if text == "null" and self.accepts_none and self.python_type is not str:
            return None
        kind = self.core["type"]
        if kind in _JSON_ARGUMENTS:
            return self.validate_json(text)
        if kind == "any":
            return self.validate_json(_as_json(text))
        if self.python_type in (str, bytes):
            return self.validate_python(text)
        try:
            return self._validator.validate_strings(cast(Any, text))
        except ValueError:
            if kind not in ("union", "literal", "enum") or _as_json(text) != text:
                raise
            return self.validate_json(text)

    # -- navigating ------------------------------------------------------------------------------

    def peel(self, schema: Schema, value: Any = None) -> Schema:
        """``schema`` without its wrappers; of a union the arm that describes ``value``, when given."""
        while True:
            kind = schema["type"]
            if kind == "definition-ref":
                schema = self.definitions[schema["schema_ref"]]
            elif kind == "definitions" or kind in _TRANSPARENT:
                schema = schema["schema"]
            elif kind == "lax-or-strict":
                schema = schema["lax_schema"]
            elif kind == "json-or-python":
                schema = schema["python_schema"]
            elif kind == "chain":
                schema = schema["steps"][-1]
            elif kind == "tagged-union" and POLYMORPHIC in schema.get("metadata", ()):
                schema = schema["metadata"][POLYMORPHIC]
            elif kind in ("union", "tagged-union") and value is not None:
                arm = self._arm(schema, value)
                if arm is None:
                    return schema
                schema = arm
            else:
                return schema

    def _arms(self, schema: Schema) -> Iterator[Schema]:
        choices = schema["choices"]
        for choice in choices.values() if isinstance(choices, dict) else choices:
            yield choice[0] if isinstance(choice, tuple) else choice

    def _arm(self, schema: Schema, value: Any) -> Schema | None:
        fitting = []
        for arm in self._arms(schema):
            core = self.peel(arm, value)
            if core["type"] == "model":
                if isinstance(value, core["cls"]):
                    fitting.append(arm)
            elif isinstance(value, _PYTHON_TYPES.get(core["type"], object)):
                fitting.append(arm)
        if len(fitting) > 1:
            for arm in fitting:
                try:
                    self._derived(arm).validate_python(value)
                except ValueError:
                    continue
                return arm
        return fitting[0] if fitting else None

    @cached_property
    def core(self) -> Schema:
        return self.peel(self.schema)

    def of(self, value: Any) -> ValueSpec:
        """This spec narrowed to the arm of a union that describes ``value``."""
        if self.core["type"] not in ("union", "tagged-union"):
            return self
        return self._derived(self.peel(self.schema, value))

    def _derived(self, schema: Schema) -> ValueSpec:
        return ValueSpec(schema, self.definitions, self.config)

    def _child(self, cache_key: Any, schema: Schema | None) -> ValueSpec:
        spec = self._children.get(cache_key)
        if spec is None:
            spec = self._children[cache_key] = self._derived(_ANY if schema is None else schema)
        return spec

    @property
    def item(self) -> ValueSpec:
        """The spec of a list's items."""
        return self._child(list, self.core.get("items_schema"))

    @property
    def value(self) -> ValueSpec:
        """The spec of a dict's values."""
        return self._child(dict, self.core.get("values_schema"))

    @property
    def key(self) -> ValueSpec:
        """The spec of a dict's keys."""
        return self._child("key", self.core.get("keys_schema") or {"type": "str"})

    def _fields(self) -> dict[str, Schema]:
        core = self.core
        if core["type"] == "model":
            core = self.peel(core["schema"])
        fields = core.get("fields")
        return fields if isinstance(fields, dict) else {}

    @cached_property
    def extras(self) -> ValueSpec | None:
        """The spec of a model's extra fields, where something is said of them."""
        core = self.core
        if core["type"] == "model":
            core = self.peel(core["schema"])
        schema = core.get("extras_schema")
        return None if schema is None else self._derived(schema)

    def field_names(self) -> list[str]:
        """The names of a model's (or typed dict's) fields; empty for anything else."""
        return list(self._fields())

    def field(self, name: str) -> ValueSpec:
        """The spec of a model's field."""
        spec = self._children.get(name)
        if spec is None:
            spec = self._children[name] = self._derived(self._fields()[name]["schema"])
        return spec

    def child(self, segment: str | int) -> ValueSpec:
        """The spec of what ``segment`` leads to; accepts anything where nothing is known."""
        kind = self.core["type"]
        if kind == "list" and isinstance(segment, int):
            return self.item
        if kind == "dict":
            return self.value
        if isinstance(segment, str) and segment in self._fields():
            return self.field(segment)
        return self._child(object, None)

    # -- describing ------------------------------------------------------------------------------

    @property
    def python_type(self) -> type:
        """The builtin type of the value, its model class, or ``object`` where that is not known."""
        core = self.core
        if core["type"] in ("model", "enum", "dataclass"):
            return cast(type, core["cls"])
        if core["type"] == "any":
            return object
        return _PYTHON_TYPES.get(core["type"], object)

    @property
    def model(self) -> type[BaseModel] | None:
        """The model class of the value, if it is a model."""
        return cast("type[BaseModel]", self.core["cls"]) if self.core["type"] == "model" else None

    @cached_property
    def accepts_none(self) -> bool:
        """Whether None is a valid value."""
        schema = self.schema
        while schema["type"] in ("default", "function-before", "function-after", "function-wrap"):
            schema = schema["schema"]
        if schema["type"] == "union":
            return any(self.peel(arm)["type"] == "none" for arm in self._arms(schema))
        return schema["type"] in ("nullable", "any", "none")

    @cached_property
    def has_validators(self) -> bool:
        """Whether functions of the user's take part in validating the value as a whole."""
        schema = self.schema
        while schema is not self.core:
            if schema["type"].startswith("function-") or schema["type"] in ("chain", "union"):
                return True
            inner = schema.get("schema")
            if inner is None:
                return False
            schema = inner
        return False

    @cached_property
    def bounds(self) -> Bounds | None:
        """The bounds of a number, or None when only Pydantic can check its constraints."""
        core = self.core
        if self.has_validators or core.get("multiple_of") is not None or core.get("strict"):
            return None
        limits = {name: core.get(name) for name in Bounds._fields}
        return Bounds(**{k: "" if v is None else str(v) for k, v in limits.items()})

    @cached_property
    def encoded_bounds(self) -> tuple[bytes, ...]:
        """:attr:`bounds` as the script takes them; those that do not bind are empty."""
        return tuple(bound.encode() for bound in self.bounds or ())

    @property
    def min_length(self) -> int | None:
        """The least length of a list, dict or string."""
        return cast("int | None", self.core.get("min_length"))

    @property
    def max_length(self) -> int | None:
        """The greatest length of a list, dict or string."""
        return cast("int | None", self.core.get("max_length"))

    @cached_property
    def is_unlimited(self) -> bool:
        """Whether entries may come and go as they like: nobody validates the whole, nobody counts."""
        return not self.has_validators and self.min_length is None and self.max_length is None

    @cached_property
    def takes_any_text(self) -> bool:
        """Whether every ``str`` is a value as it is."""
        return self.core["type"] == "str" and not self.constrained

    @cached_property
    def constrained(self) -> bool:
        """Whether a text field has constraints that only Pydantic can check."""
        return self.has_validators or any(
            self.core.get(name)
            for name in (
                "pattern",
                "min_length",
                "max_length",
                "to_lower",
                "to_upper",
                "strip_whitespace",
            )
        )

    def describe(self) -> str:
        """The annotation as a person would write it, with its constraints: ``list[int >= 0]``."""
        from rapyer.schema.wording import describe

        return describe(self)

    def example(self) -> str:
        """A value a person could type for this annotation."""
        from rapyer.schema.wording import example

        return example(self)

    def choices(self) -> list[str]:
        """The values of an enum, Literal or bool; empty for open types."""
        from rapyer.schema.wording import choices

        return choices(self)


def _as_json(text: str) -> str:
    try:
        json.loads(text)
    except ValueError:
        return json.dumps(text)
    return text


def any_spec() -> ValueSpec:
    """The spec that accepts every JSON value."""
    return ValueSpec(_ANY, {}, {})


def native_class(cls: type[BaseModel]) -> type[BaseModel]:
    """The user's class behind a model class: the class itself, or what a live view of it shows."""
    return cast("type[BaseModel]", cls.__dict__.get("__rapyer_native__", cls))


def model_spec(cls: type[BaseModel]) -> ValueSpec:
    """The spec of the whole documents (or nested values) of model class ``cls``.

    Made once, and again when the class is rebuilt or a nested model's class gets a subclass.
    """
    spec = cls.__dict__.get(SPEC_ATTRIBUTE)
    if spec is not None and _is_current(spec, cls):
        return cast(ValueSpec, spec)
    cls = native_class(cls)
    spec = cls.__dict__.get(SPEC_ATTRIBUTE)
    if spec is not None and _is_current(spec, cls):
        return cast(ValueSpec, spec)
    if not cls.__pydantic_complete__:
        cls.model_rebuild()
    stored = document_schema(cls)
    config = dict(ValueSpec(stored.schema, stored.definitions, {}).core.get("config", {}))
    config.pop("title", None)
    spec = ValueSpec(stored.schema, stored.definitions, config)
    spec.source = cast(Schema, cls.__pydantic_core_schema__)
    spec.nested = stored.nested
    spec.subclasses = count_subclasses(stored.nested)
    type.__setattr__(cls, SPEC_ATTRIBUTE, spec)
    return spec


def field_spec(cls: type[BaseModel], name: str) -> ValueSpec:
    """The spec of one field of ``cls``, without asking whether a class got a subclass meanwhile.

    Only for live models, which have, or inherit from the plain class they show, a spec of their own.
    """
    spec: ValueSpec | None = getattr(cls, SPEC_ATTRIBUTE, None)
    if spec is None:
        spec = model_spec(cls)
    found: ValueSpec | None = spec._children.get(name)
    return spec.field(name) if found is None else found


def fields_with_models(cls: type[BaseModel]) -> tuple[str, ...]:
    """The fields of ``cls`` in whose values there can be models."""
    spec = getattr(cls, SPEC_ATTRIBUTE, None) or model_spec(cls)
    if spec.model_fields is None:
        spec.model_fields = tuple(
            name
            for name in spec.field_names()
            if mentions(spec.field(name).schema, "model", "definition-ref")
        )
    return spec.model_fields


def _is_current(spec: ValueSpec, cls: type[BaseModel]) -> bool:
    return spec.source is cls.__dict__.get("__pydantic_core_schema__") and (
        not spec.nested or spec.subclasses == count_subclasses(spec.nested)
    )
