"""Looking at one place of a stored document without reading the document: its JSON type, keys, length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rapyer_cli.addresses import Address


@dataclass(frozen=True, slots=True)
class Peek:
    """A place that exists: its JSON type as RedisJSON calls it, and where it is."""

    wire: Any
    key: str
    path: tuple[str | int, ...]
    kind: str

    async def names(self) -> list[str]:
        """The names in an object. Sends JSON.OBJKEYS."""
        reply = await self._ask("JSON.OBJKEYS")
        return [name.decode("utf-8", "replace") for name in reply or []]

    async def length(self) -> int:
        """The length of an array. Sends JSON.ARRLEN."""
        return int(await self._ask("JSON.ARRLEN") or 0)

    async def _ask(self, command: str) -> Any:
        from rapyer.paths import json_path

        return _first(await self.wire.execute(command, self.key, json_path(self.path), write=False))


async def peek(client: Any, address: Address) -> Peek | None:
    """What is at ``address``, or None when nothing is there. Sends JSON.TYPE for it and, where a segment
    could be a name or an index, for what is above it."""
    from rapyer.connections import Session as Wire
    from rapyer.errors import UnaddressableKeyError

    if address.key is None:
        return None
    wire = Wire.of(client)
    path: tuple[str | int, ...] = ()
    try:
        for segment in address.pointer:
            index = (
                segment.lstrip("-").isdigit() and await _kind(wire, address.key, path) == "array"
            )
            path = (*path, int(segment) if index else segment)
        kind = await _kind(wire, address.key, path)
    except UnaddressableKeyError:
        return None
    return None if kind is None else Peek(wire, address.key, path, kind)


async def _kind(wire: Any, key: str, path: tuple[str | int, ...]) -> str | None:
    from rapyer.paths import json_path

    kind = _first(await wire.execute("JSON.TYPE", key, json_path(path), write=False))
    return kind.decode() if isinstance(kind, bytes) else None


def _first(reply: Any) -> Any:
    # Under RESP3 the answers for all places that a path names come in one more list.
    while isinstance(reply, list) and len(reply) == 1 and isinstance(reply[0], list):
        reply = reply[0]
    if isinstance(reply, list) and len(reply) == 1:
        return reply[0]
    return reply
