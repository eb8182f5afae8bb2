"""Storing documents: what models do with whole documents on the server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import ConfigDict

from rapyer import connections, errors
from rapyer.batch.batch import Pipeline, current_batch, perform, pipeline
from rapyer.batch.change import ComposedChange
from rapyer.batch.commit import session_of
from rapyer.config import DEFAULT_LOCK_EXPIRY, RedisConfig, client_of, refresh_of, ttl_of
from rapyer.errors import (
    ConflictError,
    InvalidValueError,
    KeyExistsError,
    KeyNotFound,
)
from rapyer.keyspace.keys import key_of
from rapyer.keyspace.not_json import is_not_json, not_json
from rapyer.models.keys import check_key_unchanged, pk_of
from rapyer.models.loading import FAILED, PK, load_document, with_unread
from rapyer.models.node import adopted
from rapyer.models.raw import RawDocument
from rapyer.models.raw import set_ttl as set_document_ttl
from rapyer.models.views import Embedded
from rapyer.paths import Path
from rapyer.schema.numbers import is_fragile
from rapyer.script import in_python
from rapyer.script.call import Primitive
from rapyer.state import last_known, links
from rapyer.state.last_known import BASELINE, SYNCED
from rapyer.state.wrapping import copy_natively

if TYPE_CHECKING:
    from rapyer.connections import Session
    from rapyer.models.locks import Lock


class Storage(Embedded, links.Document):
    """The methods of ``AtomicRedisModel`` that store, read and delete its document."""

    __slots__ = ()

    if TYPE_CHECKING:
        Meta: ClassVar[RedisConfig]
        __rapyer_key_field__: ClassVar[str | None]
        __pydantic_fields__: ClassVar[dict[str, Any]]
        model_config: ClassVar[ConfigDict]

        @classmethod
        def class_key_initials(cls) -> str: ...

    async def save(self, *, nx: bool = False, xx: bool = False) -> Self:
        """Write the whole document and set its TTL, in one atomic step; a nested model writes its place.

        ``nx`` only creates (:class:`~rapyer.errors.KeyExistsError` when the key is there), ``xx`` only
        replaces (:class:`~rapyer.errors.KeyNotFound`). Raises
        :class:`~rapyer.errors.InvalidValueError` for values that JSON cannot hold. Sends JSON.SET, or
        one EVALSHA where there is a TTL or a condition.
        """
        if nx and xx:
            raise InvalidValueError("save(nx=True, xx=True) can never write anything")
        if links.parent_of(self) is not None:
            await self.__rapyer_save_inner__()
            return self
        self.__rapyer_link_children__()
        text = with_unread(self, self.__rapyer_text__())
        check_key_unchanged(self)
        ttl = ttl_of(type(self).Meta, type(self).__name__)
        if current_batch() is None and ttl is None and not nx and not xx and not is_fragile(text):
            key = self.__rapyer_key__()
            try:
                await session_of(self).execute(b"JSON.SET", key, b"$", text, write=True)
            except connections.ResponseError as error:
                raise _write_refused(key, error) from error
            except errors.OutcomeUnknownError:
                last_known.remember(self, None)  # save_changes() has to write everything again
                raise
            written(self, text)
            return self
        mode = b"nx" if nx else b"xx" if xx else b""
        milliseconds = b"" if ttl is None else b"%d" % ttl

        def primitives(path: Path) -> list[Primitive]:
            return [Primitive("save", (), (text, mode, milliseconds))]

        def settle(answers: Sequence[Any], stamp: int) -> None:
            written(self, text)

        try:
            await perform(ComposedChange("save", self, None, primitives, settle=settle))
        except errors.OutcomeUnknownError:
            last_known.remember(self, None)
            raise
        return self

    async def save_changes(self) -> Self:
        """Write only the fields that differ from what was last read or written, in one atomic step.

        A stale copy thus does not undo what others did to the other fields. The whole document is saved
        when this instance was never read or written. Sends one EVALSHA (JSON.SET for each field).
        """
        if links.parent_of(self) is not None:
            return await self.save()
        check_key_unchanged(self)
        text = with_unread(self, self.__rapyer_text__())
        now = json.loads(text)
        before = last_known.tree(self, now)
        if before is None:
            return await self.save()
        changed = last_known.differing(before, now)
        if not changed:
            return self
        texts = {name: in_python.dumps(now[name]) for name in now if name in changed}
        extra = self.model_config.get("extra") == "allow"
        known = before if extra else type(self).__pydantic_fields__
        gone = [name for name in before if name in changed and name not in now and name in known]

        def primitives(path: Path) -> list[Primitive]:
            return [
                *(Primitive("set", (name,), (value, b"")) for name, value in texts.items()),
                *(Primitive("take", (), (name.encode(),)) for name in gone),
            ]

        await perform(ComposedChange("save_changes", self, None, primitives, texts=texts))
        return self

    def __rapyer_catch_up__(self, text: bytes) -> None:
        key = self.__rapyer_key__()
        local = json.loads(self.__rapyer_text__())
        before = last_known.tree(self, local)
        if before is None or not text:
            return
        stored = json.loads(text)
        theirs, ours = last_known.differing(before, stored), last_known.differing(before, local)
        clashes = sorted(theirs & ours & last_known.differing(local, stored))
        if clashes:
            raise ConflictError(
                f"{key}: {', '.join(clashes)} was changed here and by somebody else"
            )
        if theirs:
            fresh = load_document(type(self), key, text)
            for name in theirs - ours:
                if name in fresh.__dict__:
                    self.__dict__[name] = adopted(self.__dict__.get(name), fresh.__dict__[name])
        last_known.remember(self, text)

    async def load(self) -> Self:
        """Read the stored document (a nested model: its place) into this instance, in place.

        Raises :class:`~rapyer.errors.KeyNotFound` and :class:`~rapyer.errors.DocumentError`. Sends
        JSON.GET.
        """
        if links.parent_of(self) is not None:
            from rapyer.types.loading import load_value

            return await load_value(self)  # type: ignore[no-any-return]
        key = self.__rapyer_key__()
        if current_batch() is not None:

            def primitives(path: Path) -> list[Primitive]:
                return [Primitive("read", (), (b"strict",))]

            def settle(answers: Sequence[Any], stamp: int) -> None:
                _take_over(self, load_document(type(self), key, answers[0]))

            await perform(
                ComposedChange("load", self, None, primitives, settle=settle, effect="read")
            )
            return self
        _take_over(self, await type(self)._read(key))
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
        if links.parent_of(self) is not None:
            raise InvalidValueError(
                "a nested model is not deleted by itself; change its document instead"
            )
        check_key_unchanged(self)
        if current_batch() is not None:

            def primitives(path: Path) -> list[Primitive]:
                return [Primitive("drop", ())]

            change = ComposedChange(
                "delete", self, None, primitives, decode=lambda a: True, effect="destructive"
            )
            return await perform(change)  # type: ignore[no-any-return]
        reply = await _delete(session_of(self), self.__rapyer_key__())
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
        """Save ``count`` copies under new pks and return them. Sends one EVALSHA for each."""
        key_field = type(self).__rapyer_key_field__
        if key_field is not None and (key_field not in changes or count > 1):
            raise KeyExistsError(
                f"{self.__rapyer_key__()}: a copy needs its own {key_field}: duplicate({key_field}=…)"
            )
        copies = []
        for _ in range(count):
            copy = copy_natively(self)
            for name, value in changes.items():
                setattr(copy, name, value)
            copies.append(copy)
        for copy in copies:
            await copy.save(nx=True)
        return copies

    async def set_ttl(self, seconds: float | None) -> None:
        """Let the document expire in ``seconds``, or never (None). Sends one EVALSHA (PEXPIRE, PERSIST).

        Raises :class:`~rapyer.errors.KeyNotFound` when it is not there.
        """
        await set_document_ttl(links.locate(self)[0], seconds)

    def pipeline(self, *, watch: bool = False) -> Pipeline:
        """Collect the changes made in an ``async with`` block and apply all of them, or none.

        See :func:`rapyer.pipeline`.
        """
        return pipeline(links.locate(self)[0], watch=watch)

    def lock(
        self, *, timeout: float | None = None, expiry: float = DEFAULT_LOCK_EXPIRY
    ) -> AbstractAsyncContextManager[Lock]:
        """Hold the document's lock for the length of an ``async with`` block.

        ``timeout`` seconds are waited for it (None: as long as it takes), it ends by itself ``expiry``
        seconds after its holder died. Raises :class:`~rapyer.errors.LockError`.
        """
        from rapyer.models.locks import lock_key

        document, _ = links.locate(self)
        return lock_key(
            session_of(document), document.__rapyer_key__(), timeout=timeout, expiry=expiry
        )

    @classmethod
    def lock_from_key(
        cls, key: Any, *, timeout: float | None = None, expiry: float = DEFAULT_LOCK_EXPIRY
    ) -> AbstractAsyncContextManager[Lock]:
        """Like :meth:`lock`, for the document with this key or pk, which need not exist."""
        from rapyer.models.locks import lock_key

        return lock_key(cls._session(), key_of(cls, key), timeout=timeout, expiry=expiry)

    @classmethod
    def alock_from_key(
        cls, key: Any, *, timeout: float | None = None, expiry: float = DEFAULT_LOCK_EXPIRY
    ) -> AbstractAsyncContextManager[Lock]:
        """The same as :meth:`lock_from_key`."""
        return cls.lock_from_key(key, timeout=timeout, expiry=expiry)

    alock = lock
    asave = save
    asave_changes = save_changes
    aload = load
    adelete = delete
    aduplicate = duplicate
    aduplicate_many = duplicate_many
    aset_ttl = set_ttl
    apipeline = pipeline


def written(model: Any, text: bytes) -> None:
    """``text`` is what is stored of ``model`` now."""
    last_known.remember(model, text)
    if type(model).__rapyer_key_field__ is not None:
        object.__setattr__(model, PK, pk_of(model))


async def _delete(session: Session, key: str) -> Any:
    try:
        return await session.execute(b"JSON.DEL", key, write=True)
    except connections.ResponseError as error:
        raise _write_refused(key, error) from error


def _take_over(model: Any, fresh: Any) -> None:
    model.__rapyer_adopt__(fresh)
    for name in (PK, BASELINE, SYNCED, FAILED):
        object.__setattr__(model, name, getattr(fresh, name, None))


def _write_refused(key: str, error: connections.ResponseError) -> Exception:
    if is_not_json(error):
        return not_json(key)
    return InvalidValueError(f"{key}: the server refused the document: {error}")
