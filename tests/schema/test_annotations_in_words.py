"""Annotations are described as a person would write them, with the bounds that hold."""

from __future__ import annotations

import dataclasses
import enum
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, create_model

from rapyer import AtomicRedisModel
from rapyer.schema.of_models import model_spec


class Hue(enum.Enum):
    RED = "red"


class Inner(BaseModel):
    n: int = 0


@dataclasses.dataclass
class Point:
    x: int = 0


DESCRIBED: list[tuple[Any, str]] = [
    (int, "int"),
    (Annotated[int, Field(ge=0)], "int >= 0"),
    (Annotated[int, Field(gt=0, le=9)], "int > 0, <= 9"),
    (str | None, "str | None"),
    (int | list[int], "int | list[int]"),
    (int | str | None, "int | str | None"),
    (bytes, "bytes"),
    (datetime, "datetime"),
    (Decimal, "decimal"),
    (UUID, "uuid"),
    (Hue, "Hue"),
    (Inner, "Inner"),
    (Inner | None, "Inner | None"),
    (Point, "Point"),
    (Literal["draft", "live"], "'draft' | 'live'"),
    (list[int], "list[int]"),
    (list[Inner | None], "list[Inner | None]"),
    (list[Annotated[int, Field(ge=0)]], "list[int >= 0]"),
    (dict[str, Inner], "dict[str, Inner]"),
    (dict[UUID, list[str]], "dict[uuid, list[str]]"),
    (set[int], "set[int]"),
    (frozenset[str], "frozenset[str]"),
    (tuple[int, str], "tuple[int, str]"),
    (tuple[int, ...], "tuple[int, ...]"),
]


@pytest.mark.parametrize(("annotation", "words"), DESCRIBED, ids=str)
def test_an_annotation_is_described_as_it_is_written(annotation: Any, words: str) -> None:
    model = create_model("Described", __base__=AtomicRedisModel, value=(annotation, ...))
    assert model_spec(model).field("value").describe() == words


def test_a_default_adds_nothing_to_the_words() -> None:
    model = create_model("Described", __base__=AtomicRedisModel, value=(int | list[int], 5))
    assert model_spec(model).field("value").describe() == "int | list[int]"
