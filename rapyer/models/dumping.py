"""What ``model_dump`` and ``model_validate`` of documents do beyond Pydantic: plain values, and the pk."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from rapyer.schema.stored_form import OUTSIDE
from rapyer.schema.walking import map_schemas
from rapyer.state.document import document_state
from rapyer.types.base import RedisType

PK_NAME = "pk"


def plain(value: Any) -> Any:
    """``value`` of a dump without any Redis type in it; what holds none is not copied."""
    if isinstance(value, RedisType):
        return value.clone()
    kind = type(value)
    if kind is dict:
        return {plain(key): plain(item) for key, item in value.items()}
    if kind in (list, tuple, set, frozenset):
        return kind(map(plain, value))
    return value


def with_pk(schema: dict[str, Any], cls: type[BaseModel]) -> dict[str, Any]:
    """The schema of a model that dumps its uuid pk as ``pk``, and is that document when given it back."""
    if PK_NAME in cls.__pydantic_fields__ or OUTSIDE in schema.get("metadata", ()):
        return schema
    written = {
        "type": "computed-field",
        "property_name": PK_NAME,
        "return_schema": {"type": "str"},
    }

    def add(inner: dict[str, Any]) -> dict[str, Any]:
        if inner["type"] == "model-fields":
            return {**inner, "computed_fields": [*inner.get("computed_fields", ()), written]}
        if inner["type"] == "model" or inner["type"].startswith("function-"):
            return map_schemas(inner, add)
        return inner

    name = {"ref": schema["ref"]} if "ref" in schema else {}
    return {
        "type": "function-wrap",
        "function": {"type": "no-info", "function": _take_pk},
        "schema": add({key: value for key, value in schema.items() if key != "ref"}),
        "metadata": {OUTSIDE: True},
        **name,
    }


def _take_pk(value: Any, handler: Any) -> Any:
    if not isinstance(value, dict) or not isinstance(value.get(PK_NAME), str):
        return handler(value)
    pk = value[PK_NAME]
    model = handler({name: item for name, item in value.items() if name != PK_NAME})
    document_state(model).pk = pk
    return model
