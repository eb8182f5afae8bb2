"""The natural use of every documented call, as type checkers see it. Checked, never run."""

from datetime import UTC, datetime, timedelta
from typing import assert_type

import redis.exceptions
from pydantic import BaseModel, Field

import rapyer
from rapyer import AtomicRedisModel, Index, Key, RedisConfig, SafeLoad
from rapyer.errors import ConnectionError, OutcomeUnknownError
from rapyer.types import (
    RedisBytes,
    RedisDatetime,
    RedisDict,
    RedisFloat,
    RedisInt,
    RedisList,
    RedisStr,
)


class Address(BaseModel):
    city: str
    zips: list[int] = []


class User(AtomicRedisModel):
    Meta = RedisConfig(ttl=60)

    name: RedisStr
    age: RedisInt = RedisInt(0)
    visits: RedisInt = Field(default=RedisInt(0), ge=0)
    score: RedisFloat = RedisFloat(1.0)
    tags: RedisList[str] = Field(default_factory=RedisList)
    settings: RedisDict[str, int] = Field(default_factory=RedisDict)
    avatar: RedisBytes = RedisBytes(b"")
    seen: RedisDatetime = Field(default_factory=lambda: RedisDatetime(datetime.now(UTC)))
    gone: datetime | None = None
    address: Address | None = None
    plain: int = 0


class Keyed(AtomicRedisModel):
    sku: Key[str]
    name: Index[str] = ""
    maybe: SafeLoad[int] = 0


async def construct_and_store() -> None:
    user = User(name="John", age=3, tags=["a"], settings={"k": 1}, seen=datetime.now(UTC))
    assert_type(await user.save(), User)
    assert_type(await user.asave(), User)
    assert_type(await user.load(), User)
    assert_type(await User.get(user.key), User)
    assert_type(await User.aget(user.key), User)
    assert_type(await user.delete(), bool)
    assert_type(await User.delete_by_key("User:1"), bool)
    assert_type(await user.duplicate(), User)
    assert_type(await user.duplicate_many(3), list[User])
    assert_type(user.pk, str)
    await user.save_changes()
    await user.set_ttl(10)
    await user.aupdate(age=4)
    Keyed(sku="x", name="n")
    assert_type(Keyed(sku="x").sku, str)


async def operations(user: User) -> None:
    assert_type(await user.age.increase(), int)
    assert_type(await user.age.aincrease(2), int)
    assert_type(await user.score.increase(0.5), float)
    await user.tags.aappend("x")
    await user.tags.aextend(["x", "y"])
    await user.tags.ainsert(0, "x")
    assert_type(await user.tags.apop(), str | None)
    await user.tags.aclear()
    await user.settings.aset_item("k", 1)
    await user.settings.adel_item("k")
    await user.settings.aupdate({"a": 1}, b=2)
    assert_type(await user.settings.apopitem(), tuple[str, int])
    assert_type(user.tags.clone(), list[str])
    assert_type(user.settings.clone(), dict[str, int])
    assert_type(user.age.clone(), int)
    assert_type(user.age.field_path, str)
    assert_type(user.tags[0], str)


async def assignments(user: User) -> None:
    async with user.pipeline():
        user.age = 5
        user.age += 1
        user.name = "x"
        user.name += "y"
        user.score *= 2
        user.tags += ["x"]
        user.tags[0] = "z"
        user.settings["k"] += 1
        user.seen += timedelta(days=1)
        user.plain += 1
    async with rapyer.pipeline(user, watch=True):
        user.tags.append("x")
    async with user.lock(timeout=1):
        pass


async def setup() -> None:
    await rapyer.init_rapyer("redis://localhost", ttl=60)
    User.Meta.ttl = 5
    await rapyer.teardown_rapyer()


async def many(user: User) -> None:
    assert_type(await User.exists("42"), bool)
    assert_type(await User.aexists(user.key), bool)
    assert_type(await User.get_or_create("42", name="Ada"), tuple[User, bool])
    assert_type(await User.aget_or_create(user), tuple[User, bool])
    assert_type(await User.find(User.age > 3, subclasses=False), list[User])
    assert_type(await User.find(User.age > 3).update(plain=1), int)
    assert_type(await User.find("42").aupdate({"plain": 1}), int)
    assert_type(await Keyed.get(5), Keyed)
    assert_type(rapyer.find_redis_models(), list[type[AtomicRedisModel]])


async def lost_connections(user: User) -> None:
    try:
        await user.save()
    except OutcomeUnknownError as error:
        unknown: ConnectionError = error
        raise unknown from None
    except (ConnectionError, rapyer.errors.LockError) as failure:
        assert_type(failure, ConnectionError | rapyer.errors.LockError)
    failed: redis.exceptions.ConnectionError = rapyer.errors.ConnectionError("x")
    raise failed
