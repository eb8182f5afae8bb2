"""All of Pydantic round-trips through the stored form."""
# ruff: noqa: PT012 - builtin errors are the promise; a pipeline is raised by its block

from __future__ import annotations

import enum
import ipaddress
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, Optional, TypeVar

import pydantic
import pytest
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    PlainValidator,
    PrivateAttr,
    RootModel,
    SecretStr,
    Tag,
    ValidationError,
    computed_field,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)
from redis.asyncio import Redis
from typing_extensions import TypedDict

import rapyer
from rapyer import AtomicRedisModel, RedisConfig, SafeLoad
from rapyer.errors import ConfigurationError, ConstraintError, DocumentError, PipelineError
from rapyer.types import RedisBytes, RedisDatetime, RedisDict, RedisInt, RedisList, RedisStr
from tests.conftest import Stored

T = TypeVar("T")
ID = uuid.UUID("12345678-1234-5678-1234-567812345678")


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mode(enum.StrEnum):
    ON = "on"
    OFF = "off"


class Point(NamedTuple):
    x: int
    y: float


class Movie(TypedDict):
    title: str
    year: int


@pydantic.dataclasses.dataclass
class Size:
    width: int
    tags: list[str]


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    toys: list[str] = []


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


def tag_of(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, dict) else value.kind
    return str(kind)


Tagged = Annotated[Annotated[Cat, Tag("cat")] | Annotated[Dog, Tag("dog")], Discriminator(tag_of)]


class Address(BaseModel):
    city: str
    lines: list[str] = []


class Everything(AtomicRedisModel):
    flag: bool = True
    color: Color = Color.RED
    level: Level = Level.LOW
    mode: Mode = Mode.ON
    identity: uuid.UUID = ID
    price: Decimal = Decimal("10.50")
    exact: Decimal = Decimal("0.1000000000000000055511151231257827")
    day: date = date(2024, 2, 29)
    clock: time = time(1, 2, 3, 456)
    span: timedelta = timedelta(days=1, microseconds=1)
    numbers: set[int] = {1, 2, 3}
    frozen: frozenset[str] = frozenset({"a"})
    pair: tuple[int, str] = (1, "a")
    many: tuple[int, ...] = (1, 2)
    point: Point = Point(1, 2.0)
    movie: Movie = {"title": "t", "year": 1999}
    size: Size = Size(1, ["x"])
    ip: ipaddress.IPv4Address = ipaddress.IPv4Address("10.0.0.1")
    path: Path = Path("/tmp/x")
    literal: Literal["a", 1, None, True] = "a"
    union: int | str | list[int] = "text"
    maybe: int | None = None
    old_maybe: Optional[str] = None  # noqa: UP045
    pet: Pet = Cat()
    tagged: Tagged = Dog()
    pets: list[Pet] = [Dog(toys=["ball"]), Cat(lives=1)]
    by_color: dict[Color, int] = {Color.RED: 1}
    by_level: dict[Level, list[int]] = {Level.HIGH: [1]}
    by_number: dict[int, str] = {1: "one", -2: "minus two"}
    by_id: dict[uuid.UUID, Address] = {ID: Address(city="Rome")}
    by_day: dict[date, int] = {date(2024, 1, 1): 1}
    by_flag: dict[bool, int] = {True: 1}
    matrix: list[list[dict[str, list[int]]]] = [[{"a": [1]}]]
    address: Address = Address(city="Oslo", lines=["l1"])
    addresses: dict[str, list[Address]] = {"k": [Address(city="Bonn")]}
    anything: Any = {"k": [1, 2.5, None, True, "x", {}]}
    untyped_list: list = []  # type: ignore[type-arg]
    untyped_dict: dict = {}  # type: ignore[type-arg]
    datas: list[bytes] = [b"\xff\x00"]
    moments: dict[str, datetime] = {"k": datetime(2024, 1, 1, 1, 2, 3, 4, tzinfo=UTC)}


OTHERS: dict[str, Any] = {
    "flag": False,
    "color": Color.GREEN,
    "level": Level.HIGH,
    "mode": Mode.OFF,
    "identity": uuid.UUID(int=7),
    "price": Decimal("-1E+5"),
    "exact": Decimal("123456789012345678901234567890.123456789"),
    "day": date(1, 1, 1),
    "clock": time(23, 59, 59, 999999),
    "span": timedelta(seconds=-0.5),
    "numbers": set(),
    "frozen": frozenset({"x", "y"}),
    "pair": (2, "b"),
    "many": (),
    "point": Point(3, -0.5),
    "movie": {"title": "u", "year": 2000},
    "size": Size(5, []),
    "ip": ipaddress.IPv4Address("255.0.0.1"),
    "path": Path("relative"),
    "literal": 1,
    "union": [1, 2],
    "maybe": 5,
    "old_maybe": "x",
    "pet": Dog(toys=["a"]),
    "tagged": Cat(lives=3),
    "pets": [],
    "by_color": {Color.GREEN: 5, Color.RED: 2},
    "by_level": {},
    "by_number": {0: "zero"},
    "by_id": {},
    "by_day": {date(1999, 12, 31): 2},
    "by_flag": {False: 0, True: 1},
    "matrix": [],
    "address": Address(city="Lima"),
    "addresses": {},
    "anything": None,
    "untyped_list": [1, "a", None],
    "untyped_dict": {"a": {"b": [1]}},
    "datas": [b"", b"abc"],
    "moments": {},
}


async def test_every_kind_of_annotation_round_trips_with_its_default() -> None:
    model = await Everything().save()
    again = await Everything.get(model.key)
    assert again == model == Everything.model_construct(**model.__dict__)
    for name in Everything.model_fields:
        ours, plain = getattr(again, name), Everything.model_fields[name].default
        assert ours == plain, name
        assert isinstance(ours, type(plain)), name
    assert again.model_dump() == Everything().model_dump()


@pytest.mark.parametrize("name", OTHERS)
async def test_every_kind_of_annotation_round_trips_in_every_way(name: str, stored: Stored) -> None:
    value = OTHERS[name]
    model = await Everything(**{name: value}).save()
    plain = pydantic.TypeAdapter(Everything.model_fields[name].annotation)
    text = (await stored(model))[name]
    if name != "moments":
        assert text == plain.dump_python(value, mode="json") or name in (
            "datas",
            "numbers",
            "frozen",
        )
    assert getattr(await Everything.get(model.key), name) == value
    by_assignment = await Everything().save()
    setattr(by_assignment, name, value)
    await by_assignment.save_changes()
    by_pipeline = await Everything().save()
    async with by_pipeline.pipeline():
        setattr(by_pipeline, name, value)
    by_update = await Everything().save()
    await by_update.aupdate(**{name: value})
    for other in (by_assignment, by_pipeline, by_update):
        assert getattr(other, name) == value
        assert (await stored(other))[name] == text
        again = await Everything.get(other.key)
        assert getattr(again, name) == value
        assert isinstance(getattr(again, name), type(value))


def test_every_field_has_another_value_to_test_with() -> None:
    assert set(OTHERS) == set(Everything.model_fields)


async def test_native_json_for_what_json_knows(stored_text: Stored) -> None:
    class Plain(AtomicRedisModel):
        a: str = 'é"\n'
        b: int = -5
        c: float = 1.0
        d: bool = True
        e: int | None = None
        f: list[Any] = [1, 1.0, "x"]
        g: dict[str, int] = {"k": 1}
        h: Address = Address(city="R")
        i: bytes = b"\xff"
        j: datetime = datetime(2024, 1, 1, 1, 2, 3, 4, tzinfo=UTC)

    model = await Plain().save()
    assert await stored_text(model) == (
        '{"a":"é\\"\\n","b":-5,"c":1.0,"d":true,"e":null,"f":[1,1.0,"x"],"g":{"k":1},'
        '"h":{"city":"R","lines":[]},"i":"/w==","j":"2024-01-01T01:02:03.000004+00:00"}'
    )


# -- live values in unions, discriminated unions, typed dicts ------------------------------------------


async def test_operations_reach_into_the_arm_of_a_union(stored: Stored) -> None:
    model = await Everything(pet=Dog(toys=["a"]), union=[1], pets=[Cat(lives=5), Dog()]).save()
    assert isinstance(model.pet, Dog)
    await model.pet.toys.aappend("b")
    await model.union.aappend(2)  # type: ignore[union-attr]
    await model.pets[0].lives.increase(-1)  # type: ignore[union-attr]
    await model.pets[1].toys.aappend("c")  # type: ignore[union-attr]
    async with model.pipeline():
        model.pets[0].lives -= 1  # type: ignore[union-attr]
        model.pets[1].toys += ["d"]  # type: ignore[union-attr]
        model.tagged.toys.append("e")  # type: ignore[union-attr]
    document = await stored(model)
    assert document["pet"] == {"kind": "dog", "toys": ["a", "b"]}
    assert document["union"] == [1, 2]
    assert document["pets"] == [{"kind": "cat", "lives": 3}, {"kind": "dog", "toys": ["c", "d"]}]
    assert document["tagged"]["toys"] == ["e"]
    popped = await model.pets.apop(0)
    assert popped == Cat(lives=3)
    assert type(popped) is Cat
    with pytest.raises(ValidationError):
        await model.pets.aappend({"kind": "fish"})  # type: ignore[arg-type]


async def test_keys_that_are_no_text_touch_exactly_their_entry(stored: Stored) -> None:
    model = await Everything().save()
    await model.by_color.aset_item(Color.GREEN, 2)
    assert await model.by_color[Color.RED].increase() == 2  # type: ignore[attr-defined]
    await model.by_level[Level.HIGH].aappend(2)  # type: ignore[attr-defined]
    await model.by_number.aset_item(-7, "x")
    assert await model.by_number.apop(1) == "one"
    await model.by_id[ID].lines.aappend("l")  # type: ignore[attr-defined]
    await model.by_day.aupdate({date(2024, 5, 5): 5})
    assert await model.by_number.apopitem() == (-7, "x")
    async with model.pipeline():
        model.by_color[Color.GREEN] += 10
        model.by_flag[False] = 3
        del model.by_day[date(2024, 1, 1)]
    document = await stored(model)
    assert document["by_color"] == {"red": 2, "green": 12}
    assert document["by_level"] == {"2": [1, 2]}
    assert document["by_number"] == {"-2": "minus two"}
    assert document["by_id"] == {str(ID): {"city": "Rome", "lines": ["l"]}}
    assert document["by_day"] == {"2024-05-05": 5}
    assert document["by_flag"] == {"true": 1, "false": 3}
    again = await Everything.get(model.key)
    assert again == model
    assert again.by_color == {Color.RED: 2, Color.GREEN: 12}


# -- aliases, computed fields, extra, validators, serializers -----------------------------------------


async def test_alias_generator_round_trips() -> None:
    from pydantic.alias_generators import to_camel

    class Camel(AtomicRedisModel):
        model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)
        first_name: str
        some_values: list[int] = []

    model = await Camel(first_name="a", someValues=[1]).save()  # type: ignore[call-arg]
    assert await Camel.get(model.key) == model


async def test_computed_fields_are_not_stored_and_still_computed(stored: Stored) -> None:
    class Box(AtomicRedisModel):
        model_config = ConfigDict(extra="forbid")
        width: int
        height: int = 2

        @computed_field  # type: ignore[prop-decorator]
        @property
        def area(self) -> int:
            return self.width * self.height

    box = await Box(width=3).save()
    again = await Box.get(box.key)
    assert again.area == 6
    assert again.model_dump() == {"width": 3, "height": 2, "area": 6}
    assert await stored(box) == {"width": 3, "height": 2}


async def test_extra_fields(redis: Redis, stored: Stored) -> None:
    class Open(AtomicRedisModel):
        model_config = ConfigDict(extra="allow")
        a: int = 1

    model = await Open(b=[1], c={"d": 2}).save()  # type: ignore[call-arg]
    again = await Open.get(model.key)
    assert again == model
    assert again.model_extra == {"b": [1], "c": {"d": 2}}
    async with again.pipeline():
        again.b = 5
        again.e = None
    assert await stored(model) == {"a": 1, "b": 5, "c": {"d": 2}, "e": None}

    class Closed(AtomicRedisModel):
        model_config = ConfigDict(extra="forbid")
        a: int = 1

    closed = await Closed().save()
    assert await Closed.get(closed.key) == closed
    with pytest.raises(ValidationError):
        Closed(b=1)  # type: ignore[call-arg]
    await redis.execute_command("JSON.SET", closed.key, "$.surprise", "1")
    with pytest.raises(DocumentError) as caught:
        await Closed.get(closed.key)
    assert "surprise" in str(caught.value)


async def test_validators_run_on_every_way_in(stored: Stored) -> None:
    class Strict(AtomicRedisModel):
        name: str = "a"
        even: Annotated[int, AfterValidator(lambda v: v - v % 2)] = 0
        stripped: Annotated[str, BeforeValidator(lambda v: v.strip())] = ""
        sizes: list[Annotated[int, AfterValidator(lambda v: abs(v))]] = []

        @field_validator("name")
        @classmethod
        def upper(cls, value: str) -> str:
            if value == "bad":
                raise ValueError("bad name")
            return value.upper()

    model = await Strict(name="x", even=5, stripped="  y ").save()
    assert (model.name, model.even, model.stripped) == ("X", 4, "y")
    model.name = "assigned"
    assert model.name == "ASSIGNED"
    await model.aupdate(name="updated", even=9)
    assert (model.name, model.even) == ("UPDATED", 8)
    assert await model.even.increase(3) == 10
    await model.sizes.aextend([-1, 2])
    assert model.sizes == [1, 2] == (await stored(model))["sizes"]
    assert await model.sizes[0].increase(-5) == 4
    async with model.pipeline():
        model.name += "more"
        model.even += 5
        model.sizes.append(-9)
        model.sizes[1] -= 7
    document = await stored(model)
    assert (document["name"], document["even"], document["sizes"]) == ("UPDATEDMORE", 14, [4, 5, 9])
    assert (model.name, model.even, model.sizes) == ("UPDATEDMORE", 14, [4, 5, 9])
    for refused in (lambda: setattr(model, "name", "bad"), lambda: Strict(name="bad")):
        with pytest.raises(ValidationError):
            refused()
    with pytest.raises(ValidationError):
        await model.aupdate(name="bad")
    with pytest.raises((ValidationError, PipelineError)):
        async with model.pipeline():
            model.name = "bad"
    assert await stored(model) == document


async def test_validators_that_are_not_idempotent_are_not_applied_by_saving_and_loading() -> None:
    class Model(AtomicRedisModel):
        model_config = ConfigDict(extra="forbid")
        small: Annotated[int, Field(ge=0)] = 1

        @model_validator(mode="after")
        def check(self) -> Model:
            if self.small > 100:
                raise ValueError("too large together")
            return self

    Model.model_rebuild(_types_namespace={"Model": Model})
    model = await Model(small=5).save()
    assert await Model.get(model.key) == model
    with pytest.raises(ValidationError):
        Model(small=101)


async def test_model_validators_with_assignment(stored: Stored) -> None:
    class Range(AtomicRedisModel):
        model_config = ConfigDict(validate_assignment=True)
        low: int = 0
        high: int = 10

        @model_validator(mode="after")
        def ordered(self) -> Any:
            if self.low > self.high:
                raise ValueError("low above high")
            return self

    model = await Range().save()
    model.low = 5
    with pytest.raises(ValidationError):
        model.low = 11
    assert model.low == 5
    with pytest.raises((ValidationError, PipelineError)):
        async with model.pipeline():
            model.high = 4
    assert (model.low, model.high) == (5, 10)
    async with model.pipeline():
        model.low = 7
    assert await stored(model) == {"low": 7, "high": 10}


async def test_serializers_of_the_user_shape_what_is_stored(stored: Stored) -> None:
    class Shaped(AtomicRedisModel):
        tags: Annotated[
            list[str],
            PlainSerializer(lambda v: ",".join(v), when_used="json"),
            BeforeValidator(lambda v: v.split(",") if isinstance(v, str) else v),
        ] = []
        ratio: Annotated[Fraction, PlainSerializer(str), PlainValidator(lambda v: Fraction(v))] = (
            Fraction(1, 3)
        )
        secret: str = "s"

        @field_serializer("secret", when_used="json")
        def hide(self, value: str) -> str:
            return value[::-1]

        @field_validator("secret", mode="before")
        @classmethod
        def show(cls, value: str) -> str:
            return value

    model = await Shaped(tags=["a", "b"], ratio=Fraction(2, 7), secret="abc").save()
    document = await stored(model)
    assert document["tags"] == "a,b"
    assert document["ratio"] == "2/7"
    again = await Shaped.get(model.key)
    assert again.tags == ["a", "b"]
    assert again.ratio == Fraction(2, 7)


async def test_excluded_and_unserialised_fields_are_stored(stored: Stored) -> None:
    class Hidden(AtomicRedisModel):
        shown: int = 1
        hidden: str = Field("h", exclude=True)

    model = await Hidden(hidden="kept").save()
    assert await stored(model) == {"shown": 1, "hidden": "kept"}
    assert model.model_dump() == {"shown": 1}
    assert (await Hidden.get(model.key)).hidden == "kept"


# -- classes ------------------------------------------------------------------------------------------


class Tree(AtomicRedisModel):
    value: int = 0
    children: list[Tree] = []
    parent: Tree | None = None
    by_name: dict[str, Tree] = {}


class Node(BaseModel):
    value: int = 0
    next: Node | None = None


class Chain(AtomicRedisModel):
    first: Node | None = None


async def test_self_references_round_trip_and_are_live(stored: Stored) -> None:
    tree = await Tree(
        value=1,
        children=[Tree(value=2, children=[Tree(value=3)])],
        by_name={"a": Tree(value=4)},
    ).save()
    deep = tree.children[0].children[0]
    assert deep.field_path == "children[0].children[0]"
    assert deep.key == tree.key
    assert await deep.value.increase() == 4
    await tree.children[0].children.aappend(Tree(value=9))
    async with tree.pipeline():
        tree.by_name["a"].value += 1
        tree.children[0].children[1].children.append(Tree(value=10))
        tree.parent = Tree(value=5)
    again = await Tree.get(tree.key)
    assert again == tree
    assert again.children[0].children[1].children[0].value == 10
    assert again.by_name["a"].value == 5
    assert (await stored(tree))["parent"]["value"] == 5

    chain = await Chain(first=Node(value=1, next=Node(value=2))).save()
    assert chain.first is not None
    assert chain.first.next is not None
    assert await chain.first.next.value.increase() == 3  # type: ignore[attr-defined]
    assert (await Chain.get(chain.key)) == chain


class Base(AtomicRedisModel):
    name: str = "base"


class Middle(Base):
    count: int = 0


class Leaf(Middle):
    name: str = "leaf"
    tags: list[str] = []


async def test_inheritance(stored: Stored) -> None:
    leaf = await Leaf(count=1).save()
    assert leaf.key.startswith("Leaf:")
    await leaf.count.increase()
    await leaf.tags.aappend("x")
    assert await stored(leaf) == {"name": "leaf", "count": 2, "tags": ["x"]}
    assert await Leaf.get(leaf.key) == leaf


class Shape(BaseModel):
    name: str = "shape"


class Circle(Shape):
    radius: float = 1.0
    tags: list[str] = []


class Drawing(AtomicRedisModel):
    main: Shape = Shape()
    shapes: list[Shape] = []
    by_name: dict[str, Shape] = {}


async def test_subclasses_in_nested_values_round_trip(stored: Stored) -> None:
    drawing = await Drawing(
        main=Circle(radius=2.0), shapes=[Circle(radius=3.0), Shape()], by_name={"c": Circle()}
    ).save()
    again = await Drawing.get(drawing.key)
    assert isinstance(again.main, Circle)
    assert again.main.radius == 2.0
    assert isinstance(again.shapes[0], Circle)
    assert not isinstance(again.shapes[1], Circle)
    assert isinstance(again.by_name["c"], Circle)
    assert again == drawing
    await again.main.radius.increase(0.5)  # type: ignore[attr-defined]
    async with again.pipeline():
        again.shapes[0].tags.append("x")  # type: ignore[attr-defined]
        again.shapes.append(Circle(radius=9.0))
    await again.shapes.aappend(Circle(radius=8.0))
    popped = await (await Drawing.get(drawing.key)).shapes.apop()
    assert isinstance(popped, Circle)
    assert popped.radius == 8.0
    third = await Drawing.get(drawing.key)
    assert third.main.radius == 2.5  # type: ignore[attr-defined]
    assert third.shapes[0].tags == ["x"]  # type: ignore[attr-defined]
    assert third.shapes[2].radius == 9.0  # type: ignore[attr-defined]


class Page(AtomicRedisModel, Generic[T]):
    items: list[T] = []
    first: T | None = None


class Wrapped(BaseModel, Generic[T]):
    value: T


class Holder(AtomicRedisModel):
    number: Wrapped[int] = Wrapped[int](value=1)
    addresses: list[Wrapped[Address]] = []


async def test_generics_round_trip(stored: Stored) -> None:
    page = await Page[Address](items=[Address(city="a")], first=Address(city="b")).save()
    await page.items.aappend(Address(city="c"))
    async with page.pipeline():
        page.items[0].lines.append("l")
    again = await Page[Address].get(page.key)
    assert again == page
    assert type(again.items[1].clone()) is Address  # type: ignore[attr-defined]
    numbers = await Page[int](items=[1]).save()
    assert await numbers.items[0].increase() == 2  # type: ignore[attr-defined]
    with pytest.raises(ValidationError):
        await numbers.items.aappend("x")  # type: ignore[arg-type]

    holder = await Holder(addresses=[Wrapped[Address](value=Address(city="x"))]).save()
    await holder.number.value.increase()  # type: ignore[attr-defined]
    await holder.addresses[0].value.lines.aappend("l")  # type: ignore[attr-defined]
    assert await Holder.get(holder.key) == holder
    assert (await stored(holder))["number"] == {"value": 2}


class Late(AtomicRedisModel):
    later: Defined | None = None
    many: list[Defined] = []


class Defined(BaseModel):
    x: int = 1


async def test_annotations_that_are_defined_later() -> None:
    late = await Late(later=Defined(x=5), many=[Defined()]).save()
    await late.many[0].x.increase()  # type: ignore[attr-defined]
    again = await Late.get(late.key)
    assert again == late
    assert again.many[0].x == 2


# -- Redis types as annotations -----------------------------------------------------------------------


async def test_redis_types_can_be_annotations(stored: Stored) -> None:
    class Explicit(AtomicRedisModel):
        text: RedisStr = RedisStr("a")
        number: RedisInt = RedisInt(1)
        items: RedisList[int] = RedisList([1])
        table: RedisDict[str, int] = RedisDict({"a": 1})
        data: RedisBytes = RedisBytes(b"x")
        moment: RedisDatetime = RedisDatetime(2024, 1, 1, tzinfo=UTC)
        maybe: RedisInt | None = None

    model = await Explicit().save()
    await model.number.increase()
    await model.items.aappend(2)
    await model.table.aset_item("b", 2)
    await model.aupdate(maybe=3)
    assert await model.maybe.increase() == 4  # type: ignore[union-attr]
    assert await Explicit.get(model.key) == model
    assert (await stored(model))["items"] == [1, 2]
    with pytest.raises(ValidationError):
        Explicit(items=["x"])  # type: ignore[list-item,arg-type]


# -- constraints --------------------------------------------------------------------------------------


class Bounded(AtomicRedisModel):
    ge: Annotated[int, Field(ge=0)] = 5
    gt: Annotated[int, Field(gt=0)] = 5
    le: Annotated[int, Field(le=10)] = 5
    lt: Annotated[int, Field(lt=10)] = 5
    multiple: Annotated[int, Field(multiple_of=5)] = 5
    ratio: Annotated[float, Field(ge=0, le=1)] = 0.5
    text: Annotated[str, Field(max_length=3, min_length=1)] = "ab"
    pattern: Annotated[str, Field(pattern="^a+$")] = "a"
    items: Annotated[list[int], Field(min_length=1, max_length=3)] = [1]
    table: Annotated[dict[str, int], Field(min_length=1, max_length=2)] = {"a": 1}
    inside: list[Annotated[int, Field(ge=0, le=10)]] = [5]
    values: dict[str, Annotated[int, Field(ge=0)]] = {"a": 1}
    maybe: Annotated[int, Field(ge=0)] | None = 1
    decimal: Annotated[Decimal, Field(max_digits=5, decimal_places=2)] = Decimal("1.25")


BREAKS: dict[str, tuple[Callable[[Bounded], Any], str, str]] = {
    # asynchronous break, the field, the value another writer left at the limit
    "ge": (lambda m: m.ge.increase(-6), "ge", "5"),  # type: ignore[attr-defined]
    "gt": (lambda m: m.gt.increase(-5), "gt", "5"),  # type: ignore[attr-defined]
    "le": (lambda m: m.le.increase(6), "le", "5"),  # type: ignore[attr-defined]
    "lt": (lambda m: m.lt.increase(5), "lt", "5"),  # type: ignore[attr-defined]
    "multiple": (lambda m: m.multiple.increase(3), "multiple", "5"),  # type: ignore[attr-defined]
    "ratio": (lambda m: m.ratio.increase(0.75), "ratio", "0.5"),  # type: ignore[attr-defined]
    "append": (lambda m: m.items.aextend([1, 2, 3]), "items", "[1]"),  # type: ignore[attr-defined]
    "insert": (lambda m: m.items.ainsert(0, 1), "items", "[1,2,3]"),  # type: ignore[attr-defined]
    "pop": (lambda m: m.items.apop(), "items", "[1]"),  # type: ignore[attr-defined]
    "clear": (lambda m: m.items.aclear(), "items", "[1]"),  # type: ignore[attr-defined]
    "dict_set": (lambda m: m.table.aset_item("c", 1), "table", '{"a":1,"b":1}'),  # type: ignore[attr-defined]
    "dict_pop": (lambda m: m.table.apop("a"), "table", '{"a":1}'),  # type: ignore[attr-defined]
    "dict_popitem": (lambda m: m.table.apopitem(), "table", '{"a":1}'),  # type: ignore[attr-defined]
    "dict_del": (lambda m: m.table.adel_item("a"), "table", '{"a":1}'),  # type: ignore[attr-defined]
    "dict_clear": (lambda m: m.table.aclear(), "table", '{"a":1}'),  # type: ignore[attr-defined]
    "inside": (lambda m: m.inside[0].increase(6), "inside", "[5]"),  # type: ignore[attr-defined]
    "inside_append": (lambda m: m.inside.aappend(11), "inside", "[5]"),  # type: ignore[attr-defined]
    "values": (lambda m: m.values["a"].increase(-2), "values", '{"a":1}'),  # type: ignore[attr-defined]
    "values_set": (lambda m: m.values.aset_item("b", -1), "values", '{"a":1}'),  # type: ignore[attr-defined]
    "maybe": (lambda m: m.maybe.increase(-2), "maybe", "1"),  # type: ignore[union-attr]
    "update": (lambda m: m.aupdate(text="abcd"), "text", '"ab"'),
    "update_decimal": (lambda m: m.aupdate(decimal="123456"), "decimal", '"1.25"'),
}


@pytest.mark.parametrize("name", BREAKS)
@pytest.mark.parametrize("inside", [False, True])
async def test_constraints_hold_on_the_server(
    name: str, inside: bool, redis: Redis, stored_text: Stored
) -> None:
    call, field, text = BREAKS[name]
    model = await Bounded().save()
    await redis.execute_command("JSON.SET", model.key, f"$.{field}", text)
    before, local = await stored_text(model), model.model_dump()
    with pytest.raises((ConstraintError, ValidationError, PipelineError)) as caught:
        if inside:
            async with model.pipeline():
                model.values["new"] = 3
                await call(model)
        else:
            await call(model)
    assert isinstance(caught.value, ValueError | PipelineError)
    assert await stored_text(model) == before
    assert model.model_dump() == local


async def test_constraints_hold_for_synchronous_changes_in_a_pipeline(
    redis: Redis, stored_text: Stored
) -> None:
    model = await Bounded().save()
    for field, text in {"items": "[1,2,3]", "text": '"abc"', "ge": "0", "pattern": '"aa"'}.items():
        await redis.execute_command("JSON.SET", model.key, f"$.{field}", text)
    before, local = await stored_text(model), model.model_dump()

    def grow_text() -> None:
        model.text += "x"

    def shrink() -> None:
        model.ge -= 1

    def misfit() -> None:
        model.pattern += "b"

    def pair() -> None:
        model.items += [5]

    def multiply() -> None:
        model.items *= 2

    def slices() -> None:
        model.items[0:1] = [7, 8]

    for change in (grow_text, shrink, misfit, pair, multiply, slices):
        with pytest.raises((ValueError, PipelineError)):
            async with model.pipeline():
                model.values["new"] = 3
                change()
        assert await stored_text(model) == before, change
        assert model.model_dump() == local


@pytest.mark.parametrize(
    "values",
    [{"ge": -1}, {"items": []}, {"items": [1] * 4}, {"text": ""}, {"inside": [11]}, {"maybe": -1}],
)
async def test_constraints_hold_for_assignment_and_save(
    values: dict[str, Any], stored: Stored
) -> None:
    model = await Bounded().save()
    (name, value), *_ = values.items()
    with pytest.raises(ValidationError):
        Bounded(**values)
    with pytest.raises(ValidationError):
        setattr(model, name, value)
    assert await stored(model) == (await stored(await Bounded().save()))


# -- model_construct, model_fields_set, copies --------------------------------------------------------


async def test_model_fields_set_and_model_construct() -> None:
    model = Everything(flag=False)
    assert model.model_fields_set == {"flag"}
    model.maybe = 1
    model.flag = False
    assert model.model_fields_set == {"flag", "maybe"}
    async with (await model.save()).pipeline():
        model.color = Color.GREEN
        model.pair = (1, "a")
    assert model.model_fields_set == {"flag", "maybe", "color", "pair"}
    assert model.model_dump(exclude_unset=True) == {
        "flag": False,
        "maybe": 1,
        "color": Color.GREEN,
        "pair": (1, "a"),
    }
    constructed = Everything.model_construct(maybe=3)
    assert constructed.model_fields_set == {"maybe"}
    await constructed.save()
    assert (await Everything.get(constructed.key)) == constructed


async def test_schema_of_the_model_is_that_of_plain_pydantic() -> None:
    class Plain(BaseModel):
        name: str
        tags: list[int] = []
        created: datetime | None = None

    class Live(AtomicRedisModel):
        name: str
        tags: list[int] = []
        created: datetime | None = None

    plain, live = Plain.model_json_schema(), Live.model_json_schema()
    assert plain["properties"] == live["properties"]
    assert plain["required"] == live["required"]
    made = Live(name="x", tags=[1])
    assert made.model_dump_json() == Plain(name="x", tags=[1]).model_dump_json()
    assert Live.model_validate_json(made.model_dump_json()) == made
    assert repr(made) == repr(Plain(name="x", tags=[1])).replace("Plain", "Live")
    assert made == Live.model_validate({"name": "x", "tags": [1]})


# -- schema evolution ---------------------------------------------------------------------------------


async def test_an_old_document_loads_with_defaults(redis: Redis, stored: Stored) -> None:
    class Evolved(AtomicRedisModel):
        name: str
        added: int = 7
        made: list[str] = Field(default_factory=lambda: ["fresh"])
        optional: datetime = None  # type: ignore[assignment]

    await redis.execute_command("JSON.SET", "Evolved:1", "$", '{"name":"old","gone":[1]}')
    model = await Evolved.get("Evolved:1")
    assert (model.name, model.added, model.made, model.optional) == ("old", 7, ["fresh"], None)
    assert await stored("Evolved:1") == {"name": "old", "gone": [1]}
    await model.save()
    assert await stored("Evolved:1") == {
        "name": "old",
        "added": 7,
        "made": ["fresh"],
        "optional": None,
    }


async def test_a_document_that_does_not_fit_names_key_and_fields(redis: Redis) -> None:
    class Fussy(AtomicRedisModel):
        name: str
        ages: list[int] = []
        address: Address | None = None

    text = '{"name":5,"ages":[1,"x"],"address":{"lines":[]}}'
    await redis.execute_command("JSON.SET", "Fussy:bad", "$", text)
    with pytest.raises(DocumentError) as caught:
        await Fussy.get("Fussy:bad")
    assert caught.value.key == "Fussy:bad"
    assert set(caught.value.fields) == {"name", "ages.1", "address.city"}
    assert "Fussy:bad" in str(caught.value)
    assert isinstance(caught.value, ValueError)


async def test_default_of_none_makes_a_field_optional(stored: Stored) -> None:
    class Model(AtomicRedisModel):
        count: int = None  # type: ignore[assignment]
        items: list[int] = None  # type: ignore[assignment]

    model = await Model().save()
    assert await stored(model) == {"count": None, "items": None}
    again = await Model.get(model.key)
    assert again.count is None
    again.count = 3
    assert await again.count.save() == 3
    again.count = None  # type: ignore[assignment]
    await again.save()
    assert await stored(model) == {"count": None, "items": None}
    assert Model(count=None).count is None  # type: ignore[arg-type]


# -- SafeLoad -----------------------------------------------------------------------------------------


async def test_safe_load_gives_none_and_names_the_failed_fields(redis: Redis) -> None:
    class Safe(AtomicRedisModel):
        a: SafeLoad[int] = 1
        b: SafeLoad[list[int]] = []
        c: str = "c"

    model = await Safe().save()
    assert model.failed_fields == ()
    await redis.execute_command("JSON.SET", model.key, "$.a", '"x"')
    await redis.execute_command("JSON.SET", model.key, "$.b", '[1,"x"]')
    again = await Safe.get(model.key)
    assert (again.a, again.b, again.c) == (None, None, "c")
    assert list(again.failed_fields) == ["a", "b"]
    await model.load()
    assert list(model.failed_fields) == ["a", "b"]
    await redis.execute_command("JSON.SET", model.key, "$.c", "5")
    with pytest.raises(DocumentError):
        await Safe.get(model.key)


async def test_safe_load_all(redis: Redis) -> None:
    class Safe(AtomicRedisModel):
        Meta = RedisConfig(safe_load_all=True)
        a: int = 1
        c: str = "c"

    Safe.Meta.redis = redis
    model = await Safe().save()
    await redis.execute_command("JSON.SET", model.key, "$.a", '"x"')
    again = await Safe.get(model.key)
    assert (again.a, again.c) == (None, "c")
    assert list(again.failed_fields) == ["a"]


# -- what cannot be stored ----------------------------------------------------------------------------


class Opaque:
    pass


@pytest.mark.parametrize(
    "annotation",
    [Opaque, Callable[[], int], type[int], list[Opaque], dict[str, Opaque], Opaque | None],
)
def test_a_field_that_cannot_be_stored_is_refused_when_the_class_is_defined(
    annotation: Any,
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        type(
            "Unstorable",
            (AtomicRedisModel,),
            {
                "__annotations__": {"good": int, "broken": annotation},
                "__module__": __name__,
                "model_config": ConfigDict(arbitrary_types_allowed=True),
                "good": 1,
            },
        )
    assert "broken" in str(caught.value)
    assert "Unstorable" in str(caught.value)


async def test_nothing_stored_is_ever_executed(redis: Redis) -> None:
    import base64
    import pickle

    class Evil:
        def __reduce__(self) -> Any:
            return (exec, ("raise SystemExit('executed')",))

    class Model(AtomicRedisModel):
        text: str = ""
        data: bytes = b""
        anything: Any = None

    payload = base64.b64encode(pickle.dumps(Evil())).decode()
    await redis.execute_command(
        "JSON.SET",
        "Model:evil",
        "$",
        f'{{"text":"{payload}","data":"{payload}","anything":"{payload}"}}',
    )
    model = await Model.get("Model:evil")
    assert model.text == payload
    assert model.anything == payload
    assert model.data == pickle.dumps(Evil())


def test_the_library_never_imports_pickle() -> None:
    sources = list(Path(rapyer.__file__).parent.rglob("*.py"))
    assert len(sources) > 20
    for source in sources:
        text = source.read_text()
        assert "import pickle" not in text, source
        assert "eval(" not in text.replace("evalsha(", "").replace("_eval(", ""), source


async def test_model_serializer_that_cannot_be_read_back_is_noticed() -> None:
    class Odd(AtomicRedisModel):
        a: int = 1

        @model_serializer(mode="wrap")
        def shape(self, handler: Any) -> dict[str, Any]:
            return {**handler(self), "b": 2}

    odd = await Odd(a=5).save()
    assert (await Odd.get(odd.key)).a == 5


async def test_aliases_round_trip(stored: Stored) -> None:
    class Inner(BaseModel):
        value: int = Field(0, alias="innerValue")

    class Aliased(AtomicRedisModel):
        name: str = Field(alias="fullName")
        age: int = Field(0, validation_alias=AliasChoices("years", "age"), serialization_alias="a")
        tags: list[str] = Field([], alias="labels")
        inner: Inner = Field(Inner(), alias="inside")
        table: dict[str, Inner] = Field({}, serialization_alias="t")

    model = await Aliased(fullName="Ada", years=5, labels=["x"], inside={"innerValue": 3}).save()
    await model.age.increase()
    await model.tags.aappend("y")
    await model.inner.value.increase()
    await model.table.aset_item("k", Inner(innerValue=8))
    async with model.pipeline():
        model.name += "!"
        model.inner.value += 1
        model.table["k"].value += 1
    assert await stored(model) == {
        "name": "Ada!",
        "age": 6,
        "tags": ["x", "y"],
        "inner": {"value": 5},
        "table": {"k": {"value": 9}},
    }
    again = await Aliased.get(model.key)
    assert again == model
    assert again.model_dump(by_alias=True)["a"] == 6
    assert await again.name.load() == "Ada!"


async def test_root_models_and_private_attributes(stored: Stored) -> None:
    class Tags(RootModel[list[str]]):
        pass

    class Holder(AtomicRedisModel):
        tags: Tags = Tags(["a"])
        _cache: dict[str, int] = PrivateAttr(default_factory=dict)

    model = Holder()
    model._cache["x"] = 1
    await model.save()
    assert await stored(model) == {"tags": ["a"]}
    again = await Holder.get(model.key)
    assert again.tags == Tags(["a"])
    assert again._cache == {}
    again.tags = Tags(["b", "c"])
    await again.save()
    assert (await Holder.get(model.key)).tags.root == ["b", "c"]


async def test_a_redis_model_nested_in_another_is_part_of_its_document(stored: Stored) -> None:
    class Inner(AtomicRedisModel):
        n: int = 0

    class Outer(AtomicRedisModel):
        inner: Inner = Inner()
        inners: list[Inner] = []

    inner = await Inner(n=7).save()
    outer = await Outer(inner=inner, inners=[inner]).save()
    assert outer.inner.is_inner_model()
    assert not outer.is_inner_model()
    assert outer.inner.key == outer.key
    assert not inner.is_inner_model()
    assert inner.key.startswith("Inner:")
    assert await outer.inner.n.increase() == 8
    assert await stored(outer) == {"inner": {"n": 8}, "inners": [{"n": 7}]}
    assert (await Inner.get(inner.key)).n == 7 == inner.n
    assert await inner.n.increase(100) == 107
    await inner.save()
    assert (await stored(outer))["inner"] == {"n": 8}
    assert (await stored(inner))["n"] == 107
    loaded = await Inner.get(inner.key)
    outer.inners.append(loaded)
    outer.inner = loaded
    await outer.save()
    await outer.inner.n.increase()
    await outer.inners[1].n.increase(2)
    assert loaded.n == 107
    assert loaded.key == inner.key
    assert (await stored(outer)) == {"inner": {"n": 108}, "inners": [{"n": 7}, {"n": 109}]}


def test_secrets_whose_json_form_is_a_mask_are_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:

        class Login(AtomicRedisModel):
            password: SecretStr = SecretStr("hunter2")

    assert "password" in str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_secrets_with_a_serializer_of_the_user_are_stored() -> None:
    class Login(AtomicRedisModel):
        password: Annotated[
            SecretStr, PlainSerializer(lambda v: v.get_secret_value(), when_used="json")
        ] = SecretStr("hunter2")

    login = await Login().save()
    assert (await Login.get(login.key)).password.get_secret_value() == "hunter2"
