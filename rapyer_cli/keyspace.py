"""Listing keys: bounded SCANs for documents only. Never KEYS."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

_JSON_TYPE = "ReJSON-RL"
_BATCH = 1000


async def keys_of(client: Any, name: str = "", text: str = "") -> AsyncIterator[str]:
    """The keys of the documents of the model ``name`` whose pk begins with ``text``; of all without a name.

    Sends SCAN with TYPE and MATCH. A key is given once for each time SCAN does.
    """
    pattern = f"{escaped_glob(name)}:{escaped_glob(text)}*" if name else f"{escaped_glob(text)}*"
    async for key in client.scan_iter(match=pattern, count=_BATCH, _type=_JSON_TYPE):
        yield _text(key)


async def unique_keys_of(client: Any, name: str = "", text: str = "") -> AsyncIterator[str]:
    """As :func:`keys_of`, each key once."""
    seen: set[str] = set()
    async for key in keys_of(client, name, text):
        if key not in seen:
            seen.add(key)
            yield key


async def some_keys_of(
    client: Any, name: str, text: str, limit: int, *, most_scans: int = 0
) -> tuple[list[str], bool]:
    """At most ``limit`` keys in order, and whether there may be more.

    ``most_scans`` bounds the work where almost no key fits: as many SCANs are sent, not more.
    """
    found: set[str] = set()
    cursor: Any = 0
    pattern = f"{escaped_glob(name)}:{escaped_glob(text)}*"
    if most_scans and not hasattr(client, "nodes_manager"):
        for _ in range(most_scans):
            cursor, keys = await client.scan(cursor, match=pattern, count=_BATCH, _type=_JSON_TYPE)
            found.update(_text(key) for key in keys)
            if not cursor or len(found) > limit:
                break
        return sorted(found)[:limit], bool(cursor) or len(found) > limit
    async for key in unique_keys_of(client, name, text):
        if len(found) >= limit:
            return sorted(found), True
        found.add(key)
    return sorted(found), False


async def counts_by_prefix(client: Any, names: list[str]) -> dict[str, int]:
    """How many documents each model has; other keys are counted by what stands before their colon."""
    counts = dict.fromkeys(names, 0)
    longest_first = sorted(names, key=len, reverse=True)
    async for key in unique_keys_of(client):
        name = next((n for n in longest_first if key.startswith(f"{n}:")), None)
        name = key.partition(":")[0] if name is None else name
        counts[name] = counts.get(name, 0) + 1
    return counts


def _text(key: bytes | str) -> str:
    return key.decode("utf-8", "surrogateescape") if isinstance(key, bytes) else str(key)


def escaped_glob(text: str) -> str:
    """``text`` as a glob pattern that matches only itself."""
    return "".join("\\" + c if c in "*?[]\\^" else c for c in text)
