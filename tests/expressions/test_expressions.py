"""Conditions: what they match, what may be compared with what, and what text they are read from. No server."""

from __future__ import annotations

import enum
import operator
import pickle
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, RootModel

from rapyer import AtomicRedisModel
from rapyer.errors import ExpressionError, UnknownFieldError
from rapyer.expressions.expression import Expression, FieldReference, field
from rapyer.expressions.parsing import parse_expression


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Place(BaseModel):
    city: str
    zip: int | None = None
    contains: str = ""


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    tricks: list[str] = []


class Names(RootModel[list[str]]):
    pass


class Wanderer(AtomicRedisModel):
    name: str = Field(min_length=3)
    age: int = Field(default=1, ge=0)
    score: float = 1.5
    active: bool = True
    seen: datetime | None = None
    born: date = date(2000, 1, 1)
    colour: Colour = Colour.RED
    size: Literal["s", "m"] = "s"
    home: Place | None = None
    homes: list[Place] = []
    tags: list[str] = []
    lucky: set[int] = set()
    theme: dict[str, str] = {}
    by_number: dict[int, Place] = {}
    price: Decimal = Decimal("1.10")
    data: bytes = b""
    pet: Cat | Dog = Cat()
    parent: Wanderer | None = None
    anything: Any = None
    other: UUID | None = None
    pair: tuple[int, str] = (1, "x")
    names: Names = Names([])


W = Wanderer


def wanderer(**changes: Any) -> Wanderer:
    return Wanderer(**{"name": "Ada", **changes})


# -- what they match ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "changes", "expected"),
    [
        (W.age > 3, {"age": 4}, True),
        (W.age > 3, {"age": 3}, False),
        (W.age >= 3, {"age": 3}, True),
        (W.age < 3, {"age": 3}, False),
        (W.age <= 3, {"age": 3}, True),
        (W.age != 3, {"age": 4}, True),
        (W.age > 2.5, {"age": 3}, True),
        (W.score == 2, {"score": 2.0}, True),
        (W.name == "Ada", {}, True),
        (W.name == "ada", {}, False),
        (W.name.startswith("A"), {}, True),
        (W.name.startswith("a"), {}, False),
        (W.name.contains("da"), {}, True),
        (W.name.in_(["Bob", "Ada"]), {}, True),
        (W.name.in_([]), {}, False),
        (W.seen == None, {}, True),  # noqa: E711
        (W.seen != None, {}, False),  # noqa: E711
        (W.seen.in_([None]), {}, True),
        (W.seen > datetime(2020, 1, 1), {"seen": datetime(2021, 1, 1)}, True),  # noqa: DTZ001
        (W.seen > datetime(2020, 1, 1, tzinfo=UTC), {"seen": datetime(2021, 1, 1)}, False),  # noqa: DTZ001
        (
            W.seen == datetime(2020, 1, 1, 12, tzinfo=UTC),
            {"seen": datetime(2020, 1, 1, 14, tzinfo=timezone(timedelta(hours=2)))},
            True,
        ),
        (W.born < date(2001, 1, 1), {}, True),
        (W.born == "2000-01-01", {}, True),
        (W.colour == Colour.RED, {}, True),
        (W.colour == "red", {}, True),
        (W.colour < Colour.BLUE, {}, False),
        (W.size == "s", {}, True),
        (W.home.city == "Rome", {"home": {"city": "Rome"}}, True),
        (W.home.city == "Rome", {}, False),
        (W.home.city != "Rome", {}, True),
        (W.home.city == None, {}, True),  # noqa: E711
        (W.home == None, {}, True),  # noqa: E711
        (W.home == {"city": "Rome"}, {"home": {"city": "Rome"}}, True),
        (W.home == Place(city="Oslo"), {"home": {"city": "Rome"}}, False),
        (W.home["contains"] == "x", {"home": {"city": "Rome", "contains": "x"}}, True),
        (W.homes[0].city == "Rome", {"homes": [{"city": "Rome"}]}, True),
        (W.homes[-1].city == "Rome", {"homes": [{"city": "Oslo"}, {"city": "Rome"}]}, True),
        (W.homes[1].city == "Rome", {"homes": [{"city": "Rome"}]}, False),
        (W.tags.contains("a"), {"tags": ["b", "a"]}, True),
        (W.tags.contains("a"), {"tags": ["aa"]}, False),
        (W.tags == ["a", "b"], {"tags": ["a", "b"]}, True),
        (W.tags[0].startswith("b"), {"tags": ["bc"]}, True),
        (W.lucky.contains(7), {"lucky": {7}}, True),
        (W.theme["a.b"] == "x", {"theme": {"a.b": "x"}}, True),
        (W.theme.colour == "x", {"theme": {"colour": "x"}}, True),
        (W.theme["no"] == None, {}, True),  # noqa: E711
        (W.theme.contains("k"), {"theme": {"k": "v"}}, True),
        (W.by_number[5].city == "Rome", {"by_number": {5: {"city": "Rome"}}}, True),
        (W.by_number["5"].city == "Rome", {"by_number": {5: {"city": "Rome"}}}, True),
        (W.price == 1.1, {}, True),
        (W.price > Decimal("1.0999999999999999999999"), {}, True),
        (W.data == b"ab", {"data": b"ab"}, True),
        (W.data.startswith("a"), {"data": b"ab"}, True),
        (W.pet.lives == 9, {}, True),
        (W.pet.lives == 9, {"pet": {"kind": "dog"}}, False),
        (W.pet.tricks.contains("roll"), {"pet": {"kind": "dog", "tricks": ["roll"]}}, True),
        (W.pet.kind == "cat", {}, True),
        (
            W.parent.parent.name == "Eve",
            {"parent": {"name": "Bob", "parent": {"name": "Eve"}}},
            True,
        ),
        (W.parent.parent.name == "Eve", {"parent": {"name": "Bob"}}, False),
        (W.anything > 3, {"anything": 4}, True),
        (W.anything > 3, {"anything": "text"}, False),
        (W.anything != 3, {"anything": "text"}, True),
        (W.anything == "text", {"anything": "text"}, True),
        (W.anything["a"][0] == 1, {"anything": {"a": [1]}}, True),
        (W.pair[1] == "x", {}, True),
        (W.names[0] == "n", {"names": ["n"]}, True),
        (W.age > W.by_number[1].zip, {"age": 5, "by_number": {1: {"city": "x", "zip": 4}}}, True),
        (W.age > W.by_number[1].zip, {"age": 5}, False),
        (W.name.in_(W.tags), {"tags": ["Ada"]}, True),
        (W.active == True, {}, True),  # noqa: E712
        ((W.age > 3) & (W.active == True), {"age": 4}, True),  # noqa: E712
        ((W.age > 3) | (W.active == False), {"age": 1}, False),  # noqa: E712
        (~(W.age > 3), {"age": 1}, True),
        (~(W.home.zip > 3), {}, True),
        (W.other == "12345678-1234-5678-1234-567812345678", {"other": UUID(int=0)}, False),
    ],
    ids=str,
)
def test_expression_matches_as_python_compares(
    expression: Expression, changes: dict[str, Any], expected: bool
) -> None:
    assert expression.matches(wanderer(**changes)) is expected


def test_expression_reads_live_values_without_making_more_of_them() -> None:
    person = wanderer(tags=["a"], home={"city": "Rome"}, homes=[{"city": "Oslo"}])
    assert (W.tags.contains("a") & (W.home.city == "Rome")).matches(person)
    assert type(person.__dict__["tags"]) is list
    assert person.home is not None
    assert person.homes[0].city == "Oslo"
    person.tags.append("b")
    assert (W.tags.contains("b") & (W.home.city == "Rome")).matches(person)
    assert (W.homes[0].city == "Oslo").matches(person)


def test_expressions_are_immutable_and_can_be_compared_and_pickled() -> None:
    expression = (W.age > 3) & ~(W.name == "x")
    with pytest.raises(AttributeError):
        expression.parts = ()  # type: ignore[attr-defined]
    assert hash(W.age > 3) == hash(W.age > 3)
    assert (W.age > 3) == (W.age > 3)
    assert pickle.loads(pickle.dumps(expression)) == expression
    assert str(expression) == "age > 3 and not (name == 'x')"


@pytest.mark.parametrize(
    "misuse",
    [
        lambda: 1 < W.age < 3,
        lambda: (W.age > 3) and (W.age < 5),
        lambda: not (W.age > 3),
        lambda: "x" in W.tags,  # type: ignore[operator]
        lambda: list(W.tags),
        lambda: bool(W.age),
        lambda: (W.age > 3) & True,
    ],
)
def test_what_python_cannot_make_an_expression_of_is_an_error(misuse: Any) -> None:
    with pytest.raises(TypeError):
        misuse()


def test_field_gives_the_reference_to_type_checkers() -> None:
    assert field(W.tags).contains("x") == W.tags.contains("x")  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="a field of a model class"):
        field(3)


# -- what may be compared ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: W.age > "3", "Wanderer.age is not comparable with '3': it is int"),
        (lambda: W.age == True, "Wanderer.age"),  # noqa: E712
        (lambda: W.name == 3, "Wanderer.name is not comparable with 3: it is str"),
        (lambda: W.active == 1, "it is bool"),
        (lambda: W.seen > 5, "datetime"),
        (lambda: W.seen > "yesterday", "datetime"),
        (lambda: W.seen < None, "nothing is < None"),
        (lambda: W.colour == "green", "Colour"),
        (lambda: W.size == "xl", "'s' | 'm'"),
        (lambda: W.home == {"town": "x"}, "Place"),
        (lambda: W.tags.contains(3), "an item, key or part of it is str"),
        (lambda: W.age.contains(3), "contains nothing"),
        (lambda: W.age.startswith("3"), "only text"),
        (lambda: W.name.startswith(3), "startswith needs text"),
        (lambda: W.name.in_("Ada"), "in needs a list"),
        (lambda: W.name.in_(["Ada", 3]), "3"),
        (lambda: W.home.zip == "x", "Wanderer.home.zip"),
        (lambda: W.other == "no", "uuid"),
    ],
)
def test_value_of_the_wrong_type_is_an_error_naming_the_field(make: Any, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        make()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_constraints_of_the_field_do_not_bind_what_it_is_compared_with() -> None:
    assert (W.age > -1).matches(wanderer())
    assert not (W.name == "x").matches(wanderer())


@pytest.mark.parametrize(
    ("make", "known"),
    [
        (lambda: W.home.town, "city, zip"),
        (lambda: W.pet.wings, "kind, lives, tricks"),
        (lambda: W.name.length, "str"),
        (lambda: W.by_number["x"], "dict[int, Place]"),
        (lambda: W.tags.first, "list[str]"),
    ],
)
def test_unknown_field_is_an_error_naming_the_known_ones(make: Any, known: str) -> None:
    with pytest.raises(UnknownFieldError) as caught:
        make()
    assert known in str(caught.value)
    with pytest.raises(AttributeError):
        make()


def test_fields_of_two_models_cannot_be_compared() -> None:
    class Stranger(AtomicRedisModel):
        age: int = 0

    with pytest.raises(ExpressionError, match="not fields of one document"):
        W.age > Stranger.age  # noqa: B015


# -- text --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("age > 3", W.age > 3),
        ("3 < age", W.age > 3),
        ("age == -3", W.age == -3),
        ("1 < age <= 10", (W.age > 1) & (W.age <= 10)),
        ("age > 3 and 'a' in tags", (W.age > 3) & W.tags.contains("a")),
        ("not (age > 3 or active)", ~((W.age > 3) | (W.active == True))),  # noqa: E712
        ("home.city == 'Rome'", W.home.city == "Rome"),
        ("home is None", W.home == None),  # noqa: E711
        ("home is not None", W.home != None),  # noqa: E711
        ("name in ['a', 'b']", W.name.in_(["a", "b"])),
        ("name not in ('a', 'b')", ~W.name.in_(["a", "b"])),
        ("'d' not in name", ~W.name.contains("d")),
        ("theme['a b'] == \"it's\"", W.theme["a b"] == "it's"),
        ("homes[-1].city == 'x'", W.homes[-1].city == "x"),
        ("by_number[5].zip > 1", W.by_number[5].zip > 1),
        ("name.startswith('A')", W.name.startswith("A")),
        ("tags.contains('A')", W.tags.contains("A")),
        ("colour == 'red'", W.colour == Colour.RED),
        ("born >= '2001-02-03'", W.born >= date(2001, 2, 3)),
        ("price == 1.10000000000000000000001", W.price == Decimal("1.10000000000000000000001")),
        ("price < -1.5", W.price < Decimal("-1.5")),
        ("data == b'x'", W.data == b"x"),
        ("name == 'é€😀'", W.name == "é€😀"),
        ("name == '\\n'", W.name == "\n"),
        ("  age>3  # a comment", W.age > 3),
        ("tags == ['a']", W.tags == ["a"]),
        ("age in {1, 2}", W.age.in_([1, 2])),
        ("name in tags", W.tags.contains(W.name)),
        ("age < score", W.age < W.score),
        ("home['contains'] == 'x'", W.home["contains"] == "x"),
        ("home.contains == 'x'", W.home["contains"] == "x"),
    ],
)
def test_text_is_read_as_python_would(text: str, expected: Expression) -> None:
    assert parse_expression(W, text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the condition is empty"),
        ("age = 3", "column 5: invalid syntax; compare with =="),
        ("age ==", "column 7: the condition ends too early"),
        ("age > 3 and", "ends too early"),
        ("active and agee > 3", "column 12: Wanderer has no field 'agee'; it has name, age"),
        ("name == 'é' and agee > 3", "column 17: "),
        ("home.town == 'x'", "column 1: Wanderer.home has no field 'town'; it has city, zip"),
        ("age > 'x'", "column 1: Wanderer.age is not comparable with 'x'"),
        ("age > None", "nothing is > None"),
        ("age", "age is no condition by itself"),
        ("1 == 1", "a comparison needs a field"),
        ("age is 3", "is only asks for None"),
        ("age + 1 == 2", "'age + 1' is neither a field nor a value"),
        ("(age > 1) & (age < 3)", "combine conditions with and"),
        ("age == x", "no field 'x'"),
        ("age in [x]", "'x' is a field, a value is needed here"),
        ("__import__('os').system('true')", "no functions here"),
        ("name.__class__ == 'x'", "str"),
        ("name.upper() == 'x'", "neither a field nor a value"),
        ("(lambda: 1)()", "no functions here"),
        ("[t for t in tags]", "is not a condition"),
        ("f'{age}' == name", "neither a field nor a value"),
        ("age if active else 3", "is not a condition"),
        ("(x := 3)", "is not a condition"),
        ("age == 1; age == 2", "invalid syntax"),
        ("tags[0:1] == ['a']", "neither a field nor a value"),
        ("tags[True] == 'a'", "an index is a number or a text"),
        ("name == 'x\0'", "null bytes"),
        ("name.startswith()", "no functions here"),
        ("age == " + "1" * 5000, "column 1"),
        ("(" * 300 + "active" + ")" * 300, "too many nested"),
        ("not " * 5000 + "active", "the condition"),
        ("x" * 100_001, "longer than"),
    ],
)
def test_text_that_is_no_condition_is_one_line_with_the_column(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_expression(W, text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("age> 3=<!()[]{}'\"andortin.,:+-*/#\\\n_09x"), max_size=30))
def test_any_text_is_a_condition_or_an_expression_error(text: str) -> None:
    problem = ""
    try:
        expression = parse_expression(W, text)
    except ExpressionError as error:
        problem = str(error)
    else:
        assert expression.matches(wanderer()) in (True, False)
    assert "\n" not in problem


def test_datetime_without_a_zone_in_text_also_stands_for_utc() -> None:
    later = parse_expression(W, "seen > '2024-01-01'")
    assert later.matches(wanderer(seen=datetime(2024, 1, 2)))  # noqa: DTZ001
    assert later.matches(wanderer(seen=datetime(2024, 1, 2, tzinfo=UTC)))
    assert not later.matches(wanderer(seen=datetime(2023, 1, 2, tzinfo=UTC)))
    other = parse_expression(W, "seen != '2024-01-01'")
    assert not other.matches(wanderer(seen=datetime(2024, 1, 1, tzinfo=UTC)))
    assert not other.matches(wanderer(seen=datetime(2024, 1, 1)))  # noqa: DTZ001
    one_of = parse_expression(W, "seen in ['2024-01-01']")
    assert one_of.matches(wanderer(seen=datetime(2024, 1, 1, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b[2].c is None", True),
        ("a.b[0] == 1 and flag", True),
        ("2 in a.b", True),
        ("'b' in a", True),
        ("x.y.z == None", True),
        ("n > 'text'", False),
        ("n in [3, 4]", True),
        ("s.startswith('te') and not s == 'te'", True),
        ("numbers['5'] == 1 and numbers[5] == 1", True),
    ],
)
def test_text_without_a_model_is_about_plain_json(text: str, expected: bool) -> None:
    document = {
        "a": {"b": [1, 2, {"c": None}]},
        "flag": True,
        "n": 3,
        "s": "text",
        "numbers": {"5": 1},
    }
    assert parse_expression(None, text).matches(document) is expected


def test_untyped_references_are_built_by_hand_too() -> None:
    assert (FieldReference.untyped("a", 0).b == 1).matches({"a": [{"b": 1}]})


# -- against Python ----------------------------------------------------------------------------------

_OPERATORS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_VALUES = {
    "age": st.integers(-(2**63), 2**63 - 1),
    "score": st.floats(allow_nan=False, allow_infinity=False),
    "born": st.dates(),
    "seen": st.datetimes(timezones=st.just(UTC)),
    "price": st.decimals(allow_nan=False, allow_infinity=False),
    "data": st.binary(),
    "other": st.uuids(),
    "size": st.sampled_from(["s", "m"]),
}


@settings(deadline=None)
@given(st.data(), st.sampled_from(sorted(_VALUES)), st.sampled_from(sorted(_OPERATORS)))
def test_comparisons_are_those_of_python(data: st.DataObject, name: str, sign: str) -> None:
    values = _VALUES[name]
    held, operand = data.draw(values), data.draw(values)
    person = Wanderer.model_construct(name="Ada", **{name: held})
    expression = _OPERATORS[sign](getattr(Wanderer, name), operand)
    assert expression.matches(person) is _OPERATORS[sign](held, operand)
