"""Locks on documents: a token, an expiry, renewal while held, and release of nothing but one's own.

A lock is a plain Redis string under ``rapyer:lock:<document key>`` (``RedisConfig(lock_prefix=…)`` says what
it begins with), so it never looks like a document. A lock for one action stands under
``rapyer:lock:@<action>:<document key>``.
It excludes other holders of the same lock, not writers that do not ask for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import quote

from rapyer import connections, errors
from rapyer.config import DEFAULT_LOCK_EXPIRY, RedisConfig
from rapyer.errors import InvalidValueError, LockError, RapyerError

if TYPE_CHECKING:
    from rapyer.connections import Session


class _Saving(Protocol):
    async def save_changes(self) -> Any: ...


Model = TypeVar("Model", bound=_Saving)
_POLL_FIRST, _POLL_LONGEST = 0.01, 0.25
_SOURCE = (files("rapyer") / "script" / "lua" / "release.lua").read_text(encoding="utf-8")
_SHA = hashlib.sha1(_SOURCE.encode(), usedforsecurity=False).hexdigest()


class Lock:
    """A held lock. ``token`` is what identifies the holder."""

    __slots__ = ("_lost", "_milliseconds", "_name", "_session", "key", "token")

    def __init__(self, session: Session, key: str, name: str, expiry: float) -> None:
        self.key = key
        self.token = secrets.token_hex(16)
        self._session = session
        self._name = name
        self._milliseconds = int(expiry * 1000)
        self._lost = False

    async def _take(self) -> bool:
        reply = await self._session.execute(
            b"SET", self._name, self.token, b"NX", b"PX", self._milliseconds, write=True
        )
        return reply is not None

    async def _end(self, milliseconds: bytes) -> bool:
        arguments = [self.token.encode(), milliseconds]
        return bool(await self._session.evalsha(_SHA, _SOURCE, [self._name], arguments))

    async def renew(self) -> None:
        """Set the full expiry again. Raises :class:`LockError` when the lock is lost. Sends EVALSHA."""
        if self._lost or not await self._end(b"%d" % self._milliseconds):
            self._lost = True
            raise LockError(
                f"the lock on {self.key} was lost: it expired and may be somebody else's now"
            )

    @property
    def lost(self) -> bool:
        """Whether the lock is known to have been lost while it was held."""
        return self._lost

    if not TYPE_CHECKING:  # fields are looked for here by those who take a lock for its document

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(_no_attribute(name))

        def __setattr__(self, name: str, value: Any) -> None:
            try:
                object.__setattr__(self, name, value)
            except AttributeError:
                raise AttributeError(_no_attribute(name)) from None


def _no_attribute(name: str) -> str:
    return (
        f"a lock has no {name!r}; the document, freshly read, is given by "
        "'async with document.lock(\"action\") as document'"
    )


def lock_name(config: RedisConfig, key: str, action: str | None) -> str:
    """The Redis key of the lock on document ``key``; locks for different actions do not exclude each other."""
    if action is None:
        return config.lock_prefix + key
    return f"{config.lock_prefix}@{quote(action, safe='')}:{key}"


@asynccontextmanager
async def fresh_document(
    lock: AbstractAsyncContextManager[Lock],
    read: Callable[[], Awaitable[Model]],
    *,
    save_at_end: bool,
) -> AsyncIterator[Model]:
    """Hold ``lock``, read the document when it is held, give it to the block, and save what that changed."""
    async with lock:
        document = await read()
        yield document
        if save_at_end:
            await document.save_changes()


@asynccontextmanager
async def lock_key(
    session: Session,
    key: str,
    name: str,
    *,
    timeout: float | None = None,  # noqa: ASYNC109 - for the lock, not for the block
    expiry: float = DEFAULT_LOCK_EXPIRY,
) -> AsyncIterator[Lock]:
    """Hold the lock ``name`` on document ``key`` for the length of the block.

    ``timeout`` is how many seconds to wait for it (None: as long as it takes, 0: not at all), ``expiry``
    after how many seconds it ends by itself when its holder dies; it is renewed every third of that
    while it is held, and counts as lost when that did not succeed for so long. Raises :class:`~rapyer.errors.LockError` when it is not obtained in time; when it
    is lost while held, the block is cancelled and LockError raised in its place. Sends SET NX PX, and
    EVALSHA to renew and release.
    """
    if expiry <= 0:
        raise InvalidValueError(f"a lock's expiry must be positive, not {expiry}")
    lock = Lock(session, key, name, expiry)
    loop = asyncio.get_running_loop()
    deadline = None if timeout is None else loop.time() + timeout
    pause = _POLL_FIRST
    while True:
        asked = loop.time()
        if await _taken(lock):
            break
        if deadline is not None and loop.time() >= deadline:
            raise LockError(f"{key} is locked by somebody else; waited {timeout} s")
        wait = pause if deadline is None else max(0.0, min(pause, deadline - loop.time()))
        await asyncio.sleep(wait)
        pause = min(pause * 2, _POLL_LONGEST)
    holder = asyncio.current_task()
    keeper = asyncio.create_task(_keep(lock, expiry, asked + expiry, holder))
    try:
        yield lock
    except asyncio.CancelledError:
        if lock.lost and holder is not None and holder.uncancel() == 0:
            raise LockError(
                f"the lock on {key} was lost while it was held; the block was stopped"
            ) from None
        raise
    finally:
        keeper.cancel()
        try:
            await asyncio.gather(keeper, return_exceptions=True)
        finally:
            if not lock.lost:
                await _release(lock)


async def _taken(lock: Lock) -> bool:
    """Whether ``lock`` was obtained now; nothing of it is left where that cannot be told."""
    try:
        return await lock._take()
    except (asyncio.CancelledError, errors.OutcomeUnknownError):
        await _release(lock)
        raise


async def _release(lock: Lock) -> None:
    with suppress(
        RapyerError, connections.RedisError
    ):  # it expires by itself when it cannot be released
        await asyncio.shield(lock._end(b""))


async def _keep(lock: Lock, expiry: float, until: float, holder: asyncio.Task[Any] | None) -> None:
    """Renew ``lock``, and cancel ``holder`` when it is lost; by this clock it ends at ``until``."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(min(expiry / 3, max(0.0, until - loop.time())))
        started = loop.time()
        try:
            async with asyncio.timeout_at(until):
                await lock.renew()
            until = started + expiry
        except LockError:
            break
        except (RapyerError, connections.RedisError, TimeoutError):
            if loop.time() >= until:  # nobody knows better by now: the server lets it go
                lock._lost = True
                break
    if holder is not None:
        holder.cancel()
