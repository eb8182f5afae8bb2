"""A session store: sessions that end by themselves, and live on while they are used.

``python examples/cookbook/session_store.py [URL]``
"""

import asyncio
import secrets
import sys
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from rapyer import AtomicRedisModel, Key, RedisConfig, init_rapyer, teardown_rapyer
from rapyer.errors import KeyNotFound
from rapyer.types import RedisDict


class Session(AtomicRedisModel):
    """Every read and write sets the TTL of half an hour again."""

    Meta = RedisConfig(ttl=1800, refresh_ttl=True)

    token: Key[str] = Field(default_factory=lambda: secrets.token_urlsafe(24))
    user: str
    began: datetime = Field(default_factory=lambda: datetime.now(UTC))
    data: RedisDict[str, Any] = RedisDict()


async def log_in(user: str) -> str:
    """Begin a session; its token."""
    return (await Session(user=user).save()).token


async def session_of(token: str) -> Session | None:
    """The session of a token that is still good."""
    try:
        return await Session.get(token)
    except KeyNotFound:
        return None


async def main(url: str) -> None:
    await init_rapyer(url)
    token = await log_in("ada")
    session = await session_of(token)
    assert session is not None
    await session.data.aupdate(theme="dark", cart=[1, 2])  # no other entry is touched
    again = await session_of(token)
    assert again is not None
    print(again.user, dict(again.data))
    await again.delete()
    print("after logging out:", await session_of(token))
    await teardown_rapyer()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "embedded://"))
