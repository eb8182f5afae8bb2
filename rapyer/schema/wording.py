"""Annotations in words: for schemas, help, completion and error messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rapyer.schema.spec import ValueSpec
    from rapyer.schema.stored_form import Schema

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


def _constraints(schema: Schema) -> str:
    words = [
        f"{sign} {schema[name]}"
        for name, sign in (*_BOUNDS, *_LENGTHS)
        if schema.get(name) is not None
    ]
    if schema.get("pattern"):
        words.append(f"matching {schema['pattern']}")
    return " " + ", ".join(words) if words else ""


def _text(spec: ValueSpec, schema: Schema) -> str:
    kind = schema["type"]
    if kind == "nullable":
        return f"{_text(spec, schema['schema'])} | None"
    core = spec.peel(schema)
    if core is not schema:
        inner = schema
        while inner is not core and inner["type"] != "nullable" and "schema" in inner:
            inner = inner["schema"]
        return _text(spec, core if inner["type"] != "nullable" else inner)
    if kind == "list":
        return (
            f"list[{_text(spec, schema['items_schema'])}]{_constraints(schema)}"
            if "items_schema" in schema
            else "list"
        )
    if kind == "dict":
        key = _text(spec, schema["keys_schema"]) if "keys_schema" in schema else "Any"
        value = _text(spec, schema["values_schema"]) if "values_schema" in schema else "Any"
        return f"dict[{key}, {value}]{_constraints(schema)}"
    if kind in ("set", "frozenset"):
        return f"{kind}[{_text(spec, schema.get('items_schema', {'type': 'any'}))}]{_constraints(schema)}"
    if kind == "tuple":
        items = schema.get("items_schema", [])
        words = ", ".join(_text(spec, item) for item in items)
        many = schema.get("variadic_item_index") is not None
        return f"tuple[{words}, ...]" if many else f"tuple[{words}]"
    if kind == "literal":
        return " | ".join(repr(value) for value in schema["expected"])
    if kind in ("model", "enum", "dataclass"):
        return str(schema["cls"].__name__)
    if kind in ("union", "tagged-union"):
        return " | ".join(dict.fromkeys(_text(spec, arm) for arm in spec._arms(schema)))
    return str(_NAMES.get(kind, kind)) + _constraints(schema)


def describe(spec: ValueSpec) -> str:
    """``list[int >= 0]``, ``'draft' | 'live'``, ``Address | None`` …"""
    return _text(spec, spec.schema)


def choices(spec: ValueSpec) -> list[str]:
    """The values that the annotation allows, as a person would type them; empty for open types."""
    core = spec.core
    if core["type"] == "enum":
        return [str(member.value) for member in core["members"]]
    if core["type"] == "literal":
        return [str(value) for value in core["expected"]]
    if core["type"] == "bool":
        return ["true", "false"]
    return []


def example(spec: ValueSpec) -> str:
    """A value a person could type for the annotation."""
    options = choices(spec)
    if options:
        return options[0]
    core = spec.core
    kind = core["type"]
    if kind == "list":
        return json.dumps([_plain_example(spec.item)])
    if kind == "dict":
        return json.dumps({str(_plain_example(spec.key)): _plain_example(spec.value)})
    if kind == "model":
        fields = {name: spec.field(name) for name in spec.field_names()}
        required = {
            name: field for name, field in fields.items() if field.schema["type"] != "default"
        }
        return json.dumps({name: _plain_example(field) for name, field in required.items()})
    if kind in ("union", "tagged-union"):
        return example(spec._derived(next(iter(spec._arms(core)))))
    if kind == "int" and core.get("ge") is not None:
        return str(core["ge"])
    return _EXAMPLES.get(kind, "value")


def _plain_example(spec: ValueSpec) -> Any:
    text = example(spec)
    if spec.python_type is str:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
