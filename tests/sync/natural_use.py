"""A synchronous service with explicit types, as every type checker sees it. Not run."""

from pydantic import BaseModel, Field

from rapyer.sync import (
    AtomicRedisModel,
    RedisDict,
    RedisInt,
    RedisList,
    RedisStr,
    init_rapyer,
    pipeline,
    teardown_rapyer,
)


class Address(BaseModel):
    city: str = ""
    zips: RedisList[str] = RedisList()


class User(AtomicRedisModel):
    name: RedisStr
    age: RedisInt = Field(default=RedisInt(0), ge=0)
    nick: str | None = None
    tags: RedisList[str] = RedisList()
    scores: RedisDict[str, RedisInt] = RedisDict()
    address: Address = Address()


def main() -> None:
    init_rapyer("embedded://")
    user = User(name="Ada", age=36).save()
    older: int = user.age.increase()
    user.tags.aappend("math")
    popped: str | None = user.tags.apop()
    assert user.scores.setdefault("go", RedisInt(1)).increase() == 2
    user.scores.aset_item("chess", RedisInt(older))
    user.address.zips.aappend("SW1")
    with user.pipeline() as same:
        same.age += 1
        same.address.city = "Paris"
    with pipeline(user, watch=True):
        user.name = "Grace"
    with user.lock(timeout=5) as lock:
        print(lock.key, popped)
    for found in User.find(User.age > 30, User.name == "Ada").sort("-age"):
        print(found.name.upper())
    first: User | None = User.find_one(User.age > 3)
    print(first, User.get(user.key).age, User.find().count())
    teardown_rapyer()
