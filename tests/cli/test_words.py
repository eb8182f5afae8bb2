"""Lines of the REPL as words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapyer_cli.failures import UsageError
from rapyer_cli.language.quoting import quoted, scan, split


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("get BlogPost:42", ["get", "BlogPost:42"]),
        ("set x 'a b'", ["set", "x", "a b"]),
        ('set x "a \\" b"', ["set", "x", 'a " b']),
        ("set x a\\ b", ["set", "x", "a b"]),
        ("set x ''", ["set", "x", ""]),
        ("get a # the rest is a comment", ["get", "a"]),
        ("get a#b", ["get", "a#b"]),
        ("   ", []),
    ],
)
def test_words_are_quoted_as_in_a_shell(line: str, words: list[str]) -> None:
    assert [word.text for word in split(line)] == words


@pytest.mark.parametrize(
    "json", ['{"a": 1}', '["x y", "z"]', '{"a": {"b": "}"}}', '[{"q": "\\""}]', "[]"]
)
def test_json_can_be_typed_as_it_is(json: str) -> None:
    assert [word.text for word in split(f"set x {json} --yes")] == ["set", "x", json, "--yes"]
    assert [word.text for word in split(f"update x a:={json} b=1")] == [
        "update",
        "x",
        f"a:={json}",
        "b=1",
    ]


def test_a_quote_that_is_not_closed_is_said() -> None:
    with pytest.raises(UsageError, match="not closed"):
        split("set x 'abc")
    assert scan("set x 'abc")[-1].text == "abc"


@given(st.lists(st.text(min_size=0, max_size=12), max_size=5))
def test_quoted_words_read_back_as_they_were(texts: list[str]) -> None:
    assert [word.text for word in split(" ".join(map(quoted, texts)))] == texts
