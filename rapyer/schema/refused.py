"""Which annotations can be stored: a field that Pydantic cannot write as JSON is refused with its class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from rapyer.errors import ModelDefinitionError
from rapyer.schema.walking import map_schemas

_UNSTORABLE = {
    "is-instance": "an arbitrary class",
    "is-subclass": "a class object",
    "callable": "a callable",
    "generator": "a generator",
}
_NO_KEYS = {"tuple": "tuple", "frozenset": "frozenset", "model": "model", "dataclass": "dataclass"}
"""What Pydantic writes as the key of an object, or refuses to, and cannot read back."""


def _unstorable(
    schema: dict[str, Any], definitions: dict[str, Any], seen: set[str]
) -> Iterator[str]:
    """What in ``schema`` has no JSON form."""
    written = schema.get("serialization", {}).get("function")
    if getattr(written, "__module__", "") == "pydantic.types" and "secret" in written.__name__:
        yield "a secret, which Pydantic writes as asterisks,"
        return
    if "serialization" in schema and schema["serialization"].get("type") != "include-exclude-dict":
        return
    kind = schema["type"]
    if kind == "definition-ref":
        reference = schema["schema_ref"]
        if reference not in seen:
            seen.add(reference)
            yield from _unstorable(definitions.get(reference, {"type": "any"}), definitions, seen)
        return
    if kind in _UNSTORABLE:
        cls = schema.get("cls")
        yield (
            f"{_UNSTORABLE[kind]} {cls.__name__!r}" if isinstance(cls, type) else _UNSTORABLE[kind]
        )
        return
    if kind == "dict":
        key = schema.get("keys_schema", {"type": "any"})
        if key["type"] == "definition-ref":
            key = definitions.get(key["schema_ref"], key)
        if key["type"] in _NO_KEYS and "serialization" not in key:
            yield f"a dict key that is a {_NO_KEYS[key['type']]}"
    found: list[str] = []

    def visit(inner: dict[str, Any]) -> dict[str, Any]:
        found.extend(_unstorable(inner, definitions, seen))
        return inner

    if kind in ("lax-or-strict", "json-or-python"):
        visit(schema["json_schema"] if kind == "json-or-python" else schema["lax_schema"])
    else:
        map_schemas(schema, visit)
    yield from found


def check_storable(cls: type[BaseModel]) -> None:
    """Raise :class:`~rapyer.errors.ModelDefinitionError` naming the first field that cannot be stored."""
    schema: Any = cls.__pydantic_core_schema__
    definitions = {}
    if schema["type"] == "definitions":
        definitions = {definition["ref"]: definition for definition in schema["definitions"]}
        schema = schema["schema"]
    while "fields" not in schema:
        schema = (
            definitions[schema["schema_ref"]]
            if schema["type"] == "definition-ref"
            else schema.get("schema")
        )
        if schema is None:
            return
    for name, field in schema["fields"].items():
        for problem in _unstorable(field["schema"], definitions, set()):
            raise ModelDefinitionError(
                f"{cls.__name__}.{name}: {problem} has no JSON form; give the field a serializer and a "
                "validator (pydantic.PlainSerializer, PlainValidator), or make it a private attribute"
            )
