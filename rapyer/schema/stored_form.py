"""The stored form as a Pydantic core schema.

Pydantic has already turned every annotation into a core schema. :func:`document_schema` rewrites that of
a model into that of its stored documents: base64 bytes, ``isoformat`` datetimes, field names instead of
aliases, no computed fields, nothing excluded, finite numbers, and nested values of a subclass marked with
their class. Nothing is compiled or walked here; that is :mod:`rapyer.schema.spec`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias, cast

from pydantic import BaseModel

from rapyer.schema.numbers import INT64_MAX, INT64_MIN

Schema: TypeAlias = dict[str, Any]

CLASS_TAG = "__class__"
"""The JSON name that says of which subclass a nested value is; absent for the declared class itself."""
POLYMORPHIC = "rapyer_declared"

_SINGLE = (
    "schema",
    "keys_schema",
    "values_schema",
    "lax_schema",
    "strict_schema",
    "json_schema",
    "python_schema",
    "extras_schema",
    "extras_keys_schema",
)
STORED_CONFIG = {
    "ser_json_bytes": "base64",
    "val_json_bytes": "base64",
    "ser_json_inf_nan": "constants",
}


def _encode_base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _serializer(function: Callable[[Any], str]) -> Schema:
    return {
        "type": "function-plain",
        "function": function,
        "when_used": "json",
        "return_schema": {"type": "str"},
    }


def _rewrite_bytes(schema: Schema) -> Schema:
    return {"serialization": _serializer(_encode_base64), **schema}


def _rewrite_datetime(schema: Schema) -> Schema:
    return {"serialization": _serializer(datetime.isoformat), **schema}


def _rewrite_float(schema: Schema) -> Schema:
    return {**schema, "allow_inf_nan": False}


def _rewrite_model(schema: Schema) -> Schema:
    return {**schema, "config": {**schema.get("config", {}), **STORED_CONFIG}}


def _rewrite_fields(schema: Schema) -> Schema:
    return {**schema, "computed_fields": []}


def _rewrite_field(schema: Schema) -> Schema:
    field = {
        k: v for k, v in schema.items() if k not in ("serialization_alias", "serialization_exclude")
    }
    field["schema"] = nullable_by_default(field["schema"])
    return field


_REWRITES: dict[str, Callable[[Schema], Schema]] = {
    "bytes": _rewrite_bytes,
    "datetime": _rewrite_datetime,
    "float": _rewrite_float,
    "model": _rewrite_model,
    "model-fields": _rewrite_fields,
    "model-field": _rewrite_field,
    "dataclass-field": _rewrite_field,
    "typed-dict-field": _rewrite_field,
}


def nullable_by_default(schema: Schema) -> Schema:
    """A field's schema that also accepts None when None is the field's default."""
    if schema.get("type") != "default" or schema.get("default", ...) is not None:
        return schema
    inner = schema["schema"]
    if inner.get("type") in ("nullable", "any", "none"):
        return schema
    return {**schema, "schema": {"type": "nullable", "schema": inner}}


def map_schemas(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """``schema`` with ``change`` applied to each schema directly inside it; the rest is shared."""
    changed = dict(schema)
    for name in _SINGLE:
        if isinstance(schema.get(name), dict):
            changed[name] = change(schema[name])
    items = schema.get("items_schema")
    if isinstance(items, dict):
        changed["items_schema"] = change(items)
    elif isinstance(items, list):
        changed["items_schema"] = [change(item) for item in items]
    for name in ("steps", "definitions"):
        if isinstance(schema.get(name), list):
            changed[name] = [change(step) for step in schema[name]]
    choices = schema.get("choices")
    if isinstance(choices, dict):
        changed["choices"] = {tag: change(choice) for tag, choice in choices.items()}
    elif isinstance(choices, list):
        changed["choices"] = [
            (change(choice[0]), choice[1]) if isinstance(choice, tuple) else change(choice)
            for choice in choices
        ]
    fields = schema.get("fields")
    if isinstance(fields, dict) and schema["type"] in ("model-fields", "typed-dict"):
        changed["fields"] = {name: change(field) for name, field in fields.items()}
    elif isinstance(fields, list):
        changed["fields"] = [
            change(field) if isinstance(field, dict) else field for field in fields
        ]
    return changed


class Stored(NamedTuple):
    """A document schema: itself, what it refers to, and the nested model classes it was made for."""

    schema: Schema
    definitions: dict[str, Schema]
    nested: tuple[type[BaseModel], ...]


def document_schema(cls: type[BaseModel]) -> Stored:
    """The core schema of the stored documents of ``cls``."""
    builder = _Builder(cls)
    schema = builder.convert(cast(Schema, cls.__pydantic_core_schema__))
    return Stored(schema, builder.definitions, tuple(builder.nested))


class _Builder:
    """Collects every schema with a name as a definition, so that none is defined twice."""

    def __init__(self, root: type[BaseModel]) -> None:
        self.root = root
        self.definitions: dict[str, Schema] = {}
        self.nested: dict[type[BaseModel], None] = {}

    def convert(self, schema: Schema) -> Schema:
        if schema["type"] == "definitions":
            for definition in schema["definitions"]:
                self._define(definition)
            return self.convert(schema["schema"])
        if "ref" in schema:
            self._define(schema)
            return {"type": "definition-ref", "schema_ref": schema["ref"]}
        return self._rewrite(schema)

    def _rewrite(self, schema: Schema) -> Schema:
        rewrite = _REWRITES.get(schema["type"])
        if rewrite is not None:
            schema = rewrite(schema)
        return map_schemas(schema, self.convert)

    def _define(self, schema: Schema) -> None:
        name = schema["ref"]
        if name in self.definitions:
            return
        self.definitions[name] = {"type": "any"}  # it may refer to itself
        bare = {key: value for key, value in schema.items() if key != "ref"}
        converted = self._rewrite(bare)
        cls = model_of(bare)
        if cls is not None and cls is not self.root:
            self.nested[cls] = None
            subclasses = _stored_subclasses(cls)
            if subclasses:
                self.nested.update(dict.fromkeys(subclasses))
                converted = self._polymorphic(cls, converted, subclasses)
        self.definitions[name] = {**converted, "ref": name}

    def _polymorphic(
        self, cls: type[BaseModel], declared: Schema, subclasses: list[type[BaseModel]]
    ) -> Schema:
        """``declared``, or any of ``subclasses`` marked with its name."""
        names = [sub.__name__ for sub in subclasses]
        tags: dict[type, str] = {cls: ""}
        choices: dict[str, Schema] = {"": declared}
        for sub in subclasses:
            unique = names.count(sub.__name__) == 1
            tag = sub.__name__ if unique else f"{sub.__module__}.{sub.__qualname__}"
            tags[sub] = tag
            choices[tag] = self._marked(sub, tag)

        def tag_of(value: Any) -> str:
            if isinstance(value, dict):
                tag = value.get(CLASS_TAG, "")
                return tag if isinstance(tag, str) else ""
            return next((tags[base] for base in type(value).__mro__ if base in tags), "")

        return {
            "type": "tagged-union",
            "choices": choices,
            "discriminator": tag_of,
            "metadata": {POLYMORPHIC: declared},
        }

    def _marked(self, sub: type[BaseModel], tag: str) -> Schema:
        schema = cast(Schema, sub.__pydantic_core_schema__)
        if schema["type"] == "definitions":
            for definition in schema["definitions"]:
                self._define(definition)
            schema = schema["schema"]
        if schema["type"] == "definition-ref":
            schema = next(
                definition
                for definition in cast(Any, sub.__pydantic_core_schema__)["definitions"]
                if definition["ref"] == schema["schema_ref"]
            )
        mark = {
            "type": "computed-field",
            "property_name": CLASS_TAG,
            "return_schema": {"type": "any", "serialization": _serializer(lambda _: tag)},
        }

        def add_mark(schema: Schema) -> Schema:
            if schema["type"] == "model-fields":
                return {**schema, "computed_fields": [mark]}
            if "schema" in schema:
                return {**schema, "schema": add_mark(schema["schema"])}
            return schema

        bare = {key: value for key, value in schema.items() if key != "ref"}
        return {
            "type": "function-before",
            "function": {"type": "no-info", "function": _without_mark},
            "schema": add_mark(self._rewrite(bare)),
        }


def _without_mark(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: item for name, item in value.items() if name != CLASS_TAG}
    return value


def _stored_subclasses(cls: type[BaseModel]) -> list[type[BaseModel]]:
    """All subclasses of ``cls`` that can be values of their own, not the live views of a class."""
    found: dict[type[BaseModel], None] = {}
    waiting = list(cls.__subclasses__())
    while waiting:
        sub = waiting.pop(0)
        if "__rapyer_native__" not in sub.__dict__ and sub.__pydantic_complete__:
            found[sub] = None
            waiting += sub.__subclasses__()
    return list(found)


def model_of(schema: Schema) -> type[BaseModel] | None:
    """The model class that ``schema`` validates, through validators around it."""
    while schema["type"] != "model":
        inner = schema.get("schema")
        if not isinstance(inner, dict) or not schema["type"].startswith("function-"):
            return None
        schema = inner
    return None if schema.get("root_model") else cast("type[BaseModel]", schema["cls"])


def count_subclasses(classes: tuple[type[BaseModel], ...]) -> int:
    """A number that changes when one of ``classes`` gets a subclass."""
    count = 0
    for cls in classes:
        count += len(cls.__subclasses__())
    return count


def bounded_schema(schema: Schema) -> Schema:
    """``schema`` that refuses integers beyond 64 bits."""
    if schema["type"] == "int":
        if "gt" not in schema:
            schema = {"ge": INT64_MIN, **schema}
        if "lt" not in schema:
            schema = {"le": INT64_MAX, **schema}
        return schema
    return map_schemas(schema, bounded_schema)


def loading_schema(schema: Schema) -> Schema:
    """``schema`` for reading stored JSON even where a validator of the user's turned it into Python.

    Such a validator hands Pydantic a ``str`` where the JSON had base64 text, which would otherwise be
    taken for the bytes themselves.
    """
    if schema["type"] == "bytes":
        return {
            "type": "function-before",
            "function": {"type": "no-info", "function": _decode_base64},
            "schema": schema,
        }
    return map_schemas(schema, loading_schema)


def patient_schema(schema: Schema) -> Schema:
    """``schema`` for reading datetimes whose zone has seconds, which ``isoformat`` writes as they are."""
    if schema["type"] == "datetime":
        return {
            "type": "function-before",
            "function": {"type": "no-info", "function": _from_isoformat},
            "schema": schema,
        }
    return map_schemas(schema, patient_schema)


def _from_isoformat(value: Any) -> Any:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def mentions(schema: Schema, *kinds: str) -> bool:
    """Whether a schema whose type begins with one of ``kinds`` is part of ``schema``."""
    if schema["type"].startswith(kinds):
        return True
    return any(mentions(inner, *kinds) for inner in _inner(schema))


def _inner(schema: Schema) -> Iterator[Schema]:
    found: list[Schema] = []

    def collect(inner: Schema) -> Schema:
        found.append(inner)
        return inner

    map_schemas(schema, collect)
    return iter(found)


def _decode_base64(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value.replace("-", "+").replace("_", "/"), validate=True)
    except ValueError as error:
        raise ValueError(f"not base64 text: {error}") from None
