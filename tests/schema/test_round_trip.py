"""Whatever is saved loads equal, and saving what was loaded writes the same bytes: for every kind of annotation.

The table is generated (:mod:`tests.schema.kinds`): each base kind, in each wrapper, with Hypothesis' values.
``RAPYER_EXAMPLES`` in the environment raises the number of values that are tried.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import create_model
from pydantic_core import to_json

from rapyer import AtomicRedisModel
from rapyer.errors import InvalidValueError, ModelDefinitionError
from rapyer.schema.of_models import field_spec, model_spec

from .kinds import BASE, KEYS, REFUSED, TABLE

SETTINGS = settings(
    deadline=None,
    max_examples=int(os.environ.get("RAPYER_EXAMPLES", "3")),
    suppress_health_check=list(HealthCheck),
)


@cache
def holder(name: str) -> Any:
    """A model whose field is of the kind ``name``."""
    return create_model("Holder", __base__=AtomicRedisModel, field=(TABLE[name].annotation, ...))


@pytest.mark.parametrize("name", [name for name, kind in BASE.items() if kind.is_key])
@SETTINGS
@given(data=st.data())
def test_the_text_of_a_key_is_the_one_that_is_written(name: str, data: st.DataObject) -> None:
    spec = field_spec(holder(KEYS.format(name)), "field")
    key = spec.key.validate_python(data.draw(BASE[name].values))
    assert spec.to_json({key: 1}) == to_json({spec.key_text(key): 1})


def test_a_whole_default_of_a_float_is_written_as_a_float() -> None:
    class Priced(AtomicRedisModel):
        price: float = 0

    assert model_spec(Priced).to_json(Priced()) == b'{"price":0.0}'
    assert model_spec(Priced).validate_json("{}") == Priced()


def test_the_table_is_large() -> None:
    assert len(BASE) >= 70
    assert len(TABLE) >= 1000


@pytest.mark.parametrize("name", TABLE)
def test_what_is_written_is_read_back_equal_and_written_the_same(name: str) -> None:
    cls = holder(name)
    spec = model_spec(cls)

    # Made for each kind: Hypothesis nests the settings of a parametrized test once for each parameter.
    @SETTINGS
    @given(value=TABLE[name].values)
    def round_trip(value: Any) -> None:
        model = cls(field=value)
        text = spec.to_json(model)
        back = spec.validate_json(text)
        assert back == model
        assert type(back.__dict__["field"]) is type(model.__dict__["field"])
        assert spec.to_json(back) == text
        alone = field_spec(cls, "field").to_json(model.__dict__["field"])
        assert text == b'{"field":%s}' % alone
        assert field_spec(cls, "field").validate_json(alone) == model.__dict__["field"]

    round_trip()


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_not_come_back_is_refused_with_its_class(name: str) -> None:
    with pytest.raises(ModelDefinitionError) as caught:
        create_model("Holder", __base__=AtomicRedisModel, broken=(REFUSED[name], ...))
    assert "Holder.broken" in str(caught.value)


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan"), 2**63])
@pytest.mark.parametrize("pattern", ["list[{}]", "dataclass with {}", "TypedDict with {}", "{}"])
def test_numbers_that_json_cannot_hold_are_refused_wherever_they_stand(
    pattern: str, number: Any
) -> None:
    kind = "float" if isinstance(number, float) else "int"
    cls = holder(pattern.format(kind))
    inside: dict[str, Any] = {"list[{}]": [number], "{}": number}
    value = inside.get(pattern, {"a": number})
    spec = field_spec(cls, "field")
    with pytest.raises((InvalidValueError, ValueError)):
        spec.to_json(spec.validate_python(value))
