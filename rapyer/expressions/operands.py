"""What the field of an expression may be compared with: operands become what loaded values are.

An operand may be a value as it is loaded (``user.home``, a member's value where ``use_enum_values`` says
so), one that Pydantic makes such a value of (``"2024-05-01"``, an enum's member, text that a validator
of the field changes), or the stored form of one, as the shell shows it. Where these readings differ, as for base64
text, the operand stands for either. Text, numbers and booleans have to be what the field holds.
Constraints of the field do not bind: ``stock > -1`` is a fair question though ``stock`` is never negative.
What no value can be equal to is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, time
from typing import Any, Literal, TypeAlias, cast

from pydantic_core import CoreSchema, SchemaValidator

from rapyer.errors import ExpressionError
from rapyer.expressions.navigating import OPEN, SEQUENCES, item_specs, kinds, leaves
from rapyer.expressions.place import unwrapped
from rapyer.schema.native import native
from rapyer.schema.spec import ValueSpec, any_spec
from rapyer.schema.stored_form import STORED_CONFIG
from rapyer.schema.walking import Schema, map_schemas

Operator: TypeAlias = Literal["==", "!=", "<", "<=", ">", ">=", "in", "contains", "startswith"]
Operand: TypeAlias = "tuple[Any, bool]"
"""What to compare with, and whether it is a time without a zone that also stands for one in UTC."""

_TEXTS = ("str", "bytes")
_TEMPORAL = ("date", "datetime", "time", "timedelta")
_MAYBE_TEXT = (*_TEXTS, *OPEN, "enum", "literal")
_CONSTRAINTS = frozenset(
    {
        *("min_length", "max_length", "strict", "fail_fast", "coerce_numbers_to_str"),
        *("ge", "gt", "le", "lt", "multiple_of", "pattern", "max_digits", "decimal_places"),
        *("tz_constraint", "now_op", "now_utc_offset"),
    }
)
_CHANGES_OF_TEXT = ("strip_whitespace", "to_lower", "to_upper")
_NUMBER: Schema = {
    "type": "union",
    "choices": [
        {"type": "int", "strict": True},
        {"type": "float", "strict": True, "allow_inf_nan": True},
        {
            "type": "json-or-python",  # a strict decimal takes text out of JSON
            "json_schema": {"type": "float", "strict": True},
            "python_schema": {"type": "decimal", "strict": True, "allow_inf_nan": True},
        },
    ],
    "mode": "left_to_right",
}
_NOTHING: Any = object()


def operands(
    name: str,
    specs: tuple[ValueSpec, ...],
    operator: Operator,
    value: Any,
    zoneless_is_utc: bool = False,
) -> list[Operand]:
    """The native values that ``value`` may stand for; ``specs`` is empty where nothing is known.

    Raises :class:`~rapyer.errors.ExpressionError`, beginning with ``name``.
    """
    if operator == "in":
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
            raise ExpressionError(f"{name}: in needs a list of values, not {value!r}")
        options = [
            option
            for item in value
            for option in _read(name, specs, native(item), zoneless_is_utc=zoneless_is_utc)
        ]
        return [(tuple(unwrapped(option) for option, _ in options), any(utc for _, utc in options))]
    value = native(value)
    if operator == "contains":
        found = _parts(name, specs, value, zoneless_is_utc)
    elif operator == "startswith":
        found = [(_start(name, specs, value), False)]
    else:
        if value is None and operator not in ("==", "!="):
            raise ExpressionError(f"{name}: nothing is {operator} None; use == None or != None")
        readings = _read(name, specs, value, zoneless_is_utc=zoneless_is_utc)
        found = [(unwrapped(reading), utc) for reading, utc in readings]
    return found if operator in ("==", "!=", "contains") else found[:1]


def described(specs: tuple[ValueSpec, ...]) -> str:
    """The annotations that ``specs`` are, as a person would write them."""
    return " | ".join(dict.fromkeys(spec.describe() for spec in specs))


def _start(name: str, specs: tuple[ValueSpec, ...], value: Any) -> str | bytes:
    if not kinds(specs) & set(_MAYBE_TEXT):
        raise ExpressionError(f"{name} is {described(specs)}: only text starts with something")
    if not isinstance(value, str | bytes):
        raise ExpressionError(f"{name}: startswith needs text, not {value!r}")
    if kinds(specs) == {"bytes"} and isinstance(value, str):
        return value.encode()
    if kinds(specs) == {"str"} and isinstance(value, bytes):
        raise ExpressionError(f"{name} is {described(specs)}: it never starts with {value!r}")
    return value


def _parts(
    name: str, specs: tuple[ValueSpec, ...], value: Any, zoneless_is_utc: bool
) -> list[Operand]:
    inner: list[ValueSpec] = []
    for leaf in [leaf for spec in specs for leaf in leaves(spec)] or [any_spec()]:
        kind = leaf.core["type"]
        if kind in SEQUENCES:
            inner += item_specs(leaf)
        elif kind == "dict":
            inner.append(leaf.key)
        elif kind in _TEXTS:
            inner.append(leaf._derived({"type": kind}))
        elif kind in _MAYBE_TEXT:
            inner.append(any_spec())
    if not inner:
        raise ExpressionError(f"{name} is {described(specs)}: it contains nothing")
    what = "an item, key or part of it is "
    return _read(name, tuple(inner), value, what, zoneless_is_utc=zoneless_is_utc)


# -- readings ----------------------------------------------------------------------------------------


def _read(
    name: str,
    specs: tuple[ValueSpec, ...],
    value: Any,
    what: str = "it is ",
    *,
    zoneless_is_utc: bool = False,
) -> list[Operand]:
    if value is None or not specs:
        return [(value, zoneless_is_utc and _is_zoneless(value))]
    number = isinstance(value, int | float)
    found: list[Operand] = []
    zone: str | None = None
    for spec in specs:
        if number and kinds((spec,)) <= set(_TEMPORAL):
            continue
        for reading in _readings(spec, value):
            wanted = _zone_wanted(spec)
            utc = zoneless_is_utc and _is_zoneless(reading)
            zoneless = _is_zoneless(reading)
            if isinstance(reading, datetime) and zoneless and utc and wanted == "aware":
                reading, utc = reading.replace(tzinfo=UTC), False
            elif isinstance(reading, datetime) and wanted == ("aware" if zoneless else "naive"):
                zone = wanted
                continue
            if not any(_is_same(reading, known) for known, _ in found):
                found.append((reading, utc))
        if found:
            return found
    if zone is not None:
        has = "a zone" if zone == "aware" else "no zone"
        raise ExpressionError(f"{name} is not comparable with {value!r}: every value has {has}")
    raise ExpressionError(f"{name} is not comparable with {value!r}: {what}{described(specs)}")


def _zone_wanted(spec: ValueSpec) -> str | None:
    """Whether all values of ``spec`` are ``aware`` or ``naive``; None where they may be either."""
    found = {str(leaf.core.get("tz_constraint")) for leaf in leaves(spec)}
    return found.pop() if len(found) == 1 and found <= {"aware", "naive"} else None


def _is_zoneless(value: Any) -> bool:
    return isinstance(value, datetime | time) and value.utcoffset() is None


def _is_same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _readings(spec: ValueSpec, value: Any) -> Iterator[Any]:
    """What ``value`` may mean: a loaded value, what validation makes of it, a stored form."""
    own = _reloaded(spec, value)
    if spec.core["type"] == "any":
        if own is not _NOTHING:
            yield own
        return
    if own is not _NOTHING and _is_own(own, value):
        yield own
    yield from _validated(spec, value)


def _reloaded(spec: ValueSpec, value: Any) -> Any:
    """``value`` as it is when it was stored and loaded again."""
    try:
        return spec.validate_json(spec.to_json(value))
    except Exception:  # also whatever a validator of the user's makes of a value it never expected
        return _NOTHING


def _is_own(loaded: Any, value: Any) -> bool:
    """Whether ``value`` is the loaded value itself, and no other kind of value that equals it."""
    if isinstance(value, bool) or isinstance(loaded, bool):
        return type(value) is type(loaded) and value == loaded
    alike = isinstance(value, type(loaded)) or isinstance(loaded, type(value))
    numbers = isinstance(value, int | float) and isinstance(loaded, int | float)
    return (alike or numbers) and bool(loaded == value)


def _validated(spec: ValueSpec, value: Any) -> Iterator[Any]:
    """What Pydantic makes of ``value``, as Python and as JSON, with validators and without them."""
    text = _as_json(value)
    for validator in _validators(spec):
        found = [_attempt(validator.validate_python, value)]
        if text is not None:
            found.append(_attempt(validator.validate_json, text))
        yield from (reading for reading in found if reading is not _NOTHING)


def _attempt(validate: Callable[..., Any], value: Any) -> Any:
    try:
        return validate(value, by_alias=False, by_name=True)
    except Exception:  # also whatever a validator of the user's makes of a value it never expected
        return _NOTHING


def _as_json(value: Any) -> str | None:
    """``value`` as JSON text if it is plain JSON."""
    if isinstance(value, bool | int | float):
        return None  # numbers read the same
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        return None


def _validators(spec: ValueSpec) -> tuple[SchemaValidator, ...]:
    known: tuple[SchemaValidator, ...] | None = spec.__dict__.get("_operand_validators")
    if known is None:
        known = tuple(_compiled(spec, change) for change in (_Comparable(True), _Comparable(False)))
        spec.__dict__["_operand_validators"] = known
    return known


def _compiled(spec: ValueSpec, change: _Comparable) -> SchemaValidator:
    schema = change(spec.schema)
    if spec.definitions:
        definitions = [change(definition) for definition in spec.definitions.values()]
        schema = {"type": "definitions", "schema": schema, "definitions": definitions}
    config: Any = {**spec.config, **STORED_CONFIG}
    return SchemaValidator(cast(CoreSchema, schema), config, _use_prebuilt=False)


class _Comparable:
    """A schema for the values to compare with: the types, without constraints, with or without validators."""

    def __init__(self, validators: bool) -> None:
        self.validators = validators

    def __call__(self, schema: Schema) -> Schema:
        kind = schema["type"]
        if kind in ("int", "float"):
            return _NUMBER
        if kind in ("str", "bool"):
            names = _CHANGES_OF_TEXT if self.validators else ()
            return {"type": kind, "strict": True, **{n: schema[n] for n in names if n in schema}}
        inner = self._inside(schema)
        if inner is not None:
            return {**self(inner), **_reference(schema)}
        kept = {name: value for name, value in schema.items() if name not in _CONSTRAINTS}
        fields = kind in ("model-fields", "typed-dict")
        return map_schemas(kept, self._field_of_type if fields else self)

    def _inside(self, schema: Schema) -> Schema | None:
        """The schema that stands for ``schema``, where that adds nothing, or only a validator."""
        kind = schema["type"]
        if kind in ("default", "custom-error"):
            return cast(Schema, schema["schema"])
        if self.validators:
            return None
        if kind in ("function-before", "function-after", "function-wrap"):
            return cast(Schema, schema["schema"])
        if kind == "chain":
            return cast(Schema, schema["steps"][-1])
        if kind == "json-or-python":
            return cast(Schema, schema["python_schema"])
        return cast(Schema, schema["lax_schema"]) if kind == "lax-or-strict" else None

    def _field_of_type(self, schema: Schema) -> Schema:
        """A field of a model: its default stays, so that a value may leave it out."""
        if not schema["type"].endswith("-field"):
            return self(schema)
        inner = schema["schema"]
        if inner["type"] == "default":
            return {**schema, "schema": {**inner, "schema": self(inner["schema"])}}
        return {**schema, "schema": self(inner)}


def _reference(schema: Schema) -> Schema:
    return {"ref": schema["ref"]} if "ref" in schema else {}
