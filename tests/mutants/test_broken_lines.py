"""Broken lines are code still, differ from what they were, and are chosen alike while their lines stay."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.mutants.choice import GENERATED, ROOT, candidates, generated
from tests.mutants.lua_lines import broken_lua
from tests.mutants.mutant import Mutant, StaleMutantError, written
from tests.mutants.python_lines import broken_python

Break = Callable[[str, str, bytes], Iterable[Mutant]]


def applied(breaking: Break, text: str) -> set[str]:
    source = text.encode()
    return {mutant.applied(source).decode() for mutant in breaking("room", "file", source)}


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("a = b < c", {"a = b <= c"}),
        ("a = b is not c", {"a = b is c"}),
        ("a = é and not b", {"a = é or not b", "a = é and b"}),
        ("a = 1 + b", {"a = 2 + b", "a = 1 - b"}),
        ("a.b = True", {"pass", "a.b = False"}),
        ("f(reversed(x))", {"pass", "f(list(x))"}),
        ("if a: pass", {"if (not (a)): pass"}),
        (
            "def f(x: int = 3) -> int: return x",
            {"def f(x: int = 4) -> int: return x", "def f(x: int = 3) -> int: return None"},
        ),
        ("raise E(f'{1 + 1}')", {"pass"}),
        ("def f():\n    raise NotImplementedError", set()),
        ("if TYPE_CHECKING:\n    a.b = 1", set()),
        ("class A(Protocol):\n    a = 1", set()),
    ],
)
def test_python_is_broken_in_each_place(text: str, broken: set[str]) -> None:
    assert applied(broken_python, text) == broken


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("if a == b then", {"if a ~= b then"}),
        ("if not a or b then", {"if a or b then", "if not a and b then"}),
        ("  call('A == b', x)", {"  do end"}),
        ("-- a == b", set()),
        ("local a = 'not' .. b -- 1", set()),
    ],
)
def test_lua_is_broken_outside_of_texts_and_comments(text: str, broken: set[str]) -> None:
    assert applied(broken_lua, text) == broken


def test_each_broken_module_is_one_still() -> None:
    chosen = generated(GENERATED, 80, seed=3)
    assert len(chosen) == 80
    for mutant in chosen:
        source = (ROOT / mutant.file).read_bytes()
        broken = mutant.applied(source)
        assert broken != source
        if mutant.file.endswith(".py"):
            ast.parse(broken)


def test_there_are_many_lines_to_break_in_each_room() -> None:
    assert all(sum(1 for _ in candidates(room)) > 20 for room in GENERATED)


def test_a_mutant_is_ranked_alike_when_the_lines_around_it_change() -> None:
    (before,) = broken_python("room", "file", b"a = b < c")
    (after,) = broken_python("room", "file", b"# more\na = b < c")
    assert before.line != after.line
    assert before.rank(1) == after.rank(1) != before.rank(2)


def test_a_mutant_by_hand_fits_exactly_one_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("one two one")
    mutant = written(tmp_path, "room", "file", "two", "2", "")
    assert mutant.applied(b"one two one") == b"one 2 one"
    for text in ("one", "three"):
        with pytest.raises(StaleMutantError):
            written(tmp_path, "room", "file", text, "", "")
