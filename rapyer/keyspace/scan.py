"""Which documents there are: SCAN in pages, never KEYS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from rapyer import connections
from rapyer.config import client_of
from rapyer.keyspace.model_class import ModelClass
from rapyer.keyspace.registry import Ownership
from rapyer.keyspace.spelling import as_keys, as_sent, escaped_glob

if TYPE_CHECKING:
    from rapyer.connections import Session

_SCAN_COUNT = b"2000"
"""How many keys one SCAN looks at, for which the server needs a millisecond."""
_SLOTS_AT_ONCE = 64
_MOST_KEYS = 2**31 - 1
_JSON_TYPE = b"ReJSON-RL"


def session_of_model(model: type[ModelClass]) -> Session:
    """The session of the client that ``model`` uses."""
    return connections.Session.of(client_of(model.Meta, model.__name__))


def unseen(words: list[bytes], seen: set[bytes]) -> list[bytes]:
    """Those of ``words`` that are not among ``seen``, each once; they are entered there."""
    known = len(seen)
    if seen.isdisjoint(words):
        seen.update(words)
        return words if len(seen) == known + len(words) else list(dict.fromkeys(words))
    fresh = [word for word in dict.fromkeys(words) if word not in seen]
    seen.update(fresh)
    return fresh


async def is_document(model: type[ModelClass], key: str) -> bool:
    """Whether ``key`` holds a JSON document, on the server of ``model``. Sends TYPE."""
    reply = await session_of_model(model).execute(b"TYPE", as_sent(key), write=False)
    return bool(reply == _JSON_TYPE)


async def scanned_keys(
    model: type[ModelClass], seen: set[bytes] | None = None
) -> AsyncGenerator[list[str], None]:
    """The keys of all documents of ``model``, in lists, each key once.

    Keys that are there from beginning to end are always given; ``seen`` are not given again. Sends SCAN
    with MATCH and TYPE, to every primary of a cluster; where slots have moved between these meanwhile, looks
    into those slots again.
    """
    session, owned = session_of_model(model), Ownership(model)
    pattern = as_sent(escaped_glob(owned.prefix) + "*")
    seen = set() if seen is None else seen
    before = await session.layout()
    in_doubt: frozenset[int] | None = None
    while True:
        if in_doubt is None:
            pages = _scan_all(session, pattern)
        else:
            pages = _keys_in(session, in_doubt, as_sent(owned.prefix))
        async with aclosing(pages):
            async for words in pages:
                keys = owned.among(as_keys(unseen(words, seen)))
                if keys:
                    yield keys
        if before is None or (after := await session.layout()) is None:
            return
        was_in_doubt, in_doubt = in_doubt, after.slots_in_doubt(before)
        if in_doubt is not None and (not in_doubt or (was_in_doubt and after == before)):
            return
        before = after


async def _scan_all(session: Session, pattern: bytes) -> AsyncGenerator[list[bytes], None]:
    for node in await session.primaries():
        async with aclosing(_scan(session, pattern, node)) as pages:
            async for words in pages:
                yield words


async def _keys_in(
    session: Session, slots: Collection[int], prefix: bytes
) -> AsyncGenerator[list[bytes], None]:
    """The documents in ``slots``, wherever those are now. Sends CLUSTER GETKEYSINSLOT and TYPE.

    All nodes are asked twice: what was on its way from one that is asked later to one that was asked already is
    found there then.
    """
    commands = [(b"CLUSTER", b"GETKEYSINSLOT", slot, _MOST_KEYS) for slot in sorted(slots)]
    nodes = await session.primaries()
    for start in range(0, len(commands), _SLOTS_AT_ONCE):
        for node in (*nodes, *nodes):
            asked = commands[start : start + _SLOTS_AT_ONCE]
            for reply in await session.execute_many(asked, write=False, node=node):
                if isinstance(reply, Exception):
                    raise reply
                words = [word for word in reply if word.startswith(prefix)]
                types = [(b"TYPE", word) for word in words]
                kinds = await session.execute_many(types, write=False)
                yield [word for word, kind in zip(words, kinds, strict=True) if kind == _JSON_TYPE]


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
