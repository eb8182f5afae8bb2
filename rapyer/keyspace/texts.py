"""Reading many documents: their texts, in bounded overlapping chunks, grouped by what one command may name.

JSON.MGET reads documents. While one chunk is being looked at, the next one is under way; no more than
that is held. Which documents there are is told by :mod:`rapyer.keyspace.scan`; what the texts mean is not
this module's business.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from rapyer import connections
from rapyer.config import refresh_of
from rapyer.keyspace.model_class import ModelClass
from rapyer.keyspace.not_json import is_not_json
from rapyer.keyspace.scan import session_of_model
from rapyer.keyspace.spelling import as_sent

if TYPE_CHECKING:
    from rapyer.connections import Session

T = TypeVar("T")
Entry: TypeAlias = "tuple[type[ModelClass], str]"
"""A document that may be there: its model and its key."""

Read: TypeAlias = "tuple[list[Entry], list[bytes | None]]"
"""Entries, and the stored text of each."""

CHUNK = 200
"""How many documents one JSON.MGET asks for."""


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
            if session.is_cluster and None in reply:
                await _ask_one_by_one(session, [chunk[positions[at]][1] for at in group], reply)
            if len(group) == len(chunk):
                return reply  # type: ignore[no-any-return]
            for at, text in zip(group, reply, strict=True):
                texts[positions[at]] = text
    return texts


async def _ask_one_by_one(session: Session, keys: Sequence[str], texts: list[Any]) -> None:
    """Look again for what JSON.MGET did not find: it declares its first key only, so a node that has handed over
    the others of a moving slot does not say where they are. Sends JSON.GET for each."""
    missing = [position for position, text in enumerate(texts) if text is None]
    commands = [(b"JSON.GET", as_sent(keys[position]), b".") for position in missing]
    for position, reply in zip(
        missing, await session.execute_many(commands, write=False), strict=True
    ):
        if not isinstance(reply, Exception):
            texts[position] = reply
        elif not is_not_json(reply):
            raise reply


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
    model: type[ModelClass], keys: AsyncGenerator[list[str], None]
) -> AsyncGenerator[list[Entry], None]:
    """Lists of keys as lists of entries."""
    async with aclosing(keys):
        async for group in keys:
            yield [(model, key) for key in group]
