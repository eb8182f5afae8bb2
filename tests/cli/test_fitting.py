"""What is said to fit its model without Pydantic is what Pydantic accepts."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError, field_validator

from rapyer import AtomicRedisModel
from rapyer.schema.of_models import model_spec
from rapyer_cli.knowledge.fitting import fits, shape_of
from tests.cli import blog_models


class Part(BaseModel):
    name: str
    size: int = 1


class PlainTypes(AtomicRedisModel):
    text: str
    whole: int = Field(0, ge=-5, lt=10)
    real: float = Field(0.0, gt=-1.5)
    truth: bool = False
    maybe: int | None = None
    several: list[Part] = []
    named: dict[str, list[float]] = {}
    numbered: dict[int, str] = {}
    choice: Literal["a", 1] = "a"
    mood: blog_models.Mood = blog_models.Mood.CALM
    moment: datetime | None = None
    day: date | None = None
    token: UUID | None = None
    price: Decimal | None = None
    data: bytes = b""
    part: Part = Part(name="x")
    anything: Any = None


class CheckedTypes(AtomicRedisModel):
    short: str = Field("", max_length=3)
    even: int = 0
    either: int | str = 0

    @field_validator("even")
    @classmethod
    def check(cls, value: int) -> int:
        if value % 2:
            raise ValueError("odd")
        return value


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-20, 20),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(
        ["a", "calm", "2024-02-29T12:30:00", "2023-02-29", "2024-02-29", "1.5", "aGVs"]
    ),
    st.datetimes().map(datetime.isoformat),
    st.uuids().map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?", fullmatch=True),
)
VALUES = st.one_of(
    SCALARS,
    st.lists(
        st.one_of(SCALARS, st.fixed_dictionaries({"name": SCALARS}, optional={"size": SCALARS}))
    ),
    st.dictionaries(st.text(max_size=3), st.one_of(SCALARS, st.lists(SCALARS))),
    st.fixed_dictionaries({"name": SCALARS}, optional={"size": SCALARS}),
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_what_is_said_to_fit_is_valid(data: st.DataObject) -> None:
    model = data.draw(st.sampled_from([PlainTypes, CheckedTypes]))
    names = st.sampled_from([*model.model_fields, "unknown"])
    document = data.draw(st.dictionaries(names, VALUES, max_size=3))
    if data.draw(st.booleans()):
        document["text"] = "there"
    spec = model_spec(model)
    if fits(document, shape_of(spec)):
        spec.validate_json(json.dumps(document))


@pytest.mark.parametrize("name", list(PlainTypes.model_fields))
def test_each_plain_type_is_known(name: str) -> None:
    values = {
        "text": "x", "whole": 3, "real": 1, "truth": True, "maybe": 5, "choice": 1, "mood": "loud",
        "several": [{"name": "x"}], "named": {"a": [1.5]}, "moment": "2024-02-29T12:30:00.25+01:00",
        "day": "2024-02-29", "token": "00000000-0000-4000-8000-000000000000", "price": "-1.50",
        "data": "aGVs", "part": {"name": "x", "size": 2}, "anything": [None], "numbered": {},
    }  # fmt: skip
    shapes = shape_of(model_spec(PlainTypes))
    assert fits({"text": "x", name: values[name]}, shapes)
    assert not fits({"text": "x", name: object()}, shapes) or name == "anything"


def test_what_users_code_decides_is_not_said() -> None:
    shapes = shape_of(model_spec(CheckedTypes))
    assert fits({}, shapes)
    for name, value in (("short", "x"), ("even", 2), ("either", 1)):
        assert not fits({name: value}, shapes)
    with pytest.raises(ValidationError):
        model_spec(CheckedTypes).validate_json('{"even":1}')


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", None), ("whole", -6), ("whole", 10), ("whole", True), ("whole", "3"), ("whole", 1.0),
        ("real", -1.5), ("real", True), ("truth", 1), ("maybe", "5"), ("choice", True), ("choice", 1.0),
        ("mood", "odd"), ("several", [{"size": 1}]), ("named", {"a": [None]}), ("numbered", {"1": "x"}),
        ("moment", "2023-02-29T12:30:00"), ("moment", 5), ("day", "2024-13-01"), ("token", "x"),
        ("price", "1e5"), ("data", "a"), ("part", {"name": 1}),
    ],
)  # fmt: skip
def test_what_would_be_refused_or_converted_is_not_said_to_fit(name: str, value: Any) -> None:
    shapes = shape_of(model_spec(PlainTypes))
    assert fits({"text": "x"}, shapes)
    assert not fits({"text": "x", name: value}, shapes)


class FactoryMade(AtomicRedisModel):
    name: str
    tags: list[str] = Field(default_factory=list)


def test_a_field_that_is_not_there_fits_when_it_has_a_plain_default() -> None:
    shapes = shape_of(model_spec(FactoryMade))
    assert fits({"name": "x", "tags": []}, shapes)
    assert not fits({"name": "x"}, shapes), "a factory is the user's code"
    assert not fits({"tags": []}, shapes)
