"""Annotations and script steps in words: for schemas, help, completion, dry runs and error messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rapyer.paths import addressable_prefix, json_path
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

if TYPE_CHECKING:
    from rapyer.script.call import Primitive

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


def _shown(argument: bytes, limit: int = 2000) -> str:
    text = argument.decode(errors="replace")
    if len(text) > limit:
        text = f"{text[:limit]}… ({len(argument)} bytes)"
    if text and not any(character in text for character in " \t\r\n'\"\\"):
        return text
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def describe_step(key: str, step: Primitive) -> str:
    """The Redis command that a step of a batch, on the document ``key``, amounts to."""
    args, key = step.args, _shown(key.encode())
    reach = addressable_prefix(step.path)
    path = _shown(json_path(step.path[:reach]).encode())
    if step.rewrite is not None or reach < len(step.path):
        return f"JSON.SET {key} {path} <computed from the stored value, if unchanged>"
    match step.code:
        case "set":
            return f"JSON.SET {key} {path} {_shown(args[0])}"
        case "setat":
            place = _shown(json_path((*step.path, int(args[0]))).encode())
            return f"JSON.SET {key} {place} {_shown(args[1])}"
        case "incr":
            return f"JSON.NUMINCRBY {key} {path} {_shown(args[0])}"
        case "append":
            return " ".join(["JSON.ARRAPPEND", key, path, *(_shown(item) for item in args[1:])])
        case "insert":
            return " ".join(
                ["JSON.ARRINSERT", key, path, _shown(args[0]), *(_shown(item) for item in args[2:])]
            )
        case "pop":
            return f"JSON.ARRPOP {key} {path} {_shown(args[0])}"
        case "take":
            entry = args[0].decode()
            if addressable_prefix((entry,)) == 0:
                return f"JSON.SET {key} {path} <computed from the stored value, if unchanged>"
            return f"JSON.DEL {key} {_shown(json_path((*step.path, entry)).encode())}"
        case "remove":
            return f"JSON.DEL {key} {path}"
        case "popitem":
            return f"JSON.DEL {key} {path}.<last entry>"
        case "strapp":
            return f"JSON.STRAPPEND {key} {path} {_shown(args[0])}"
        case "save":
            mode = f" {args[1].decode().upper()}" if args[1] else ""
            expiry = f" + PEXPIRE {key} {args[2].decode()}" if args[2] else ""
            return f"JSON.SET {key} $ {_shown(args[0])}{mode}{expiry}"
        case "drop":
            return f"DEL {key}"
        case "expire":
            return f"PERSIST {key}" if args[0] == b"-1" else f"PEXPIRE {key} {args[0].decode()}"
        case _:
            return f"JSON.GET {key} {path}"
