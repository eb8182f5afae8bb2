"""Feature flags: read often, changed by hand, by rules that are checked before they are stored.

``python examples/cookbook/feature_flags.py [URL]``. From the shell: ``rapyer set Flag:dark-mode/share 50``.
"""

import asyncio
import sys
import zlib

from pydantic import Field

from rapyer import AtomicRedisModel, Key, init_rapyer, teardown_rapyer
from rapyer.errors import KeyNotFound
from rapyer.types import RedisInt, RedisList


class Flag(AtomicRedisModel):
    name: Key[str]
    share: RedisInt = Field(default=RedisInt(0), ge=0, le=100)
    """The percentage of users for whom it is on."""
    always: RedisList[str] = RedisList()
    """Users for whom it is on anyway."""

    def is_on_for(self, user: str) -> bool:
        bucket = zlib.crc32(f"{self.name}:{user}".encode()) % 100
        return user in self.always or bucket < self.share


async def is_on(flag: str, user: str) -> bool:
    """Whether a flag is on for a user; flags that nobody made are off."""
    try:
        return (await Flag.get(flag)).is_on_for(user)
    except KeyNotFound:
        return False


async def main(url: str) -> None:
    await init_rapyer(url)
    flag = await Flag(name="dark-mode").save()
    await flag.always.aappend("ada")
    print("ada", await is_on("dark-mode", "ada"), "- grace", await is_on("dark-mode", "grace"))
    await flag.share.increase(100)
    print("grace", await is_on("dark-mode", "grace"), "- unknown", await is_on("no-such", "ada"))
    await flag.delete()
    await teardown_rapyer()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "embedded://"))
