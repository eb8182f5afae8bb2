"""The one walker of Pydantic core schemas: what is inside a schema, and what is behind its wrappers.

Pydantic turns every annotation into a tree of dicts, a *core schema*. All functions here are pure: they
look at such a tree, or make another one that shares what did not change. ``definitions`` are the schemas
that a ``definition-ref`` refers to, by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias, cast

from pydantic import BaseModel

Schema: TypeAlias = dict[str, Any]
Definitions: TypeAlias = Mapping[str, Schema]

ANY: Schema = {"type": "any"}
DECLARED = "rapyer_declared"
"""The name in a schema's metadata under which a choice among subclasses keeps the declared class."""

_PARTS = frozenset(
    {"schema", "keys_schema", "values_schema", "items_schema", "lax_schema", "strict_schema"}
    | {"json_schema", "python_schema", "extras_schema", "extras_keys_schema", "return_schema"}
    | {"arguments_schema", "var_args_schema", "var_kwargs_schema", "steps", "definitions"}
)
"""Where schemas stand inside a schema: one, or a list of them."""
_TRANSPARENT = (
    "default",
    "nullable",
    "function-before",
    "function-after",
    "function-wrap",
    "custom-error",
    "json",
)
_INSIDE = {"lax-or-strict": "lax_schema", "json-or-python": "python_schema"}
_FIELDS = ("model-fields", "typed-dict", "dataclass-args", "named-tuple")
SEQUENCES = ("list", "set", "frozenset", "deque")
MAPPINGS = ("dict", "ordered-dict", "counter", "frozendict")


def map_schemas(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """``schema`` with ``change`` applied to each schema directly inside it; the rest is shared."""
    changed = dict(schema)
    for name, value in schema.items():
        if name in _PARTS:
            changed[name] = [*map(change, value)] if isinstance(value, list) else change(value)
        elif name == "fields" and isinstance(value, dict):
            changed[name] = {key: change(field) for key, field in value.items()}
        elif name == "fields":  # of a dataclass also the mere names of its fields
            changed[name] = [change(one) if isinstance(one, dict) else one for one in value]
        elif name == "choices" and isinstance(value, dict):
            changed[name] = {tag: change(choice) for tag, choice in value.items()}
        elif name == "choices":
            changed[name] = [
                (change(choice[0]), choice[1]) if isinstance(choice, tuple) else change(choice)
                for choice in value
            ]
    return changed


def inner_schemas(schema: Schema) -> list[Schema]:
    """The schemas directly inside ``schema``; what it refers to by name is not inside it."""
    found: list[Schema] = []
    for name, value in schema.items():
        if name in _PARTS or name in ("fields", "choices"):
            if isinstance(value, dict):
                found += [value] if name in _PARTS else value.values()
            else:
                parts = (one[0] if isinstance(one, tuple) else one for one in value)
                found += [one for one in parts if isinstance(one, dict)]
    return found


def everything(schema: Schema, definitions: Definitions) -> Iterator[Schema]:
    """``schema`` and all schemas below it, those that it refers to by name included, each name once."""
    seen: set[str] = set()
    waiting = [schema]
    while waiting:
        schema = waiting.pop()
        if "type" in schema:  # the parameters of a call have none
            yield schema
        name = schema.get("schema_ref")
        if name is None:
            waiting += inner_schemas(schema)
        elif name not in seen and name in definitions:
            seen.add(name)
            waiting.append(definitions[name])


def mentions(schema: Schema, *kinds: str) -> bool:
    """Whether a schema whose type begins with one of ``kinds`` is part of ``schema``."""
    return any(one["type"].startswith(kinds) for one in everything(schema, {}))


def reachable(schema: Schema, definitions: Definitions) -> dict[str, Schema]:
    """Those of ``definitions`` that ``schema`` needs."""
    names = {
        one["schema_ref"]: None for one in everything(schema, definitions) if "schema_ref" in one
    }
    return {name: definitions[name] for name in names if name in definitions}


def complete(schema: Schema, definitions: Definitions) -> Schema:
    """``schema`` as one that can be compiled: together with the definitions that it needs."""
    needed = reachable(schema, definitions) if definitions else {}
    if not needed:
        return schema
    return {"type": "definitions", "schema": schema, "definitions": list(needed.values())}


# -- behind the wrappers -----------------------------------------------------------------------------


def arms(schema: Schema) -> Iterator[Schema]:
    """The choices of a union."""
    choices = schema["choices"]
    for choice in choices.values() if isinstance(choices, dict) else choices:
        yield choice[0] if isinstance(choice, tuple) else choice


def is_union(schema: Schema) -> bool:
    """Whether ``schema`` is a union of the user's, and not a choice among the subclasses of one class."""
    kind = schema["type"]
    return kind == "union" or (
        kind == "tagged-union" and DECLARED not in schema.get("metadata", ())
    )


def unwrapped_once(schema: Schema, definitions: Definitions) -> Schema | None:
    """What the outermost wrapper of ``schema`` is around; None when there is none."""
    kind = schema["type"]
    if kind == "definition-ref":
        return definitions[schema["schema_ref"]]
    if kind == "definitions" or kind in _TRANSPARENT:
        return cast(Schema, schema.get("schema", ANY))
    if kind in _INSIDE:
        return cast(Schema, schema[_INSIDE[kind]])
    if kind == "chain":
        return cast(Schema, schema["steps"][-1])
    if kind == "tagged-union" and DECLARED in schema.get("metadata", ()):
        return cast(Schema, schema["metadata"][DECLARED])
    return None


def layers(schema: Schema, definitions: Definitions) -> Iterator[Schema]:
    """The wrappers of ``schema`` from outside (defaults, None, validators), and what they are around."""
    inner: Schema | None = schema
    while inner is not None:
        yield inner
        inner = unwrapped_once(inner, definitions)


def peel(schema: Schema, definitions: Definitions) -> Schema:
    """``schema`` without its wrappers."""
    for layer in layers(schema, definitions):
        schema = layer
    return schema


def accepts_none(schema: Schema, definitions: Definitions) -> bool:
    """Whether None is a valid value."""
    for layer in layers(schema, definitions):
        if layer["type"] == "union":
            return any(accepts_none(arm, definitions) for arm in arms(layer))
        if layer["type"] in ("nullable", "any", "none"):
            return True
    return False


def fields_of(schema: Schema, definitions: Definitions) -> dict[str, Schema]:
    """The fields of a model, dataclass, typed dict or named tuple, wrappers peeled off; else empty."""
    return {name: field["schema"] for name, field in _fields(schema, definitions)}


def _fields(schema: Schema, definitions: Definitions) -> list[tuple[str, Schema]]:
    core = peel(schema, definitions)
    if core["type"] in ("model", "dataclass"):
        core = peel(core["schema"], definitions)
    if core["type"] not in _FIELDS:
        return []
    fields = core["fields"]
    return (
        list(fields.items())
        if isinstance(fields, dict)
        else [(field["name"], field) for field in fields]
    )


def config_of(core: Schema) -> Schema | None:
    """The configuration that ``core`` sets for what is inside it; None where that of outside holds."""
    config: Schema | None = core.get("config")
    if config is None and core["type"] == "model":
        return {}
    return config


def model_of(schema: Schema) -> type[Any] | None:
    """The class of a model or dataclass that ``schema`` validates, through validators around it."""
    while schema["type"] not in ("model", "dataclass"):
        inner = schema.get("schema")
        if not isinstance(inner, dict) or not schema["type"].startswith("function-"):
            return None
        schema = inner
    return cast("type[Any]", schema["cls"])


def is_root_model(cls: type[Any]) -> bool:
    """Whether ``cls`` is a ``RootModel``, whose stored form has no fields."""
    return issubclass(cls, BaseModel) and cls.__pydantic_root_model__
