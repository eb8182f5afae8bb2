"""Dumps hold plain Python values, and a model's pk where its configuration asks for it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from rapyer import AtomicRedisModel, Key, RedisConfig
from tests.conftest import Stored


class Inner(BaseModel):
    ratio: float = 0.5
    many: list[int] = [1]


class Everything(AtomicRedisModel):
    text: str = "a"
    number: int = 1
    ratio: float = 1.5
    data: bytes = b"x"
    moment: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    items: list[float] = [1.5]
    table: dict[str, int] = {"a": 1}
    inner: Inner = Inner()
    inners: list[Inner] = [Inner()]
    pair: tuple[float, str] = (1.5, "a")


def kinds(value: Any) -> Any:
    if isinstance(value, dict):
        return dict, {key: (type(key), kinds(item)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value), [kinds(item) for item in value]
    return type(value)


def read_everything(model: Any) -> None:
    for name in type(model).model_fields:
        getattr(model, name)
    model.items[0], model.table["a"], model.inner.ratio, model.inners[0].many[0]


def test_dumps_hold_plain_values_whatever_was_read_before() -> None:
    model = Everything()
    before = model.model_dump()
    read_everything(model)
    assert model.model_dump() == before
    assert kinds(model.model_dump()) == kinds(before)
    assert model.model_dump(include={"inner": {"ratio"}}) == {"inner": {"ratio": 0.5}}
    with pytest.warns(DeprecationWarning, match="dict"):
        dumped = model.dict()
    assert kinds(dumped) == kinds(before)
    assert model.model_dump_json() == Everything().model_dump_json()


class Sent(AtomicRedisModel):
    model_config = ConfigDict(extra="forbid")
    Meta = RedisConfig(dump_pk=True)
    n: int = 0


class SentOn(Sent):
    more: int = 1


class Keyed(AtomicRedisModel):
    Meta = RedisConfig(dump_pk=True)
    id: Key[str]


class Answer(BaseModel):
    sent: Sent


@pytest.fixture(autouse=True)
def own_clients(redis: Any) -> None:
    Sent.Meta.redis = redis


async def test_a_model_that_was_sent_elsewhere_is_still_that_document(stored: Stored) -> None:
    for model in (Sent(n=1), SentOn(n=1)):
        await model.save()
        cls = type(model)
        dumped = model.model_dump()
        assert dumped["pk"] == model.pk
        for again in (
            cls(**dumped),
            cls.model_validate(dumped),
            cls.model_validate_json(model.model_dump_json()),
        ):
            assert again == model
            assert again.key == model.key
        assert "pk" not in await stored(model)
        assert (await cls.get(model.pk)).model_dump() == dumped


def test_a_dump_in_another_dump_has_the_pk_too() -> None:
    answer = Answer(sent=Sent())
    assert Answer.model_validate_json(answer.model_dump_json()).sent.key == answer.sent.key
    assert "pk" in Sent.model_json_schema(mode="serialization")["properties"]


def test_a_key_field_says_itself_what_the_pk_is() -> None:
    assert Keyed(id="a").model_dump() == {"id": "a"}


def test_without_the_setting_dumps_are_pydantics() -> None:
    assert "pk" not in Everything().model_dump()


async def test_the_pk_is_seen_once_there_is_a_document() -> None:
    model = Everything()
    assert "pk" not in repr(model)
    await model.save()
    assert f"pk='{model.pk}'" in repr(model)
    assert "pk" not in repr(Keyed(id="a"))
