"""Conditions on what is inside of documents: items of lists, fields of subclasses; and on subclasses of models."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, RootModel
from redis.asyncio import Redis

import rapyer
from rapyer import AtomicRedisModel, Index, Key
from rapyer.errors import AmbiguousModelError, ExpressionError, UnknownFieldError, WrongModelError
from rapyer.expressions.parsing import parse_expression


class Animal(BaseModel):
    name: str = ""


class Dog(Animal):
    bark: int = 1


class Puppy(Dog):
    age: int = 0


class Comment(AtomicRedisModel):
    stars: int = 0
    text: str = ""


class Visit(BaseModel):
    place: str = ""
    nights: int = 0
    tags: list[str] = []
    stops: list[Visit] = []


class Owner(AtomicRedisModel):
    id: Key[str]
    home: str = ""
    pet: Animal = Animal()
    pets: list[Animal] = []
    visits: list[Visit] = []
    scores: list[int] = []
    rates: dict[str, int] = {}
    lucky: set[int] = set()
    comments: list[Comment] = []


async def pks(condition: Any) -> list[str]:
    found = sorted([owner.id for owner in await Owner.find(condition)])
    rest = sorted([owner.id for owner in await Owner.find(~condition)])
    assert sorted([*found, *rest]) == sorted([owner.id for owner in await Owner.find()])
    return found


@pytest.fixture(autouse=True)
async def owners(client: Redis) -> None:
    await Owner.insert(
        Owner(
            id="a",
            pet=Dog(bark=5),
            pets=[Animal(name="x"), Puppy(age=3)],
            visits=[Visit(place="Rome", nights=1), Visit(place="Oslo", nights=9, tags=["far"])],
            scores=[1, 9],
            rates={"x": 7},
            lucky={4},
            comments=[Comment(stars=5)],
        ),
        Owner(
            id="b",
            visits=[Visit(place="Rome", nights=9, stops=[Visit(place="Pisa")])],
            scores=[5],
            comments=[Comment(stars=1)],
        ),
        Owner(id="c", pet=Animal(name="c")),
    )


async def test_one_item_has_to_fulfil_the_whole_condition() -> None:
    condition = Owner.visits.any(lambda visit: (visit.place == "Rome") & (visit.nights > 5))  # type: ignore[attr-defined]
    assert await pks(condition) == ["b"]
    text = "any(visit.place == 'Rome' and visit.nights > 5 for visit in visits)"
    assert await pks(parse_expression(Owner, text)) == ["b"]
    filtered = "any(visit.nights > 5 for visit in visits if visit.place == 'Rome')"
    assert await pks(parse_expression(Owner, filtered)) == ["b"]


@pytest.mark.parametrize(
    ("make", "text", "expected"),
    [
        (lambda o: o.scores.any(lambda n: n > 5), "any(n > 5 for n in scores)", ["a"]),
        (
            lambda o: o.scores.any(lambda n: (n > 1) & (n < 9)),
            "any(1 < n < 9 for n in scores)",
            ["b"],
        ),
        (lambda o: o.lucky.any(lambda n: n == 4), "any(n == 4 for n in lucky)", ["a"]),
        (lambda o: o.rates.any(lambda n: n > 6), "any(n > 6 for n in rates)", ["a"]),
        (
            lambda o: o.visits.any(lambda v: v.tags.contains("far")),
            "any('far' in v.tags for v in visits)",
            ["a"],
        ),
        (
            lambda o: o.visits.any(lambda v: v.stops.any(lambda s: s.place == "Pisa")),
            "any(any(s.place == 'Pisa' for s in v.stops) for v in visits)",
            ["b"],
        ),
        (lambda o: o.pets.any(lambda p: p.age == 3), "any(p.age == 3 for p in pets)", ["a"]),
        (lambda o: ~o.scores.any(lambda n: n > 1), "not any(n > 1 for n in scores)", ["c"]),
    ],
)
async def test_any_item_of_lists_sets_and_dicts(make: Any, text: str, expected: list[str]) -> None:
    assert await pks(make(Owner)) == expected
    assert await pks(parse_expression(Owner, text)) == expected


async def test_items_that_are_models_are_also_named_by_their_class() -> None:
    assert await pks(Owner.comments.any(Comment.stars > 3)) == ["a"]  # type: ignore[attr-defined]
    with pytest.raises(ExpressionError, match="Owner is not what its items are"):
        Owner.comments.any(Owner.home == "x")  # type: ignore[attr-defined]


def test_item_is_not_compared_with_a_field_of_the_document() -> None:
    with pytest.raises(ExpressionError, match="not fields of one document"):
        Owner.visits.any(lambda visit: visit.place == Owner.home)  # type: ignore[attr-defined]
    with pytest.raises(ExpressionError, match="only visit can be compared"):
        parse_expression(Owner, "any(visit.place == home for visit in visits)")
    with pytest.raises(ExpressionError, match="no condition on its items"):
        Owner.scores.any(lambda n: 3)  # type: ignore[attr-defined]
    with pytest.raises(UnknownFieldError, match="town"):
        Owner.visits.any(lambda visit: visit.town == "x")  # type: ignore[attr-defined]
    for wrong in ("any(visits)", "any(n > 1 for n, m in scores)", "any(n for n in home)", "any()"):
        with pytest.raises(ExpressionError, match="column"):
            parse_expression(Owner, wrong)


async def test_documents_without_model_are_asked_for_items_too() -> None:
    condition = parse_expression(None, "any(v.place == 'Rome' for v in visits)")
    assert condition.matches({"visits": [{"place": "Rome"}]})
    assert not condition.matches({"visits": [{"place": "Oslo"}, 5]})
    assert not condition.matches({"visits": "Rome"})


async def test_field_of_a_nested_subclass_is_named_through_the_declared_class() -> None:
    assert await pks(Owner.pet.bark == 5) == ["a"]  # type: ignore[attr-defined]
    assert await pks(Owner.pet.bark == None) == ["b", "c"]  # type: ignore[attr-defined]  # noqa: E711
    assert await pks(parse_expression(Owner, "pet.bark >= 5")) == ["a"]
    assert await pks(Owner.pet.age == 1) == []  # type: ignore[attr-defined]
    with pytest.raises(UnknownFieldError, match="it has name"):
        Owner.pet.wings  # type: ignore[attr-defined]  # noqa: B018


# -- subclasses of models ------------------------------------------------------------------------------


class Vehicle(AtomicRedisModel):
    id: Key[str]
    wheels: Index[int] = 0


class Car(Vehicle):
    doors: Index[int] = 4


class Van(Car):
    cargo: float = 0.0


async def fleet() -> None:
    await rapyer.insert(
        Vehicle(id="v", wheels=2),
        Car(id="c", wheels=4),
        Car(id="d", wheels=3),
        Van(id="n", wheels=4),
    )


async def test_base_class_finds_its_subclasses_as_what_they_are() -> None:
    await fleet()
    found = {vehicle.key: type(vehicle) for vehicle in await Vehicle.find()}
    assert found == {"Vehicle:v": Vehicle, "Car:c": Car, "Car:d": Car, "Van:n": Van}
    assert sorted(await Car.find_keys()) == ["Car:c", "Car:d", "Van:n"]
    assert sorted(await Vehicle.find_keys(Vehicle.wheels == 4)) == ["Car:c", "Van:n"]
    assert await Vehicle.find(Vehicle.wheels > 2).count() == 3
    assert [v.key for v in await rapyer.find(Vehicle.wheels == 3)] == ["Car:d"]
    assert [v.id for v in await Vehicle.find(sort="-id", limit=2)] == ["v", "n"]
    assert sorted(await Vehicle.find_keys(Vehicle.id.in_(["c", "v"]))) == ["Car:c", "Vehicle:v"]  # type: ignore[attr-defined]
    assert [v.key async for v in Vehicle.find(subclasses=False)] == ["Vehicle:v"]
    with pytest.raises(WrongModelError):
        await Vehicle.get("Car:c")


async def test_each_of_the_subclasses_is_asked_by_its_own_index() -> None:
    await fleet()
    await Car.create_index(rebuild=True)
    for _ in range(10_000):
        if "being built" not in await Car.find(Car.wheels == 4, subclasses=False).explain():
            break
    plan = await Vehicle.find(Vehicle.wheels == 4).explain()
    assert plan.startswith("scan:")
    assert "; Car: index:" in plan
    assert sorted(await Vehicle.find_keys(Vehicle.wheels == 4)) == ["Car:c", "Van:n"]


async def test_what_a_base_class_finds_it_changes_and_deletes() -> None:
    await fleet()
    assert await Vehicle.find(Vehicle.wheels == 4).update(wheels=6) == 2
    assert [(await Car.get("c")).wheels, (await Van.get("n")).wheels] == [6, 6]
    assert await Vehicle.delete_many(Vehicle.wheels == 6) == 2
    assert sorted(await Vehicle.find_keys()) == ["Car:d", "Vehicle:v"]


async def test_two_subclasses_with_one_prefix_are_named() -> None:
    class Root(AtomicRedisModel):
        n: int = 0

    class Left(Root):
        @classmethod
        def class_key_initials(cls) -> str:
            return "Same"

    class Right(Root):
        @classmethod
        def class_key_initials(cls) -> str:
            return "Same"

    with pytest.raises(AmbiguousModelError, match=r"Left.*Right"):
        await Root.find()
    assert await Left.find() == await Right.find() == []


# -- fields that have no fields ------------------------------------------------------------------------


class Tags(RootModel[list[str]]):
    pass


class Keeper(AtomicRedisModel):
    id: Key[str]
    tags: Tags = Tags([])
    bare: BaseModel | None = None
    maybe: Tags | None = None
    many: list[Tags] = []
    n: Index[int] = 0


async def test_root_and_bare_models_do_not_disturb_searches_and_indexes(client: Redis) -> None:
    assert await Keeper.create_index() is True
    await Keeper(id="1", tags=Tags(["x"]), many=[Tags(["y"])], n=5).save()
    await Keeper(id="2", bare=Visit(place="x")).save()
    for condition in (
        Keeper.n == 5,
        Keeper.tags == Tags(["x"]),
        Keeper.tags == ["x"],
        Keeper.tags.contains("x"),  # type: ignore[attr-defined]
        Keeper.tags[0] == "x",  # type: ignore[index]
        Keeper.tags.any(lambda tag: tag.startswith("x")),  # type: ignore[attr-defined]
        Keeper.many.contains(Tags(["y"])),  # type: ignore[attr-defined]
        Keeper.many.any(lambda tags: tags.contains("y")),  # type: ignore[attr-defined]
    ):
        assert [holder.id for holder in await Keeper.find(condition)] == ["1"], condition
        assert await Keeper.find(condition).count() == 1
    assert await Keeper.delete_many(Keeper.n == 0) == 1
    await rapyer.init_rapyer(client, create_indexes=True)
