"""A service whose models have plain annotations, for mypy with the plugin ``rapyer.mypy``."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from pydantic import BaseModel, Field

import rapyer
from rapyer import AtomicRedisModel


class Address(BaseModel):
    city: str
    zips: list[str] = []


class User(AtomicRedisModel):
    name: str
    age: int = Field(default=0, ge=0)
    tags: list[str] = []
    scores: dict[str, int] = {}
    address: Address | None = None
    seen: datetime | None = None
    ratio: float = 0.0


async def main() -> None:
    await rapyer.init_rapyer("embedded://")
    user = User(name="Ada", age=36, tags=["math"], address=Address(city="London"))
    await user.save()
    assert user.name.upper() == "ADA"
    new: int = await user.age.increase()
    await user.tags.aextend(["python", "redis"])
    first: str | None = await user.tags.apop(0)
    await user.scores.aupdate(chess=3, go=1)
    assert user.address is not None
    await user.address.zips.aappend("SW1")
    async with user.pipeline():
        user.age += 1
        user.tags.append("pipelines")
        user.tags.sort()
        user.scores["chess"] += 2
        user.address.city = "Paris"
        user.seen = datetime.now(UTC)
        user.name = "x"
        user.tags = ["a"]
    old = await User.find((User.age > 50) & ~User.tags.contains("cobol"))
    print(old, new, first, await User.find(User.address.city == "Paris").count())
    async for found in User.find().sort("-age").limit(2):
        print(found.name)
    async with user.lock(timeout=5):
        await user.load()
    await User.delete_many(User.age >= 0)


if __name__ == "__main__":
    asyncio.run(main())
