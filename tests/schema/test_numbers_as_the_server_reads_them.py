"""Doubles that RedisJSON misreads are sent with other digits, and what is stored is exactly what was meant."""

from __future__ import annotations

import json
import random
import struct

from hypothesis import example, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from rapyer import AtomicRedisModel
from rapyer.schema.numbers import as_read_exactly, is_fragile, read_by_server
from rapyer.script.exactly import exactly
from rapyer.script.in_python import dumps

NO_DIGITS = 0.23733660385428734
"""No digits make the server read this one."""


class Measured(AtomicRedisModel):
    values: list[float] = []
    named: dict[str, float] = {}


def doubles(seed: int, count: int) -> list[float]:
    chance = random.Random(seed)
    found = [chance.random() for _ in range(count)]
    found += [chance.randrange(1, 10**6) / chance.choice([3, 7, 11]) for _ in range(count)]
    bits = (struct.unpack("d", chance.randbytes(8))[0] for _ in range(count))
    return found + [number for number in bits if number - number == 0]


VALUES = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1)


@settings(max_examples=400, deadline=None)
@given(st.lists(VALUES | st.text('0.123456789e-\\"', max_size=20), max_size=6))
@example([265242089004403.66, NO_DIGITS, "0.24840464517448202", 9007199254740993])
def test_other_digits_mean_the_same_to_everybody(values: list[float | int | str]) -> None:
    text = dumps(values)
    exact, misread = as_read_exactly(text)
    assert json.loads(exact) == values
    floats = [value for value in values if isinstance(value, float)]
    as_sent: list[str] = []
    json.loads(exact, parse_float=lambda digits: as_sent.append(digits) or 0.0)
    wrong = [
        number
        for number, digits in zip(floats, as_sent, strict=True)
        if read_by_server(digits) != number
    ]
    assert misread == bool(wrong)
    if not is_fragile(text):
        assert not misread


async def test_the_server_stores_what_was_meant(redis: Redis) -> None:
    for seed in range(20):
        for number in doubles(seed, 60):
            exact, misread = as_read_exactly(dumps([number]))
            if not misread:
                await redis.execute_command("JSON.SET", "exact", "$", exact)
                stored = await redis.execute_command("JSON.GET", "exact")
                assert json.loads(stored) == [number], exact


async def test_any_doubles_are_stored_exactly_whichever_way() -> None:
    numbers = [NO_DIGITS, *doubles(7, 300)]
    saved = await Measured(
        values=numbers, named=dict.fromkeys(("a", "a b", "'", "é", "x\ny"), NO_DIGITS)
    ).save()
    (inserted,) = await Measured.insert(Measured(values=numbers, named={"a": NO_DIGITS}))
    appended = await Measured().save()
    await appended.values.aextend(numbers)
    async with appended.pipeline():
        appended.named["a"] = NO_DIGITS
        appended.values[0] = 0.24840464517448202
    assert (await Measured.get(saved.key)).values == numbers
    assert (await Measured.get(saved.key)).named == saved.named
    assert (await Measured.get(inserted)).values == numbers
    assert (await Measured.get(appended.key)).values == [0.24840464517448202, *numbers[1:]]
    assert (await Measured.get(appended.key)).named == {"a": NO_DIGITS}


async def test_a_double_below_a_name_that_no_path_has_is_stored_if_it_has_digits() -> None:
    saved = await Measured(named={"\\": 0.24840464517448202}).save()
    assert (await Measured.get(saved.key)).named == {"\\": 0.24840464517448202}


def test_the_doubles_that_no_digits_are_read_as_are_named_with_their_places() -> None:
    value = {"a": [1.5, NO_DIGITS], "b": {"c": NO_DIGITS}, "d": "text"}
    args, doubtful = exactly("set", (dumps(value), b""), slice(0, 1))
    assert json.loads(args[0]) == value
    assert doubtful is not None
    assert sorted(doubtful.decode().splitlines()) == [
        f"{NO_DIGITS!r} .a[1]",
        f"{NO_DIGITS!r} .b.c",
    ]
    assert exactly("set", (dumps({"a": 0.1}), b""), slice(0, 1))[1] is None
    assert exactly("append", (b"", dumps([NO_DIGITS])), slice(1, 2))[1] == b"", "looked for there"
    unnamed = dumps({" a": {"b": NO_DIGITS}, "c\\": NO_DIGITS})
    assert exactly("set", (unnamed, b""), slice(0, 1))[1] == b"", "no path names it"
