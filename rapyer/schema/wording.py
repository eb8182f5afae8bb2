"""Annotations in words: for schemas, help, completion and error messages."""

from __future__ import annotations

import json
from typing import Any

from rapyer.schema.walking import (
    ANY,
    SEQUENCES,
    Definitions,
    Schema,
    arms,
    fields_of,
    layers,
    peel,
)

_BOUNDS = (("ge", ">="), ("gt", ">"), ("le", "<="), ("lt", "<"), ("multiple_of", "multiple of"))
_LENGTHS = (("min_length", "length >="), ("max_length", "length <="))
_NAMES = {"none": "None", "any": "Any", "is-instance": "instance", "json": "JSON"}
_EXAMPLES = {
    "str": "text",
    "int": "3",
    "float": "2.5",
    "bool": "true",
    "bytes": "text",
    "datetime": "2024-05-01T12:00:00+00:00",
    "date": "2024-05-01",
    "time": "12:00:00",
    "timedelta": "PT1H",
    "decimal": "9.99",
    "uuid": "123e4567-e89b-12d3-a456-426614174000",
    "list": "[]",
    "dict": "{}",
    "set": "[]",
    "tuple": "[]",
    "none": "null",
}
_TEXT = {"type": "str"}


def _constraints(schema: Schema) -> str:
    words = [
        f"{sign} {schema[name]}"
        for name, sign in (*_BOUNDS, *_LENGTHS)
        if schema.get(name) is not None
    ]
    if schema.get("pattern"):
        words.append(f"matching {schema['pattern']}")
    return " " + ", ".join(words) if words else ""


def describe(schema: Schema, definitions: Definitions) -> str:
    """``list[int >= 0]``, ``'draft' | 'live'``, ``Address | None`` …"""

    def inner(schema: Schema) -> str:
        return describe(schema, definitions)

    for layer in layers(schema, definitions):
        if layer["type"] == "nullable":
            return f"{inner(layer['schema'])} | None"
    core = peel(schema, definitions)
    kind = core["type"]
    if kind == "list" and "items_schema" not in core:
        return "list"
    if kind in SEQUENCES:
        return f"{kind}[{inner(core.get('items_schema', ANY))}]{_constraints(core)}"
    if kind == "dict":
        key, value = (inner(core.get(name, ANY)) for name in ("keys_schema", "values_schema"))
        return f"dict[{key if 'keys_schema' in core else 'Any'}, {value}]{_constraints(core)}"
    if kind == "tuple":
        words = ", ".join(inner(item) for item in core.get("items_schema", []))
        many = core.get("variadic_item_index") is not None
        return f"tuple[{words}, ...]" if many else f"tuple[{words}]"
    if kind == "literal":
        return " | ".join(repr(value) for value in core["expected"])
    if kind in ("model", "enum", "dataclass", "named-tuple"):
        return str(core["cls"].__name__)
    if kind == "call":
        return str(getattr(core["function"], "__name__", kind))
    if kind in ("union", "tagged-union"):
        return " | ".join(dict.fromkeys(inner(arm) for arm in arms(core)))
    return str(_NAMES.get(kind, kind)) + _constraints(core)


def choices(core: Schema) -> list[str]:
    """The values that the annotation allows, as a person would type them; empty for open types."""
    if core["type"] == "enum":
        return [str(member.value) for member in core["members"]]
    if core["type"] == "literal":
        return [str(value) for value in core["expected"]]
    if core["type"] == "bool":
        return ["true", "false"]
    return []


def example(schema: Schema, definitions: Definitions) -> str:
    """A value a person could type for the annotation."""
    core = peel(schema, definitions)
    options = choices(core)
    if options:
        return options[0]
    kind = core["type"]
    if kind == "list":
        return json.dumps([_plain_example(core.get("items_schema", ANY), definitions)])
    if kind == "dict":
        key = str(_plain_example(core.get("keys_schema", _TEXT), definitions))
        return json.dumps({key: _plain_example(core.get("values_schema", ANY), definitions)})
    if kind == "model":
        fields = fields_of(core, definitions)
        required = {
            name: _plain_example(field, definitions)
            for name, field in fields.items()
            if field["type"] != "default"
        }
        return json.dumps(required)
    if kind in ("union", "tagged-union"):
        return example(next(iter(arms(core))), definitions)
    if kind == "int" and core.get("ge") is not None:
        return str(core["ge"])
    return _EXAMPLES.get(kind, "value")


def _plain_example(schema: Schema, definitions: Definitions) -> Any:
    text = example(schema, definitions)
    if peel(schema, definitions)["type"] == "str":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
