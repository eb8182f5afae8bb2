"""Kinds of annotation with the values they take: base kinds, and what can be put around each of them."""
# ruff: noqa: DTZ001, UP014 - bounds of naive datetimes; classes are made from the table

from __future__ import annotations

import collections
import dataclasses
import enum
import ipaddress
import pathlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from re import Pattern
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    TypeVar,
)

import pydantic
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    AnyUrl,
    BaseModel,
    BeforeValidator,
    ByteSize,
    Discriminator,
    Field,
    HttpUrl,
    Json,
    PlainSerializer,
    PlainValidator,
    RootModel,
    StringConstraints,
    Tag,
    create_model,
)
from typing_extensions import TypedDict

from rapyer.types import RedisDatetimeTimestamp

T = TypeVar("T")
Values = st.SearchStrategy[Any]


class Kind(NamedTuple):
    """An annotation, the values it takes (as Python values), and whether it can be the key of a dict."""

    annotation: Any
    values: Values
    is_key: bool = False


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mode(enum.StrEnum):
    ON = "on"
    OFF = "off"


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Planet(enum.Enum):
    EARTH = (1, 2)
    MARS = (3, 4)


class Raw(enum.Enum):
    A = b"\xff"
    B = b"b"


class Day(enum.Enum):
    FIRST = date(2020, 1, 1)
    SECOND = date(2020, 1, 2)


class Mixed(enum.Enum):
    ONE = 1
    TEXT = "1"


class Nothing(enum.Enum):
    SOME = 1
    NONE = None


class Point(NamedTuple):
    x: int
    data: bytes
    at: datetime


class Movie(TypedDict):
    title: str
    poster: bytes
    year: NotRequired[int]


@dataclasses.dataclass
class Size:
    width: float
    mark: bytes = b""
    seen: datetime | None = None


@pydantic.dataclasses.dataclass(frozen=True)
class Frozen:
    name: str
    tags: tuple[int, ...] = ()


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    toys: list[str] = []


class Animal(BaseModel):
    name: str = ""
    friends: list[Animal] = []


class Bird(Animal):
    wings: int = 2
    chicks: list[Bird] = []


class Parrot(Bird):
    words: tuple[str, ...] = ()


@dataclasses.dataclass
class Shape:
    name: str = ""


@dataclasses.dataclass
class Circle(Shape):
    radius: float = 1.0


class Chain(BaseModel):
    value: int = 0
    next: Chain | None = None


class Pair(BaseModel, Generic[T]):
    left: T
    right: T | None = None


class Tags(RootModel[list[str]]):
    pass


def tag_of(value: Any) -> str:
    return str(value.get("kind") if isinstance(value, dict) else value.kind)


UserId = NewType("UserId", int)

integers = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(codec="utf-8"), max_size=6)
zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(0))])
aware = st.datetimes(timezones=zones)
moments = st.datetimes() | aware
cats = st.builds(Cat, lives=integers)
dogs = st.builds(Dog, toys=st.lists(texts, max_size=2))
animals = st.recursive(
    st.builds(Animal, name=texts) | st.builds(Bird, wings=integers),
    lambda inner: (
        st.builds(Animal, friends=st.lists(inner, max_size=2))
        | st.builds(Parrot, words=st.just(("a",)), friends=st.lists(inner, max_size=1))
        | st.builds(Bird, chicks=st.lists(st.builds(Parrot, words=st.just(("b",))), max_size=2))
    ),
    max_leaves=3,
)
chains = st.recursive(
    st.builds(Chain, value=integers),
    lambda inner: st.builds(Chain, value=integers, next=inner),
    max_leaves=3,
)
anything = st.recursive(
    st.none() | st.booleans() | integers | texts | st.integers(-99, 99).map(lambda n: n / 8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
# In a zone, and where a number of seconds holds microseconds.
seconds = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)) | (
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 31), timezones=st.just(UTC)).map(
        lambda moment: moment.replace(microsecond=0)
    )
)

BASE: dict[str, Kind] = {
    "str": Kind(str, texts, True),
    "int": Kind(int, integers, True),
    "float": Kind(float, floats, True),
    "bool": Kind(bool, st.booleans(), True),
    "bytes": Kind(bytes, st.binary(max_size=5)),
    "Any": Kind(Any, anything),
    "object": Kind(object, anything),
    "datetime": Kind(datetime, moments),
    "timestamp": Kind(RedisDatetimeTimestamp, seconds),
    "date": Kind(date, st.dates(), True),
    "time": Kind(time, st.times(), True),
    "timedelta": Kind(timedelta, st.timedeltas(timedelta(-9999), timedelta(9999)), True),
    "Decimal": Kind(Decimal, st.decimals(allow_nan=False, allow_infinity=False), True),
    "Fraction": Kind(Fraction, st.fractions()),
    "complex": Kind(complex, st.complex_numbers(allow_nan=False, allow_infinity=False)),
    "UUID": Kind(uuid.UUID, st.uuids(), True),
    "Path": Kind(pathlib.Path, st.sampled_from([pathlib.Path("a/b"), pathlib.Path("/x")]), True),
    "Pattern": Kind(Pattern[str], st.sampled_from(["a+", "^x"])),
    "IPv4Address": Kind(ipaddress.IPv4Address, st.ip_addresses(v=4), True),
    "IPv6Network": Kind(
        ipaddress.IPv6Network, st.just(ipaddress.IPv6Network("2001:db8::/32")), True
    ),
    "HttpUrl": Kind(HttpUrl, st.sampled_from(["https://example.com/a?b=1", "http://x.y/"])),
    "AnyUrl": Kind(AnyUrl, st.sampled_from(["ftp://x/y", "redis://h:1/0"])),
    "ByteSize": Kind(ByteSize, st.sampled_from(["1KiB", 5])),
    "Enum": Kind(Color, st.sampled_from(Color), True),
    "IntEnum": Kind(Level, st.sampled_from(Level), True),
    "StrEnum": Kind(Mode, st.sampled_from(Mode), True),
    "Flag": Kind(Rights, st.sampled_from([Rights.READ, Rights.WRITE])),
    "Enum of tuples": Kind(Planet, st.sampled_from(Planet)),
    "Enum of bytes": Kind(Raw, st.sampled_from(Raw), True),
    "Enum of dates": Kind(Day, st.sampled_from(Day), True),
    "Enum of many types": Kind(Mixed, st.sampled_from(Mixed)),
    "Literal": Kind(Literal["a", 1, None, True], st.sampled_from(["a", None, True])),
    "Literal of texts": Kind(Literal["a", "b"], st.sampled_from(["a", "b"]), True),
    "Literal of mixed keys": Kind(Literal["a", 1], st.sampled_from(["a", 1]), True),
    "Literal of bytes": Kind(Literal[b"x", b"\xff"], st.sampled_from([b"x", b"\xff"])),
    "Literal of members": Kind(Literal[Color.RED, Level.LOW], st.sampled_from([Color.RED])),
    "NewType": Kind(UserId, integers, True),
    "model": Kind(Cat, cats),
    "model of subclasses": Kind(Animal, animals),
    "self-reference": Kind(Chain, chains),
    "generic": Kind(Pair[bytes], st.builds(Pair[bytes], left=st.binary(max_size=3))),
    "generic of subclasses": Kind(Pair[Animal], st.builds(Pair[Animal], left=animals)),
    "root model": Kind(Tags, st.lists(texts, max_size=2).map(Tags)),
    "dataclass": Kind(Size, st.builds(Size, width=floats, mark=st.binary(max_size=3), seen=aware)),
    "frozen dataclass": Kind(Frozen, st.builds(Frozen, name=texts, tags=st.tuples(integers))),
    "dataclass of subclasses": Kind(
        Shape, st.builds(Shape, name=texts) | st.builds(Circle, name=texts, radius=floats)
    ),
    "NamedTuple": Kind(Point, st.builds(Point, integers, st.binary(max_size=3), moments)),
    "TypedDict": Kind(
        Movie,
        st.fixed_dictionaries(
            {"title": texts, "poster": st.binary(max_size=3)}, optional={"year": integers}
        ),
    ),
    "discriminated union": Kind(
        Annotated[Cat | Dog, Field(discriminator="kind")],  # type: ignore[arg-type]
        cats | dogs,
    ),
    "tagged union": Kind(
        Annotated[Annotated[Cat, Tag("cat")] | Annotated[Dog, Tag("dog")], Discriminator(tag_of)],
        cats | dogs,
    ),
    "union of scalars": Kind(int | str | list[int], integers | texts | st.lists(integers)),
    "int | float": Kind(int | float, integers | floats),
    "Sequence": Kind(Sequence[int], st.lists(integers, max_size=3)),
    "Mapping": Kind(Mapping[str, int], st.dictionaries(texts, integers, max_size=3)),
    "deque": Kind(collections.deque[int], st.lists(integers).map(collections.deque)),
    "defaultdict": Kind(
        collections.defaultdict[str, int], st.dictionaries(texts, integers, max_size=2)
    ),
    "Counter": Kind(
        collections.Counter[str], st.dictionaries(texts, st.integers(1, 9), max_size=2)
    ),
    "OrderedDict": Kind(
        collections.OrderedDict[str, int], st.dictionaries(texts, integers, max_size=2)
    ),
    "untyped list": Kind(list, st.lists(anything, max_size=3)),
    "untyped dict": Kind(dict, st.dictionaries(texts, anything, max_size=3)),
    "untyped tuple": Kind(tuple, st.lists(anything, max_size=3).map(tuple)),
    "Json": Kind(Json[list[int]], st.lists(integers, max_size=3).map(str)),
    "Json of a text": Kind(Json[str], texts.map(pydantic.TypeAdapter(str).dump_json)),
    "bounded": Kind(Annotated[int, Field(ge=0, lt=10)], st.integers(0, 9)),
    "multiple": Kind(Annotated[int, Field(multiple_of=5)], st.integers(-9, 9).map(lambda n: n * 5)),
    "lower case": Kind(Annotated[str, StringConstraints(to_lower=True)], texts.map(str.lower)),
    "pattern": Kind(Annotated[str, Field(pattern="^a+$")], st.sampled_from(["a", "aaa"])),
    "after validator": Kind(Annotated[int, AfterValidator(abs)], st.integers(0, 9)),
    "before validator": Kind(
        Annotated[str, BeforeValidator(lambda v: v.strip() if isinstance(v, str) else v)],
        st.sampled_from(["a", "b c"]),
    ),
    "serializer and validator": Kind(
        Annotated[
            list[str],
            PlainSerializer(lambda v: ",".join(v), when_used="json"),
            BeforeValidator(lambda v: v.split(",") if isinstance(v, str) else v),
        ],
        st.lists(st.sampled_from(["a", "b"]), min_size=1),
    ),
    "own type": Kind(
        Annotated[Fraction, PlainSerializer(str), PlainValidator(lambda v: Fraction(v))],
        st.fractions(),
    ),
    "strict": Kind(Annotated[int, Field(strict=True)], integers),
    "decimal with digits": Kind(
        Annotated[Decimal, Field(max_digits=5, decimal_places=2)],
        st.decimals(0, 99, places=2),
    ),
}

REFUSED: dict[str, Any] = {
    "str | bytes": str | bytes,
    "str | datetime": str | datetime,
    "str | UUID": str | uuid.UUID,
    "dict with None among its keys": dict[str | None, int],
    "dict with texts and numbers as keys": dict[int | str, int],
    "None and a member that is None": Nothing | None,
    "list | set": list[int] | set[int],
    "serializer for an API": Annotated[float, PlainSerializer(lambda v: f"{v:.2f} EUR")],
    "serializer that masks": Annotated[str, PlainSerializer(lambda v: "***")],
    "validator that hashes": Annotated[str, AfterValidator(lambda v: f"#{v}")],
    "literal whose keys are written alike": dict[Literal["1", 1], int],
    "models that cannot be told apart": list[
        Pair[int] | Chain | Cat | create_model("Copy", lives=(int, 9))
    ],  # type: ignore[name-defined]
}


def _named_tuple(kind: Kind) -> Kind:
    made = NamedTuple("Made", [("a", kind.annotation), ("b", int)])  # type: ignore[misc]
    return Kind(made, st.builds(made, kind.values, integers))


def _typed_dict(kind: Kind) -> Kind:
    made: Any = TypedDict("Made", {"a": kind.annotation, "b": NotRequired[int]})  # type: ignore[misc]
    return Kind(made, st.fixed_dictionaries({"a": kind.values}, optional={"b": integers}))


def _dataclass(kind: Kind) -> Kind:
    made = dataclasses.make_dataclass("Made", [("a", kind.annotation), ("b", int, 5)])
    return Kind(made, st.fixed_dictionaries({"a": kind.values}))


def _model(kind: Kind) -> Kind:
    made = create_model("Made", a=(kind.annotation, ...), b=(int, 5))
    return Kind(made, st.fixed_dictionaries({"a": kind.values}))


def _self_reference(kind: Kind) -> Kind:
    made: Any = create_model(
        "Made",
        a=(kind.annotation, ...),
        more=(Optional[list["Made"]], None),  # type: ignore[name-defined]  # noqa: F821, UP045
    )
    made.model_rebuild(_types_namespace={"Made": made})
    leaf = st.fixed_dictionaries({"a": kind.values})
    return Kind(made, st.fixed_dictionaries({"a": kind.values, "more": st.lists(leaf, max_size=2)}))


WRAPPERS: dict[str, Callable[[Kind], Kind]] = {
    "{}": lambda kind: kind,
    "{} | None": lambda kind: Kind(Optional[kind.annotation], st.none() | kind.values),  # noqa: UP045
    "list[{}]": lambda kind: Kind(list[kind.annotation], st.lists(kind.values, max_size=3)),
    "dict[str, {}]": lambda kind: Kind(
        dict[str, kind.annotation], st.dictionaries(texts, kind.values, max_size=3)
    ),
    "tuple[{}, int]": lambda kind: Kind(
        tuple[kind.annotation, int], st.tuples(kind.values, integers)
    ),
    "tuple[{}, ...]": lambda kind: Kind(
        tuple[kind.annotation, ...], st.lists(kind.values, max_size=3).map(tuple)
    ),
    "list[list[{}]]": lambda kind: Kind(
        list[list[kind.annotation]], st.lists(st.lists(kind.values, max_size=2), max_size=2)
    ),
    "annotated {}": lambda kind: Kind(Annotated[kind.annotation, "said"], kind.values),
    "model with {}": _model,
    "dataclass with {}": _dataclass,
    "TypedDict with {}": _typed_dict,
    "NamedTuple with {}": _named_tuple,
    "self-reference with {}": _self_reference,
    "generic of {}": lambda kind: Kind(
        Pair[kind.annotation], st.fixed_dictionaries({"left": kind.values})
    ),
}
KEYS = "dict[{}, int]"
HASHABLE = {
    "set[{}]": lambda kind: Kind(set[kind.annotation], st.sets(kind.values, max_size=5)),
    "frozenset[{}]": lambda kind: Kind(
        frozenset[kind.annotation], st.frozensets(kind.values, max_size=5)
    ),
}

TABLE: dict[str, Kind] = {
    pattern.format(name): wrap(kind)
    for name, kind in BASE.items()
    for pattern, wrap in WRAPPERS.items()
}
TABLE |= {
    pattern.format(name): wrap(kind)
    for name, kind in BASE.items()
    for pattern, wrap in HASHABLE.items()
    if kind.is_key or name in ("bytes", "float", "NamedTuple", "frozen dataclass", "datetime")
}
TABLE |= {
    KEYS.format(name): Kind(
        dict[kind.annotation, int], st.dictionaries(kind.values, integers, max_size=3)
    )
    for name, kind in BASE.items()
    if kind.is_key
}
