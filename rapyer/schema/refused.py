"""Which annotations can be stored: a field that does not come back from JSON is refused with its class."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from rapyer.errors import ModelDefinitionError
from rapyer.schema.of_models import model_spec
from rapyer.schema.pydantic_internals import core_schema_of, writes_a_mask
from rapyer.schema.stored_form import is_of_the_user
from rapyer.schema.trial import Misread, find_misread, misread_at
from rapyer.schema.walking import (
    MAPPINGS,
    Definitions,
    Schema,
    config_of,
    inner_schemas,
    is_root_model,
    layers,
    peel,
)

_UNSTORABLE = {
    "is-instance": "an arbitrary class",
    "is-subclass": "a class object",
    "callable": "a callable",
    "generator": "a generator",
}
_NO_KEYS = {"tuple": "tuple", "frozenset": "frozenset", "model": "model", "dataclass": "dataclass"}
"""What Pydantic writes as the key of an object, or refuses to, and cannot read back."""
_REMEDY = (
    "give the field a serializer and a validator (pydantic.PlainSerializer, PlainValidator), or make it a "
    "private attribute"
)


def check_storable(cls: type[BaseModel]) -> None:
    """Raise :class:`~rapyer.errors.ModelDefinitionError` naming the first field that cannot be stored."""
    if is_root_model(cls):
        raise ModelDefinitionError(
            f"{cls.__name__}: a RootModel has no fields, but a document is an object of fields; make the "
            "root model a field of a model"
        )
    definitions: dict[str, Schema] = {}
    schema = core_schema_of(cls)
    if schema["type"] == "definitions":
        definitions = {definition["ref"]: definition for definition in schema["definitions"]}
    core = peel(schema, definitions)
    for name, field in _fields(core, definitions):
        for problem in _unstorable(field, definitions, set()):
            raise ModelDefinitionError(
                f"{cls.__name__}.{name}: {problem} has no JSON form; {_REMEDY}"
            )
    spec = model_spec(cls)
    config = config_of(spec.core) or {}
    for name in spec.field_names():
        misread = find_misread(spec.field(name).schema, spec.definitions, config)
        if misread is not None:
            raise _refusal(f"{cls.__name__}.{name}", misread)
    if any(is_of_the_user(layer.get("serialization")) for layer in _own_layers(spec.schema)):
        misread = misread_at(spec.schema, spec.definitions, config)
        if misread is not None:
            raise _refusal(cls.__name__, misread)


def _own_layers(schema: Schema) -> Iterator[Schema]:
    """The schemas from a model's outermost validator to its fields."""
    while True:
        yield schema
        if not isinstance(schema.get("schema"), dict):
            return
        schema = schema["schema"]


def _refusal(place: str, misread: Misread) -> ModelDefinitionError:
    return ModelDefinitionError(
        f"{place} would not come back from storage: {misread}; {_REMEDY}, or a type whose JSON form is "
        "like no other's (in a union: a discriminator)"
    )


def _fields(core: Schema, definitions: Definitions) -> list[tuple[str, Schema]]:
    while "fields" not in core:
        core = peel(core["schema"], definitions)
    return [(name, field["schema"]) for name, field in core["fields"].items()]


def _unstorable(schema: Schema, definitions: Definitions, seen: set[str]) -> Iterator[str]:
    """What in ``schema`` has no JSON form."""
    for layer in layers(schema, definitions):
        serialization = layer.get("serialization", {})
        if writes_a_mask(serialization.get("function")):
            yield "a secret, which Pydantic writes as asterisks,"
            return
        if serialization.get("type", "include-exclude-dict") != "include-exclude-dict":
            return
        name = layer.get("schema_ref")
        if name in seen:
            return
        if name is not None:
            seen.add(name)
        schema = layer
    kind = schema["type"]
    if kind in _UNSTORABLE:
        cls = schema.get("cls")
        yield (
            f"{_UNSTORABLE[kind]} {cls.__name__!r}" if isinstance(cls, type) else _UNSTORABLE[kind]
        )
        return
    if kind in MAPPINGS:
        key = peel(schema.get("keys_schema", {"type": "any"}), definitions)
        if key["type"] in _NO_KEYS and "serialization" not in key:
            yield f"a dict key that is a {_NO_KEYS[key['type']]}"
    for inner in inner_schemas(schema):
        if "schema" in inner and inner.get("type", "-field").endswith("-field"):
            inner = inner["schema"]
        yield from _unstorable(inner, definitions, seen)
