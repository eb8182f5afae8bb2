"""Keys that hold no JSON: strings, hashes, lists, sets, sorted sets and streams, as JSON values. Only reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from rapyer.keyspace.spelling import as_sent, escaped_glob
from rapyer_cli.reading.commands import ask, primaries_of

KINDS = ("string", "hash", "list", "set", "zset", "stream")
_BATCH = 1000


class Other(NamedTuple):
    """What a key holds: its Redis type, its value as JSON, and how much of it there is in all."""

    kind: str
    data: Any
    length: int


async def kind_at(client: Any, key: str) -> str:
    """The Redis type of a key; ``none`` when it is not there. Sends TYPE."""
    return text_of(await ask(client, "TYPE", as_sent(key)))


async def read_other(client: Any, key: str, kind: str, limit: int) -> Other:
    """What is at ``key``, at most ``limit`` entries or bytes of it; 0 is all. Sends the type's own reads."""
    word = as_sent(key)
    last = limit - 1 if limit else -1
    if kind == "string":
        length = await ask(client, "STRLEN", word)
        return Other(kind, text_of(await ask(client, "GETRANGE", word, 0, last)), length)
    if kind == "list":
        items = await ask(client, "LRANGE", word, 0, last)
        return Other(kind, [text_of(item) for item in items], await ask(client, "LLEN", word))
    if kind == "zset":
        found = await ask(client, "ZRANGE", word, 0, last, "WITHSCORES")
        scores = {text_of(member): _number(score) for member, score in _pairs(found)}
        return Other(kind, scores, await ask(client, "ZCARD", word))
    if kind == "stream":
        count = ("COUNT", limit) if limit else ()
        entries = await ask(client, "XRANGE", word, "-", "+", *count)
        return Other(kind, [_entry(*entry) for entry in entries], await ask(client, "XLEN", word))
    command, size = ("HSCAN", "HLEN") if kind == "hash" else ("SSCAN", "SCARD")
    length = await ask(client, size, word)
    flat = await _scanned(client, command, word, limit * (2 if kind == "hash" else 1))
    if kind == "hash":
        entries = {text_of(name): text_of(value) for name, value in _pairs(flat)}
        return Other(kind, entries, length)
    return Other(kind, sorted({text_of(member) for member in flat}), length)


async def read_inside(client: Any, key: str, kind: str, name: str) -> Any:
    """The entry called ``name``; None when there is none, or the type has none."""
    word, inside = as_sent(key), as_sent(name)
    if kind == "hash":
        found = await ask(client, "HGET", word, inside)
        return None if found is None else text_of(found)
    if kind == "list" and name.lstrip("-").isdigit():
        found = await ask(client, "LINDEX", word, name)
        return None if found is None else text_of(found)
    if kind == "set":
        return bool(await ask(client, "SISMEMBER", word, inside)) or None
    if kind == "zset":
        found = await ask(client, "ZSCORE", word, inside)
        return None if found is None else _number(found)
    if kind == "stream":
        entries = await ask(client, "XRANGE", word, inside, inside)
        return _entry(*entries[0]) if entries else None
    return None


async def keys_with_kinds(client: Any, prefix: str, limit: int) -> AsyncIterator[tuple[str, str]]:
    """Keys of other types that begin with ``prefix``, with their type, at most ``limit``. Sends SCAN and TYPE."""
    seen: set[str] = set()
    for node in await primaries_of(client):
        cursor: bytes | int = 0
        while True:
            pattern = as_sent(escaped_glob(prefix) + "*")
            cursor, words = await ask(
                client, "SCAN", cursor, "MATCH", pattern, "COUNT", _BATCH, node=node
            )
            for word in words:
                key = word.decode("utf-8", "surrogateescape")
                kind = await kind_at(client, key) if key not in seen else ""
                seen.add(key)
                if kind in KINDS:
                    yield key, kind
                    limit -= 1
                    if not limit:
                        return
            if int(cursor) == 0:
                break


def text_of(word: Any) -> str:
    """A reply as text; bytes that are no UTF-8 as escapes."""
    return word.decode("utf-8", "backslashreplace") if isinstance(word, bytes) else str(word)


async def _scanned(client: Any, command: str, word: bytes, limit: int) -> list[Any]:
    found: list[Any] = []
    cursor: bytes | int = 0
    while True:
        cursor, page = await ask(client, command, word, cursor, "COUNT", _BATCH)
        found += (
            [part for pair in page.items() for part in pair] if isinstance(page, dict) else page
        )
        if int(cursor) == 0 or (limit and len(found) >= limit):
            return found[:limit] if limit else found


def _pairs(flat: Any) -> list[tuple[Any, Any]]:
    """Names with values, whichever protocol they came by."""
    if isinstance(flat, dict):
        return list(flat.items())
    if flat and isinstance(flat[0], list):
        return [(one, other) for one, other in flat]
    return list(zip(flat[::2], flat[1::2], strict=True))


def _entry(identity: Any, fields: Any) -> dict[str, str]:
    return {
        "id": text_of(identity),
        **{text_of(name): text_of(value) for name, value in _pairs(fields or [])},
    }


def _number(score: Any) -> float:
    return float(score)
