"""What the field of an expression may be compared with, by its annotation.

Text, numbers and booleans have to be what the field holds; datetimes, UUIDs, enums, decimals and bytes
may also be given as Pydantic accepts them (``"2024-05-01"``, an enum's value). Constraints of the field
do not bind: ``stock > -1`` is a fair question though ``stock`` is never negative.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import CoreSchema, SchemaValidator

from rapyer.errors import ExpressionError, UnknownFieldError
from rapyer.expressions.expression import Operator
from rapyer.paths import field_path
from rapyer.schema.spec import ValueSpec, any_spec
from rapyer.schema.walking import Schema, map_schemas
from rapyer.state.wrapping import native

_SEQUENCES = ("list", "tuple", "set", "frozenset")
_TEXTS = ("str", "bytes")
_TEMPORAL = ("date", "datetime", "time", "timedelta")
_FIELDED = ("model", "typed-dict", "dataclass")
_OPEN = ("any", "is-instance", "function-plain", "json")
_MAYBE_TEXT = (*_TEXTS, *_OPEN, "enum", "literal")
_LENGTHS = ("min_length", "max_length")
_CONSTRAINTS = frozenset(
    {
        *_LENGTHS,
        *("ge", "gt", "le", "lt", "multiple_of", "pattern", "max_digits", "decimal_places"),
        *(
            "strip_whitespace",
            "to_lower",
            "to_upper",
            "strict",
            "fail_fast",
            "coerce_numbers_to_str",
        ),
        *("tz_constraint", "now_op", "now_utc_offset"),
    }
)
_NUMBER: Schema = {
    "type": "union",
    "choices": [
        {"type": "int", "strict": True},
        {"type": "float", "strict": True, "allow_inf_nan": True},
        {"type": "decimal", "strict": True, "allow_inf_nan": True},
    ],
    "mode": "left_to_right",
}


def leaves(spec: ValueSpec) -> Iterator[ValueSpec]:
    """The kinds of value that ``spec`` describes, one spec each: the arms of unions, roots of root models."""
    core = spec.core
    if core["type"] in ("union", "tagged-union"):
        for arm in spec._arms(core):
            yield from leaves(spec._derived(arm))
    elif core["type"] == "model" and core.get("root_model"):
        yield from leaves(spec._derived(core["schema"]))
    elif core["type"] != "none":
        yield spec


def kinds(specs: Iterable[ValueSpec]) -> set[str]:
    """The core types of the values that ``specs`` describe; ``any`` where nothing is known."""
    found = {str(leaf.core["type"]) for spec in specs for leaf in leaves(spec)}
    return found or {"any"}


# -- navigating --------------------------------------------------------------------------------------


def below(
    specs: tuple[ValueSpec, ...], segment: Any, path: tuple[Any, ...], model: type[BaseModel]
) -> tuple[Any, tuple[ValueSpec, ...]]:
    """The segment as it stands in a loaded document, and what is known of the value it leads to.

    Raises :class:`~rapyer.expressions.expression.UnknownFieldError` when it leads nowhere.
    """
    found: list[ValueSpec] = []
    known: dict[str, None] = {}
    native_segment = segment
    for leaf in [leaf for spec in specs for leaf in leaves(spec)]:
        kind = leaf.core["type"]
        if kind in _FIELDED:
            names = leaf.field_names()
            known |= dict.fromkeys(names)
            if segment in names:
                found.append(leaf.field(segment))
            elif isinstance(segment, str) and (not names or _allows_extra(leaf)):
                found.append(any_spec())
        elif kind == "dict":
            try:
                native_segment = leaf.key.validate_python(segment)
            except ValidationError:
                continue
            found.append(leaf.value)
        elif kind == "list" and isinstance(segment, int):
            found.append(leaf.item)
        elif kind in _OPEN or (kind in _SEQUENCES and isinstance(segment, int)):
            found.append(any_spec())
    if found:
        return native_segment, tuple(found)
    where = f"{model.__name__}.{field_path(path)}" if path else model.__name__
    if known:
        raise UnknownFieldError(f"{where} has no field {segment!r}; it has {', '.join(known)}")
    what = " | ".join(dict.fromkeys(spec.describe() for spec in specs))
    raise UnknownFieldError(f"{where} is {what}: there is nothing at {segment!r} in it")


def _allows_extra(leaf: ValueSpec) -> bool:
    cls = leaf.model
    return cls is not None and cls.model_config.get("extra") == "allow"


# -- checking ----------------------------------------------------------------------------------------


def checked_operand(name: str, specs: tuple[ValueSpec, ...], operator: Operator, value: Any) -> Any:
    """``value`` as the native value to compare with; ``specs`` is empty where nothing is known.

    Raises :class:`~rapyer.expressions.expression.ExpressionError`, beginning with ``name``.
    """
    value = native(value)
    if operator == "in":
        if isinstance(value, str | bytes | dict) or not isinstance(value, Iterable):
            raise ExpressionError(f"{name}: in needs a list of values, not {value!r}")
        return tuple(_one_of(name, specs, item) for item in value)
    if operator == "contains":
        return _part(name, specs, value)
    if operator == "startswith":
        if not kinds(specs) & set(_MAYBE_TEXT):
            raise ExpressionError(f"{name} is {_described(specs)}: only text starts with something")
        if not isinstance(value, str | bytes):
            raise ExpressionError(f"{name}: startswith needs text, not {value!r}")
        if kinds(specs) == {"bytes"} and isinstance(value, str):
            return value.encode()
        return value
    if value is None and operator not in ("==", "!="):
        raise ExpressionError(f"{name}: nothing is {operator} None; use == None or != None")
    return _one_of(name, specs, value)


def _part(name: str, specs: tuple[ValueSpec, ...], value: Any) -> Any:
    inner: list[ValueSpec] = []
    for leaf in [leaf for spec in specs for leaf in leaves(spec)] or [any_spec()]:
        kind = leaf.core["type"]
        if kind in _SEQUENCES:
            items = leaf.core.get("items_schema")
            arms = items if isinstance(items, list) else [items or {"type": "any"}]
            inner += [leaf._derived(arm) for arm in arms]
        elif kind == "dict":
            inner.append(leaf.key)
        elif kind in _TEXTS:
            inner.append(leaf._derived({"type": kind}))
        elif kind in _MAYBE_TEXT:
            inner.append(any_spec())
    if not inner:
        raise ExpressionError(f"{name} is {_described(specs)}: it contains nothing")
    return _one_of(name, tuple(inner), value, "an item, key or part of it is ")


def _one_of(name: str, specs: tuple[ValueSpec, ...], value: Any, what: str = "it is ") -> Any:
    if value is None or not specs:
        return value
    number = isinstance(value, int | float)
    for spec in specs:
        if number and kinds((spec,)) <= set(_TEMPORAL):
            continue
        try:
            return _converted(spec, value)
        except ValidationError:
            continue
    raise ExpressionError(f"{name} is not comparable with {value!r}: {what}{_described(specs)}")


def _described(specs: tuple[ValueSpec, ...]) -> str:
    return " | ".join(dict.fromkeys(spec.describe() for spec in specs))


def _converted(spec: ValueSpec, value: Any) -> Any:
    schema = _comparable(spec.schema)
    if spec.definitions:
        definitions = [_comparable(definition) for definition in spec.definitions.values()]
        schema = {"type": "definitions", "schema": schema, "definitions": definitions}
    validator = SchemaValidator(cast(CoreSchema, schema), _use_prebuilt=False)
    return validator.validate_python(value, by_alias=False, by_name=True)


def _comparable(schema: Schema) -> Schema:
    """``schema`` for the values to compare with: the types, without constraints and validators."""
    kind = schema["type"]
    if kind in ("int", "float"):
        return _NUMBER
    if kind in ("str", "bool"):
        return {"type": kind, "strict": True}
    if kind in ("default", "function-before", "function-after", "function-wrap", "custom-error"):
        return {**_comparable(schema["schema"]), **_reference(schema)}
    if kind == "chain":
        return {**_comparable(schema["steps"][-1]), **_reference(schema)}
    if kind == "json-or-python":
        return {**_comparable(schema["python_schema"]), **_reference(schema)}
    if kind == "lax-or-strict":
        return {**_comparable(schema["lax_schema"]), **_reference(schema)}
    if kind == "function-plain":
        return {"type": "any", **_reference(schema)}
    kept = {name: value for name, value in schema.items() if name not in _CONSTRAINTS}
    return map_schemas(
        kept, _field_of_type if kind in ("model-fields", "typed-dict") else _comparable
    )


def _field_of_type(schema: Schema) -> Schema:
    """A field of a model: its default stays, so that a value may leave it out."""
    if not schema["type"].endswith("-field"):
        return _comparable(schema)
    inner = schema["schema"]
    if inner["type"] == "default":
        return {**schema, "schema": {**inner, "schema": _comparable(inner["schema"])}}
    return {**schema, "schema": _comparable(inner)}


def _reference(schema: Schema) -> Schema:
    return {"ref": schema["ref"]} if "ref" in schema else {}
