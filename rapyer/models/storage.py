"""Storing documents: what models do with whole documents on the server."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import ConfigDict

from rapyer import connections
from rapyer.batch.batch import current_batch
from rapyer.batch.block import ModelPipeline, pipeline, refuse_ignoring
from rapyer.batch.fate import fate_is_unknown
from rapyer.batch.part import session_of
from rapyer.batch.perform import perform
from rapyer.config import RedisConfig, client_of, refresh_of, ttl_of
from rapyer.errors import (
    InvalidValueError,
    KeyExistsError,
    KeyNotFound,
    ServerError,
)
from rapyer.keyspace.keys import key_of
from rapyer.keyspace.not_json import is_not_json, not_json
from rapyer.models.assignment import changed_copy
from rapyer.models.differing import ChangesSaved, changed_places
from rapyer.models.keys import check_key_unchanged
from rapyer.models.loading import load_document, with_unread
from rapyer.models.lockable import Lockable
from rapyer.models.node import MODEL
from rapyer.models.raw import RawDocument
from rapyer.models.readable import refuse_unreadable
from rapyer.models.views import Embedded
from rapyer.models.whole import (
    DocumentDropped,
    DocumentLoaded,
    DocumentSaved,
    noted_places,
    saved,
)
from rapyer.models.whole import set_ttl as set_document_ttl
from rapyer.paths import Path
from rapyer.schema.numbers import as_read_exactly, is_fragile
from rapyer.state.document import DocumentState, document_state, fold_saved, only_of
from rapyer.state.known import Noted
from rapyer.state.node import Document, locate, parent_of
from rapyer.types.placed import PlaceSaved, load_place

if TYPE_CHECKING:
    from rapyer.connections import Session
    from rapyer.models.document_node import AtomicModelKind


class Storage(Lockable, Embedded, Document):
    """The methods of ``AtomicRedisModel`` that store, read and delete its document."""

    __slots__ = ()

    if TYPE_CHECKING:
        Meta: ClassVar[RedisConfig]
        __rapyer_node__: ClassVar[AtomicModelKind]
        __rapyer_key_field__: ClassVar[str | None]
        __pydantic_fields__: ClassVar[dict[str, Any]]
        model_config: ClassVar[ConfigDict]

        @classmethod
        def class_key_initials(cls) -> str: ...

    async def save(self, *, nx: bool = False, xx: bool = False) -> Self:
        """Write the whole document and set its TTL, in one atomic step; a nested model writes its place.

        What is stored is replaced: fields of the stored document that the model does not know (written
        by a newer version of it) are gone, unless the model keeps them (``extra="allow"``).
        :meth:`save_changes` and operations leave them as they are. What other tasks' open blocks did to
        this instance is not written. ``nx`` only creates (:class:`~rapyer.errors.KeyExistsError` when the
        key is there), ``xx`` only replaces (:class:`~rapyer.errors.KeyNotFound`). Raises
        :class:`~rapyer.errors.InvalidValueError` for values that JSON cannot hold. Sends JSON.SET, or
        one EVALSHA where there is a TTL or a condition.
        """
        if nx and xx:
            raise InvalidValueError("save(nx=True, xx=True) can never write anything")
        if parent_of(self) is not None:
            await perform(PlaceSaved(self))
            return self
        MODEL.link_below(self)
        check_key_unchanged(self)
        ttl = ttl_of(type(self).Meta, type(self).__name__)
        state, batch = document_state(self), current_batch()
        text, places = self._written_out(state, () if batch is None else batch.scopes)
        edits = [] if state.work is None else state.work.edits()
        plainly = batch is None and ttl is None and not (nx or xx or state.flying)
        if plainly:
            sent, misread = as_read_exactly(text) if is_fragile(text) else (text, False)
            if not misread:
                await self._save_plainly(state, sent, places)
                fold_saved(state, edits)
                return self
        mode = b"nx" if nx else b"xx" if xx else b""
        milliseconds = b"" if ttl is None else b"%d" % ttl
        await perform(DocumentSaved(self, text, places, mode, milliseconds))
        if batch is None:
            fold_saved(state, edits)
        return self

    def _written_out(
        self, state: DocumentState, scopes: Sequence[Any]
    ) -> tuple[bytes, dict[Path, Noted]]:
        """The stored form of the document as the blocks ``scopes`` see it, and of its noted places."""
        if state.work is None:
            return self._texts(state)
        with only_of(state, scopes):
            return self._texts(state)

    def _texts(self, state: DocumentState) -> tuple[bytes, dict[Path, Noted]]:
        refuse_unreadable(self, state.known)
        text = with_unread(self, MODEL.spec_of(self).to_json(self))
        return text, noted_places(self, text, state.known)

    async def _save_plainly(
        self, state: DocumentState, text: bytes, places: dict[Path, Noted]
    ) -> None:
        """With JSON.SET alone: it has no stamp, so operations that begin meanwhile wait for its end."""
        key = self.__rapyer_node__.key(self)
        unstamped = state.begin_unstamped()
        try:
            await session_of(self).execute(b"JSON.SET", key, b"$", text, write=True)
        except BaseException as error:
            if fate_is_unknown(error):
                state.known = None  # save_changes() has to write everything again
            if isinstance(error, connections.ResponseError):
                raise _write_refused(key, error) from error
            raise
        finally:
            state.end_unstamped(unstamped)
        saved(self, places)

    async def save_changes(self) -> Self:
        """Write only what differs from what the server last said, in one atomic step.

        As deep as objects go: fields of nested models, entries of dicts; a list is written whole. A stale
        copy thus does not undo what others did to the rest. What a lost reply left unknown is written too.
        The whole document is saved when this instance was never read or written, or deleted. Sends one
        EVALSHA (JSON.SET for each place), or nothing.
        """
        if parent_of(self) is not None:
            return await self.save()
        check_key_unchanged(self)
        state, batch = document_state(self), current_batch()
        if state.known is None:
            return await self.save()
        with only_of(state, () if batch is None else batch.scopes):
            changed = list(changed_places(self, state.known))
            refuse_unreadable(self, state.known, [path for path, _ in changed])
        edits = [] if state.work is None else state.work.edits()
        if changed:
            await perform(ChangesSaved(self, changed))
        if batch is None:
            fold_saved(state, edits)  # also those that say what is stored already
        return self

    async def load(self) -> Self:
        """Read the stored document (a nested model: its place) into this instance, in place.

        Raises :class:`~rapyer.errors.KeyNotFound` and :class:`~rapyer.errors.DocumentError`. Sends one
        EVALSHA (JSON.GET).
        """
        if parent_of(self) is not None:
            return await load_place(self)  # type: ignore[no-any-return]
        await perform(DocumentLoaded(self))
        return self

    @classmethod
    async def get(cls, key: Any) -> Self:
        """The document with this key (``User:42``) or pk (``42``, as text or as the ``Key`` field's type).

        Raises :class:`~rapyer.errors.KeyNotFound` when it is not there,
        :class:`~rapyer.errors.WrongModelError` for a key of another model,
        :class:`~rapyer.errors.DocumentError` when it does not validate. Sends JSON.GET.
        """
        return await cls._read(key_of(cls, key))

    @classmethod
    async def aget(cls, key: Any) -> Self:
        """The same as :meth:`get`."""
        return await cls.get(key)

    @classmethod
    def _session(cls) -> Session:
        return connections.Session.of(client_of(cls.Meta, cls.__name__))

    @classmethod
    async def _read(cls, key: str) -> Self:
        session = cls._session()
        refresh = refresh_of(cls.Meta)
        try:
            if refresh is not None:
                commands = [(b"JSON.GET", key), (b"PEXPIRE", key, refresh)]
                text = (await session.execute_many(commands, write=False))[0]
                if isinstance(text, Exception):
                    raise text
            else:
                text = await session.execute(b"JSON.GET", key, write=False)
        except connections.ResponseError as error:
            raise _write_refused(key, error) from error
        if text is None:
            raise KeyNotFound(f"{key} does not exist", key=key)
        return load_document(cls, key, text)

    async def delete(self) -> bool:
        """Delete the document; whether it was there. Sends JSON.DEL. Not for nested models."""
        if parent_of(self) is not None:
            raise InvalidValueError(
                "a nested model is not deleted by itself; change its document instead"
            )
        check_key_unchanged(self)
        if current_batch() is not None:
            return await perform(DocumentDropped(self))  # type: ignore[no-any-return]
        state = document_state(self)
        unstamped = state.begin_unstamped()
        try:
            reply = await _delete(session_of(self), self.__rapyer_node__.key(self))
        except BaseException as error:
            if fate_is_unknown(error):
                state.known = None
            raise
        finally:
            state.end_unstamped(unstamped)
        state.known = None
        return bool(reply)

    @classmethod
    async def delete_by_key(cls, key: Any) -> bool:
        """Delete the document with this key or pk; whether it was there. Sends JSON.DEL.

        Raises :class:`~rapyer.errors.WrongModelError` for a key of another model, and
        :class:`~rapyer.errors.WrongTypeError` for one of another Redis type. Inside a pipeline it is queued,
        as :meth:`delete` is.
        """
        if current_batch() is not None:
            document = RawDocument(key_of(cls, key), client=client_of(cls.Meta, cls.__name__))
            return await document.delete()
        return bool(await _delete(cls._session(), key_of(cls, key)))

    @classmethod
    async def adelete_by_key(cls, key: Any) -> bool:
        """The same as :meth:`delete_by_key`."""
        return await cls.delete_by_key(key)

    async def duplicate(self, **changes: Any) -> Self:
        """Save a copy under a new pk, with ``changes`` to its fields, and return it.

        A model with a ``Key`` field needs a new value for it; KeyExistsError when that is taken.
        """
        (copy,) = await self.duplicate_many(1, **changes)
        return copy

    async def duplicate_many(self, count: int, **changes: Any) -> list[Self]:
        """Save ``count`` copies under new pks, all or none, and return them. Sends one EVALSHA.

        In a cluster one after the other, as they are in different slots."""
        key_field = type(self).__rapyer_key_field__
        if key_field is not None and (key_field not in changes or count > 1):
            raise KeyExistsError(
                f"{self.__rapyer_node__.key(self)}: a copy needs its own {key_field}: duplicate({key_field}=…)"
            )
        copies = [changed_copy(self, changes) for _ in range(count)]
        if count == 1 or current_batch() is not None or self._session().is_cluster:
            for copy in copies:
                await copy.save(nx=True)
        else:
            async with pipeline(*copies):
                for copy in copies:
                    await copy.save(nx=True)
        return copies

    async def set_ttl(self, seconds: float | timedelta | None) -> None:
        """Let the document expire in ``seconds``, or never (None). Sends one EVALSHA (PEXPIRE, PERSIST).

        Raises :class:`~rapyer.errors.KeyNotFound` when it is not there.
        """
        await set_document_ttl(locate(self)[0], seconds)

    def pipeline(
        self, *, watch: bool = False, ignore_redis_error: bool = False
    ) -> ModelPipeline[Self]:
        """Collect the changes made in an ``async with`` block and apply all of them, or none.

        The block is given this model. See :func:`rapyer.pipeline`, whose block is given the batch.
        """
        refuse_ignoring(ignore_redis_error)
        return ModelPipeline(self, locate(self)[0], watch)

    asave = save
    asave_changes = save_changes
    aload = load
    adelete = delete
    aduplicate = duplicate
    aduplicate_many = duplicate_many
    aset_ttl = set_ttl
    apipeline = pipeline


async def _delete(session: Session, key: str) -> Any:
    try:
        return await session.execute(b"JSON.DEL", key, write=True)
    except connections.ResponseError as error:
        raise _write_refused(key, error) from error


def _write_refused(key: str, error: connections.ResponseError) -> Exception:
    if is_not_json(error):
        return not_json(key)
    if isinstance(error, ServerError):
        return error
    return InvalidValueError(f"{key}: the server refused the document: {error}")
