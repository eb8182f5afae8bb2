"""The stored form as a Pydantic core schema.

Pydantic has already turned every annotation into a core schema. :func:`document_schema` rewrites that of
a model into that of its stored documents: base64 bytes, ``isoformat`` datetimes, field names instead of
aliases, no computed fields, nothing excluded, finite numbers, and nested values of a subclass marked with
their class. How it is read back is in :mod:`rapyer.schema.reading_form`; nothing is compiled here, that is
:mod:`rapyer.schema.spec`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple, cast

from pydantic import BaseModel, TypeAdapter

from rapyer.schema import finite
from rapyer.schema.marks import CLASS_TAG, Marks, stored_subclasses, without_mark
from rapyer.schema.pydantic_internals import core_schema_of
from rapyer.schema.walking import DECLARED, Schema, is_root_model, map_schemas, model_of

LIVE_TYPE = "rapyer_live_type"
"""The key in a schema's metadata that names a live type other than that of the native type."""
OUTSIDE = "rapyer_outside"
"""The key in a wrapper's metadata that says that it has no part in the stored form."""
STORED_CONFIG = {
    "ser_json_bytes": "base64",
    "val_json_bytes": "base64",
    "ser_json_inf_nan": "constants",
    "ser_json_timedelta": "iso8601",
    "ser_json_temporal": "iso8601",
    "loc_by_alias": False,
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ONLY_OUTSIDE = ("serialization_alias", "serialization_exclude", "serialization_exclude_if")


def encode_base64(value: bytes) -> str:
    """``value`` as bytes are stored."""
    return base64.b64encode(value).decode("ascii")


def to_timestamp(value: datetime) -> float:
    """The seconds since 1970; a number that would come back as another time is refused."""
    seconds = value.timestamp()
    if value != (from_timestamp(seconds) if value.tzinfo else datetime.fromtimestamp(seconds)):  # noqa: DTZ006
        raise ValueError(
            f"{value.isoformat()} has microseconds that a number of seconds cannot hold"
        )
    return seconds


def from_timestamp(seconds: float) -> datetime:
    """The time that is ``seconds`` after 1970, in UTC, to the microsecond and for all years."""
    return _EPOCH + timedelta(seconds=seconds)


def _serializer(function: Callable[[Any], Any], kind: str = "str") -> Schema:
    return {
        "type": "function-plain",
        "function": function,
        "when_used": "json",
        "return_schema": {"type": kind},
    }


_WRITERS = (encode_base64, datetime.isoformat, to_timestamp, tuple)


def is_of_the_user(serialization: Schema | None) -> bool:
    """Whether a serializer is not one of those by which the stored form itself is written."""
    if serialization is None:
        return False
    function = serialization.get("function")
    return function not in (*_WRITERS, _in_order) and not isinstance(function, finite.FiniteWriter)


def is_timestamp(schema: Schema) -> bool:
    """Whether a datetime is stored as a number."""
    return schema.get("serialization", {}).get("function") is to_timestamp


def _rewrite_bytes(schema: Schema) -> Schema:
    return {"serialization": _serializer(encode_base64), **schema}


def _rewrite_datetime(schema: Schema) -> Schema:
    written = schema.get("serialization", {}).get("return_schema", {}).get("type")
    if LIVE_TYPE in schema.get("metadata", ()) and written == "float":
        return {**schema, "serialization": _serializer(to_timestamp, "float")}
    return {"serialization": _serializer(datetime.isoformat), **schema}


def _rewrite_float(schema: Schema) -> Schema:
    return {**schema, "allow_inf_nan": False}


def _rewrite_configured(schema: Schema) -> Schema:
    schema = {**schema, "config": {**schema.get("config", {}), **STORED_CONFIG}}
    return {**schema, "computed_fields": []} if "computed_fields" in schema else schema


def _rewrite_fields(schema: Schema) -> Schema:
    return {**schema, "computed_fields": []}


def _rewrite_field(schema: Schema) -> Schema:
    field = {name: value for name, value in schema.items() if name not in _ONLY_OUTSIDE}
    field["schema"] = with_fitting_default(field["schema"])
    return field


_REWRITES: dict[str, Callable[[Schema], Schema]] = {
    "bytes": _rewrite_bytes,
    "datetime": _rewrite_datetime,
    "float": _rewrite_float,
    "enum": finite.with_written_form,
    "literal": finite.with_written_form,
    "model": _rewrite_configured,
    "dataclass": _rewrite_configured,
    "typed-dict": _rewrite_configured,
    "model-fields": _rewrite_fields,
    "dataclass-args": _rewrite_fields,
    "model-field": _rewrite_field,
    "dataclass-field": _rewrite_field,
    "typed-dict-field": _rewrite_field,
    "named-tuple-field": _rewrite_field,
}


def _written_as_tuple(schema: Schema) -> Schema:
    """A named tuple as Pydantic before 2.14 has it: a call, whose items are written as whatever they are."""
    cls, parameters = schema["function"], schema["arguments_schema"].get("arguments_schema")
    if not hasattr(cls, "_fields"):
        return schema
    items = [parameter["schema"] for parameter in parameters]
    written = {"type": "tuple", "items_schema": items}
    serialization = {"type": "function-plain", "function": tuple, "return_schema": written}
    return {**schema, "serialization": serialization}


def _in_order(value: Any, handler: Callable[[Any], list[Any]]) -> list[Any]:
    """What is written of a set, which has no order of its own, in one that it always has."""
    written = handler(value)
    try:
        return sorted(written)
    except TypeError:
        return sorted(written, key=lambda one: json.dumps(one, sort_keys=True))


def _written_in_order(schema: Schema) -> Schema:
    serialization = {
        "type": "function-wrap",
        "function": _in_order,
        "schema": schema,
        "when_used": "json",
    }
    return {**schema, "serialization": serialization}


_FINISHES: dict[str, Callable[[Schema], Schema]] = {
    "call": _written_as_tuple,
    "set": _written_in_order,
    "frozenset": _written_in_order,
}
"""What is done to a schema once all schemas inside it are rewritten."""


def with_fitting_default(schema: Schema) -> Schema:
    """A field's schema of whose values its default is one: None makes it optional, 0 of a float is 0.0."""
    if schema.get("type") != "default" or "default" not in schema:
        return schema
    inner, default = schema["schema"], schema["default"]
    kind = inner.get("type")
    if default is None and kind not in ("nullable", "any", "none"):
        return {**schema, "schema": {"type": "nullable", "schema": inner}}
    if type(default) is int and kind == "float":
        return {**schema, "default": float(default)}
    return schema


def standing_alone(schema: Schema, cls: Any) -> Schema:
    """The schema of a field of ``cls`` for its value alone: its serializers get an empty ``self``."""
    changed = schema
    serialization = schema.get("serialization", {})
    if serialization.get("is_field_serializer") and cls is not None:
        bound = partial(serialization["function"], cls.__new__(cls))
        alone = {**serialization, "function": bound, "is_field_serializer": False}
        changed = {**schema, "serialization": alone}
    if isinstance(schema.get("schema"), dict) and schema["type"] not in ("model", "dataclass"):
        inner = standing_alone(schema["schema"], cls)
        if inner is not schema["schema"]:
            changed = {**changed, "schema": inner}
    return changed


class Stored(NamedTuple):
    """A document schema: itself, what it refers to, and the nested classes it was made for."""

    schema: Schema
    definitions: dict[str, Schema]
    nested: tuple[type[Any], ...]


def document_schema(cls: type[BaseModel]) -> Stored:
    """The core schema of the stored documents of ``cls``."""
    builder = _Builder()
    schema = builder.document(core_schema_of(cls))
    return Stored(schema, builder.definitions, tuple(builder.nested))


class _Builder:
    """Collects every schema with a name as a definition, so that none is defined twice."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}
        self.nested: dict[type[Any], None] = {}
        self._given: dict[str, Schema] = {}

    def document(self, schema: Schema) -> Schema:
        """The schema of whole documents, which are of their declared class."""
        schema = self._resolved(schema)
        name = schema.get("ref")
        converted = self._rewrite_named(schema)
        if name is None or name not in self.definitions:
            return converted
        itself = _itself(name)
        return _reference(itself if itself in self.definitions else name)

    def convert(self, schema: Schema) -> Schema:
        kind = schema["type"]
        if kind == "definitions":
            self._take(schema)
            return self.convert(schema["schema"])
        if kind == "definition-ref":
            name = schema["schema_ref"]
            if name in self._given:
                self._define(name, self._given[name])
            return schema
        if "ref" in schema:
            self._define(schema["ref"], schema)
            return _reference(schema["ref"])
        return self._rewrite(schema)

    def _take(self, schema: Schema) -> None:
        for definition in schema["definitions"]:
            self._given.setdefault(definition["ref"], definition)

    def _resolved(self, schema: Schema) -> Schema:
        while True:
            if schema["type"] == "definitions":
                self._take(schema)
                schema = schema["schema"]
            elif schema["type"] == "definition-ref":
                schema = self._given[schema["schema_ref"]]
            else:
                return schema

    def _rewrite(self, schema: Schema) -> Schema:
        if OUTSIDE in schema.get("metadata", ()):
            schema = schema["schema"]
        rewrite = _REWRITES.get(schema["type"])
        if rewrite is not None:
            schema = rewrite(schema)
        schema = map_schemas(schema, self.convert)
        finish = _FINISHES.get(schema["type"])
        return schema if finish is None or "serialization" in schema else finish(schema)

    def _rewrite_named(self, schema: Schema) -> Schema:
        return self._rewrite({key: value for key, value in schema.items() if key != "ref"})

    def _define(self, name: str, schema: Schema) -> None:
        if name in self.definitions:
            return
        self.definitions[name] = {"type": "any", "ref": name}  # it may refer to itself
        converted = self._rewrite_named(schema)
        cls = model_of(schema)
        if cls is not None and not is_root_model(cls):
            self.nested[cls] = None
            subclasses = stored_subclasses(cls)
            if subclasses:
                self.nested.update(dict.fromkeys(subclasses))
                self.definitions[_itself(name)] = {**converted, "ref": _itself(name)}
                converted = self._polymorphic(_reference(_itself(name)), Marks(cls, subclasses))
        self.definitions[name] = {**converted, "ref": name}

    def _polymorphic(self, declared: Schema, marks: Marks) -> Schema:
        """``declared``, or one of its subclasses, which says so."""
        choices = {"": declared}
        choices.update((name, self._marked(*choice)) for name, choice in marks.choices.items())
        return {
            "type": "tagged-union",
            "choices": choices,
            "discriminator": marks.of,
            "metadata": {DECLARED: declared},
        }

    def _marked(self, sub: type[Any], mark: str) -> Schema:
        made = core_schema_of(sub) if issubclass(sub, BaseModel) else TypeAdapter(sub).core_schema
        schema = self._rewrite_named(self._resolved(cast(Schema, made)))
        shaped = _is_shaped(schema)
        marked: Schema = {
            "type": "function-before",
            "function": {"type": "no-info", "function": without_mark},
            "schema": schema if shaped else _with_mark(schema, mark),
        }
        if shaped:
            marked["serialization"] = {
                "type": "function-wrap",
                "function": _adding_mark(mark),
                "schema": schema,
            }
        return marked


def _reference(name: str) -> Schema:
    return {"type": "definition-ref", "schema_ref": name}


def _itself(name: str) -> str:
    """The name of the declared class alone, where ``name`` is it or any of its subclasses."""
    return f"{name}, itself"


def _is_shaped(schema: Schema) -> bool:
    """Whether a serializer of the user's decides what a model is written as."""
    while True:
        if "serialization" in schema:
            return True
        if schema["type"] in ("model-fields", "dataclass-args") or "schema" not in schema:
            return False
        schema = schema["schema"]


def _with_mark(schema: Schema, mark: str) -> Schema:
    if schema["type"] in ("model-fields", "dataclass-args"):
        written = {
            "type": "computed-field",
            "property_name": CLASS_TAG,
            "return_schema": {"type": "any", "serialization": _serializer(lambda _: mark)},
        }
        return {**schema, "computed_fields": [written]}
    if "schema" in schema:
        return {**schema, "schema": _with_mark(schema["schema"], mark)}
    return schema


def _adding_mark(mark: str) -> Callable[[Any, Any], Any]:
    def write(value: Any, handler: Any) -> Any:
        written = handler(value)
        return {**written, CLASS_TAG: mark} if isinstance(written, dict) else written

    return write
