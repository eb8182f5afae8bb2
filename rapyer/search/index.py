"""RediSearch indexes: created when asked for, compared with the model, never changed silently.

A model with ``Index`` fields has one index, ``rapyer:idx:<prefix>``, over the documents of its prefix.
What it holds is decided in :mod:`rapyer.search.index_fields`, how it is asked in :mod:`rapyer.search.index_answers`. Without an
index, or where it cannot be relied on, finding scans; results are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rapyer import connections
from rapyer.errors import ConfigurationError, IndexDefinitionError
from rapyer.keyspace.model_class import ModelClass
from rapyer.keyspace.scan import session_of_model
from rapyer.search.index_fields import IndexSchema, index_schema

if TYPE_CHECKING:
    from rapyer.connections import Session

_NAME = "rapyer:idx:"
_UNKNOWN = ("unknown index name", "no such index")


def has_index(model: type[ModelClass]) -> bool:
    """Whether ``model`` has ``Index`` fields."""
    schema = index_schema(model)
    return bool(schema.fields or schema.left_out)


def index_name(model: type[ModelClass]) -> str:
    """The name of the index on the server."""
    return _NAME + model.class_key_initials()


@dataclass(frozen=True, slots=True)
class IndexState:
    """What FT.INFO says about an index."""

    prefixes: tuple[str, ...]
    kind: str
    fields: frozenset[tuple[str, str, str, frozenset[str]]]
    building: bool
    failures: int


async def create_index(model: type[ModelClass], *, rebuild: bool = False) -> bool:
    """Create the index of ``model`` if it is not there; whether it was created.

    The server fills it in the background; until then finding scans. ``rebuild=True`` drops an existing
    index (not the documents) and creates it anew.

    Raises :class:`IndexDefinitionError` when there is an index with another definition,
    :class:`~rapyer.errors.ConfigurationError` when the model has nothing that an index can answer for or
    the server cannot index it (a cluster, another database than 0), :class:`~rapyer.errors.MissingModuleError` when it has no search module.
    Sends FT.INFO and FT.CREATE, and FT.DROPINDEX to rebuild.
    """
    schema, session = index_schema(model), session_of_model(model)
    if not schema.fields:
        raise ConfigurationError(_nothing_to_index(model, schema))
    obstacle = obstacle_to_indexes(session)
    if obstacle is not None:
        raise ConfigurationError(f"{model.__name__} cannot have an index: {obstacle}")
    state = await index_state(session, model)
    if state is not None and rebuild:
        await session.execute(b"FT.DROPINDEX", index_name(model), write=True)
        state = None
    if state is not None:
        _compare(model, schema, state)
        return False
    return await _create(session, model, schema)


async def delete_index(model: type[ModelClass]) -> bool:
    """Delete the index of ``model``, never a document; whether there was one. Sends FT.DROPINDEX.

    Raises :class:`~rapyer.errors.MissingModuleError` when the server has no search module.
    """
    try:
        await session_of_model(model).execute(b"FT.DROPINDEX", index_name(model), write=True)
    except connections.ResponseError as error:
        if any(phrase in str(error).lower() for phrase in _UNKNOWN):
            return False
        raise
    return True


async def _create(session: Session, model: type[ModelClass], schema: IndexSchema) -> bool:
    name, prefix = index_name(model), model.class_key_initials() + ":"
    words = [word for field in schema.fields.values() for word in field.arguments]
    command = ("FT.CREATE", name, "ON", "JSON", "PREFIX", "1", prefix, "SCHEMA", *words)
    try:
        await session.execute(*command, write=True)
    except connections.ResponseError as error:
        if "already exists" in str(error).lower():
            state = await index_state(session, model)
            if state is not None:
                _compare(model, schema, state)
            return False
        raise ConfigurationError(
            f"the index of {model.__name__} cannot be created: {error} (RediSearch 2.10 or newer is needed)"
        ) from error
    return True


def obstacle_to_indexes(session: Session) -> str | None:
    """Why no index can answer for the documents that a session sees; None if one can."""
    if session.is_cluster:
        return "over a cluster a search module does not see all documents"
    database = _database_of(session)
    return (
        None if database == 0 else f"RediSearch knows only database 0, the client uses {database}"
    )


def _database_of(session: Session) -> int:
    """The number of the database that the session's client uses."""
    client = session._client()
    pool = getattr(client, "connection_pool", None)
    return int(pool.connection_kwargs.get("db") or 0) if pool is not None else 0


async def index_state(session: Session, model: type[ModelClass]) -> IndexState | None:
    """The index of ``model`` as the server has it; None when it is not there. Sends FT.INFO."""
    try:
        reply = await session.execute(b"FT.INFO", index_name(model), write=False)
    except connections.ResponseError as error:
        if any(phrase in str(error).lower() for phrase in _UNKNOWN):
            return None
        raise
    info = as_mapping(reply)
    definition = as_mapping(info["index_definition"])
    return IndexState(
        tuple(_text(prefix) for prefix in definition["prefixes"]),
        _text(definition["key_type"]),
        frozenset(_field_of(attribute) for attribute in info["attributes"]),
        float(info.get("indexing", 0)) != 0 or float(info.get("percent_indexed", 1)) < 1,
        int(info.get("hash_indexing_failures", 0)),
    )


def _field_of(attribute: Any) -> tuple[str, str, str, frozenset[str]]:
    if isinstance(attribute, Mapping):
        told = as_mapping(attribute)
        flags = {_text(flag) for flag in told.get("flags", ())}
        named = told
    else:  # a flat list: names and values, then flags
        words = [_text(word) for word in attribute]
        named = dict(zip(words[0:6:2], words[1:6:2], strict=True))
        rest = words[6:]
        if "SEPARATOR" in rest:
            at = rest.index("SEPARATOR")
            del rest[at : at + 2]
        flags = set(rest)
    return (
        _text(named["identifier"]),
        _text(named["attribute"]),
        _text(named["type"]),
        frozenset(flags),
    )


def as_mapping(reply: Any) -> dict[str, Any]:
    """A map of RESP3, or the flat list of RESP2, with text as keys."""
    pairs = (
        reply.items() if isinstance(reply, Mapping) else zip(reply[::2], reply[1::2], strict=True)
    )
    return {_text(name): value for name, value in pairs}


def _text(word: Any) -> str:
    return word.decode() if isinstance(word, bytes) else str(word)


# -- comparing ---------------------------------------------------------------------------------------


def differences(model: type[ModelClass], schema: IndexSchema, state: IndexState) -> list[str]:
    """What the index on the server has otherwise than the model wants it, in words."""
    found = []
    prefix = model.class_key_initials() + ":"
    if state.kind != "JSON" or state.prefixes != (prefix,):
        found.append(
            f"it covers {state.kind} under {', '.join(state.prefixes)} instead of JSON under {prefix}"
        )
    wanted = {field.definition for field in schema.fields.values()}
    for verb, definitions in (
        ("it lacks", wanted - state.fields),
        ("it also has", state.fields - wanted),
    ):
        found += [
            f"{verb} {path} as {' '.join([kind, *sorted(flags)])}"
            for path, _, kind, flags in sorted(definitions, key=lambda definition: definition[:3])
        ]
    return found


def _compare(model: type[ModelClass], schema: IndexSchema, state: IndexState) -> None:
    differing = differences(model, schema, state)
    if differing:
        raise IndexDefinitionError(
            f"the index {index_name(model)} is not the one that {model.__name__} defines: "
            f"{'; '.join(differing)}; {model.__name__}.create_index(rebuild=True) builds it anew"
        )


def _nothing_to_index(model: type[ModelClass], schema: IndexSchema) -> str:
    if not schema.left_out:
        return f"{model.__name__} has no Index fields"
    reasons = "; ".join(f"{'.'.join(path)}: {why}" for path, why in schema.left_out.items())
    return f"no index can answer for the Index fields of {model.__name__}: {reasons}"
