"""Random documents, places and steps: the script on the server and its Python twin say and store the same."""

from __future__ import annotations

import asyncio
import copy
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rapyer.connections import Session, client_from_url
from rapyer.embedded import EmbeddedServer
from rapyer.paths import Path, addressable_prefix
from rapyer.script import in_python
from rapyer.script.call import submit
from rapyer.script.primitives import PRIMITIVES
from rapyer.script.refusals import error_of
from rapyer.script.steps import Primitive, Refused, Step

SETTINGS = settings(
    deadline=None,
    report_multiple_bugs=False,
    max_examples=int(os.environ.get("RAPYER_EXAMPLES", "150")),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
KEY = "D:1"


class Server:
    """The server, asked from outside of any event loop: Hypothesis runs its examples synchronously."""

    def __init__(self, url: str, runner: asyncio.Runner) -> None:
        self._runner, self._client = runner, client_from_url(url)
        self._session = Session.of(self._client)

    def submit(self, *steps: Step) -> list[Any]:
        return self._runner.run(submit(self._session, steps)).values

    def echo(self, step: Step) -> Any:
        nothing = (KEY, Primitive("read", (), (b"lenient",)))
        return self._runner.run(submit(self._session, [nothing], [step])).values[-1]

    def text(self) -> bytes | None:
        stored: bytes | None = self._runner.run(self._session.execute("JSON.GET", KEY, write=False))
        return stored

    def clear(self) -> None:
        self._runner.run(self._session.execute("DEL", KEY, write=True))

    def close(self) -> None:
        self._runner.run(self._client.aclose())


@pytest.fixture
def server(rapyer_server: EmbeddedServer) -> Iterator[Server]:
    rapyer_server.flush()
    with asyncio.Runner() as runner:
        server = Server(rapyer_server.url, runner)
        yield server
        server.close()


PLAIN_NAMES = st.sampled_from(["a", "b", "c", "a.b", "a b", "", "é", "'", '"', "*", "0", "\n"])
ODD_NAMES = st.sampled_from(["a", "b", "c", "\\", "a\\n", "'\"", " a", "a.b"])
SMALL = st.integers(-999, 999).map(lambda number: number / 8)
DOUBLES = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
INTEGERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-9, 9)


def values(
    names: st.SearchStrategy[str], doubles: st.SearchStrategy[float]
) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | INTEGERS | doubles | TEXTS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
        max_leaves=8,
    )


def documents(
    values: st.SearchStrategy[Any], names: st.SearchStrategy[str]
) -> st.SearchStrategy[Any]:
    return st.dictionaries(names, values, min_size=1, max_size=4)


def places(tree: Any, path: Path = ()) -> list[Path]:
    """Every place of a value, and one beside each container's last."""
    found: list[Path] = [path] if path else []
    if isinstance(tree, dict):
        for name, value in tree.items():
            found += places(value, (*path, name))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            found += places(value, (*path, index))
        found.append((*path, len(tree)))
    return found


def draw_step(data: st.DataObject, tree: Any, values: st.SearchStrategy[Any]) -> Primitive:
    """A step that fits the value at its place more often than not."""
    names = st.sampled_from(["a", "b", "\\", "a.b", "gone", "'\""])
    random_paths = st.lists(names | st.integers(0, 3), min_size=1, max_size=3).map(tuple)
    known = places(tree)
    path = data.draw(st.sampled_from(known) | random_paths if known else random_paths)
    try:
        value = in_python._Place([tree], path).value
    except in_python.Refusal:
        value = None
    of_kind = {"incr": int | float, "strapp": str, "setat": list, "append": list, "insert": list}
    of_kind |= {"pop": list, "take": dict, "popitem": dict}
    codes = [
        code
        for code, known in PRIMITIVES.items()
        if known.twin and known.part != "document" and isinstance(value, of_kind.get(code, object))
    ]
    code = data.draw(st.sampled_from(codes) | st.sampled_from([*of_kind, "set", "remove", "read"]))
    text = values.map(in_python.dumps)
    limit = st.sampled_from([b"", b"0", b"2", b"5"])
    index = st.integers(-6, 6).map(lambda number: b"%d" % number)
    entries = [name.encode() for name in value] if isinstance(value, dict) else []
    entry = st.sampled_from([*entries, b"gone", b"\\gone"])
    guards = ["", "", "present", "absent", "array", "object", "integer"]
    arguments: dict[str, st.SearchStrategy[tuple[bytes, ...]]] = {
        "set": st.tuples(text, st.sampled_from(guards).map(str.encode)),
        "strapp": st.tuples(TEXTS.map(in_python.dumps)),
        "incr": increments(),
        "setat": st.tuples(index, text),
        "append": st.tuples(limit, text) | st.tuples(limit, text, text),
        "insert": st.tuples(index, limit, text) | st.tuples(index, limit, text, text),
        "pop": st.tuples(index, st.sampled_from([b"strict", b"lenient"]), limit),
        "take": st.tuples(entry),
        "remove": st.just(()),
        "popitem": st.just(()) | st.tuples(entry),
        "read": st.tuples(st.sampled_from([b"strict", b"lenient"])),
        "echo": st.tuples(st.sampled_from([b"", b"0", b"1", b"256"])),
    }
    return Primitive(code, path, data.draw(arguments[code]))


def increments() -> st.SearchStrategy[tuple[bytes, ...]]:
    def bounds(number: st.SearchStrategy[Any]) -> list[st.SearchStrategy[bytes]]:
        bound = st.just(b"") | number.map(lambda value: repr(value).encode())
        return [bound] * 4

    whole = st.tuples(INTEGERS.map(lambda n: b"%d" % n), st.just(b"integer"), *bounds(INTEGERS))
    amounts = (DOUBLES | st.integers(-9, 9)).map(lambda value: repr(value).encode())
    real = st.tuples(amounts, st.just(b"number"), *bounds(DOUBLES))
    free = st.just((b"1", b"integer", *[b""] * 4)) | st.just((b"0.5", b"number", *[b""] * 4))
    return free | whole | real


def same_answer(code: str, ours: Any, theirs: Any) -> None:
    assert type(ours) is type(theirs)
    assert ours == theirs, code


def try_steps(
    server: Server, data: st.DataObject, document: Any, values: st.SearchStrategy[Any]
) -> None:
    """Carry out steps one after the other here and there, and compare after each."""
    server.clear()
    tree = copy.deepcopy(document)
    server.submit((KEY, Primitive("save", (), (in_python.dumps(document), b"", b""))))
    assert server.text() == in_python.dumps(tree)
    for _ in range(data.draw(st.integers(1, 5))):
        primitive = draw_step(data, tree, values)
        step = (KEY, primitive)
        before = in_python.dumps(tree)
        try:
            tree, expected = in_python.apply_to_tree(
                primitive.code, tree, primitive.path, primitive.args
            )
        except in_python.Refusal as refusal:
            assert in_python.dumps(tree) == before, "a refusal changed something"
            error = error_of(refusal.reason, refusal.detail, refusal.more, *step)
            with pytest.raises(Refused) as refused:
                server.submit(step)
            assert type(refused.value.error) is type(error)
            assert str(refused.value.error) == str(error)
        else:
            if primitive.code == "echo" and addressable_prefix(primitive.path) == len(
                primitive.path
            ):
                same_answer(primitive.code, server.echo(step), expected)
            elif primitive.code != "echo":
                (answer,) = server.submit(step)
                same_answer(primitive.code, answer, expected)
        assert server.text() == in_python.dumps(tree)


@SETTINGS
@given(data=st.data(), document=documents(values(PLAIN_NAMES, DOUBLES), PLAIN_NAMES))
def test_on_any_numbers_below_names_that_paths_have(
    server: Server, data: st.DataObject, document: Any
) -> None:
    try_steps(server, data, document, values(PLAIN_NAMES, DOUBLES))


@SETTINGS
@given(data=st.data(), document=documents(values(ODD_NAMES, SMALL), ODD_NAMES))
def test_below_any_names(server: Server, data: st.DataObject, document: Any) -> None:
    try_steps(server, data, document, values(ODD_NAMES, SMALL))


@SETTINGS
@given(data=st.data(), document=documents(values(PLAIN_NAMES, DOUBLES), PLAIN_NAMES))
def test_a_batch_applies_as_a_whole_or_leaves_every_byte(
    server: Server, data: st.DataObject, document: Any
) -> None:
    server.clear()
    server.submit((KEY, Primitive("save", (), (in_python.dumps(document), b"", b""))))
    before, tree, steps = server.text(), copy.deepcopy(document), []
    for _ in range(data.draw(st.integers(2, 6))):
        primitive = draw_step(data, tree, values(PLAIN_NAMES, DOUBLES))
        steps.append((KEY, primitive))
        try:
            tree, _ = in_python.apply_to_tree(primitive.code, tree, primitive.path, primitive.args)
        except in_python.Refusal:
            break
    else:
        with pytest.raises(Refused):
            server.submit(*steps, (KEY, Primitive("check", ())))
        assert server.text() == before
        server.submit(*steps)
        assert server.text() == in_python.dumps(tree)
        return
    with pytest.raises(Refused) as refused:
        server.submit(*steps)
    assert refused.value.position == len(steps) - 1
    assert server.text() == before
