"""Reading parts of documents into the values they belong to, and setting several fields at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from rapyer import connections
from rapyer.batch.batch import current_batch, perform
from rapyer.batch.change import Change, ComposedChange
from rapyer.batch.commit import session_of
from rapyer.errors import KeyNotFound, PathNotFound, WrongTypeError
from rapyer.models.loading import document_error
from rapyer.models.node import ModelNode, _unwrapped, adopted, refuse_frozen
from rapyer.paths import Path, addressable_prefix, field_path, format_target, json_path
from rapyer.schema.spec import ValueSpec
from rapyer.script.call import Primitive
from rapyer.state import links
from rapyer.state.last_known import note_loaded
from rapyer.state.links import Document


async def read_text(document: Document, path: Path) -> bytes:
    """The stored JSON text at ``path``. Sends JSON.GET.

    Raises :class:`~rapyer.errors.KeyNotFound` for a document, :class:`~rapyer.errors.PathNotFound` for
    a place that is not there.
    """
    key = document.__rapyer_key__()
    reach = addressable_prefix(path)
    session = session_of(document)
    refresh = document.__rapyer_refresh__()
    command = (b"JSON.GET", key, json_path(path[:reach]).encode())
    try:
        if refresh is None:
            reply = await session.execute(*command, write=False)
        else:
            replies = await session.execute_many([command, (b"PEXPIRE", key, refresh)], write=False)
            reply = replies[0]
            if isinstance(reply, Exception):
                raise reply
    except connections.ResponseError as error:
        raise WrongTypeError(f"{key} is not a JSON document: {error}") from error
    if reply is None:
        raise KeyNotFound(f"{key} does not exist", key=key)
    missing = PathNotFound(
        f"{key}/{field_path(path)}: there is no such place in the stored document", key=key
    )
    if reply == b"[]":
        raise missing
    text: bytes = reply[1:-1]
    if reach < len(path):
        from rapyer.script import in_python

        try:
            _, text = in_python.apply("read", text, path[reach:], (b"strict",))
        except in_python.Refusal:
            raise missing from None
    return text


def _place(value: Any) -> tuple[Document, Path, ValueSpec, Any]:
    document, path = links.locate(value)
    parent = links.parent_of(value)
    return document, path, parent.__rapyer_child_spec__(value.__rapyer_place__), parent


async def load_value(value: Any) -> Any:
    """Make ``value`` what the server has at its place; returns the live value that stands there now."""
    document, path, spec, parent = _place(value)
    key = document.__rapyer_key__()
    if current_batch() is not None:

        def primitives(path: Path) -> Sequence[Primitive]:
            return [Primitive("read", path, (b"strict",))]

        def settle(answers: Sequence[Any], stamp: int) -> None:
            fresh = _validated(spec, key, path, answers[0])
            note_loaded(document, _take_over(parent, value, fresh), path)

        def decode(answers: Sequence[Any]) -> Any:
            return _validated(spec, key, path, answers[0])

        return await perform(
            ComposedChange(
                "load", value, None, primitives, decode=decode, settle=settle, effect="read"
            )
        )
    fresh = _validated(spec, key, path, await read_text(document, path))
    loaded = _take_over(parent, value, fresh)
    note_loaded(document, loaded, path)
    return loaded


def _validated(spec: ValueSpec, key: str, path: Path, text: bytes) -> Any:
    try:
        return spec.validate_json(text)
    except ValidationError as error:
        raise document_error(format_target(key, path), error) from error


def _take_over(parent: Any, value: Any, fresh: Any) -> Any:
    current = parent.__rapyer_current__(value)
    kept = adopted(current, fresh)
    if kept is current:
        return current
    parent.__rapyer_store__(value, fresh)
    return parent.__rapyer_current__(value)


def set_fields(model: ModelNode, changes: Mapping[str, Any]) -> Change:
    """The change that sets several fields of ``model`` in one step; all are validated first."""
    fields = type(model).__pydantic_fields__  # type: ignore[attr-defined]
    for name in changes:
        if name not in fields:
            known = ", ".join(fields)
            raise TypeError(f"{type(model).__name__} has no field {name!r}; it has {known}")
    for name, value in changes.items():
        refuse_frozen(type(model), name, value)  # type: ignore[arg-type]
    valid = {
        name: model.__rapyer_child_spec__(name).validate_python(_unwrapped(value))
        for name, value in changes.items()
    }
    if valid and type(model).model_config.get("validate_assignment"):  # type: ignore[attr-defined]
        valid = model.__rapyer_revalidated__(valid)
    texts = {
        name: model.__rapyer_child_spec__(name).to_json(value) for name, value in valid.items()
    }

    def local() -> None:
        model.__dict__.update(valid)
        model.__pydantic_fields_set__.update(valid)  # type: ignore[attr-defined]

    return model._set_change("update", texts, local)
