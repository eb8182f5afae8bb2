"""How stored JSON is read: what differs from validating a value that comes from Python.

Field names come first and the names that ``validation_alias`` allows second; numbers are the times that
:mod:`rapyer.schema.stored_form` wrote; values of enums and literals are found by what they are written as.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Any

from rapyer.schema import finite
from rapyer.schema.numbers import INT64_MAX, INT64_MIN
from rapyer.schema.stored_form import from_timestamp, is_timestamp
from rapyer.schema.walking import MAPPINGS, Definitions, Schema, everything, map_schemas

_READ_DIFFERENTLY = ("enum", "literal", "json", "datetime", "bytes", *MAPPINGS)


def differs(schema: Schema, definitions: Definitions) -> bool:
    """Whether stored JSON of ``schema`` is read by another schema than ``schema`` itself."""
    return any(
        one["type"] in _READ_DIFFERENTLY or "validation_alias" in one
        for one in everything(schema, definitions)
    )


class Reading:
    """Rewrites schemas into those that read what is stored."""

    def __init__(self, schema: Schema, definitions: Definitions) -> None:
        self._definitions = definitions
        self._has_functions = any(
            one["type"].startswith("function") for one in everything(schema, definitions)
        )

    def __call__(self, schema: Schema) -> Schema:
        """``schema`` for reading stored JSON."""
        kind = schema.get("type", "")
        if kind == "json":  # Pydantic writes what the text says, not the text
            return self(schema["schema"]) if "schema" in schema else {"type": "any"}
        fields = schema.get("fields")
        if fields and not isinstance(fields, list):
            schema = {**schema, "fields": _found_by_old_names(fields)}
        elif fields and isinstance(fields[0], dict):
            renamed = _found_by_old_names({field["name"]: field for field in fields})
            schema = {**schema, "fields": list(renamed.values())}
        if kind in MAPPINGS and "keys_schema" in schema:
            keys = finite.reading_keys(schema["keys_schema"], self._definitions)
            schema = {**schema, "keys_schema": keys}
        if kind in ("enum", "literal"):
            return finite.reading(schema)
        if kind == "bytes" and self._has_functions:
            return _before(_decode_base64, schema)
        if kind == "datetime" and is_timestamp(schema):
            return _before(_from_number, schema)
        return map_schemas(schema, self)


def _found_by_old_names(fields: dict[str, Schema]) -> dict[str, Schema]:
    """Fields that are looked for under their name, and then under the aliases that are no field's name."""
    return {
        name: {**field, "validation_alias": _names(name, field["validation_alias"], fields)}
        if "validation_alias" in field
        else field
        for name, field in fields.items()
    }


def _names(name: str, alias: Any, fields: dict[str, Schema]) -> list[list[str | int]]:
    if isinstance(alias, str):
        paths: list[list[str | int]] = [[alias]]
    else:
        paths = [alias] if alias and not isinstance(alias[0], list) else list(alias)
    return [[name], *(path for path in paths if path[0] not in fields)]


def patient(schema: Schema) -> Schema:
    """``schema`` for reading datetimes whose zone has seconds, which ``isoformat`` writes as they are."""
    if schema.get("type") == "datetime":
        return _before(_from_isoformat, schema)
    return map_schemas(schema, patient)


def bounded(schema: Schema) -> Schema:
    """``schema`` for values from Python: it refuses integers beyond 64 bits, and takes parsed JSON."""
    kind = schema.get("type")
    if kind == "int":
        if "gt" not in schema:
            schema = {"ge": INT64_MIN, **schema}
        if "lt" not in schema:
            schema = {"le": INT64_MAX, **schema}
        return schema
    if kind == "json" and "schema" in schema:
        parsed = bounded(schema["schema"])
        choices = [{**schema, "schema": parsed}, parsed]
        return {"type": "union", "choices": choices, "mode": "left_to_right"}
    return map_schemas(schema, bounded)


def _before(function: Callable[[Any], Any], schema: Schema) -> Schema:
    return {
        "type": "function-before",
        "function": {"type": "no-info", "function": function},
        "schema": schema,
    }


def _from_number(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return from_timestamp(value)
        except OverflowError:
            raise ValueError(f"{value} seconds are beyond the years 1 to 9999") from None
    return value


def _from_isoformat(value: Any) -> Any:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _decode_base64(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value.replace("-", "+").replace("_", "/"), validate=True)
    except ValueError as error:
        raise ValueError(f"not base64 text: {error}") from None
