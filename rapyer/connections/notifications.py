"""Being told of changed keys: the server's keyspace notifications, where it sends them.

Asks and subscribes only; whether the server sends notifications is its own setting, which nothing here changes.
"""

from __future__ import annotations

from typing import Any

import redis.exceptions
from redis.asyncio import Redis

from rapyer import errors
from rapyer.connections.session import AsyncClient, Session

_MOST_AT_ONCE = 1000
NEEDED = "KA, or at least Kdgxe"
"""What the server's ``notify-keyspace-events`` must have."""


class KeyNotifications:
    """A subscription to the changes of all keys with a prefix."""

    def __init__(self, client: Redis, prefix: bytes) -> None:
        database = client.connection_pool.connection_kwargs.get("db") or 0
        self._channel = b"__keyspace@%d__:" % database
        self._pattern = self._channel + prefix + b"*"
        self._subscription = client.pubsub()

    @classmethod
    async def open(cls, client: AsyncClient, prefix: bytes) -> KeyNotifications | None:
        """The subscription once it stands; None where the server does not tell of changes.

        ``prefix`` is escaped as a glob. A cluster's nodes each tell of their own keys alone: None. Sends CONFIG GET,
        which not every user may (None then), and PSUBSCRIBE.
        """
        if not isinstance(client, Redis) or not await _are_sent(client):
            return None
        notifications = cls(client, prefix)
        await notifications._subscribe()
        return notifications

    async def _subscribe(self) -> None:
        await self._subscription.psubscribe(self._pattern)
        while True:
            message = await self._subscription.get_message(timeout=10)
            if message is None or message["type"] == "psubscribe":
                return

    async def changed(self, seconds: float) -> list[bytes] | None:
        """The keys that were changed, each once, waiting ``seconds`` for the first one.

        None when the connection was lost, after the subscription was made anew: keys may have been missed.
        """
        found: dict[bytes, None] = {}
        try:
            while len(found) < _MOST_AT_ONCE:
                message = await self._subscription.get_message(
                    ignore_subscribe_messages=True, timeout=0 if found else seconds
                )
                if message is None:
                    break
                channel = message["channel"]
                word = channel.encode() if isinstance(channel, str) else bytes(channel)
                found[word[len(self._channel) :]] = None
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
            await self._again()
            return None
        return list(found)

    async def _again(self) -> None:
        await self._subscription.aclose()
        try:
            await self._subscribe()
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError) as error:
            raise errors.ConnectionError(f"the subscription was lost: {error}") from error

    async def close(self) -> None:
        """End the subscription."""
        await self._subscription.aclose()


async def _are_sent(client: Redis) -> bool:
    try:
        reply: Any = await Session.of(client).execute(
            "CONFIG", "GET", "notify-keyspace-events", write=False
        )
    except redis.exceptions.ResponseError:
        return False
    values = list(reply.values()) if isinstance(reply, dict) else list(reply or [])[1::2]
    text = values[0].decode() if values else ""
    return "K" in text and ("A" in text or all(flag in text for flag in "dgxe"))
