"""Setting several fields at once validates what setting one does."""

from __future__ import annotations

import pytest
from pydantic import (
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from rapyer import AtomicRedisModel
from tests.conftest import Stored


class Span(AtomicRedisModel):
    model_config = ConfigDict(validate_assignment=True)

    name: str = Field(default="span", frozen=True)
    low: int = 0
    high: int = 10

    @model_validator(mode="after")
    def _check(self) -> Span:
        if self.low > self.high:
            raise ValueError("low must not exceed high")
        return self


async def test_aupdate_runs_the_validators_that_assignment_runs(stored: Stored) -> None:
    span = await Span().save()
    with pytest.raises(ValidationError, match="low must not exceed high"):
        await span.aupdate(low=50)
    with pytest.raises(ValidationError, match="low must not exceed high"):
        span.update(low=50)
    await span.aupdate(low=50, high=60)
    assert (span.low, span.high) == (50, 60)
    assert await stored(span) == {"name": "span", "low": 50, "high": 60}


async def test_aupdate_refuses_a_frozen_field(stored: Stored) -> None:
    span = await Span().save()
    with pytest.raises(ValidationError, match="frozen"):
        await span.aupdate(name="other")
    with pytest.raises(ValidationError, match="frozen"):
        span.update(name="other")
    assert span.name == (await stored(span))["name"] == "span"


class Open(AtomicRedisModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, int]

    n: int = 0


async def test_extra_fields_are_updated_where_the_model_allows_them(stored: Stored) -> None:
    document = await Open().save()
    await document.aupdate(n=1, more=2)
    assert await stored(document) == {"n": 1, "more": 2} == document.model_dump()
    async with document.pipeline():
        document.update(more=3)
        await document.aupdate(other=4)
    assert await stored(document) == {"n": 1, "more": 3, "other": 4} == document.model_dump()
    with pytest.raises(ValidationError):
        await document.aupdate(more="many")
    with pytest.raises(TypeError, match="no field 'more'"):
        await (await Span().save()).aupdate(more=1)
    assert await stored(document) == document.model_dump()
