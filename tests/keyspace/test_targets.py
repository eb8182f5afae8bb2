"""Targets name keys: whatever a pk holds, its escaped form leads back to it, in either spelling of an escape."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapyer.paths import escape_pk, format_target, unescape_pk

PKS = st.text(alphabet="ab/%25fF~:\\ é")


@given(pk=PKS)
def test_an_escaped_pk_has_no_slash_and_leads_back(pk: str) -> None:
    assert "/" not in escape_pk(pk)
    assert unescape_pk(escape_pk(pk)) == pk


@pytest.mark.parametrize(
    ("text", "pk"),
    [
        ("a%2Fb", "a/b"),
        ("a%2fb", "a/b"),
        ("a%2f%2Fb", "a//b"),
        ("a%252fb", "a%2fb"),
        ("a%252Fb", "a%2Fb"),
        ("100%", "100%"),
        ("a%20b", "a%20b"),
    ],
)
def test_escapes_are_read_in_capitals_and_in_small_letters(text: str, pk: str) -> None:
    assert unescape_pk(text) == pk
    assert unescape_pk(escape_pk(pk)) == pk


def test_a_target_holds_the_escaped_pk_and_the_escaped_segments() -> None:
    assert format_target("Doc:a/b%2f", ("x/y", 0, "~")) == "Doc:a%2Fb%252f/x~1y/0/~0"
