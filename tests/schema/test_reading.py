"""Reading what was stored by other versions of a model, and fields that cannot be read."""
# ruff: noqa: PT012 - a block is what is tried

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pytest
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, RootModel, create_model
from redis.asyncio import Redis

from rapyer import AtomicRedisModel, Index, Key, SafeLoad
from rapyer.errors import DocumentError, InvalidValueError, ModelDefinitionError
from rapyer.fields import IndexMark, has_mark
from rapyer.schema.of_models import model_spec
from rapyer.search.index_fields import index_schema
from rapyer.types import RedisDatetimeTimestamp
from tests.conftest import Stored


class Inner(BaseModel):
    size: int = Field(1, validation_alias=AliasChoices("size", "width"))


class Renamed(AtomicRedisModel):
    model_config = ConfigDict(extra="forbid")
    age: int = Field(0, validation_alias=AliasChoices("years", AliasPath("person", "age")))
    other: str = Field("", alias="someName")
    inner: Inner = Inner()
    a: int = Field(0, alias="b")
    b: int = Field(0, alias="a")


@pytest.mark.parametrize("text", ['{"years":5}', '{"age":5}', '{"age":5,"a":0}'])
async def test_a_renamed_field_is_read_under_its_older_names(
    text: str, redis: Redis, stored: Stored
) -> None:
    await redis.execute_command("JSON.SET", "Renamed:x", "$", text)
    model = await Renamed.get("x")
    assert model.age == 5
    await model.save()
    assert (await stored(model))["age"] == 5
    assert "years" not in await stored(model)
    assert await Renamed.get("x") == model


def test_names_of_fields_come_before_older_ones() -> None:
    spec = model_spec(Renamed)
    assert spec.validate_json('{"person":{"age":7}}').age == 7
    assert spec.validate_json('{"inner":{"width":3}}').inner.size == 3
    assert spec.validate_json('{"inner":{"size":3}}').inner.size == 3
    assert spec.validate_json('{"someName":"x"}').other == "x"
    swapped = spec.validate_json('{"a":1,"b":2}')
    assert (swapped.a, swapped.b) == (1, 2)


def test_an_error_names_the_field_not_its_alias() -> None:
    with pytest.raises(ValueError, match="age"):
        model_spec(Renamed).validate_json('{"years":"x"}')


class Safe(AtomicRedisModel):
    a: SafeLoad[int] = 0
    n: int = 0


class Required(AtomicRedisModel):
    a: SafeLoad[int]
    old: SafeLoad[int] = Field(0, validation_alias="older")
    n: int = 0


async def test_an_unreadable_value_outlives_an_aborted_edit(redis: Redis, stored: Stored) -> None:
    await redis.execute_command("JSON.SET", "Safe:x", "$", '{"a":"bad","n":1}')
    model = await Safe.get("x")
    with pytest.raises(ZeroDivisionError):
        async with model.pipeline():
            model.a = 5
            raise ZeroDivisionError
    assert model.failed_fields == ("a",)
    await model.save()
    assert (await stored(model))["a"] == "bad"
    model.update(a=7)
    assert model.failed_fields == ()
    await model.save()
    assert (await stored(model))["a"] == 7


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        lambda model: model.model_copy(),
        lambda model: model.model_copy(update={"n": 3}),
        lambda model: pickle.loads(pickle.dumps(model)),
    ],
)
async def test_an_unreadable_value_goes_with_a_copy(
    copied: Callable[[Any], Any], redis: Redis, stored: Stored
) -> None:
    await redis.execute_command("JSON.SET", "Safe:x", "$", '{"a":{"b":[1.0]},"n":1}')
    made = copied(await Safe.get("x"))
    assert made.failed_fields == ("a",)
    made.n = 2
    await made.save()
    assert await stored("Safe:x") == {"a": {"b": [1.0]}, "n": 2}


async def test_a_missing_required_field_loads_as_none_and_stays_missing(
    redis: Redis, stored: Stored
) -> None:
    await redis.execute_command("JSON.SET", "Required:x", "$", '{"n":1,"older":"bad"}')
    (model,) = await Required.find()
    assert (model.a, model.old, model.n) == (None, None, 1)
    assert model.failed_fields == ("a", "old")
    await model.save()
    assert await stored(model) == {"n": 1, "old": "bad"}


def test_markers_are_accepted_in_every_spelling() -> None:
    spellings = [Key[str], Annotated[str, Key()], Annotated[str, Key]]  # type: ignore[operator]
    for spelling in spellings:
        model: Any = create_model("Mail", __base__=AtomicRedisModel, email=(spelling, ...))
        assert model(email="a").pk == "a"
    for mark in (Index, Index()):  # type: ignore[operator]
        indexed: Any = create_model(
            "Found", __base__=AtomicRedisModel, name=(Annotated[str, mark], "")
        )
        assert has_mark(indexed.model_fields["name"], IndexMark)
        assert index_schema(indexed).fields


class Moment(AtomicRedisModel):
    at: RedisDatetimeTimestamp = None  # type: ignore[assignment]
    many: list[RedisDatetimeTimestamp] = []


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1, 1, 2, tzinfo=UTC),
        datetime(1337, 1, 1, tzinfo=UTC),
        datetime(2024, 5, 1, 12, 0, 0, 123457, tzinfo=UTC),
        datetime(2603, 10, 12, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    ],
)
async def test_timestamps_of_all_years_come_back(moment: datetime, stored: Stored) -> None:
    model = await Moment(at=moment, many=[moment]).save()
    assert await stored(model) == {"at": moment.timestamp(), "many": [moment.timestamp()]}
    again = await Moment.get(model.key)
    assert again.at == moment
    assert again.many == [moment]
    async with again.pipeline():
        again.at -= timedelta(seconds=1)
    assert (await Moment.get(model.key)).at == moment - timedelta(seconds=1)


async def test_a_timestamp_that_a_number_cannot_hold_is_refused() -> None:
    with pytest.raises(InvalidValueError):
        await Moment(at=datetime(9999, 1, 1, 0, 0, 0, 1, tzinfo=UTC)).save()


async def test_a_timestamp_beyond_all_years_is_an_error_of_the_document(redis: Redis) -> None:
    await redis.execute_command("JSON.SET", "Moment:x", "$", '{"at":1e300}')
    with pytest.raises(DocumentError):
        await Moment.get("x")


def test_a_root_model_is_no_document() -> None:
    with pytest.raises(ModelDefinitionError, match="field"):

        class Numbers(AtomicRedisModel, RootModel[list[int]]):
            pass


async def test_what_is_excluded_from_dumps_is_stored(stored: Stored) -> None:
    class Hidden(AtomicRedisModel):
        shown: int = 1
        empty: str = Field("", exclude_if=lambda value: not value)

    model = await Hidden().save()
    assert await stored(model) == {"shown": 1, "empty": ""}
    assert model.model_dump() == {"shown": 1}
