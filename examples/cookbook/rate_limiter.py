"""A rate limiter: so many calls a minute and caller, counted by all processes together.

``python examples/cookbook/rate_limiter.py [URL]``
"""

import asyncio
import sys
from datetime import UTC, datetime

from pydantic import Field

from rapyer import AtomicRedisModel, Key, RedisConfig, init_rapyer, teardown_rapyer
from rapyer.errors import ConstraintError
from rapyer.types import RedisInt

LIMIT = 5


class Window(AtomicRedisModel):
    """The calls of one caller in one minute. The bound holds on the server, whoever counts."""

    Meta = RedisConfig(ttl=120)  # windows of the past go by themselves

    caller_and_minute: Key[str]
    calls: RedisInt = Field(default=RedisInt(0), ge=0, le=LIMIT)


async def is_allowed(caller: str) -> bool:
    """Count a call; whether it is within the limit."""
    minute = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M")
    window, _ = await Window.get_or_create(f"{caller}@{minute}")
    try:
        await window.calls.increase()
    except ConstraintError:  # nothing was counted
        return False
    return True


async def main(url: str) -> None:
    await init_rapyer(url)
    answers = await asyncio.gather(*(is_allowed("ada") for _ in range(20)))
    print("allowed", sum(answers), "of", len(answers))
    print("somebody else is allowed:", await is_allowed("grace"))
    await Window.delete_many(Window.calls >= 0)
    await teardown_rapyer()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "embedded://"))
