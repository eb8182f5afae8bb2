"""Random conditions over many kinds of field: plain Python against a scan, an index, and conditions out of text.

A condition is built four times from one description: as a function of plain values, which is the
reference, as an expression, as text with the values in their stored form, and evaluated by whatever way
the search takes. No part of the reference is the library's.
"""

from __future__ import annotations

import base64
import enum
import ipaddress
import json
import operator
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, ByteSize, ConfigDict, HttpUrl, RootModel, StringConstraints
from redis.asyncio import Redis

from rapyer import AtomicRedisModel, Index, Key
from rapyer.errors import BulkError
from rapyer.expressions.expression import Expression, FieldReference
from rapyer.expressions.parsing import parse_expression


class Hue(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Rank(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Home(BaseModel):
    city: str = "Rome"
    zip: int | None = None


class Bag(BaseModel):
    model_config = ConfigDict(use_enum_values=True, validate_default=True)

    hue: Hue = Hue.RED
    rank: Rank | None = None


class Words(RootModel[list[str]]):
    pass


class Score(RootModel[int]):
    pass


class Plain(AtomicRedisModel):
    id: Key[str]
    whole: int = 0
    real: float = 0.0
    name: str = ""
    flag: bool = False
    maybe: int | None = None
    either: int | str = 0
    hue: Hue = Hue.RED
    rank: Rank = Rank.LOW
    size: Literal["s", "m", 3] = "s"
    at: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    local: datetime | None = None
    day: date = date(2024, 1, 1)
    hour: time = time(1)
    span: timedelta = timedelta(1)
    price: Decimal = Decimal(1)
    serial: uuid.UUID = uuid.UUID(int=1)
    data: bytes = b""
    url: HttpUrl = HttpUrl("https://a.example/")
    link: AnyUrl | None = None
    ip: ipaddress.IPv4Address = ipaddress.IPv4Address("1.1.1.1")
    path: PurePosixPath = PurePosixPath("/a")
    lower: Annotated[str, StringConstraints(to_lower=True)] = ""
    bytes_: ByteSize = ByteSize(1)
    words: Words = Words([])
    score: Score = Score(0)
    bag: Bag = Bag()
    home: Home | None = None
    tags: list[str] = []
    numbers: list[int] = []
    lucky: set[int] = set()
    pair: tuple[int, str] = (0, "")
    table: dict[str, int] = {}
    homes: list[Home] = []

    @classmethod
    def class_key_initials(cls) -> str:
        return "Reference"


class Indexed(Plain):
    """The same documents, with an index."""

    whole: Index[int] = 0
    real: Index[float] = 0.0
    name: Index[str] = ""
    flag: Index[bool] = False
    maybe: Index[int] | None = None
    hue: Index[Hue] = Hue.RED
    rank: Index[Rank] = Rank.LOW
    at: Index[datetime] = datetime(2024, 1, 1, tzinfo=UTC)
    local: Index[datetime] | None = None
    day: Index[date] = date(2024, 1, 1)
    price: Index[Decimal] = Decimal(1)
    serial: Index[uuid.UUID] = uuid.UUID(int=1)
    tags: Index[list[str]] = []
    numbers: Index[list[int]] = []


# -- descriptions --------------------------------------------------------------------------------------

_ZONES = [UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-11, minutes=-30))]
_WORDS = st.sampled_from(["", "a", "A", "ab", "b", "Rome", "O'Neill", '"', "\\", "é", "null", "1"])
_WHOLE = st.integers(-3, 3) | st.sampled_from([2**53 + 1, -(2**63), 2**63 - 1])
_REAL = st.sampled_from([-1.5, 0.0, 1.0, 1.5, 2.0, 1e300])
_MOMENTS = st.datetimes(datetime(2024, 2, 27), datetime(2024, 3, 2))  # noqa: DTZ001
_COARSE = _MOMENTS.map(lambda at: at.replace(minute=0, second=0, microsecond=0))
_AWARE = st.builds(
    lambda at, zone: at.replace(tzinfo=zone), _MOMENTS | _COARSE, st.sampled_from(_ZONES)
)
_DAYS = st.dates(date(2024, 2, 27), date(2024, 3, 2))
_PRICES = st.sampled_from(
    ["1", "1.0", "1.10", "1.1", "-2", "0", "1E+3", "1000", "99999999999999999999.1"]
)
_HOMES = st.builds(Home, city=_WORDS, zip=st.none() | _WHOLE)
_URLS = st.sampled_from(["https://a.example/", "https://b.example/x?y=1"])

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "whole": _WHOLE,
    "real": _REAL,
    "name": _WORDS,
    "flag": st.booleans(),
    "maybe": st.none() | _WHOLE,
    "either": _WHOLE | _WORDS,
    "hue": st.sampled_from(Hue),
    "rank": st.sampled_from(Rank),
    "size": st.sampled_from(["s", "m", 3]),
    "at": _AWARE,
    "local": st.none() | _MOMENTS | _COARSE,
    "day": _DAYS,
    "hour": st.sampled_from([time(1), time(1, 30), time(23, 59, 59, 5)]),
    "span": st.sampled_from([timedelta(1), timedelta(0, 5), timedelta(-1, 3)]),
    "price": _PRICES.map(Decimal),
    "serial": st.sampled_from([uuid.UUID(int=n) for n in range(3)]),
    "data": st.sampled_from([b"", b"a", b"\xff\x00", b"hello"]),
    "url": _URLS.map(HttpUrl),
    "link": st.none() | _URLS.map(AnyUrl),
    "ip": st.sampled_from(["1.1.1.1", "10.0.0.1"]).map(ipaddress.IPv4Address),
    "path": st.sampled_from(["/a", "/a/b"]).map(PurePosixPath),
    "lower": st.sampled_from(["", "a", "ab"]),
    "bytes_": st.sampled_from([1, 1024]).map(ByteSize),
    "words": st.lists(_WORDS, max_size=2).map(Words),
    "score": _WHOLE.map(Score),
    "bag": st.builds(Bag, hue=st.sampled_from(Hue), rank=st.none() | st.sampled_from(Rank)),
    "home": st.none() | _HOMES,
    "tags": st.lists(_WORDS, max_size=3),
    "numbers": st.lists(_WHOLE, max_size=3),
    "lucky": st.sets(_WHOLE, max_size=3),
    "pair": st.tuples(_WHOLE, _WORDS),
    "table": st.dictionaries(st.sampled_from(["a", "b.c", ""]), _WHOLE, max_size=2),
    "homes": st.lists(_HOMES, max_size=2),
}
_ORDERED = ("whole", "real", "name", "rank", "at", "local", "day", "hour", "span", "price", "lower")
_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, repr=False)
class Condition:
    """The same condition in three spellings."""

    holds: Callable[[Any], bool]
    express: Callable[[type[AtomicRedisModel]], Expression]
    text: str

    def __repr__(self) -> str:
        return self.text


def _reference(model: Any, place: str) -> FieldReference:
    found: Any = model
    for name in place.split("."):
        found = getattr(found, name)
    return found  # type: ignore[no-any-return]


def _value(document: Any, place: str) -> Any:
    for name in place.split("."):
        document = None if document is None else getattr(document, name)
    return _plain(document)


def _plain(value: Any) -> Any:
    return value.root if isinstance(value, RootModel) else value


def _literal(value: Any, field: str) -> str:
    """The stored form of a value of ``field``, as a literal of the shell's conditions."""
    if isinstance(value, bytes):
        return repr(base64.b64encode(value).decode())
    text = Plain(id="x", **{field: value}).model_dump_json(include={field})
    return repr(json.loads(text)[field])


def _compare(sign: str, value: Any, operand: Any) -> bool:
    if sign in ("==", "!="):
        return _SIGNS[sign](value, operand)
    try:
        return value is not None and _SIGNS[sign](value, operand)
    except TypeError:
        return False


def comparison(field: str) -> st.SearchStrategy[Condition]:
    signs = list(_SIGNS) if field in _ORDERED else ["==", "!="]

    def build(sign: str, operand: Any) -> Condition:
        method = {"==": "__eq__", "!=": "__ne__", "<": "__lt__", "<=": "__le__"}
        name = {**method, ">": "__gt__", ">=": "__ge__"}[sign]
        return Condition(
            lambda document: _compare(sign, _value(document, field), _plain(operand)),
            lambda model: getattr(_reference(model, field), name)(operand),
            f"{field} {sign} {_literal(operand, field)}",
        )

    def usable(sign: str) -> st.SearchStrategy[Condition]:
        values = VALUES[field]
        if sign not in ("==", "!="):
            values = values.filter(lambda value: value is not None)
        return values.map(lambda operand: build(sign, operand))

    return st.sampled_from(signs).flatmap(usable)


def one_of(field: str) -> st.SearchStrategy[Condition]:
    def build(options: list[Any]) -> Condition:
        return Condition(
            lambda document: _value(document, field) in [_plain(option) for option in options],
            lambda model: _reference(model, field).in_(option for option in options),
            f"{field} in [{', '.join(_literal(option, field) for option in options)}]",
        )

    return st.lists(VALUES[field], max_size=3).map(build)


def item(field: str, items: st.SearchStrategy[Any]) -> st.SearchStrategy[Condition]:
    def build(part: Any) -> Condition:
        return Condition(
            lambda document: part in _value(document, field),
            lambda model: _reference(model, field).contains(part),
            f"{part!r} in {field}",
        )

    return items.map(build)


def nested(place: str, values: st.SearchStrategy[Any], own: Callable[[Any], Any]) -> Any:
    def build(operand: Any) -> Condition:
        return Condition(
            lambda document: _value(document, place) == own(operand),
            lambda model: _reference(model, place) == operand,
            f"{place} == {own(operand)!r}",
        )

    return values.map(build)


def any_home(city: str, least: int) -> Condition:
    return Condition(
        lambda document: any(
            home.city == city and home.zip is not None and home.zip >= least
            for home in document.homes
        ),
        lambda model: _reference(model, "homes").any(
            lambda home: (home.city == city) & (home.zip >= least)
        ),
        f"any(home.city == {city!r} and home.zip >= {least} for home in homes)",
    )


def any_number(least: int) -> Condition:
    return Condition(
        lambda document: any(number > least for number in document.numbers),
        lambda model: _reference(model, "numbers").any(lambda number: number > least),
        f"any(n > {least} for n in numbers)",
    )


def starts(field: str, start: str) -> Condition:
    return Condition(
        lambda document: _value(document, field).startswith(start),
        lambda model: _reference(model, field).startswith(start),
        f"{field}.startswith({start!r})",
    )


LEAVES = st.one_of(
    *(comparison(field) for field in VALUES),
    *(one_of(field) for field in VALUES if field not in ("bag", "home", "homes", "table")),
    item("tags", _WORDS),
    item("numbers", _WHOLE),
    item("lucky", _WHOLE),
    item("words", _WORDS),
    item("table", st.sampled_from(["a", "b.c", "", "x"])),
    nested("bag.hue", st.sampled_from(Hue), lambda hue: hue.value),
    nested("bag.rank", st.sampled_from(Rank), lambda rank: rank.value),
    nested("home.city", _WORDS, lambda city: city),
    st.builds(any_home, _WORDS, st.integers(-3, 3)),
    st.builds(any_number, st.integers(-3, 3)),
    st.builds(starts, st.sampled_from(["name", "lower"]), _WORDS),
)


def _both(one: Condition, other: Condition) -> Condition:
    return Condition(
        lambda document: one.holds(document) and other.holds(document),
        lambda model: one.express(model) & other.express(model),
        f"({one.text}) and ({other.text})",
    )


def _either(one: Condition, other: Condition) -> Condition:
    return Condition(
        lambda document: one.holds(document) or other.holds(document),
        lambda model: one.express(model) | other.express(model),
        f"({one.text}) or ({other.text})",
    )


def _not(one: Condition) -> Condition:
    return Condition(
        lambda document: not one.holds(document),
        lambda model: ~one.express(model),
        f"not ({one.text})",
    )


CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(_both, inner, inner), st.builds(_either, inner, inner), inner.map(_not)
    ),
    max_leaves=4,
)
DOCUMENTS = st.fixed_dictionaries({}, optional=VALUES)


# -- the test --------------------------------------------------------------------------------------------


async def built(model: Any) -> None:
    await model.create_index(rebuild=True)
    for _ in range(10_000):
        if "is being built" not in await model.find(model.whole == 1).explain():
            return
    raise AssertionError("the index was never built")


async def found(search: Any) -> list[str]:
    try:
        return sorted([document.id async for document in search])
    except BulkError as error:
        raise AssertionError(error.failures) from error


@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20")
@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    documents=st.lists(DOCUMENTS, min_size=1, max_size=10),
    conditions=st.lists(CONDITIONS, min_size=5, max_size=12),
)
async def test_scan_index_and_text_find_what_plain_python_finds(
    client: Redis, documents: list[dict[str, Any]], conditions: list[Condition]
) -> None:
    await client.flushall()
    await built(Indexed)
    everything = [Indexed(id=str(number), **values) for number, values in enumerate(documents)]
    native = [document.model_copy(deep=True) for document in everything]
    await Indexed.insert(*everything)
    for condition in conditions:
        expected = sorted(document.id for document in native if condition.holds(document))
        assert await found(Plain.find(condition.express(Plain), subclasses=False)) == expected
        assert await found(Indexed.find(condition.express(Indexed))) == expected, condition.text
        assert await Indexed.find(condition.express(Indexed)).count() == len(expected)
        read = parse_expression(Indexed, condition.text)
        assert await found(Indexed.find(read)) == expected, condition.text
