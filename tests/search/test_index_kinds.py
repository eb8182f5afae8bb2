"""Datetimes, dates and Decimals in an index: it answers as a scan does, errors and foreign spellings included."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from redis.asyncio import Redis

import rapyer
from rapyer import AtomicRedisModel, Index, Key
from rapyer.errors import ConfigurationError, ExpressionError


class Meeting(AtomicRedisModel):
    id: Key[str]
    at: Index[datetime]
    end: Index[datetime] | None = None
    day: Index[date] = date(2024, 1, 1)
    price: Index[Decimal] = Decimal(0)


class ScannedMeeting(AtomicRedisModel):
    id: Key[str]
    at: datetime
    end: datetime | None = None
    day: date = date(2024, 1, 1)
    price: Decimal = Decimal(0)

    @classmethod
    def class_key_initials(cls) -> str:
        return "Meeting"


NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
EAST, WEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))


async def build() -> None:
    await Meeting.create_index(rebuild=True)
    for _ in range(10_000):
        if "being built" not in await Meeting.find(Meeting.price > 1).explain():
            return
    raise AssertionError("the index was never built")


async def put(client: Redis, **documents: dict[str, Any]) -> None:
    for pk, document in documents.items():
        text = json.dumps({"id": pk, "at": NOON.isoformat(), **document})
        await client.execute_command("JSON.SET", f"Meeting:{pk}", "$", text)


async def same(make: Callable[[Any], Any]) -> list[str]:
    plan = await Meeting.find(make(Meeting)).explain()
    assert plan.startswith("index:"), plan
    by_index = sorted([event.id async for event in Meeting.find(make(Meeting))])
    assert by_index == sorted(
        [event.id async for event in ScannedMeeting.find(make(ScannedMeeting))]
    )
    return by_index


async def test_times_are_found_whatever_zone_they_are_written_in(client: Redis) -> None:
    await build()
    spellings = {
        "utc": NOON.isoformat(),
        "east": NOON.astimezone(EAST).isoformat(),
        "west": NOON.astimezone(WEST).isoformat(),
        "zulu": "2024-05-01T12:00:00Z",
        "small": "2024-05-01t12:00:00z",
        "short": "2024-05-01 12:00+00",
        "number": str(int(NOON.timestamp())),
    }
    await put(client, **{name: {"at": text} for name, text in spellings.items()})
    await put(client, later={"at": "2024-05-20T00:00:00+00:00"}, never={"end": None})
    everyone = sorted([*spellings, "never"])
    assert await same(lambda e: e.at == NOON) == everyone
    assert await same(lambda e: e.at <= NOON) == everyone
    assert await same(lambda e: e.at < NOON) == []
    assert await same(lambda e: e.at > NOON) == ["later"]
    assert await same(lambda e: ~(e.at < NOON)) == sorted([*everyone, "later"])
    assert await same(lambda e: e.at.in_([NOON, datetime(2024, 5, 20, tzinfo=UTC)])) == sorted(
        [*everyone, "later"]
    )
    assert await same(lambda e: (e.at > NOON) & (e.price == 0)) == ["later"]
    assert await same(lambda e: (e.at > NOON) | (e.price == 9)) == ["later"]


async def test_index_keeps_the_server_from_sending_what_does_not_match(client: Redis) -> None:
    await build()
    start = datetime(2024, 1, 1, tzinfo=UTC)
    events = [Meeting(id=str(n), at=start + timedelta(days=n), price=n) for n in range(2_000)]
    await Meeting.insert(*events)
    await client.config_resetstat()
    late = start + timedelta(days=1_990)
    assert await Meeting.find(Meeting.at > late).count() == 9
    assert await Meeting.find(Meeting.price >= Decimal("1995.5")).count() == 4
    info: Any = await client.info("commandstats")
    calls = {name.lower(): entry["calls"] for name, entry in info.items()}
    assert "cmdstat_scan" not in calls
    assert calls["cmdstat_json.mget"] == 2


@pytest.mark.parametrize("stored", ["2024-05-01T12:00:00", "2024-06-01T12:00:00.5", "2024-05-01"])
async def test_index_hides_no_time_that_cannot_be_compared(client: Redis, stored: str) -> None:
    await build()
    await put(client, aware={}, naive={"at": stored})
    for model in (Meeting, ScannedMeeting):
        for condition in (model.at > NOON + timedelta(days=900), model.at == NOON):
            with pytest.raises(ExpressionError, match="zone"):
                await model.find(condition)
            with pytest.raises(ExpressionError, match="zone"):
                await model.find(~condition)
    await client.delete("Meeting:aware")
    naive = datetime(2025, 5, 1)  # noqa: DTZ001
    assert await same(lambda e: e.at < naive) == ["naive"]
    assert await same(lambda e: e.at > naive) == []
    await put(client, minus={"at": "2020-05-01T12:00:00-05:00"})
    for model in (Meeting, ScannedMeeting):
        with pytest.raises(ExpressionError, match="zone"):
            await model.find(model.at > naive)


async def test_decimals_are_found_whatever_way_they_are_written(client: Redis) -> None:
    await build()
    prices = ["1", "1.0", "1.00", "10", "1E+1", "-3", "0", "99999999999999999999.1", "1e-7"]
    await put(client, **{f"p{n}": {"price": price} for n, price in enumerate(prices)})
    await put(client, absent={})
    assert await same(lambda e: e.price == 1) == ["p0", "p1", "p2"]
    assert await same(lambda e: e.price == Decimal("10.0")) == ["p3", "p4"]
    assert await same(lambda e: e.price < 0) == ["p5"]
    assert await same(lambda e: e.price > Decimal(99999999999999999999)) == ["p7"]
    assert await same(lambda e: e.price >= Decimal("99999999999999999999.2")) == []
    assert await same(lambda e: (e.price > 0) & (e.price < Decimal("0.1"))) == ["p8"]
    assert await same(lambda e: e.price == 0) == ["absent", "p6"]
    assert await same(lambda e: e.price.in_([Decimal(0), Decimal(-3)])) == ["absent", "p5", "p6"]


@pytest.mark.parametrize("odd", [1.0, " 1 ", "1_0", "+1", "", "abc", None, [1], True])
async def test_what_else_stands_in_a_field_changes_no_answer(client: Redis, odd: Any) -> None:
    await build()
    await put(client, good={"price": "1"}, far={"price": "77"}, odd={"price": odd, "day": odd})
    for make in (
        lambda e: e.price == 1,
        lambda e: e.price > 50,
        lambda e: e.day == date(2024, 1, 1),
        lambda e: ~(e.price > 50),
    ):
        answers = []
        for model in (Meeting, ScannedMeeting):
            found = [e.id async for e in _good(model.find(make(model)))]
            answers.append(sorted(found))
        assert answers[0] == answers[1]


async def _good(search: Any) -> Any:
    """What a search gives until it says what it could not read."""
    from rapyer.errors import BulkError

    try:
        async for event in search:
            yield event
    except BulkError:
        return


async def test_what_is_missing_or_null_does_not_make_the_server_scan(client: Redis) -> None:
    await build()
    await put(client, full={"end": NOON.isoformat(), "price": "5"}, null={"end": None}, absent={})
    await client.config_resetstat()
    for condition in (Meeting.end == NOON, Meeting.price == 5, Meeting.end > NOON):
        await Meeting.find(condition)
    info: Any = await client.info("commandstats")
    assert not any("scan" in name.lower() for name in info)


async def test_alternative_that_no_filter_knows_is_not_lost(client: Redis) -> None:
    await build()
    await put(client, other={"at": "2024-05-20T00:00:00Z"}, noon={})
    for make in (
        lambda m: (m.at == NOON) | m.id.startswith("oth"),
        lambda m: ~((m.at != NOON) & ~m.id.startswith("oth")),
    ):
        for model in (Meeting, ScannedMeeting):
            found = sorted([meeting.id async for meeting in model.find(make(model))])
            assert found == ["noon", "other"]


async def test_dates_are_found_by_day(client: Redis) -> None:
    await build()
    await put(client, **{f"d{n}": {"day": f"2024-02-2{n}"} for n in range(10)})
    midnight = str(int(datetime(2024, 2, 25, tzinfo=UTC).timestamp()))
    await put(client, long={"day": "2024-02-25T00:00:00"}, number={"day": midnight}, absent={})
    assert await same(lambda e: e.day == date(2024, 2, 25)) == ["d5", "long", "number"]
    assert await same(lambda e: e.day < date(2024, 2, 22)) == ["absent", "d0", "d1"]
    assert await same(lambda e: e.day >= date(2024, 2, 28)) == ["d8", "d9"]


async def test_extremes_do_not_break_the_filter(client: Redis) -> None:
    await build()
    await put(client, one={})
    for moment in (datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)):
        for model in (Meeting, ScannedMeeting):
            assert await model.find(model.at == moment) == []
    for number in (Decimal("1e400"), Decimal("-1e400")):
        assert await Meeting.find(Meeting.price == number) == []
    assert await Meeting.find(Meeting.price < Decimal("1e400")).count() == 1


async def test_one_model_that_cannot_be_indexed_keeps_no_other_from_its_index(
    client: Redis,
) -> None:
    class Unfit(AtomicRedisModel):
        number: Index[complex] = 1j

    class Last(AtomicRedisModel):
        at: Index[datetime]

    with pytest.raises(ConfigurationError, match=r"Unfit: number: an index cannot answer"):
        await rapyer.init_rapyer(client, create_indexes=True)
    names = await client.execute_command("FT._LIST")
    assert {b"rapyer:idx:Meeting", b"rapyer:idx:Last"} <= {
        name if isinstance(name, bytes) else name.encode() for name in names
    }
    assert await Unfit.find(Unfit.number == 1j) == []
    assert await Last.find(Last.at == NOON) == []
