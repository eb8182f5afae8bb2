"""A float field is one whatever its default was written as."""

from __future__ import annotations

from rapyer import AtomicRedisModel
from rapyer.types import RedisFloat
from tests.conftest import Stored


class Price(AtomicRedisModel):
    amount: float = 0
    limit: float | None = 1
    rates: list[float] = [1, 2]
    by_name: dict[str, float] = {"a": 1}


async def test_a_float_field_with_an_integer_default_is_a_float_field(stored: Stored) -> None:
    price = await Price().save()
    assert isinstance(price.amount, RedisFloat)
    assert await price.amount.increase(1.5) == 1.5
    async with price.pipeline():
        price.amount += 0.25
        price.limit += 0.5  # type: ignore[operator]
        price.rates[0] += 0.5
        price.by_name["a"] /= 4
    assert await stored(price) == {
        "amount": 1.75,
        "limit": 1.5,
        "rates": [1.5, 2.0],
        "by_name": {"a": 0.25},
    }
    assert price == await Price.get(price.key)
