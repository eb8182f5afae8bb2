"""What differs between two JSON values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapyer_cli.render.differences import MISSING, Difference, differences, same

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1}, {"a": 2}, [Difference(("a",), "changed", 1, 2)]),
        ({"a": 1}, {"a": 1.0}, [Difference(("a",), "changed", 1, 1.0)]),
        ({"a": True}, {"a": 1}, [Difference(("a",), "changed", True, 1)]),
        ([1, 2, 3], [1, 3], [Difference((1,), "removed", before=2)]),
        ([1, 3], [1, 2, 3], [Difference((1,), "added", after=2)]),
        ({}, {"b": None}, [Difference(("b",), "added", after=None)]),
        ({"x": [{"y": 1}]}, {"x": [{"y": 2}]}, [Difference(("x", 0, "y"), "changed", 1, 2)]),
        (MISSING, {"a": 1}, [Difference((), "added", after={"a": 1})]),
        ({"a": 1}, MISSING, [Difference((), "removed", before={"a": 1})]),
    ],
)
def test_each_smallest_place_is_named(before: Any, after: Any, expected: list[Difference]) -> None:
    assert differences(before, after) == expected


@given(JSON, JSON)
def test_there_are_differences_exactly_when_values_differ(left: Any, right: Any) -> None:
    assert differences(left, left) == []
    assert bool(differences(left, right)) == (not same(left, right))
