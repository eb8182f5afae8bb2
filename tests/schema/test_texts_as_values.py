"""The text of an argument means what the annotation says, and is refused in its words where it means nothing."""

from __future__ import annotations

import enum
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, ValidationError, create_model

from rapyer import AtomicRedisModel
from rapyer.schema.of_models import model_spec
from rapyer.schema.spec import ValueSpec


class Level(enum.IntEnum):
    HIGH = 3


class Hue(enum.Enum):
    RED = "red"


class Inner(BaseModel):
    n: int = 0


def spec_of(annotation: Any) -> ValueSpec:
    model = create_model("Texts", __base__=AtomicRedisModel, value=(annotation, ...))
    return model_spec(model).field("value")


MEANT: list[tuple[Any, str, Any]] = [
    (int, "5", 5),
    (int, "-0", 0),
    (float, "5", 5.0),
    (float, "1e3", 1000.0),
    (str, "null", "null"),
    (str, '"5"', '"5"'),
    (str | None, "text", "text"),
    (int | None, "null", None),
    (bytes, "aGk=", b"hi"),
    (bool, "yes", True),
    (Decimal, "1.50", Decimal("1.50")),
    (UUID, str(UUID(int=7)), UUID(int=7)),
    (datetime, "2024-02-29T01:02:03", datetime(2024, 2, 29, 1, 2, 3)),  # noqa: DTZ001
    (Hue, "red", Hue.RED),
    (Level, "3", Level.HIGH),
    (Literal["a", "b"], "b", "b"),
    (Literal[1, 2], "2", 2),
    (list[int], "[1, 2]", [1, 2]),
    (dict[str, int], '{"a": 1}', {"a": 1}),
    (Inner, '{"n": 4}', Inner(n=4)),
    (set[int], "[1]", {1}),
    (int | list[int], "[1]", [1]),
    (int | list[int], "7", 7),
    (Any, "[1]", [1]),
    (Any, "5", 5),
    (Any, "a text", "a text"),
    (Any, '"5"', "5"),
]


@pytest.mark.parametrize(("annotation", "text", "value"), MEANT, ids=str)
def test_a_text_means_a_value_of_the_field(annotation: Any, text: str, value: Any) -> None:
    found = spec_of(annotation).parse_text(text)
    assert found == value
    assert type(found) is type(value)


REFUSED: list[tuple[Any, str]] = [
    (int, '"5"'),
    (int, "[5]"),
    (int, "5.5"),
    (int, ""),
    (int, "null"),
    (float, '"5"'),
    (datetime, '"2024-02-29T01:02:03"'),
    (UUID, f'"{UUID(int=7)}"'),
    (Decimal, '"1.5"'),
    (bool, "maybe"),
    (Hue, "blue"),
    (Literal["a", "b"], "c"),
    (int | list[int], "text"),
    (int | list[int], '{"a": 1}'),
    (list[int], "1, 2"),
    (list[int], '["x"]'),
]


@pytest.mark.parametrize(("annotation", "text"), REFUSED, ids=str)
def test_a_text_that_means_nothing_is_refused(annotation: Any, text: str) -> None:
    with pytest.raises(ValidationError):
        spec_of(annotation).parse_text(text)


def test_a_text_for_a_union_is_refused_for_what_the_field_takes_and_not_as_json() -> None:
    with pytest.raises(ValidationError) as refused:
        spec_of(int | list[int]).parse_text("text")
    assert "json" not in str(refused.value).lower()
