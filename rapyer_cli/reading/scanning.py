"""Reading many documents: SCAN and pipelined JSON.GETs in bounded chunks, as stored text."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

from rapyer_cli.reading.many import as_sent, unique_keys_of

CHUNK = 200


async def stored_texts(client: Any, name: str) -> AsyncIterator[tuple[str, bytes]]:
    """Key and stored JSON of every document of the model ``name`` (of all documents without a name).

    Documents that disappear meanwhile are left out. Sends SCAN and JSON.GET.
    """
    chunk: list[str] = []
    async for key in unique_keys_of(client, name):
        chunk.append(key)
        if len(chunk) == CHUNK:
            async for pair in texts_of(client, chunk):
                yield pair
            chunk = []
    async for pair in texts_of(client, chunk):
        yield pair


async def texts_of(client: Any, keys: Iterable[str]) -> AsyncIterator[tuple[str, bytes]]:
    """Key and stored JSON of each of ``keys`` that is a document. Sends JSON.GETs in one write."""
    from rapyer.connections import Session as Wire

    wanted = list(keys)
    replies = await Wire.of(client).execute_many(
        [("JSON.GET", as_sent(key)) for key in wanted], write=False
    )
    for key, reply in zip(wanted, replies, strict=True):
        if isinstance(reply, Exception):
            raise reply
        if reply is not None:
            yield key, reply


async def ttls_of(client: Any, keys: Iterable[str]) -> dict[str, float | None]:
    """The seconds that each key has to live, None for ever. Sends PTTLs in one write."""
    from rapyer.connections import Session as Wire

    wanted = list(keys)
    replies = await Wire.of(client).execute_many(
        [("PTTL", as_sent(key)) for key in wanted], write=False
    )
    return {
        key: reply / 1000 if isinstance(reply, int) and reply >= 0 else None
        for key, reply in zip(wanted, replies, strict=True)
    }
