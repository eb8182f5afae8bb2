"""Looking at one place of a stored document without reading the document: its JSON type, keys, length."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from rapyer.keyspace.spelling import as_sent
from rapyer_cli.language.addresses import Address
from rapyer_cli.reading.commands import ask


class Peek(NamedTuple):
    """A place that exists: its JSON type as RedisJSON calls it, and where it is."""

    client: Any
    key: str
    path: tuple[str | int, ...]
    kind: str

    async def names(self) -> list[str]:
        """The names in an object. Sends JSON.OBJKEYS."""
        reply = await self._ask("JSON.OBJKEYS")
        return [name.decode("utf-8", "replace") for name in _innermost(reply)]

    async def length(self) -> int:
        """The length of an array. Sends JSON.ARRLEN."""
        return int(next(iter(_innermost(await self._ask("JSON.ARRLEN"))), 0))

    async def read(self) -> Any:
        """The JSON that is there. Sends JSON.GET for the place alone."""
        return (await read_path(self.client, self.key, self.path))[0]

    async def _ask(self, command: str) -> Any:
        from rapyer.paths import json_path

        return await ask(
            self.client, command, as_sent(self.key), json_path(self.path, unchecked=True)
        )


async def read_path(client: Any, key: str, path: tuple[str | int, ...]) -> list[Any]:
    """The JSON at a path, as the only item; empty when nothing is there, or no path can name it.

    Sends JSON.GET.
    """
    from rapyer.errors import UnaddressableKeyError
    from rapyer.paths import json_path

    try:
        where = json_path(path, unchecked=True)
    except UnaddressableKeyError:
        return []
    text = await ask(client, "JSON.GET", as_sent(key), where)
    return list(json.loads(text)) if text is not None else []


async def peek(client: Any, address: Address) -> Peek | None:
    """What is at ``address``, or None when nothing is there. Sends JSON.TYPE for it and, where a segment
    could be a name or an index, for what is above it."""
    from rapyer.errors import UnaddressableKeyError

    if address.key is None:
        return None
    try:
        path = await path_of(client, address.key, address.pointer)
        kind = await _kind(client, address.key, path)
    except UnaddressableKeyError:
        return None
    return None if kind is None else Peek(client, address.key, path, kind)


async def path_of(client: Any, key: str, pointer: Sequence[str]) -> tuple[str | int, ...]:
    """The path that a pointer means in what is stored. Sends JSON.TYPE where a segment could be an index."""
    path: tuple[str | int, ...] = ()
    for segment in pointer:
        index = segment.lstrip("-").isdigit() and await _kind(client, key, path) == "array"
        path = (*path, int(segment) if index else segment)
    return path


async def _kind(client: Any, key: str, path: tuple[str | int, ...]) -> str | None:
    from rapyer.paths import json_path

    reply = await ask(client, "JSON.TYPE", as_sent(key), json_path(path, unchecked=True))
    kind = next(iter(_innermost(reply)), None)
    return kind.decode() if isinstance(kind, bytes) else None


def _innermost(reply: Any) -> list[Any]:
    """The answers for the one place asked for, which come in as many lists as the protocol likes."""
    while isinstance(reply, list) and reply and isinstance(reply[0], list):
        reply = reply[0]
    return reply if isinstance(reply, list) else []
