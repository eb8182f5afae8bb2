"""A synchronous service with plain annotations, as mypy sees it with the plugin. Not run."""

from pydantic import BaseModel, Field

from rapyer.sync import AtomicRedisModel, init_rapyer, pipeline, teardown_rapyer


class Address(BaseModel):
    city: str = ""
    zips: list[str] = []


class User(AtomicRedisModel):
    name: str
    age: int = Field(default=0, ge=0)
    nick: str | None = None
    tags: list[str] = []
    scores: dict[str, int] = {}
    address: Address = Address()


def main() -> None:
    init_rapyer("embedded://")
    user = User(name="Ada", age=36).save()
    older: int = user.age.increase()
    user.tags.aappend("math")
    popped: str | None = user.tags.apop()
    user.scores.aupdate(chess=older)
    user.address.zips.aappend("SW1")
    with user.pipeline() as same:
        same.age += 1
        same.address.city = "Paris"
    with pipeline(user, watch=True):
        user.name = "Grace"
    with user.lock(timeout=5) as lock:
        print(lock.key, popped)
    for found in User.find(User.age > 30, User.tags.contains("math")).sort("-age"):
        print(found.name.upper())
    first: User | None = User.find_one(User.address.city == "Paris")
    print(first, User.get(user.key).age, User.find().count())
    teardown_rapyer()
