"""Filling :class:`~rapyer_cli.knowledge.knowledge.Knowledge`: from the models, and by bounded reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapyer_cli.knowledge.knowledge import Children, OperationInfo, TypeInfo
from rapyer_cli.language.addresses import Address
from rapyer_cli.reading.many import some_keys_of

if TYPE_CHECKING:
    from rapyer.base import AtomicRedisModel
    from rapyer.schema.spec import ValueSpec

_KINDS = ("str", "int", "float", "bool", "bytes", "datetime", "list", "dict")
MOST_KEYS = 200
MOST_CHILDREN = 100_000
_SEARCH_SECONDS = 0.5


def types_of(models: Iterable[type[AtomicRedisModel]]) -> dict[str, dict[str, TypeInfo]]:
    """The fields of the models, by key prefix, and of the models nested in them, by class name."""
    from rapyer.schema.of_models import model_spec

    types: dict[str, dict[str, TypeInfo]] = {}
    for model in models:
        _add_fields(types, model.class_key_initials(), model_spec(model))
    return types


def type_info(spec: ValueSpec, types: dict[str, dict[str, TypeInfo]]) -> TypeInfo:
    """What completion needs of a spec; models inside it are entered into ``types``."""
    kind = kind_of(spec)
    model = ""
    item: TypeInfo | None = None
    if spec.field_names():
        model = f"{spec.python_type.__module__}.{spec.python_type.__qualname__}"
        if model not in types:
            _add_fields(types, model, spec)
    elif kind == "list":
        item = type_info(spec.item, types)
    elif kind == "dict":
        item = type_info(spec.value, types)
    return TypeInfo(kind, spec.describe(), model, item, tuple(spec.choices()), "")


def kind_of(spec: ValueSpec) -> str:
    """The kind by which :class:`TypeInfo` calls a spec's type; ``object`` where it is open."""
    if spec.field_names():
        return "model"
    name = spec.python_type.__name__
    if name in _KINDS:
        return name
    return "object" if spec.core["type"] in ("any", "union", "tagged-union") else "other"


def operation_infos() -> tuple[OperationInfo, ...]:
    """The typed operations of the library's registry."""
    import rapyer.types  # noqa: F401 - fills the registry
    from rapyer.operations import REGISTRY
    from rapyer_cli.knowledge.describing import signature_of

    return tuple(
        OperationInfo(
            entry.name,
            entry.python_type.__name__,
            signature_of(entry),
            tuple(parameter.role for parameter in entry.parameters),
        )
        for entry in REGISTRY
    )


async def keys_for(client: Any, name: str, text: str) -> list[str]:
    """Some keys of the model ``name`` that begin with ``text``. Sends SCANs for a bounded time."""
    keys, _ = await some_keys_of(client, name, text, MOST_KEYS, seconds=_SEARCH_SECONDS)
    return keys


async def children_at(client: Any, address: Address) -> Children | None:
    """The names in the dict, or the length of the list, at ``address``; None when it has none.

    Sends JSON.TYPE, and JSON.OBJKEYS or JSON.ARRLEN: never the document itself.
    """
    from rapyer_cli.reading.peek import peek

    found = await peek(client, address)
    if found is None:
        return None
    if found.kind == "object":
        names = await found.names()
        return names[:MOST_CHILDREN]
    if found.kind == "array":
        return await found.length()
    return ()


def files_like(text: str, cwd: Path) -> list[str]:
    """The files and directories whose path begins with ``text``."""
    head, slash, tail = text.rpartition("/")
    try:
        return sorted(_entries(cwd / Path(head + slash).expanduser(), head + slash, tail))
    except OSError:
        return []


def _entries(directory: Path, prefix: str, tail: str) -> Iterator[str]:
    for entry in directory.iterdir():
        if entry.name.startswith(tail) and (tail or not entry.name.startswith(".")):
            yield f"{prefix}{entry.name}{'/' if entry.is_dir() else ''}"


def _add_fields(types: dict[str, dict[str, TypeInfo]], name: str, spec: ValueSpec) -> None:
    fields: dict[str, TypeInfo] = {}
    types[name] = fields  # before its fields are entered: a model may hold itself
    for field in spec.field_names():
        fields[field] = type_info(spec.child(field), types)
