"""What a condition is compared with: loaded values as they are, other spellings made so, the impossible refused."""

from __future__ import annotations

import collections
import enum
import ipaddress
import pathlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, NamedTuple

import pytest
from pydantic import (
    AfterValidator,
    AnyUrl,
    AwareDatetime,
    Base64Bytes,
    Base64Str,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    HttpUrl,
    NaiveDatetime,
    RootModel,
    StringConstraints,
    create_model,
)

from rapyer import AtomicRedisModel, Key
from rapyer.errors import ExpressionError
from rapyer.expressions.parsing import parse_expression

BY_VALUE = ConfigDict(use_enum_values=True)


class Hue(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Rank(enum.IntEnum):
    LOW = 1


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Inner(BaseModel):
    a: int = 1


@dataclass
class Point:
    x: int = 1


class Pair(NamedTuple):
    a: int
    b: str = "z"


class Words(RootModel[list[str]]):
    pass


# annotation, what is given, its spelling in text (None: none), configuration
KINDS: list[tuple[Any, Any, str | None, ConfigDict]] = [
    (HttpUrl, "https://example.com/a", "'https://example.com/a'", {}),
    (AnyUrl, "ftp://x/y", "'ftp://x/y'", {}),
    (ipaddress.IPv4Address, "1.2.3.4", "'1.2.3.4'", {}),
    (ipaddress.IPv6Network, "2001:db8::/32", "'2001:db8::/32'", {}),
    (pathlib.PurePosixPath, "/a/b", "'/a/b'", {}),
    (Hue, Hue.RED, "'red'", {}),
    (Hue, Hue.RED, "'red'", BY_VALUE),
    (Hue | None, "red", "'red'", BY_VALUE),
    (Rank, Rank.LOW, "1", BY_VALUE),
    (Rights, Rights.READ | Rights.WRITE, "3", {}),
    (timedelta, timedelta(1), "'P1D'", {}),
    (date, date(2024, 1, 1), "'2024-01-01'", {}),
    (time, time(1, 2), "'01:02:00'", {}),
    (datetime, datetime(2024, 1, 1, tzinfo=UTC), "'2024-01-01T00:00:00Z'", {}),
    (uuid.UUID, uuid.UUID(int=5), f"'{uuid.UUID(int=5)}'", {}),
    (Decimal, Decimal("1.10"), "'1.10'", {}),
    (bytes, b"\xff", "'/w=='", {}),
    (Base64Bytes, b"aGVsbG8=", "'aGVsbG8='", {}),
    (Base64Str, "aGVsbG8=", "'aGVsbG8='", {}),
    (Fraction, Fraction(1, 3), "'1/3'", {}),
    (complex, 1 + 2j, "'1+2j'", {}),
    (Annotated[str, AfterValidator(str.lower)], "ABC", "'abc'", {}),
    (Annotated[str, BeforeValidator(str.strip)], "x ", "'x'", {}),
    (Annotated[str, StringConstraints(to_upper=True)], "abc", "'ABC'", {}),
    (Annotated[str, AfterValidator(lambda text: Hue(text))], "red", None, {}),
    (Annotated[int, AfterValidator(lambda number: number)], 5, "5", {}),
    (frozenset[int], {1, 2}, "[1, 2]", {}),
    (collections.deque[int], [1, 2], "[1, 2]", {}),
    (tuple[int, str], (1, "a"), "[1, 'a']", {}),
    (Pair, Pair(1), None, {}),
    (Point, Point(3), "{'x': 3}", {}),
    (Inner, Inner(a=3), "{'a': 3}", {}),
    (Words, Words(["a"]), "['a']", {}),
    (collections.Counter[str], {"a": 1}, "{'a': 1}", {}),
    (Any, {"a": (1, 2)}, "{'a': [1, 2]}", {}),
]


@pytest.mark.parametrize(("annotation", "given", "text", "config"), KINDS)
async def test_field_equals_its_own_value_what_was_given_and_what_is_shown(
    annotation: Any, given: Any, text: str | None, config: ConfigDict
) -> None:
    namespace = {
        "__module__": __name__,
        "__annotations__": {"id": Key[str], "x": annotation, "many": list[annotation]},
        "model_config": config,
    }
    model: Any = type(AtomicRedisModel)("Kind", (AtomicRedisModel,), namespace)
    await model(id="1", x=given, many=[given]).save()
    own = (await model.get("1")).x
    conditions = {
        "own": model.x == own,
        "given": model.x == given,
        "own in": model.x.in_([own]),
        "item": model.many.contains(own),
        "not other": ~(model.x != own),
    }
    if text is not None:
        conditions["text"] = parse_expression(model, f"x == {text}")
        conditions["text in"] = parse_expression(model, f"x in [{text}]")
    for name, condition in conditions.items():
        assert await model.find(condition).count() == 1, name
        assert await model.find(~condition).count() == 0, name


NAIVE = datetime(2024, 1, 1)  # noqa: DTZ001


@dataclass(slots=True)
class Stay:
    until: datetime


class Trip(BaseModel):
    at: datetime


class Assorted(AtomicRedisModel):
    id: Key[str]
    text: str = ""
    number: int = 0
    url: HttpUrl | None = None
    at: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    aware: AwareDatetime = datetime(2024, 1, 1, tzinfo=UTC)
    naive: NaiveDatetime = datetime(2024, 1, 1)  # noqa: DTZ001
    hour: time = time(1)
    times: list[datetime] = []
    weeks: list[list[datetime]] = []
    moments: set[datetime] = set()
    stay: Stay = Stay(NAIVE)
    trip: Trip = Trip(at=NAIVE)
    table: dict[str, datetime] = {}
    data: bytes = b""
    words: Words = Words([])


@pytest.mark.parametrize(
    "options",
    [
        (letter for letter in "ab"),
        map(str, ["a", "b"]),
        {"a": 1, "b": 2}.keys(),
        {1: "a", 2: "b"}.values(),
        collections.deque(["a", "b"]),
        frozenset("ab"),
        iter(["a", "b"]),
    ],
)
def test_any_iterable_gives_the_options_of_in(options: Any) -> None:
    condition = Assorted.text.in_(options)
    for _ in range(2):  # it is read once
        assert condition.matches(Assorted(id="1", text="b"))
        assert not condition.matches(Assorted(id="1", text="c"))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Assorted.url == "no url",
        lambda: Assorted.url == 5,
        lambda: Assorted.text == b"a",
        lambda: Assorted.number == "1",
        lambda: Assorted.number.in_([1, "x"]),
        lambda: Assorted.data == 5,
        lambda: Assorted.words == [5],
        lambda: Assorted.words.contains(5),
        lambda: Assorted.text.startswith(b"a"),
        lambda: Assorted.aware == NAIVE,
        lambda: Assorted.aware < NAIVE,
        lambda: Assorted.naive >= datetime(2024, 1, 1, tzinfo=UTC),
        lambda: Assorted.text.any(lambda letter: letter == "a"),
    ],
)
def test_what_can_never_be_equal_is_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(ExpressionError):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Assorted.at > NAIVE,
        lambda: Assorted.at == NAIVE,
        lambda: Assorted.at != NAIVE,
        lambda: ~(Assorted.at > NAIVE),
        lambda: Assorted.at.in_([NAIVE]),
        lambda: Assorted.hour < time(2, tzinfo=UTC),
        lambda: Assorted.times.contains(NAIVE),
        lambda: Assorted.times == [NAIVE],
        lambda: Assorted.times[0] < NAIVE,
        lambda: Assorted.times.in_([[NAIVE], []]),
        lambda: Assorted.weeks.contains([NAIVE]),
        lambda: Assorted.moments == {NAIVE},
        lambda: Assorted.moments.contains(NAIVE),
        lambda: Assorted.stay == Stay(NAIVE),
        lambda: Assorted.trip == Trip(at=NAIVE),
        lambda: Assorted.table == {"a": NAIVE},
        lambda: Assorted.times.any(lambda moment: moment < NAIVE),
        lambda: Assorted.at == Assorted.naive,
    ],
)
async def test_time_with_a_zone_and_one_without_are_an_error_and_delete_nothing(
    make: Callable[[], Any],
) -> None:
    now = datetime.now(UTC)
    times: dict[str, Any] = {
        "times": [now],
        "weeks": [[now]],
        "moments": {now},
        "table": {"a": now},
    }
    times |= {"stay": Stay(now), "trip": Trip(at=now)}
    await Assorted.insert(*(Assorted(id=n, at=now, **times) for n in "ab"))
    for condition in (make(), ~make()):
        with pytest.raises(ExpressionError, match="zone"):
            await Assorted.find(condition)
        with pytest.raises(ExpressionError, match="zone"):
            await Assorted.find(condition).count()
        with pytest.raises(ExpressionError, match="zone"):
            await Assorted.delete_many(condition)
        with pytest.raises(ExpressionError, match="zone"):
            await Assorted.find(condition).update(number=1)
    assert await Assorted.find(Assorted.number == 0).count() == 2


async def test_times_that_cannot_be_compared_do_not_matter_where_the_rest_decides() -> None:
    await Assorted(id="1", number=1).save()
    for condition in (
        (Assorted.at > NAIVE) & (Assorted.number == 2),
        (Assorted.number == 2) & (Assorted.at > NAIVE),
    ):
        assert await Assorted.find(condition) == []
        assert await Assorted.find(~condition).count() == 1
    assert await Assorted.find((Assorted.at > NAIVE) | (Assorted.number == 1)).count() == 1


async def test_time_without_a_zone_in_text_also_stands_for_utc() -> None:
    await Assorted(id="1", at=datetime(2024, 5, 1, 12, tzinfo=UTC)).save()
    for text, expected in (
        ("at > '2024-05-01T11:00'", 1),
        ("at > '2024-05-01T13:00'", 0),
        ("aware == '2024-01-01'", 1),
        ("naive == '2024-01-01'", 1),
        ("at != '2024-05-01T12:00'", 0),
        ("at in ['2024-05-01T12:00']", 1),
    ):
        assert await Assorted.find(parse_expression(Assorted, text)).count() == expected, text


class Strict(AtomicRedisModel):
    model_config = ConfigDict(strict=True)
    id: Key[str]
    day: date = date(2024, 5, 1)
    hue: Hue = Hue.RED


async def test_strict_model_is_compared_with_what_it_shows() -> None:
    await Strict(id="1").save()
    for condition in (
        Strict.day == "2024-05-01",
        Strict.hue == "red",
        parse_expression(Strict, "day >= '2024-05-01' and hue == 'red'"),
    ):
        assert await Strict.find(condition).count() == 1


def test_validator_that_needs_the_other_fields_does_not_disturb() -> None:
    def picky(value: int, info: Any) -> int:
        return value * int(info.data["factor"])  # there is no other field here

    model: Any = create_model(
        "Picky",
        __base__=AtomicRedisModel,
        factor=(int, 1),
        n=(Annotated[int, AfterValidator(picky)], 1),
    )
    assert (model.n == 3).matches(model(n=3))
