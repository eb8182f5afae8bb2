"""The example that help and errors show is a text that the field takes."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, create_model
from typing_extensions import TypedDict

from rapyer import AtomicRedisModel
from rapyer.schema.of_models import model_spec


class Hue(enum.Enum):
    RED = "red"


@dataclass
class Data:
    n: Annotated[int, Field(ge=0)] = 0


class Pair(NamedTuple):
    n: int
    hue: Hue = Hue.RED


class Entry(TypedDict):
    n: int


class Lenient(BaseModel):
    n: int = 0


class Inner(BaseModel):
    n: Annotated[int, Field(ge=7)]
    hue: Hue


ANNOTATIONS: list[Any] = [
    *(int, float, str, bool, bytes, datetime, date, time, timedelta, Decimal, UUID, Any),
    *(Hue, Literal["a", "b"], Literal[3], Inner, int | None, Hue | None, int | str),
    *(
        list[int],
        list[Hue],
        dict[str, int],
        dict[int, float],
        set[int],
        list[Inner],
    ),
    *(Data, Pair, Entry, tuple[int, str], tuple[Hue, ...], list[Data], dict[str, Data], Lenient),
    Annotated[int, Field(ge=10)],
    Annotated[int, Field(ge=-3, le=-1)],
    list[Annotated[int, Field(ge=10)]],
]


@pytest.mark.parametrize("annotation", ANNOTATIONS, ids=str)
def test_the_example_of_a_field_is_a_value_of_it(annotation: Any) -> None:
    model = create_model("Shown", __base__=AtomicRedisModel, value=(annotation, ...))
    spec = model_spec(model).field("value")
    value = spec.parse_text(spec.example())
    assert spec.validate_json(spec.to_json(value)) == value


@pytest.mark.parametrize("annotation", [Data, Lenient, list[Lenient], set[Hue]], ids=str)
def test_the_example_shows_what_could_be_there(annotation: Any) -> None:
    model = create_model("Shown", __base__=AtomicRedisModel, value=(annotation, ...))
    assert model_spec(model).field("value").example() not in ("{}", "[]", "[{}]")
