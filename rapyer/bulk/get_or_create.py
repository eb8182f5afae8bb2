"""Reading a document, or creating it where there is none, without a moment between the two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rapyer.batch.batch import current_batch
from rapyer.errors import ConflictError, KeyExistsError, KeyNotFound, RapyerError, WrongModelError
from rapyer.fields import RapyerKey
from rapyer.keyspace import registry
from rapyer.keyspace.keys import key_of
from rapyer.models.storage import Storage
from rapyer.state.document import document_state
from rapyer.state.node import document_key

_ATTEMPTS = 100
"""How often a document that others keep creating and deleting is tried again."""


async def get_or_create(cls: Any, document: Any, fields: Mapping[str, Any]) -> tuple[Storage, bool]:
    """See :meth:`rapyer.collection.Collection.get_or_create`."""
    if current_batch() is not None:
        raise RapyerError(
            "get_or_create cannot be part of a pipeline: what it answers is known only afterwards"
        )
    new = _new(cls, document, fields)
    key = RapyerKey(document_key(new))
    for _ in range(_ATTEMPTS):
        try:
            return await new.save(nx=True), True
        except KeyExistsError:
            pass
        try:
            return await cls.get(key), False
        except KeyNotFound:
            continue  # somebody deleted it in between
    raise ConflictError(f"{key}: others keep creating and deleting it")


def _new(cls: Any, document: Any, fields: Mapping[str, Any]) -> Any:
    """The instance that is stored where there is none."""
    if document is None:
        return cls(**fields)
    if isinstance(document, Storage):
        if not isinstance(document, cls):
            raise WrongModelError(f"a {type(document).__name__} is not a {cls.__name__}")
        if fields:
            raise TypeError("get_or_create takes a new document or its fields, not both")
        return document
    pk = key_of(cls, document).removeprefix(registry.prefix_of(cls))
    name = cls.__rapyer_key_field__
    if name is not None:
        return cls(**{name: pk if isinstance(document, str) else document, **fields})
    new = cls(**fields)
    document_state(new).pk = pk
    return new
