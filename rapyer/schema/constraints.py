"""What is asked of a value beyond its type, and who can check it: the server, or Pydantic alone.

Everything here is decided from a document schema (:mod:`rapyer.schema.stored_form`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel

from rapyer.schema.pydantic_internals import has_post_init
from rapyer.schema.stored_form import is_of_the_user
from rapyer.schema.walking import (
    DECLARED,
    Definitions,
    Schema,
    arms,
    everything,
    is_union,
    layers,
    peel,
)

_NAMES_OF_BOUNDS = ("ge", "gt", "le", "lt")
# What may stand in the schema of a number or a text without saying anything about its value.
_SILENT = frozenset({"type", "ref", "metadata", "serialization"})
_NUMBERS = {
    "int": _SILENT.union(_NAMES_OF_BOUNDS),
    "float": _SILENT.union(_NAMES_OF_BOUNDS, ("allow_inf_nan",)),
}
_CONFIG_OF_TEXTS = (
    "str_max_length",
    "str_min_length",
    "str_strip_whitespace",
    "str_to_lower",
    "str_to_upper",
)
_WITHOUT_PARTS = frozenset(
    {"str", "int", "float", "bool", "bytes", "none", "any", "literal", "enum", "datetime", "date"}
    | {"time", "timedelta", "decimal", "fraction", "uuid", "url", "multi-host-url", "complex"}
)


class Bounds(NamedTuple):
    """The constraints of a number that the server itself can hold; empty text does not bind."""

    ge: str = ""
    gt: str = ""
    le: str = ""
    lt: str = ""


def calls_the_user(schema: Schema, definitions: Definitions) -> bool:
    """Whether functions of the user's take part in validating or writing the value as a whole."""
    return any(
        layer["type"].startswith("function-")
        or layer["type"] in ("chain", "json")
        or is_of_the_user(layer.get("serialization"))
        for layer in layers(schema, definitions)
    )


def bounds_of(schema: Schema, definitions: Definitions, config: Schema) -> Bounds | None:
    """The bounds of a number whose other constraints are none; None when only Pydantic can check it."""
    core = peel(schema, definitions)
    known = _NUMBERS.get(core["type"])
    if known is None or not core.keys() <= known or config.get("strict"):
        return None
    if calls_the_user(schema, definitions):
        return None
    limits = {name: core.get(name) for name in _NAMES_OF_BOUNDS}
    if any(type(limit) not in (int, float, type(None)) for limit in limits.values()):
        return None
    return Bounds(**{name: "" if limit is None else str(limit) for name, limit in limits.items()})


def is_plain_text(schema: Schema, definitions: Definitions, config: Schema) -> bool:
    """Whether every ``str`` is a value as it is."""
    core = peel(schema, definitions)
    return (
        core["type"] == "str"
        and core.keys() <= _SILENT
        and not any(config.get(name) for name in _CONFIG_OF_TEXTS)
        and not calls_the_user(schema, definitions)
    )


def least_length(core: Schema) -> int | None:
    """The least number of items or entries; of a typed dict, the number of those that it must have."""
    if core["type"] != "typed-dict":
        return core.get("min_length")
    return sum(required(core, field) for field in core["fields"].values()) or None


def required(core: Schema, field: Schema) -> bool:
    """Whether ``field`` of a typed dict must be there."""
    default = core.get("total", core.get("config", {}).get("typed_dict_total", True))
    return bool(field.get("required", default)) and field["schema"]["type"] != "default"


# -- values that are looked at as a whole -------------------------------------------------------------


def looks_at_whole(schema: Schema, definitions: Definitions) -> bool:
    """Whether a change below the value that ``schema`` describes can make the value itself invalid."""
    if calls_the_user(schema, definitions):
        return True
    core = peel(schema, definitions)
    marked = [
        layer for layer in layers(schema, definitions) if DECLARED in layer.get("metadata", ())
    ]
    if marked:
        return any(looks_at_whole(arm, definitions) for layer in marked for arm in arms(layer))
    if is_union(core):
        with_parts = [arm for arm in arms(core) if _has_parts(arm, definitions)]
        return len(with_parts) > 1 or any(looks_at_whole(arm, definitions) for arm in with_parts)
    if core["type"] in ("model", "dataclass"):
        return _model_looks_at_whole(core, definitions)
    return core["type"] == "typed-dict" and _fields_look_around(
        core["fields"].values(), definitions
    )


def _has_parts(schema: Schema, definitions: Definitions) -> bool:
    return peel(schema, definitions)["type"] not in _WITHOUT_PARTS


def _model_looks_at_whole(core: Schema, definitions: Definitions) -> bool:
    cls: type[Any] = core["cls"]
    if core["type"] == "dataclass":
        own = bool(core.get("post_init"))
    else:
        own = bool(core.get("custom_init")) or (issubclass(cls, BaseModel) and has_post_init(cls))
    inner: Schema = core["schema"]
    if own or calls_the_user(inner, definitions):
        return True
    fields = peel(inner, definitions).get("fields", ())
    return _fields_look_around(fields.values() if isinstance(fields, dict) else fields, definitions)


def _fields_look_around(fields: Any, definitions: Definitions) -> bool:
    """Whether a validator of a field is told what the other fields are."""
    return any(
        layer.get("function", {}).get("type") == "with-info"
        for field in fields
        if isinstance(field, dict)
        for layer in layers(field["schema"], definitions)
        if isinstance(layer.get("function"), dict)
    )


def has_any(schema: Schema, definitions: Definitions) -> bool:
    """Whether anywhere in ``schema`` a value is looked at as a whole."""
    return any(looks_at_whole(one, definitions) for one in _values(everything(schema, definitions)))


def _values(schemas: Iterator[Schema]) -> Iterator[Schema]:
    """Those that describe values, not their fields and arguments."""
    for one in schemas:
        if one["type"].endswith("-field") or one["type"] in ("model-fields", "dataclass-args"):
            continue
        yield one
