"""Reading many documents: which keys a model has, and their texts, in bounded overlapping chunks.

SCAN lists keys (never KEYS), JSON.MGET reads documents. While one chunk is being looked at, the next one
is under way; no more than that is held. What the texts mean is not this module's business.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from rapyer import connections
from rapyer.config import client_of, refresh_of
from rapyer.keyspace import registry

if TYPE_CHECKING:
    from rapyer.base import AtomicRedisModel
    from rapyer.connections import Session

T = TypeVar("T")
Entry: TypeAlias = "tuple[type[AtomicRedisModel], str]"
"""A document that may be there: its model and its key."""

Read: TypeAlias = "tuple[list[Entry], list[bytes | None]]"
"""Entries, and the stored text of each."""

CHUNK = 200
"""How many documents one JSON.MGET asks for."""

_SCAN_COUNT = b"2000"
"""How many keys one SCAN looks at, for which the server needs a millisecond."""
_JSON_TYPE = b"ReJSON-RL"
_SPECIAL_IN_GLOB = "\\*?[]^"


def session_of_model(model: type[AtomicRedisModel]) -> Session:
    """The session of the client that ``model`` uses."""
    return connections.Session.of(client_of(model.Meta, model.__name__))


def as_sent(key: str) -> bytes:
    """A key as it is on the server; keys that are not UTF-8 come back as they were read."""
    return key.encode("utf-8", "surrogateescape")


def as_keys(words: Sequence[bytes]) -> list[str]:
    """The inverse of :func:`as_sent`, for many."""
    try:
        return list(map(bytes.decode, words))
    except UnicodeDecodeError:
        return [word.decode("utf-8", "surrogateescape") for word in words]


def unseen(words: list[bytes], seen: set[bytes]) -> list[bytes]:
    """Those of ``words`` that are not among ``seen``, each once; they are entered there."""
    known = len(seen)
    if seen.isdisjoint(words):
        seen.update(words)
        return words if len(seen) == known + len(words) else list(dict.fromkeys(words))
    fresh = [word for word in dict.fromkeys(words) if word not in seen]
    seen.update(fresh)
    return fresh


# -- keys --------------------------------------------------------------------------------------------


class Ownership:
    """Which keys belong to a model: those with its prefix, and not with a longer one of another model."""

    def __init__(self, model: type[AtomicRedisModel]) -> None:
        self.prefix = model.class_key_initials() + ":"
        others = (other.class_key_initials() + ":" for other in registry.models())
        self._longer = tuple(
            other for other in others if other != self.prefix and other.startswith(self.prefix)
        )

    def among(self, keys: list[str]) -> list[str]:
        """Those of ``keys``, all of which have the prefix, that belong to the model."""
        if not self._longer:
            return keys
        return [key for key in keys if not key.startswith(self._longer)]


def escaped_glob(text: str) -> str:
    """``text`` as a pattern of SCAN that matches nothing else."""
    return "".join(f"\\{c}" if c in _SPECIAL_IN_GLOB else c for c in text)


async def scanned_keys(
    model: type[AtomicRedisModel], seen: set[bytes] | None = None
) -> AsyncGenerator[list[str], None]:
    """The keys of all documents of ``model``, in lists, each key once.

    Keys that are there from beginning to end are always given; ``seen`` are not given again. Sends SCAN
    with MATCH and TYPE, to every primary of a cluster.
    """
    session, owned = session_of_model(model), Ownership(model)
    pattern = as_sent(escaped_glob(owned.prefix) + "*")
    seen = set() if seen is None else seen
    for node in await session.primaries():
        async with aclosing(_scan(session, pattern, node)) as pages:
            async for words in pages:
                keys = owned.among(as_keys(unseen(words, seen)))
                if keys:
                    yield keys


async def _scan(session: Session, pattern: bytes, node: Any) -> AsyncGenerator[list[bytes], None]:
    """The pages of a SCAN; from the second one on, the next is under way while one is looked at."""

    def ask(cursor: bytes) -> asyncio.Task[Any]:
        command = (b"SCAN", cursor, b"MATCH", pattern, b"COUNT", _SCAN_COUNT, b"TYPE", _JSON_TYPE)
        return asyncio.create_task(session.execute(*command, write=False, node=node))

    under_way = ask(b"0")
    wanted = False
    try:
        while True:
            cursor, words = await under_way
            more = int(cursor) != 0
            if more and wanted:
                under_way = ask(cursor)
                await asyncio.sleep(0)  # it is sent now, while these are looked at
            yield words
            if not more:
                return
            if not wanted:
                wanted, under_way = True, ask(cursor)
    except GeneratorExit:
        await asyncio.gather(under_way, return_exceptions=True)
        raise
    except BaseException:
        under_way.cancel()
        raise


async def regrouped(
    groups: AsyncGenerator[list[T], None], size: int
) -> AsyncGenerator[list[T], None]:
    """The same items in lists of ``size``; the last one may be shorter."""
    waiting: list[T] = []
    async with aclosing(groups):
        async for group in groups:
            waiting += group
            while len(waiting) >= size:
                yield waiting[:size]
                del waiting[:size]
    if waiting:
        yield waiting


async def in_groups(items: Sequence[T]) -> AsyncGenerator[list[T], None]:
    """``items`` in lists of :data:`CHUNK`, made as they are needed."""
    for start in range(0, len(items), CHUNK):
        yield list(items[start : start + CHUNK])


# -- texts -------------------------------------------------------------------------------------------


async def read_overlapping(
    chunks: AsyncGenerator[list[Entry], None],
) -> AsyncGenerator[Read, None]:
    """The stored texts of ``chunks``; None for what is no document. The next chunk is read ahead."""
    under_way: deque[tuple[list[Entry], asyncio.Task[list[bytes | None]]]] = deque()
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                under_way.append((chunk, asyncio.create_task(_read(chunk))))
                if len(under_way) > 1:
                    yield await _first(under_way)
        while under_way:
            yield await _first(under_way)
    except GeneratorExit:
        # nobody wants the rest: let the read end, so that its connection stays usable
        await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)
        raise
    except BaseException:
        for _, task in under_way:
            task.cancel()
        await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)
        raise


async def _first(under_way: deque[tuple[list[Entry], Any]]) -> Read:
    chunk, task = under_way[0]
    texts = await task
    under_way.popleft()
    return chunk, texts


async def _read(chunk: Sequence[Entry]) -> list[bytes | None]:
    texts: list[Any] = [None] * len(chunk)
    for session, positions in by_session(chunk).items():
        groups = slot_groups(session, [chunk[position][1] for position in positions])
        commands = [
            (b"JSON.MGET", *[as_sent(chunk[positions[at]][1]) for at in group], b".")
            for group in groups
        ]
        replies = await session.execute_many(commands, write=False)
        for group, reply in zip(groups, replies, strict=True):
            if isinstance(reply, Exception):
                raise reply
            if len(group) == len(chunk):
                return reply  # type: ignore[no-any-return]
            for at, text in zip(group, reply, strict=True):
                texts[positions[at]] = text
    return texts


def by_session(entries: Sequence[Entry]) -> dict[Session, list[int]]:
    """The positions of ``entries`` by the session that serves them."""
    models = {model for model, _ in entries}
    sessions = {model: session_of_model(model) for model in models}
    if len(models) == 1:
        return {sessions[models.pop()]: list(range(len(entries)))}
    found: dict[Session, list[int]] = {}
    for position, (model, _) in enumerate(entries):
        found.setdefault(sessions[model], []).append(position)
    return found


def slot_groups(session: Session, keys: Sequence[str]) -> list[list[int]]:
    """The positions of ``keys`` in groups that one command may name: all, or by slot in a cluster."""
    if not session.is_cluster:
        return [list(range(len(keys)))]
    slots: dict[int, list[int]] = {}
    for position, key in enumerate(keys):
        slots.setdefault(connections.key_slot(as_sent(key)), []).append(position)
    return list(slots.values())


async def refresh_ttls(entries: Sequence[Entry]) -> None:
    """Set the TTL of read documents again where their model asks for it. Sends PEXPIRE for each."""
    wanted = [entry for entry in entries if refresh_of(entry[0].Meta) is not None]
    for session, positions in by_session(wanted).items():
        commands = [
            (b"PEXPIRE", as_sent(wanted[at][1]), refresh_of(wanted[at][0].Meta) or 0)
            for at in positions
        ]
        for reply in await session.execute_many(commands, write=False):
            if isinstance(reply, Exception):
                raise reply


async def entries_of(
    model: type[AtomicRedisModel], keys: AsyncGenerator[list[str], None]
) -> AsyncGenerator[list[Entry], None]:
    """Lists of keys as lists of entries."""
    async with aclosing(keys):
        async for group in keys:
            yield [(model, key) for key in group]
