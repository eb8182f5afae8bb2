"""Enums and literals whose values JSON does not know: tuples, bytes, dates … and the keys of dicts.

Pydantic writes such a value and looks for what it wrote among the values themselves, in vain. There are only so
many of them, so that what each is written as leads back to it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from pydantic_core import to_jsonable_python

from rapyer.schema.walking import Definitions, Schema, accepts_none, peel

_KNOWN_TO_JSON = (str, int, float, bool, type(None))


def values_of(core: Schema) -> list[Any] | None:
    """The values that an enum or a literal has; None for any other schema."""
    if core["type"] == "enum":
        return list(core["members"])
    return list(core["expected"]) if core["type"] == "literal" else None


def _written(value: Any) -> Any:
    return to_jsonable_python(
        value.value if isinstance(value, Enum) else value, bytes_mode="base64"
    )


def _table(values: Iterable[Any], name: Callable[[Any], str]) -> dict[str, Any] | None:
    """What each value is written as → the value; None when two are written alike, or one cannot be."""
    table: dict[str, Any] = {}
    try:
        for value in values:
            table[name(value)] = value
    except ValueError:
        return None
    return table if len(table) == len(list(values)) else None


def _as_json(value: Any) -> str:
    return json.dumps(_written(value), sort_keys=True)


def _as_key(value: Any) -> str:
    written = _written(value)
    return written if isinstance(written, str) else json.dumps(written)


def _is_known_to_json(schema: Schema) -> bool:
    """Whether Pydantic reads the values as it writes them; it does not find members among a literal's."""
    values = values_of(schema) or []
    if schema["type"] == "enum":
        values = [member.value for member in values]
    return all(type(value) in _KNOWN_TO_JSON for value in values)


class FiniteWriter:
    """Writes a value of an enum or a literal as Pydantic writes values of its type."""

    def __call__(self, value: Any) -> Any:
        return _written(value)


def with_written_form(schema: Schema) -> Schema:
    """The schema of an enum or literal that writes values which JSON does not know."""
    if _is_known_to_json(schema) or "serialization" in schema:
        return schema
    return {**schema, "serialization": {"type": "function-plain", "function": FiniteWriter()}}


def reading(schema: Schema) -> Schema:
    """The schema of an enum or literal that reads what it writes."""
    if _is_known_to_json(schema):
        return schema
    table = _table(values_of(schema) or [], _as_json)
    if table is None:
        return schema

    def find(value: Any) -> Any:
        try:
            return table.get(json.dumps(value, sort_keys=True), value)
        except TypeError:
            return value

    return _before(find, schema)


def reading_keys(schema: Schema, definitions: Definitions) -> Schema:
    """The schema of a dict's keys, which JSON has as text, that finds the value each text stands for."""
    core = peel(schema, definitions)
    values = values_of(core)
    if values is None or accepts_none(schema, definitions):
        return schema
    if all(type(one.value if isinstance(one, Enum) else one) is str for one in values):
        return schema
    table = _table(values, _as_key)
    return schema if table is None else _before(lambda key: table.get(key, key), schema)


def _before(function: Callable[[Any], Any], schema: Schema) -> Schema:
    return {
        "type": "function-before",
        "function": {"type": "no-info", "function": function},
        "schema": schema,
    }
