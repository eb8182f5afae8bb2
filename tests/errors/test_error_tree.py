"""The errors: the tree that is drawn is the one that is there, under its public names."""

from __future__ import annotations

import builtins
import pickle
import re
import subprocess
import sys

import pytest
import redis.exceptions

from rapyer import errors


def drawn() -> dict[str, tuple[str | None, list[str]]]:
    """Each error of the drawing: its parent, and the other classes in parentheses."""
    tree: dict[str, tuple[str | None, list[str]]] = {}
    above: list[tuple[int, str]] = []
    picture = (errors.__doc__ or "").split("::\n")[1].split("\n\nValues")[0]
    for line in picture.strip("\n").splitlines():
        found = re.search(r"(\w+)(?: +\(([^)]*)\))?", line)
        assert found, line
        above = [(depth, name) for depth, name in above if depth < found.start()]
        parent = above[-1][1] if above else None
        tree[found[1]] = (parent, found[2].split(", ") if found[2] else [])
        above.append((found.start(), found[1]))
    return tree


def named_in_the_drawing(text: str) -> type:
    module, _, name = text.rpartition(" ")
    where = {"redis": redis.exceptions, "rapyer": errors}.get(module, builtins)
    return getattr(where, name)  # type: ignore[no-any-return]


def test_the_drawn_tree_is_the_one_that_is_there():
    tree = drawn()
    assert set(tree) == set(errors.__all__)
    for name, (parent, others) in tree.items():
        bases = [Exception if parent is None else getattr(errors, parent)]
        bases += [named_in_the_drawing(other) for other in others]
        assert getattr(errors, name).__bases__ == tuple(bases), name


def test_lost_connections_are_caught_as_those_of_redis_and_of_python():
    for error in (errors.ConnectionError, errors.OutcomeUnknownError):
        assert issubclass(error, errors.RapyerError)
        assert issubclass(error, redis.exceptions.ConnectionError)
        assert issubclass(error, builtins.ConnectionError)


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_found_and_shown_under_its_public_name(name: str):
    kind = getattr(errors, name)
    assert (kind.__module__, kind.__qualname__) == ("rapyer.errors", name)
    assert name in dir(errors)


def test_a_name_that_is_no_error_is_none():
    with pytest.raises(AttributeError, match="NoSuchError"):
        errors.NoSuchError  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError):
        from rapyer.errors import NoSuchError  # type: ignore[attr-defined]  # noqa: F401


def test_errors_come_out_of_a_pickle_with_all_they_say():
    problems = [
        errors.OutcomeUnknownError("the connection was lost"),
        errors.KeyNotFound("no such key", key="User:1"),
        errors.DocumentError("does not fit", key="User:1", fields={"age": "not a number"}),
        errors.PipelineError("refused", index=2, operation="+= User:1/age"),
        errors.BulkError("two failed", failures={"User:1": errors.KeyExistsError("is there")}),
    ]
    for problem in problems:
        copy = pickle.loads(pickle.dumps(problem))
        assert type(copy) is type(problem)
        assert str(copy) == str(problem)
        assert repr(vars(copy)) == repr(vars(problem))


@pytest.mark.parametrize("name", ["ConnectionError", "OutcomeUnknownError", "KeyNotFound"])
def test_an_error_is_unpickled_by_a_process_that_has_not_imported_it(name: str):
    pickled = pickle.dumps(getattr(errors, name)("what and where"))
    code = "import pickle, sys; e = pickle.load(sys.stdin.buffer); print(type(e).__name__, e)"
    done = subprocess.run(
        [sys.executable, "-c", code], input=pickled, capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == f"{name} what and where"
