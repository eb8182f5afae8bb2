"""Commands as they leave for the server, through the connections of the library: the only place that names those."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rapyer.connections import Command


async def ask(client: Any, *words: bytes | str | int, node: Any = None) -> Any:
    """The reply to one command that only reads: bytes for strings, never decoded.

    :param node: one of :func:`primaries_of`, for commands without a key.
    """
    from rapyer.connections import Session

    return await Session.of(client).execute(*words, write=False, node=node)


async def ask_all(client: Any, commands: Sequence[Command]) -> list[Any]:
    """The replies to commands that only read, sent in one write; an error reply stands in its place."""
    from rapyer.connections import Session

    return await Session.of(client).execute_many(commands, write=False)


async def send_all(client: Any, commands: Sequence[Command]) -> list[Any]:
    """The replies to commands that write, sent in one write; an error reply stands in its place."""
    from rapyer.connections import Session

    return await Session.of(client).execute_many(commands, write=True)


async def primaries_of(client: Any) -> list[Any]:
    """The nodes to ask for something about all keys: one ``None``, or a cluster's primaries."""
    from rapyer.connections import Session

    return await Session.of(client).primaries()


def is_cluster(client: Any) -> bool:
    """Whether the keys are spread over several servers."""
    from rapyer.connections import Session

    return Session.of(client).is_cluster
