"""An ``AtomicRedisModel`` as a node: a model that can be a whole document, with a key and a client."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar

from rapyer.config import AsyncClient, client_of, refresh_of
from rapyer.keyspace.keys import key_text, own_key
from rapyer.models.differing import catch_up
from rapyer.models.keys import check_key_unchanged, document_pk, key_change, pk_of
from rapyer.models.loading import load_document
from rapyer.models.node import ModelKind
from rapyer.models.whole import loaded, value_at
from rapyer.paths import Path
from rapyer.schema.of_models import model_spec
from rapyer.schema.spec import ValueSpec
from rapyer.state.document import DocumentState, document_state
from rapyer.state.known import ABSENT
from rapyer.state.node import STATE, DocumentKind, KeyGuard, Node, document_key, set_state, state_of
from rapyer.state.wrapping import is_unchanging


class AtomicModelKind(ModelKind, DocumentKind):
    """Its key is made of the class and the pk, its client is the model's."""

    __slots__ = ()

    def key(self, document: Any) -> str:
        return own_key(type(document), document_pk(document))

    def client(self, document: Any) -> AsyncClient:
        return client_of(type(document).Meta, type(document).__name__)

    def key_guard(self, document: Any) -> KeyGuard | None:
        if type(document).__rapyer_key_field__ is None:
            return None
        return partial(_refuse_key_change, document)

    def document_spec(self, document: Any) -> ValueSpec | None:
        return model_spec(type(document))

    def refresh(self, document: Any) -> int | None:
        return refresh_of(type(document).Meta)

    def watched(self, document: Any, text: bytes) -> None:
        catch_up(document, text)

    def adopt_document(self, document: Any, text: bytes) -> None:
        fresh = load_document(type(document), document_key(document), text)
        self.adopt(document, fresh)
        state, read = document_state(document), document_state(fresh)
        state.pk, state.drifted_pk, state.unread = read.pk, read.drifted_pk, read.unread
        loaded(document, state)

    def lend_handed_out(self, document: Any, batch: Any) -> None:
        state = document_state(document)
        if state.known is None:
            return
        for path in state.known.places:
            value = value_at(document, path)
            if isinstance(value, Node) or value is ABSENT or is_unchanging(value):
                continue
            parent = value_at(document, path[:-1])
            if isinstance(parent, Node):
                place = path[-1]
                spec = parent.__rapyer_node__.child_spec(parent, place)
                batch.lend(parent, place, value, spec)


DOCUMENT = AtomicModelKind()
T = TypeVar("T")


def _refuse_key_change(
    document: Any, verb: str, path: Path, texts: Mapping[str, bytes] | None
) -> None:
    """Raise where a change would let the ``Key`` field say something else than the key."""
    field = type(document).__rapyer_key_field__
    check_key_unchanged(document)
    stored = document_state(document).pk
    if texts is not None and not path and field in texts:
        name = pk_of(document) if stored is None else stored
        if name != key_text(texts[field]):
            raise key_change(document, name, key_text(texts[field]))
    elif path[:1] == (field,) and not (verb == "save" and stored in (None, pk_of(document))):
        raise key_change(document, stored or pk_of(document), "another value")


def identity(model: Any) -> tuple[str | None, dict[str, Any] | None]:
    """What a copy keeps of a document's state: the pk, and what could not be read of it."""
    state = state_of(model)
    return (None, None) if state is None or state.parent is not None else (state.pk, state.unread)


def set_identity(model: Any, pk: str | None, unread: dict[str, Any] | None) -> None:
    """Give a copy the identity of the original."""
    state = DocumentState(pk)
    state.unread = unread
    set_state(model, STATE, state)


def with_identity(model: Any, copy: T) -> T:
    """``copy`` with the identity of ``model``."""
    set_identity(copy, *identity(model))
    return copy
