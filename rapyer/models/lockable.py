"""Locks as models offer them: on a document, for one action on it, with the document freshly read.

How a lock is taken, kept and released is the business of :mod:`rapyer.models.locks`.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast, overload

from rapyer import connections
from rapyer.batch.part import session_of
from rapyer.config import DEFAULT_LOCK_EXPIRY, RedisConfig, client_of
from rapyer.errors import KeyNotFound
from rapyer.keyspace import registry
from rapyer.keyspace.keys import key_of
from rapyer.state.document import document_state
from rapyer.state.node import document_key, locate

if TYPE_CHECKING:
    from rapyer.models.locks import Lock


class Lockable:
    """What ``AtomicRedisModel`` offers to hold the lock of a document."""

    __slots__ = ()

    if TYPE_CHECKING:
        Meta: ClassVar[RedisConfig]

        @classmethod
        async def get(cls, key: Any) -> Self: ...

    @overload
    def lock(
        self,
        action: None = ...,
        *,
        save_at_end: Literal[False] = ...,
        timeout: float | None = ...,
        expiry: float = ...,
    ) -> AbstractAsyncContextManager[Lock]: ...

    @overload
    def lock(
        self,
        action: str | None = ...,
        *,
        save_at_end: bool = ...,
        timeout: float | None = ...,
        expiry: float = ...,
    ) -> AbstractAsyncContextManager[Self]: ...

    def lock(
        self,
        action: str | None = None,
        *,
        save_at_end: bool = False,
        timeout: float | None = None,
        expiry: float = DEFAULT_LOCK_EXPIRY,
    ) -> AbstractAsyncContextManager[Any]:
        """Hold the document's lock for the length of an ``async with`` block.

        ``timeout`` seconds are waited for it (None: as long as it takes), it ends by itself ``expiry``
        seconds after its holder died. The block is given the :class:`~rapyer.models.locks.Lock`.

        ``action`` names a lock of its own, which excludes holders of the same action only. With it, or with
        ``save_at_end=True``, the block is given this model: what others changed is read when the lock is
        held, unsaved edits of this instance stay. ``save_at_end`` saves what the block changed
        (:meth:`save_changes`), unless an exception ends it.

        Raises :class:`~rapyer.errors.LockError`; with an action also
        :class:`~rapyer.errors.KeyNotFound` where nothing is stored, and
        :class:`~rapyer.errors.ConflictError` where others changed what was edited here.
        """
        from rapyer.models.locks import fresh_document, lock_key, lock_name

        document: Any = locate(self)[0]
        key = document_key(document)
        held = lock_key(
            session_of(document),
            key,
            lock_name(type(document).Meta, key, action),
            timeout=timeout,
            expiry=expiry,
        )
        if action is None and not save_at_end:
            return held
        return fresh_document(held, partial(_brought_up_to_date, self), save_at_end=save_at_end)

    @overload
    @classmethod
    def lock_from_key(
        cls,
        key: Any,
        action: None = ...,
        *,
        save_at_end: Literal[False] = ...,
        timeout: float | None = ...,
        expiry: float = ...,
    ) -> AbstractAsyncContextManager[Lock]: ...

    @overload
    @classmethod
    def lock_from_key(
        cls,
        key: Any,
        action: str | None = ...,
        *,
        save_at_end: bool = ...,
        timeout: float | None = ...,
        expiry: float = ...,
    ) -> AbstractAsyncContextManager[Self]: ...

    @classmethod
    def lock_from_key(
        cls,
        key: Any,
        action: str | None = None,
        *,
        save_at_end: bool = False,
        timeout: float | None = None,
        expiry: float = DEFAULT_LOCK_EXPIRY,
    ) -> AbstractAsyncContextManager[Any]:
        """Like :meth:`lock`, for the document with this key or pk, which need not exist.

        With an action or ``save_at_end`` the block is given the document, as :meth:`get` reads it.
        """
        from rapyer.models.locks import fresh_document, lock_key, lock_name

        model = cast(Any, cls)
        name = key_of(model, key)
        held = lock_key(
            connections.Session.of(client_of(cls.Meta, cls.__name__)),
            name,
            lock_name(cls.Meta, name, action),
            timeout=timeout,
            expiry=expiry,
        )
        if action is None and not save_at_end:
            return held
        return fresh_document(held, partial(model.get, key), save_at_end=save_at_end)

    if TYPE_CHECKING:
        alock = lock
        alock_from_key = lock_from_key
    else:
        alock = lock

        @classmethod
        def alock_from_key(cls, key: Any, action: str | None = None, **options: Any) -> Any:
            """The same as :meth:`lock_from_key`."""
            return cls.lock_from_key(key, action, **options)


async def _brought_up_to_date(model: Any) -> Any:
    """``model`` after what others changed of its document was taken over. Sends JSON.GET."""
    document = locate(model)[0]
    if (
        document_state(document).known is None
    ):  # it was never read: there is nothing to compare with
        return await model.load()
    key = document_key(document)
    text = await session_of(document).execute(b"JSON.GET", key, write=False)
    if text is None:
        raise KeyNotFound(f"{key} does not exist", key=key)
    document.__rapyer_node__.watched(document, text)
    return model


def lock_from_key(
    key: str,
    action: str | None = None,
    *,
    save_at_end: bool = False,
    timeout: float | None = None,
    expiry: float | None = None,
) -> AbstractAsyncContextManager[Any]:
    """Hold the lock of the document with this whole key, through its model's own client.

    See ``AtomicRedisModel.lock``. Raises :class:`~rapyer.errors.WrongModelError` for a key of no known
    model and :class:`~rapyer.errors.LockError`.
    """
    model = cast("type[Lockable]", registry.of_key(key))
    seconds = DEFAULT_LOCK_EXPIRY if expiry is None else expiry
    return model.lock_from_key(
        key, action, save_at_end=save_at_end, timeout=timeout, expiry=seconds
    )
