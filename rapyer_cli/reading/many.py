"""Listing and reading many documents: bounded SCANs, never KEYS, and pipelined JSON.GETs in chunks, as stored text."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from rapyer.keyspace.not_json import is_not_json
from rapyer.keyspace.spelling import as_sent, escaped_glob
from rapyer_cli.reading.commands import ask, ask_all, primaries_of

_JSON_TYPE = "ReJSON-RL"
_BATCH = 1000
_CHUNK = 200


async def key_batches(client: Any, name: str = "", text: str = "") -> AsyncIterator[list[str]]:
    """What each SCAN gives: keys of the documents of the model ``name`` whose pk begins with ``text``.

    Without a name the keys of all documents. A key may come more than once. Sends SCAN with TYPE and
    MATCH to every primary.
    """
    pattern = f"{escaped_glob(name)}:{escaped_glob(text)}*" if name else f"{escaped_glob(text)}*"
    filters = ("MATCH", as_sent(pattern), "COUNT", _BATCH, "TYPE", _JSON_TYPE)
    for node in await primaries_of(client):
        cursor: bytes | int = 0
        while True:
            cursor, keys = await ask(client, "SCAN", cursor, *filters, node=node)
            yield [_text(key) for key in keys]
            if int(cursor) == 0:
                break


async def keys_of(client: Any, name: str = "", text: str = "") -> AsyncIterator[str]:
    """The keys of :func:`key_batches`, one by one."""
    async for keys in key_batches(client, name, text):
        for key in keys:
            yield key


async def unique_keys_of(client: Any, name: str = "", text: str = "") -> AsyncIterator[str]:
    """As :func:`keys_of`, each key once."""
    seen: set[str] = set()
    async for key in keys_of(client, name, text):
        if key not in seen:
            seen.add(key)
            yield key


async def some_keys_of(
    client: Any, name: str, text: str, limit: int, *, seconds: float = 0
) -> tuple[list[str], bool]:
    """At most ``limit`` keys in order, and whether there may be more.

    ``seconds`` bounds the search where almost no key fits.
    """
    found: set[str] = set()
    ends = time.monotonic() + seconds
    async for keys in key_batches(client, name, text):
        found.update(keys)
        if len(found) > limit or (seconds and time.monotonic() > ends):
            return sorted(found)[:limit], True
    return sorted(found), False


async def counts_by_prefix(
    client: Any, names: Sequence[str], *, seconds: float = 0
) -> tuple[dict[str, int], bool]:
    """How many documents each model has, and whether all were counted within ``seconds``.

    Keys of no known model are counted by what stands before their colon.
    """
    counts = dict.fromkeys(names, 0)
    longest_first = sorted(names, key=len, reverse=True)
    ends = time.monotonic() + seconds
    seen: set[str] = set()
    async for keys in key_batches(client):
        for key in keys:
            if key in seen:
                continue
            seen.add(key)
            name = next((n for n in longest_first if key.startswith(f"{n}:")), None)
            name = key.partition(":")[0] if name is None else name
            counts[name] = counts.get(name, 0) + 1
        if seconds and time.monotonic() > ends:
            return counts, False
    return counts, True


async def stored_texts(client: Any, name: str) -> AsyncIterator[tuple[str, bytes]]:
    """Key and stored JSON of every document of the model ``name`` (of all documents without a name).

    Documents that disappear meanwhile are left out. Sends SCAN and JSON.GET.
    """
    chunk: list[str] = []
    async for key in unique_keys_of(client, name):
        chunk.append(key)
        if len(chunk) == _CHUNK:
            async for pair in texts_of(client, chunk):
                yield pair
            chunk = []
    async for pair in texts_of(client, chunk):
        yield pair


async def texts_of(client: Any, keys: Iterable[str]) -> AsyncIterator[tuple[str, bytes]]:
    """Key and stored JSON of each of ``keys`` that is a document. Sends JSON.GETs in one write."""
    wanted = list(keys)
    replies = await ask_all(client, [("JSON.GET", as_sent(key)) for key in wanted])
    for key, reply in zip(wanted, replies, strict=True):
        if isinstance(reply, Exception):
            if is_not_json(str(reply)):
                continue  # a key of another type
            raise reply
        if reply is not None:
            yield key, reply


async def ttls_of(client: Any, keys: Iterable[str]) -> dict[str, float | None]:
    """The seconds that each key has to live, None for ever. Sends PTTLs in one write."""
    wanted = list(keys)
    replies = await ask_all(client, [("PTTL", as_sent(key)) for key in wanted])
    return {
        key: reply / 1000 if isinstance(reply, int) and reply >= 0 else None
        for key, reply in zip(wanted, replies, strict=True)
    }


def _text(key: bytes | str) -> str:
    return key.decode("utf-8", "surrogateescape") if isinstance(key, bytes) else str(key)
