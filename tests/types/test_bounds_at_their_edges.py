"""A bound is held exactly, by the server, whatever this instance believes is stored."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest
from pydantic import Field, TypeAdapter, ValidationError, create_model
from redis.asyncio import Redis

from rapyer import AtomicRedisModel
from rapyer.errors import ConstraintError
from tests.conftest import Stored

LIMITS: dict[str, Any] = {"small": 5, "huge": 2**62, "fraction": 2.5, "negative": -7}
CASES = [(bound, name) for bound in ("ge", "gt", "le", "lt") for name in LIMITS]


def _is_valid(annotation: Any, value: Any) -> bool:
    try:
        TypeAdapter(annotation).validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("off", [-1, 0, 1])
@pytest.mark.parametrize(("bound", "name"), CASES)
async def test_the_server_allows_what_the_field_allows(
    redis: Redis, stored: Stored, bound: str, name: str, off: int
) -> None:
    limit = LIMITS[name]
    annotation: Any = Annotated[type(limit), Field(**{bound: limit})]
    model: Any = create_model("Bounded", __base__=AtomicRedisModel, value=(annotation, ...))
    target = limit + off
    start, believed = (limit + 4, limit + 9) if bound in ("ge", "gt") else (limit - 4, limit - 9)
    instance = await model(value=believed).save()
    await redis.execute_command("JSON.SET", instance.key, "$.value", json.dumps(start))
    if _is_valid(annotation, target):
        assert await instance.value.increase(target - start) == target
        assert (await stored(instance))["value"] == target
    else:
        with pytest.raises(ConstraintError):
            await instance.value.increase(target - start)
        assert (await stored(instance))["value"] == start
