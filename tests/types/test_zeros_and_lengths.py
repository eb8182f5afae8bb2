"""Answers that look alike are not taken for one another: zeros of either sign, large lists of one length or another."""

from __future__ import annotations

import math
from typing import Any

import pytest
from redis.asyncio import Redis

from rapyer import AtomicRedisModel
from tests.conftest import Stored

LARGE = 1000
"""Longer than what the server sends back after each change."""


class Signed(AtomicRedisModel):
    zero: float = 0.0
    zeros: list[float] = []
    by_name: dict[str, float] = {}


class Long(AtomicRedisModel):
    items: list[int] = []
    table: dict[str, int] = {}


def sign(value: float) -> float:
    return math.copysign(1, value)


async def test_the_local_zero_has_the_sign_of_the_stored_one(stored: Stored) -> None:
    signed = await Signed(zero=-0.0, zeros=[-0.0], by_name={"a": -0.0}).save()
    handles: list[Any] = [signed.zero, signed.zeros[0], signed.by_name["a"]]
    answers = [await handle.increase(0.0) for handle in handles]
    there = await stored(signed)
    for answer, here, kept in zip(
        answers,
        (signed.zero, signed.zeros[0], signed.by_name["a"]),
        (there["zero"], there["zeros"][0], there["by_name"]["a"]),
        strict=True,
    ):
        assert sign(answer) == sign(here) == sign(kept)


async def test_a_zero_that_was_told_is_the_one_that_stands_here(redis: Redis) -> None:
    signed = await Signed(zero=0.0).save()
    assert sign(signed.zero) == 1
    await redis.execute_command("JSON.SET", signed.key, "$.zero", "-0.0")
    await signed.load()
    assert sign(signed.zero) == -1


@pytest.mark.parametrize("theirs", [1, LARGE])
async def test_a_large_list_shows_what_others_did_once_its_length_differs(theirs: int) -> None:
    long = await Long(items=list(range(LARGE))).save()
    other = await Long.get(long.key)
    await other.items.aextend([7] * theirs)  # type: ignore[attr-defined]
    await long.items.aappend(8)  # type: ignore[attr-defined]
    assert long.items == [*range(LARGE), *[7] * theirs, 8]


async def test_a_large_list_shows_in_a_pipeline_too_what_others_did() -> None:
    long = await Long(items=list(range(LARGE))).save()
    other = await Long.get(long.key)
    await other.items.apop(0)  # type: ignore[attr-defined]
    async with long.pipeline():
        long.items.append(8)
    assert long.items == [*range(1, LARGE), 8]


async def test_a_large_dict_shows_what_others_did_once_its_length_differs() -> None:
    long = await Long(table={str(n): n for n in range(LARGE)}).save()
    other = await Long.get(long.key)
    await other.table.adel_item("5")  # type: ignore[attr-defined]
    await long.table.aset_item("new", 1)  # type: ignore[attr-defined]
    assert "5" not in long.table
    assert len(long.table) == LARGE
