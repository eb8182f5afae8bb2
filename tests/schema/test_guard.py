"""What has to be validated again as a whole when something inside it changes, and what the server may know."""

from __future__ import annotations

import dataclasses
import enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    PlainSerializer,
    PrivateAttr,
    StringConstraints,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)
from typing_extensions import TypedDict

from rapyer import AtomicRedisModel
from rapyer.schema.constraints import Bounds
from rapyer.schema.of_models import model_spec
from rapyer.schema.spec import ValueSpec


class Plain(BaseModel):
    n: int = 0
    many: list[int] = []
    _hidden: int = PrivateAttr(0)


class Ordered(BaseModel):
    low: int = 0
    high: int = 9
    many: list[Plain] = []

    @model_validator(mode="after")
    def in_order(self) -> Any:
        if self.low > self.high:
            raise ValueError("low above high")
        return self


class Looking(BaseModel):
    low: int = 0
    high: int = 9

    @field_validator("high")
    @classmethod
    def above(cls, value: int, info: Any) -> int:
        if value < info.data.get("low", value):
            raise ValueError("low above high")
        return value


class Initialised(BaseModel):
    n: int = 0

    def model_post_init(self, context: Any) -> None:
        if self.n > 5:
            raise ValueError("too large")


@dataclasses.dataclass
class Checked:
    n: int = 0

    def __post_init__(self) -> None:
        if self.n > 5:
            raise ValueError("too large")


class Animal(BaseModel):
    name: str = ""


class Careful(Animal):
    n: int = 0

    @model_validator(mode="after")
    def small(self) -> Any:
        if self.n > 5:
            raise ValueError("too large")
        return self


class Movie(TypedDict):
    title: str
    year: int


class Colour(enum.IntEnum):
    RED = 1


def even(values: list[int]) -> list[int]:
    if len(values) % 2:
        raise ValueError("an odd number of values")
    return values


class Everything(AtomicRedisModel):
    plain: Plain = Plain()
    plains: list[Plain] = []
    ordered: Ordered = Ordered()
    by_name: dict[str, Ordered] = {}
    deep: list[dict[str, list[Ordered]]] = []
    looking: Looking | None = None
    initialised: Initialised = Initialised()
    checked: Checked = dataclasses.field(default_factory=Checked)
    animal: Animal = Animal()
    pairs: Annotated[list[list[int]], AfterValidator(even)] = []
    either: list[int] | dict[str, int] = []
    maybe: list[int] | int | None = None
    movie: Movie = {"title": "", "year": 1}
    parsed: Json[list[list[int]]] = Field("[]", validate_default=True)
    shaped: Annotated[list[list[int]], PlainSerializer(lambda v: v, when_used="json")] = []


GUARDS: list[tuple[tuple[Any, ...], int | None]] = [
    ((), None),
    (("plain",), None),
    (("plain", "n"), None),
    (("plains", 3, "many", 0), None),
    (("ordered",), None),
    (("ordered", "low"), 1),
    (("ordered", "many", 0, "n"), 1),
    (("by_name", "a"), None),
    (("by_name", "a", "high"), 2),
    (("deep", 0, "k", 1, "low"), 4),
    (("looking", "low"), 1),
    (("initialised", "n"), 1),
    (("checked", "n"), 1),
    (("animal", "name"), 1),
    (("pairs",), None),
    (("pairs", 0), 1),
    (("pairs", 0, 1), 1),
    (("either", 0), 1),
    (("maybe", 0), None),
    (("movie", "year"), None),
    (("parsed", 0, 0), 1),
    (("shaped", 0), 1),
]


@pytest.mark.parametrize(("path", "guard"), GUARDS)
def test_the_outermost_value_that_somebody_looks_at_is_named(
    path: tuple[Any, ...], guard: int | None
) -> None:
    assert model_spec(Everything).guard(path) == guard


def test_a_document_that_is_looked_at_is_guarded_as_a_whole() -> None:
    class Range(AtomicRedisModel):
        low: int = 0
        inner: Plain = Plain()

        @model_validator(mode="after")
        def check(self) -> Any:
            return self

    assert model_spec(Range).guard(("low",)) == 0
    assert model_spec(Range).guard(("inner", "many", 0)) == 0


def test_a_guarded_value_is_refused_when_its_changed_text_is_read() -> None:
    spec = model_spec(Everything).at(("by_name", "a"))
    assert spec.validate_json('{"low":1,"high":2,"many":[]}') == Ordered(low=1, high=2)
    with pytest.raises(ValidationError):
        spec.validate_json('{"low":3,"high":2,"many":[]}')


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (("plains", 0, "many", 1), "int"),
        (("by_name", "x", "many", 0, "n"), "int"),
        (("animal", "n"), "int"),
        (("movie", "title"), "str"),
        (("looking", "high"), "int"),
    ],
)
def test_the_spec_of_a_place_is_found_by_its_path(path: tuple[Any, ...], kind: str) -> None:
    assert model_spec(Everything).at(path).core["type"] == kind


def spec_of(annotation: Any, **config: Any) -> ValueSpec:
    made = create_model(
        "Inner",
        __config__=ConfigDict(**config),
        field=(annotation, ...),  # type: ignore[typeddict-item,call-overload]
    )
    outer = create_model("Outer", __base__=AtomicRedisModel, inner=(made, ...))
    return model_spec(outer).at(("inner", "field"))


@pytest.mark.parametrize(
    ("annotation", "bounds"),
    [
        (int, Bounds()),
        (float, Bounds()),
        (int | None, Bounds()),
        (Annotated[int, Field(ge=0, lt=5)], Bounds(ge="0", lt="5")),
        (Annotated[float, Field(gt=0.5)], Bounds(gt="0.5")),
        (Literal[1, 2], None),
        (Colour, None),
        (bool, None),
        (int | str, None),
        (Annotated[int, Field(multiple_of=3)], None),
        (Annotated[int, Field(strict=True)], None),
        (Annotated[int, AfterValidator(abs)], None),
        (Annotated[int, PlainSerializer(str, when_used="json")], None),
        (Json[int], None),
    ],
)
def test_only_plain_numbers_have_bounds_that_the_server_can_hold(
    annotation: Any, bounds: Bounds | None
) -> None:
    assert spec_of(annotation).bounds == bounds


def test_the_arm_of_a_union_has_no_bounds_and_is_constrained() -> None:
    spec = spec_of(int | str)
    assert spec.of(3).core["type"] == "int"
    assert spec.of(3).bounds is None
    assert spec.of("a").constrained


@pytest.mark.parametrize(
    ("annotation", "config"),
    [
        (Literal["on", "off"], {}),
        (Annotated[str, StringConstraints(ascii_only=True)], {}),
        (Annotated[str, StringConstraints(to_upper=True)], {}),
        (Annotated[str, Field(pattern="a")], {}),
        (Annotated[str, AfterValidator(str.strip)], {}),
        (str, {"str_max_length": 5}),
        (str, {"str_min_length": 1}),
        (str, {"str_to_lower": True}),
        (str, {"str_strip_whitespace": True}),
    ],
)
def test_texts_with_any_constraint_are_constrained(annotation: Any, config: dict[str, Any]) -> None:
    assert spec_of(annotation, **config).constrained
    assert spec_of(list[annotation], **config).item.constrained
    assert not spec_of(dict[annotation, int], **config).key.takes_any_text


def test_plain_texts_are_not_constrained() -> None:
    assert not spec_of(str).constrained
    assert not spec_of(str | None).constrained
    assert spec_of(dict[str, int]).key.takes_any_text


def test_entries_of_a_typed_dict_do_not_come_and_go() -> None:
    spec = spec_of(Movie)
    assert not spec.is_unlimited
    assert spec.min_length == 2
    assert spec.key.validate_python("title") == "title"
    with pytest.raises(ValidationError):
        spec.key.validate_python("other")
    assert spec_of(dict[str, int]).is_unlimited
