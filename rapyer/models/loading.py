"""Between models and their stored documents: whole documents out of bytes, and errors that say what is wrong.

The bytes themselves are made and read by :mod:`rapyer.schema.spec`; here they become model instances with a
pk, and validation errors become :class:`~rapyer.errors.DocumentError` naming key and fields.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from rapyer.fields import SafeLoadMark, has_mark
from rapyer.models.keys import note_key_field
from rapyer.schema.document_errors import document_error
from rapyer.schema.spec import ValueSpec, model_spec
from rapyer.script.in_python import dumps
from rapyer.state.document import DocumentState
from rapyer.state.known import Known
from rapyer.state.node import STATE, set_state, state_of

if TYPE_CHECKING:
    from rapyer.models.storage import Storage

    Model = TypeVar("Model", bound=Storage)


def load_document(cls: type[Model], key: str, text: bytes) -> Model:
    """The model that the stored ``text`` of ``key`` is.

    Raises :class:`~rapyer.errors.DocumentError` naming the key and every field that does not validate.
    """
    spec = model_spec(cls)  # type: ignore[arg-type]
    return _load(cls, spec, len(cls.class_key_initials()) + 1, key, text)


def loader(cls: type[Model]) -> Callable[[str, bytes], Model]:
    """:func:`load_document` for many documents of ``cls``, for as long as nobody defines classes."""
    spec = model_spec(cls)  # type: ignore[arg-type]
    return partial(_load, cls, spec, len(cls.class_key_initials()) + 1)


def _load(cls: type[Model], spec: ValueSpec, start: int, key: str, text: bytes) -> Model:
    unread = None
    try:
        model: Any = spec.validate_json(text)
    except ValidationError as error:
        model, unread = _load_safely(cls, spec, key, text, error)
    state = DocumentState(key[start:], Known())
    if unread is not None:
        state.unread = unread
    set_state(model, STATE, state)
    if cls.__rapyer_key_field__ is not None:
        note_key_field(model)
    return model  # type: ignore[no-any-return]


def with_unread(model: Any, text: bytes) -> bytes:
    """``text`` of ``model`` in which fields that could not be read keep what is stored."""
    state = state_of(model)
    unread = None if state is None or state.parent is not None else state.unread
    if not unread:
        return text
    content = json.loads(text)
    content.update({name: value for name, value in unread.items() if content.get(name) is None})
    return dumps(content)


def safe_fields(cls: type[Storage]) -> set[str]:
    """The fields of ``cls`` whose stored value may fail validation."""
    everything = cls.Meta.safe_load_all
    return {
        name
        for name, field in cls.__pydantic_fields__.items()
        if everything or has_mark(field, SafeLoadMark)
    }


def _load_safely(
    cls: type[Model], spec: ValueSpec, key: str, text: bytes, error: ValidationError
) -> tuple[BaseModel, dict[str, Any]]:
    """The document with the failing ``SafeLoad`` fields as None, if they are all that fails."""
    failing = {entry["loc"][0] for entry in error.errors(include_url=False) if entry["loc"]}
    if not failing or not failing <= safe_fields(cls):
        raise document_error(key, error) from error
    content = json.loads(text)
    kept = {name: value for name, value in content.items() if name not in failing}
    lenient = _without_fields(spec, failing)
    try:
        model: Any = lenient.validate_json(json.dumps(kept, ensure_ascii=False))
    except ValidationError as again:
        raise document_error(key, again) from again
    unread = {name: content[name] for name in cls.__pydantic_fields__ if name in failing}
    return model, unread


def _without_fields(spec: ValueSpec, names: set[Any]) -> ValueSpec:
    """``spec`` in which the fields ``names`` default to None, whatever they say themselves."""

    def relax(schema: dict[str, Any]) -> dict[str, Any]:
        if schema["type"] == "model-fields":
            nothing = {
                "type": "model-field",
                "schema": {"type": "default", "schema": {"type": "any"}, "default": None},
            }
            fields = {
                name: nothing if name in names else field
                for name, field in schema["fields"].items()
            }
            return {**schema, "fields": fields}
        if schema["type"] == "definition-ref":
            return relax(spec.definitions[schema["schema_ref"]])
        if "schema" in schema:
            return {
                **{k: v for k, v in schema.items() if k != "ref"},
                "schema": relax(schema["schema"]),
            }
        return schema

    return ValueSpec(relax(spec.schema), spec.definitions, spec.config)
