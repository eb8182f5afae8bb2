"""Whether what is written of a value is read back as that value, found out by trying.

Most annotations need no trial: of a text, a number, a list of those it is known. Where functions of the
user's, unions, the keys of dicts or values foreign to JSON take part, examples are written and read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel

from rapyer.errors import InvalidValueError
from rapyer.schema.constraints import calls_the_user
from rapyer.schema.examples import examples
from rapyer.schema.finite import values_of
from rapyer.schema.spec import ValueSpec
from rapyer.schema.stored_form import is_of_the_user
from rapyer.schema.walking import (
    DECLARED,
    MAPPINGS,
    Definitions,
    Schema,
    arms,
    config_of,
    inner_schemas,
    is_union,
    layers,
)

_SURE = frozenset(
    {"str", "int", "float", "bool", "none", "any", "bytes", "datetime", "date", "time", "timedelta"}
    | {"decimal", "uuid", "url", "multi-host-url", "list", "set", "frozenset", "deque", "tuple"}
    | {"default", "nullable", "definition-ref", "model", "typed-dict", "named-tuple", "dataclass"}
)
_SURE_KEYS = frozenset({"str", "int", "uuid", "date", "decimal", "any"})
_KINDS_OF_PARTS = frozenset({"model-fields", "dataclass-args"})


class Misread(NamedTuple):
    """A value that does not come back: what is written of it, and what became of that."""

    value: Any
    text: str
    outcome: str

    def __str__(self) -> str:
        written = f"{self.value!r} is written as {self.text}" if self.text else repr(self.value)
        return f"{written}, which {self.outcome}"


def find_misread(schema: Schema, definitions: dict[str, Schema], config: Schema) -> Misread | None:
    """The first value anywhere below ``schema`` that does not come back; None when none was found."""
    seen: set[str] = set()
    waiting = [(schema, config)]
    while waiting:
        place, config = waiting.pop()
        if _is_in_doubt(place, definitions, config):
            found = misread_at(place, definitions, config)
            if found is not None:
                return found
        core = place
        for core in layers(place, definitions):
            name = core.get("schema_ref")
            if name in seen:
                break
            if name is not None:
                seen.add(name)
        else:
            inside = config_of(core)
            config = config if inside is None else inside
            waiting += [(part, config) for part in _parts(core)]
    return None


def _parts(core: Schema) -> list[Schema]:
    """The places directly below a value: fields, items, keys and values, but not the arms of unions."""
    if core["type"] in ("union", "tagged-union") and DECLARED not in core.get("metadata", ()):
        return [part for arm in inner_schemas(core) for part in _parts(arm)]
    found: list[Schema] = []
    for inner in inner_schemas(core):
        if inner.get("type", "").endswith("-field"):
            found.append(inner["schema"])
        elif inner.get("type") in _KINDS_OF_PARTS or core["type"] in ("model", "dataclass"):
            found += _parts(inner)
        else:
            found.append(inner)
    return found


def misread_at(schema: Schema, definitions: dict[str, Schema], config: Schema) -> Misread | None:
    """An example of ``schema`` itself that does not come back; None when all do, or there are none.

    What functions of the user's shape is theirs to answer for: there one that does come back is enough.
    """
    spec = ValueSpec(schema, definitions, config)
    of_the_user, first = calls_the_user(schema, definitions), None
    for value in _values(spec):
        found = _tried(spec, value)
        if found is not None and of_the_user and not found.text:
            continue  # a serializer that cannot work yet, while the class is being defined
        first = first or found
        if (found is None) if of_the_user else (found is not None):
            return found
    return first


def _values(spec: ValueSpec) -> Iterator[Any]:
    """The examples as values: of a union those of each arm, also where another arm would take them."""
    core = spec.core
    for arm in arms(core) if is_union(core) else (spec.schema,):
        place = spec._derived(arm)
        for example in examples(arm, spec.definitions):
            try:
                value = spec.validate_python(place.validate_python(example))
            except Exception:
                continue
            if value is not None:
                yield value


def _tried(spec: ValueSpec, value: Any) -> Misread | None:
    try:
        text = spec.to_json(value)
    except InvalidValueError as error:
        return Misread(value, "", f"cannot be written as JSON: {error.__cause__ or error}")
    try:
        back = spec.validate_json(text)
        again = spec.to_json(back)
    except Exception as error:
        reason = str(error).partition("\n")[2].strip().partition(" [")[0] or str(error)
        return Misread(value, text.decode(), f"cannot be read: {reason}")
    if not _is_equal(value, back):
        return Misread(value, text.decode(), f"is read as {back!r}")
    if again != text:
        return Misread(value, text.decode(), f"becomes {again.decode()} when it is saved again")
    return None


def _is_equal(value: Any, back: Any) -> bool:
    if isinstance(value, BaseModel) and isinstance(back, BaseModel):
        return type(value) is type(back) and _is_equal(value.__dict__, back.__dict__)
    if type(value) is dict and type(back) is dict:
        return value.keys() == back.keys() and all(
            _is_equal(item, back[key]) for key, item in value.items()
        )
    if type(value) in (list, tuple) and type(back) is type(value):
        return len(value) == len(back) and all(map(_is_equal, value, back))
    equality: Any = type(value).__eq__
    if type(value) is type(back) and equality is object.__eq__:
        return True  # nobody can tell them apart but by what is written of them
    return bool(value == back)


def _is_in_doubt(schema: Schema, definitions: Definitions, config: Schema) -> bool:
    return any(
        is_of_the_user(layer.get("serialization"))
        or (layer["type"] not in _SURE and not _is_sure(layer, definitions))
        or (bool(layer.get("strict") or config.get("strict")) and layer["type"] in MAPPINGS)
        or (layer["type"] == "dataclass" and _has_odd_fields(layer))
        for layer in layers(schema, definitions)
        if DECLARED not in layer.get("metadata", ())
    )


def _is_sure(schema: Schema, definitions: Definitions) -> bool:
    """Whether an enum or literal has only values, a dict only keys, that JSON tells apart."""
    if schema["type"] in MAPPINGS:
        keys = list(layers(schema.get("keys_schema", {"type": "str"}), definitions))
        return all(key["type"] in _SURE_KEYS or key["type"] == "definition-ref" for key in keys)
    values = values_of(schema)
    if values is None or "missing" in schema:
        return False
    values = [getattr(value, "value", value) for value in values]
    return len({type(value) for value in values}) == 1 and type(values[0]) in (str, int)


def _has_odd_fields(schema: Schema) -> bool:
    """Whether a dataclass has fields that its constructor does not take, or only the constructor knows."""
    return any(
        not field.get("init", True) or field.get("init_only")
        for field in schema["schema"].get("fields", ())
        if isinstance(field, dict)
    )
