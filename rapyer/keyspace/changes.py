"""Changes of the stored texts of many keys, as they happen: told by the server, or found by looking again and again."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from rapyer import connections, errors
from rapyer.keyspace.spelling import as_keys, as_sent, escaped_glob

if TYPE_CHECKING:
    from rapyer.connections.notifications import KeyNotifications

_CHUNK = 200
_KEPT_BYTES = 64 * 1024 * 1024


class TextChange(NamedTuple):
    """A document's text before and after; None where there is no document, and ``was_kept`` False where the text
    before was too much to be kept."""

    key: str
    before: bytes | None
    after: bytes | None
    was_kept: bool = True


@dataclass(frozen=True, slots=True)
class Keys:
    """Which keys are watched: all with a prefix, but for those that ``among`` leaves out; ``scan`` gives all of them."""

    prefix: str
    scan: Callable[[], AsyncGenerator[list[str], None]]
    among: Callable[[list[str]], list[str]]


class _Memory:
    """What was last seen of each document: its digest, and its text as long as there is room."""

    def __init__(self) -> None:
        self._digests: dict[str, bytes] = {}
        self._texts: dict[str, bytes] = {}
        self._room = _KEPT_BYTES

    def without(self, keys: set[str]) -> list[str]:
        """The known documents that are not among ``keys``."""
        return [key for key in self._digests if key not in keys]

    def replace(self, key: str, text: bytes | None) -> TextChange | None:
        """What changed, when ``text`` is not what was last seen."""
        old = self._digests.get(key)
        new = None if text is None else _digest(text)
        if old == new:
            return None
        before = self._texts.pop(key, None)
        self._room += len(before or b"")
        if text is None or new is None:
            del self._digests[key]
        else:
            self._digests[key] = new
            if len(text) <= self._room:
                self._texts[key] = text
                self._room -= len(text)
        return TextChange(key, before, text, before is not None or old is None)


async def text_changes(
    client: Any,
    keys: Keys,
    *,
    interval: float,
    notifications: bool | None,
    ready: asyncio.Event | None,
) -> AsyncGenerator[TextChange, None]:
    """Every change of a document, from the moment at which ``ready`` is set, without end.

    Each is told once, relative to what was told before; of several in quick succession perhaps only the last. Raises
    :class:`~rapyer.errors.ConfigurationError` when ``notifications`` are asked for and the server does not send them.
    """
    told = None
    if notifications is not False:
        from rapyer.connections.notifications import NEEDED, KeyNotifications

        told = await KeyNotifications.open(client, as_sent(escaped_glob(keys.prefix)))
        if told is None and notifications:
            raise errors.ConfigurationError(
                "the server does not send keyspace notifications (notify-keyspace-events must have "
                f"{NEEDED}), or does not let this user ask; without notifications=True it is polled"
            )
    session, memory = connections.Session.of(client), _Memory()
    try:
        async with aclosing(_all(session, keys, memory)) as found:
            async for _ in found:
                pass
        if ready is not None:
            ready.set()
        while True:
            changed = await _wait(told, keys, interval)
            source = (
                _all(session, keys, memory) if changed is None else _some(session, changed, memory)
            )
            async with aclosing(source) as found:
                async for change in found:
                    yield change
    finally:
        if told is not None:
            await told.close()


async def _wait(told: KeyNotifications | None, keys: Keys, interval: float) -> list[str] | None:
    """The keys to look at; None for all."""
    if told is None:
        await asyncio.sleep(interval)
        return None
    words = await told.changed(interval)
    return None if words is None else keys.among(as_keys(words))


async def _all(session: Any, keys: Keys, memory: _Memory) -> AsyncGenerator[TextChange, None]:
    """What changed of all documents, those that are gone last."""
    seen: set[str] = set()
    async with aclosing(keys.scan()) as pages:
        async for page in pages:
            seen.update(page)
            async with aclosing(_some(session, page, memory)) as found:
                async for change in found:
                    yield change
    async with aclosing(_some(session, memory.without(seen), memory)) as found:
        async for change in found:
            yield change


async def _some(
    session: Any, keys: Sequence[str], memory: _Memory
) -> AsyncGenerator[TextChange, None]:
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        commands = [(b"JSON.GET", as_sent(key)) for key in chunk]
        replies = await session.execute_many(commands, write=False)
        for key, reply in zip(chunk, replies, strict=True):
            if isinstance(reply, errors.ConnectionError):
                raise reply
            text = reply if isinstance(reply, bytes) else None  # another type is no document
            change = memory.replace(key, text)
            if change is not None:
                yield change


def _digest(text: bytes) -> bytes:
    return hashlib.sha1(text, usedforsecurity=False).digest()
