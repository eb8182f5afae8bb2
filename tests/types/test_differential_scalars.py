"""Random operations on str, int, float, bytes and datetime fields do what Python's values do."""
# ruff: noqa: PT012 - a pipeline is raised by its block

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from rapyer import AtomicRedisModel
from rapyer.errors import PipelineError
from tests.conftest import Stored
from tests.types.differential import SETTINGS, agree, attempt, attempt_async, exactly

MAX, MIN = 2**63 - 1, -(2**63)

Step = tuple[str, Any]

IN_PLACE: dict[str, Callable[[Any, Any], Any]] = {
    "+=": operator.iadd,
    "-=": operator.isub,
    "*=": operator.imul,
    "/=": operator.itruediv,
    "//=": operator.ifloordiv,
    "%=": operator.imod,
    "**=": operator.ipow,
    "<<=": operator.ilshift,
    ">>=": operator.irshift,
    "&=": operator.iand,
    "|=": operator.ior,
    "^=": operator.ixor,
}


class Fields(AtomicRedisModel):
    integer: int = 0
    number: float = 0.0
    text: str = ""
    data: bytes = b""
    moment: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    integers: list[int] = [0]
    numbers: dict[str, float] = {}
    texts: list[str] = []
    datas: dict[str, bytes] = {}
    moments: list[datetime] = []


small, large = st.integers(-9, 9), st.integers(MIN, MAX)
integers = small | large | st.sampled_from([MAX, MIN, MAX - 1, 2**53, 2**53 + 1, -(2**53) - 1])
numbers = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=6)
datas = st.binary(max_size=6)
zones = st.sampled_from(
    [None, UTC, timezone(timedelta(hours=-3, minutes=-30)), timezone(timedelta(hours=14))]
)
moments = st.datetimes(timezones=zones)
spans = st.timedeltas(timedelta(days=-1000), timedelta(days=1000))


def whole_steps(operand: st.SearchStrategy[Any], symbols: str) -> st.SearchStrategy[Step]:
    return st.tuples(st.sampled_from(symbols.split()), operand)


STEPS: dict[str, tuple[st.SearchStrategy[Any], st.SearchStrategy[Step]]] = {
    "integer": (
        integers,
        whole_steps(integers, "+= -= *= //= %= &= |= ^=")
        | whole_steps(st.integers(0, 5), "**= <<= >>="),
    ),
    "number": (
        numbers,
        whole_steps(numbers | small, "+= -=")
        | whole_steps(st.sampled_from([2, 0.5, 4, -1]), "*= /="),
    ),
    "text": (
        texts,
        whole_steps(texts, "+=") | whole_steps(st.integers(-1, 3), "*="),
    ),
    "data": (
        datas,
        whole_steps(datas, "+=") | whole_steps(st.integers(-1, 3), "*="),
    ),
    "moment": (moments, whole_steps(spans, "+= -=")),
}


def fits(field: str, value: Any) -> bool:
    """Whether the field can hold what Python made."""
    if field == "integer":
        return MIN <= value <= MAX and value == int(value)
    return field != "number" or value - value == 0


def advance(field: str, value: Any, step: Step) -> Any:
    """The field's value after the step, or the error that Python or the field's bounds give."""
    symbol, operand = step
    new = IN_PLACE[symbol](value, operand)
    if not fits(field, new):
        raise ValueError(f"{new!r} does not fit")
    return int(new) if field == "integer" else new


def do(model: Fields, field: str, step: Step) -> None:
    setattr(model, field, IN_PLACE[step[0]](getattr(model, field), step[1]))


def same(field: str, live: Any, plain: Any) -> None:
    assert live == plain
    if field == "moment":
        assert live.isoformat() == plain.isoformat()
    else:
        assert exactly(live) == exactly(plain)


@pytest.mark.parametrize("field", STEPS)
@pytest.mark.parametrize("inside", [False, True])
@SETTINGS
@given(data=st.data())
async def test_in_place_operators(
    field: str, inside: bool, data: st.DataObject, stored_text: Stored
) -> None:
    start, steps = STEPS[field]
    plain = data.draw(start)
    model = await Fields(**{field: plain}).save()

    def run(steps: list[Step]) -> Any:
        value = plain
        for step in steps:
            new = attempt(lambda: advance(field, value, step))  # noqa: B023
            live = attempt(lambda: do(model, field, step))  # noqa: B023
            if new.error is not None:
                # a batch may also find out at its end, see below
                assume(live.error is not None)
            else:
                agree(new._replace(result=None), live)
                value = new.result
            same(field, getattr(model, field), value)
        return value

    drawn = data.draw(st.lists(steps, max_size=6))
    if inside:
        async with model.pipeline():
            plain = run(drawn)
    else:
        plain = run(drawn)
        await model.save()
    same(field, getattr(model, field), plain)
    same(field, getattr(await Fields.get(model.key), field), plain)


REFUSED: dict[str, list[Step]] = {
    "integer": [("+=", 0.5), ("//=", 0), ("*=", 2**63), ("<<=", -1), ("+=", "x")],
    "number": [("/=", 0), ("+=", "x"), ("%=", 0)],
    "text": [("+=", 1), ("*=", "x"), ("+=", None)],
    "data": [("+=", "x"), ("*=", b"x")],
    "moment": [("+=", timedelta.max), ("-=", 5), ("-=", timedelta.max)],
}


@pytest.mark.parametrize("field", STEPS)
@SETTINGS
@given(data=st.data())
async def test_a_pipeline_that_python_would_refuse_changes_nothing(
    field: str, data: st.DataObject, stored: Stored
) -> None:
    start, steps = STEPS[field]
    plain = data.draw(start)
    assume(field != "integer" or plain)
    drawn = data.draw(st.lists(steps, max_size=4))
    drawn.append(data.draw(st.sampled_from(REFUSED[field])))
    value = plain
    for step in drawn:
        outcome = attempt(lambda: advance(field, value, step))  # noqa: B023
        if outcome.error is not None:
            break
        value = outcome.result
    else:
        assume(False)
    model = await Fields(**{field: plain}).save()
    before = await stored(model)
    with pytest.raises((ValueError, TypeError, ArithmeticError, PipelineError)):
        async with model.pipeline():
            model.integers.append(1)
            for step in drawn:
                do(model, field, step)
    assert await stored(model) == before
    same(field, getattr(model, field), plain)
    assert model.integers == [0]


@pytest.mark.parametrize("field", STEPS)
@SETTINGS
@given(data=st.data())
async def test_a_pipeline_on_a_stale_copy_is_applied_to_the_stored_value(
    field: str, data: st.DataObject
) -> None:
    start, steps = STEPS[field]
    mine, theirs = data.draw(start), data.draw(start)
    drawn = data.draw(st.lists(steps, max_size=5))
    value, expected = mine, theirs
    for step in drawn:
        a = attempt(lambda: advance(field, value, step))  # noqa: B023
        b = attempt(lambda: advance(field, expected, step))  # noqa: B023
        assume(a.error is None and b.error is None)
        value, expected = a.result, b.result
    model = await Fields(**{field: mine}).save()
    other = await Fields.get(model.key)
    setattr(other, field, theirs)
    await other.save()
    async with model.pipeline():
        for step in drawn:
            do(model, field, step)
        same(field, getattr(model, field), value)
    same(field, getattr(await Fields.get(model.key), field), expected)
    if drawn:
        same(field, getattr(model, field), expected)


@SETTINGS
@given(start=integers, amounts=st.lists(integers, max_size=8))
@example(start=MAX, amounts=[1])
@example(start=MIN, amounts=[-1])
@example(start=-1, amounts=[MIN])
async def test_increase_of_an_int(start: int, amounts: list[int], stored_text: Stored) -> None:
    model = await Fields(integer=start, integers=[start]).save()
    plain = start
    for amount in amounts:
        new = plain + amount
        for value in (model.integer, model.integers[0]):
            outcome = await attempt_async(lambda: value.increase(amount))  # noqa: B023
            if MIN <= new <= MAX:
                assert outcome.error is None
                assert outcome.result == new
            else:
                assert isinstance(outcome.error, OverflowError)
        plain = new if MIN <= new <= MAX else plain
        assert model.integer == plain == model.integers[0]
        assert await stored_text(model, "$.integer") == f"[{plain}]"
        assert await stored_text(model, "$.integers") == f"[[{plain}]]"


@SETTINGS
@given(start=numbers, amounts=st.lists(numbers | small, max_size=8))
@example(start=-1.797693134862314e308, amounts=[1.7976931348623143e308])
async def test_increase_of_a_float(start: float, amounts: list[float], stored_text: Stored) -> None:
    model = await Fields(number=start, numbers={"k": start}).save()
    plain = start
    for amount in amounts:
        assume(fits("number", plain + amount))
        plain += amount
        assert repr(await model.number.increase(amount)) == repr(plain)
        assert repr(await model.numbers["k"].increase(amount)) == repr(plain)
        assert repr(model.number) == repr(plain) == repr(model.numbers["k"])
        text = await stored_text(model, "$.number")
        assert repr(json.loads(text)[0]) == repr(plain)


@SETTINGS
@given(text=st.text(), data=st.binary(), moment=moments, integer=integers, number=numbers)
async def test_every_value_round_trips(
    text: str, data: bytes, moment: datetime, integer: int, number: float
) -> None:
    model = await Fields(
        text=text,
        data=data,
        moment=moment,
        integer=integer,
        number=number,
        texts=[text],
        datas={text: data},
        moments=[moment],
    ).save()
    again = await Fields.get(model.key)
    for found in (again, await model.load()):
        assert found.text == text == found.texts[0]
        assert found.data == data == found.datas[text]
        assert found.moment.isoformat() == moment.isoformat() == found.moments[0].isoformat()
        assert found.integer == integer
        assert repr(found.number) == repr(number)
    assert again == model
    popped = await again.moments.apop()
    assert popped is not None
    assert popped.isoformat() == moment.isoformat()
    assert await again.datas.apop(text) == data


# -- all the other methods ---------------------------------------------------------------------------

SAMPLES: dict[str, tuple[Any, Any]] = {
    "text": ("Some <text> é", ("e", 2, "s", ("<", ">"))),
    "data": (b"Some <data> \xff", (b"e", 2, b"s")),
    "integer": (1234567, (3, 0, -7, 2.5)),
    "number": (1234.5, (3, 0.0, -7.25)),
    "moment": (datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=UTC), (timedelta(hours=5),)),
}


@pytest.mark.parametrize("field", SAMPLES)
def test_every_method_of_the_builtin_gives_what_the_builtin_gives(field: str) -> None:
    value, arguments = SAMPLES[field]
    live = getattr(Fields(**{field: value}), field)
    skipped = {
        *("__class__", "__new__", "__init__", "__init_subclass__", "__subclasshook__", "__doc__"),
        *("__getattribute__", "__setattr__", "__delattr__", "__sizeof__", "__dir__"),
        *("__reduce__", "__reduce_ex__", "__getstate__", "__getnewargs__", "__buffer__"),
        *("max", "min", "resolution", "now", "utcnow", "today", "fromtimestamp"),
        *("utcfromtimestamp", "strptime", "combine", "fromisoformat", "fromisocalendar"),
    }
    compared = 0
    for name in set(dir(value)) - skipped:
        if not callable(getattr(value, name)):
            assert getattr(live, name) == getattr(value, name)
            continue
        for given_arguments in [(), *((a,) for a in arguments), arguments[:2]]:
            plain = attempt(lambda: getattr(value, name)(*given_arguments))  # noqa: B023
            ours = attempt(lambda: getattr(live, name)(*given_arguments))  # noqa: B023
            assert type(ours.error) is type(plain.error), name
            if plain.error is None and not name.startswith("__iter"):
                assert ours.result == plain.result, name
                assert isinstance(ours.result, type(plain.result)), name
                compared += 1
    assert compared > 20


@pytest.mark.parametrize("field", SAMPLES)
def test_builtin_functions_treat_it_as_the_builtin(field: str) -> None:
    value, _ = SAMPLES[field]
    live = getattr(Fields(**{field: value}), field)
    assert str(live) == str(value)
    assert repr(live) == repr(value)
    assert f"{live}" == f"{value}"
    assert hash(live) == hash(value)
    assert {live: 1}[value] == 1
    assert isinstance(live, type(value))
    assert live == value
    assert not live != value  # noqa: SIM202
    assert sorted([live, value]) == [value, value]
    if field not in ("data", "moment"):
        assert json.dumps(live) == json.dumps(value)
        assert json.dumps({"k": [live]}) == json.dumps({"k": [value]})
