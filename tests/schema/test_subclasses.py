"""Nested values of a subclass: their mark names one class for good, and survives every way of writing."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, create_model, model_serializer
from redis.asyncio import Redis

from rapyer import AtomicRedisModel
from rapyer.errors import DocumentError
from rapyer.schema.of_models import field_spec, model_spec
from tests.conftest import Stored


class Animal(BaseModel):
    name: str = ""


class Dog(Animal):
    bark: int = 1
    puppies: list[Dog] = []


class Puppy(Dog):
    cute: bool = True


class Zoo(AtomicRedisModel):
    star: Animal = Animal()
    all: list[Animal] = []
    by: dict[str, Animal] = {}
    maybe: Animal | int | None = None


class Node(AtomicRedisModel):
    n: int = 0
    kids: list[Node] = []


class Special(Node):
    x: int = 5


@dataclasses.dataclass
class Plan:
    name: str = ""


@dataclasses.dataclass
class Yearly(Plan):
    price: float = 1.0


class Shop(AtomicRedisModel):
    plan: Plan = dataclasses.field(default_factory=Plan)
    plans: list[Plan] = []


async def test_values_of_a_self_referencing_model_keep_their_class(stored: Stored) -> None:
    node = await Node(kids=[Special(x=7, kids=[Special(x=8)])]).save()
    await node.kids.aappend(Special(x=9))  # type: ignore[attr-defined]
    again = await Node.get(node.key)
    assert again == node
    assert [kid.x for kid in again.kids] == [7, 9]  # type: ignore[attr-defined]
    assert again.kids[0].kids[0].x == 8  # type: ignore[attr-defined]
    assert "__class__" not in await stored(node)
    own = await Special(x=1, kids=[Special(x=2), Node(n=3)]).save()
    assert await Special.get(own.key) == own
    assert "__class__" not in await stored(own)


async def test_the_own_save_of_a_nested_value_keeps_its_class() -> None:
    zoo = await Zoo(
        star=Dog(bark=7), all=[Puppy(cute=False)], by={"a": Dog(bark=9)}, maybe=Puppy(bark=4)
    ).save()
    zoo = await Zoo.get(zoo.key)
    for value in (zoo.star, zoo.all[0], zoo.by["a"], zoo.maybe):
        value.name = "saved"  # type: ignore[union-attr]
        await value.save()  # type: ignore[union-attr]
    again = await Zoo.get(zoo.key)
    assert again == zoo
    assert [
        type(value.clone()) for value in (again.star, again.all[0], again.by["a"], again.maybe)
    ] == [  # type: ignore[union-attr]
        *(Dog, Puppy, Dog, Puppy)
    ]
    async with again.pipeline():
        again.star.bark += 1  # type: ignore[attr-defined]
        await again.star.save()  # type: ignore[attr-defined]
    assert (await Zoo.get(zoo.key)).star == Dog(name="saved", bark=8)


async def test_a_subclass_that_is_defined_after_first_use_is_written_in_every_way() -> None:
    class Base(BaseModel):
        name: str = ""

    class Doc(AtomicRedisModel):
        a: Base = Base()
        items: list[Base] = []

    doc = await Doc().save()
    assert doc.items == []
    assert field_spec(Doc, "a").to_json(Base()) == b'{"name":""}'

    class Later(Base):
        q: int = 1

    await doc.aupdate(a=Later(q=8))
    await doc.items.aappend(Later(q=9))  # type: ignore[attr-defined]
    assert await Doc.get(doc.key) == doc
    async with doc.pipeline():
        doc.a = Later(q=10)
        doc.items.append(Later(q=11))

    class Latest(Later):
        r: int = 1

    await doc.items.aappend(Latest(r=12))  # type: ignore[attr-defined]
    again = await Doc.get(doc.key)
    assert again == doc
    assert again.a == Later(q=10)
    assert again.items == [Later(q=9), Later(q=11), Latest(r=12)]


def test_a_mark_names_one_class_for_good() -> None:
    class Base(BaseModel):
        name: str = ""

    class Cat(Base):
        purrs: int = 1

    class Doc(AtomicRedisModel):
        a: Base = Base()

    first = Cat
    before = model_spec(Doc).to_json(Doc(a=first()))

    def elsewhere() -> Any:
        class Cat(Base):
            tail: int

        return Cat

    second = elsewhere()
    assert model_spec(Doc).to_json(Doc(a=first())) == before
    assert type(model_spec(Doc).validate_json(before).a.clone()) is first
    text = model_spec(Doc).to_json(Doc(a=second(tail=3)))
    assert text != before
    assert model_spec(Doc).validate_json(text).a == second(tail=3)


def test_a_mark_is_understood_where_classes_are_imported_in_another_order() -> None:
    class Base(BaseModel):
        name: str = ""

    def one() -> Any:
        class Cat(Base):
            tail: int = 1

        return Cat

    def other() -> Any:
        class Cat(Base):
            purrs: int = 1

        return Cat

    tailed, purring = one(), other()

    class Doc(AtomicRedisModel):
        a: Base = Base()

    spec = model_spec(Doc)
    assert spec.validate_json('{"a":{"name":"","tail":2,"__class__":"Cat"}}').a == tailed(tail=2)
    assert spec.validate_json('{"a":{"name":"","purrs":2,"__class__":"Cat"}}').a == purring(purrs=2)


def test_a_mark_with_a_module_that_is_called_otherwise_now_is_understood() -> None:
    text = '{"star":{"name":"","bark":3,"puppies":[],"__class__":"__main__.Dog"}}'
    assert model_spec(Zoo).validate_json(text).star == Dog(bark=3)


def test_a_class_that_is_defined_again_takes_the_place_of_its_former_self() -> None:
    class Base(BaseModel):
        pass

    class Doc(AtomicRedisModel):
        a: Base = Base()

    def cell(**fields: Any) -> Any:
        return create_model("Cell", __base__=Base, __module__=__name__, **fields)

    old = cell(n=(int, 1))
    text = model_spec(Doc).to_json(Doc(a=old(n=4)))
    new = cell(n=(int, 1), more=(int, 2))
    assert model_spec(Doc).validate_json(text).a == new(n=4)
    assert model_spec(Doc).to_json(Doc(a=old(n=4))) == text


async def test_a_mark_of_no_class_is_an_error_not_the_base_class(redis: Redis) -> None:
    await redis.execute_command("JSON.SET", "Zoo:x", "$", '{"star":{"__class__":"Unicorn"}}')
    with pytest.raises(DocumentError) as caught:
        await Zoo.get("x")
    assert "star" in caught.value.fields


async def test_dataclasses_of_a_subclass_round_trip() -> None:
    shop = await Shop(plan=Yearly("y", 2.5), plans=[Plan("p"), Yearly("z")]).save()
    again = await Shop.get(shop.key)
    assert again.plan == Yearly("y", 2.5)
    assert again.plans == [Plan("p"), Yearly("z")]
    await again.aupdate(plan=Yearly("w"))
    assert (await Shop.get(shop.key)).plan == Yearly("w")


async def test_a_subclass_with_a_serializer_of_its_own_keeps_its_class() -> None:
    class Base(BaseModel):
        name: str = ""

    class Shaped(Base):
        n: int = 1

        @model_serializer
        def shape(self) -> dict[str, Any]:
            return {"name": self.name, "n": self.n, "made": "here"}

    class Doc(AtomicRedisModel):
        a: Base = Base()

    doc = await Doc(a=Shaped(n=5)).save()
    assert (await Doc.get(doc.key)).a == Shaped(n=5)


class Event(BaseModel):
    registry: ClassVar[dict[str, type]] = {}
    n: int = 0
    _seen: int = 0

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Event.registry[cls.__name__] = cls


class Created(Event):
    by: str = ""


class Tagged(BaseModel):
    def __init_subclass__(cls, *, tag: str, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)


class A(Tagged, tag="a"):
    n: int = 0


class Log(AtomicRedisModel):
    event: Created = Created()
    a: A = A()


async def test_live_views_are_made_behind_nobodys_back() -> None:
    log = await Log(event=Created(n=1)).save()
    assert await log.event.n.increase() == 2  # type: ignore[attr-defined]
    assert await log.a.n.increase() == 1  # type: ignore[attr-defined]
    assert Event.registry["Created"] is Created
    assert Created.__subclasses__() == []
    assert isinstance(log.event, Created)
    assert issubclass(type(log.event), Event)
    assert log.event._seen == 0
    assert pickle.loads(pickle.dumps(log.event)) == log.event
