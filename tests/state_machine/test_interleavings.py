"""Two instances of a document, each shared by two tasks: after every step all three accounts are right.

``RAPYER_EXAMPLES=20000`` runs so many examples instead of a few hundred, ``RAPYER_SEED`` repeats one run.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, seed, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from rapyer import AtomicRedisModel
from rapyer.batch.batch import current_batch
from rapyer.errors import PipelineError
from rapyer.models.differing import changed_places
from rapyer.state.document import document_state, only_of

from .reference import Change, Document, Instance

LONG = 300
SEED = int(os.environ.get("RAPYER_SEED", random.SystemRandom().randrange(2**32)))


class Inner(BaseModel):
    x: int = 0
    y: int = 0


class Shared(AtomicRedisModel):
    model_config = ConfigDict(extra="allow")

    n: int = Field(default=0, ge=0)
    s: str = ""
    items: list[int] = []
    table: dict[str, int] = {}
    inner: Inner = Inner()
    names: set[int] = set()


class _BodyError(Exception):
    pass


# Each kind of change: on the reference, as a statement on the instance, and as an awaited operation.
Kind = tuple[Change, Callable[[Any], Any], "Callable[[Any], Awaitable[Any]] | None"]


def _pop_last(d: Document) -> None:
    if d["items"]:
        d["items"].pop()


def kinds(v: int) -> dict[str, Kind]:
    """What can be done with the number ``v``."""
    key = "abc"[v % 3]
    return {
        "add": (
            Change("add", "n", lambda d: d.__setitem__("n", d["n"] + v)),
            lambda m: setattr(m, "n", m.n + v) if v < 0 else _added(m, v),
            lambda m: m.n.increase(v),
        ),
        "number": (
            Change("number", "n", lambda d: d.__setitem__("n", v)),
            lambda m: setattr(m, "n", v),
            lambda m: m.aupdate(n=v),
        ),
        "text": (
            Change("text", "s", lambda d: d.__setitem__("s", str(v))),
            lambda m: setattr(m, "s", str(v)),
            lambda m: m.aupdate(s=str(v)),
        ),
        "append": (
            Change("append", "items", lambda d: d["items"].append(v)),
            lambda m: m.items.append(v),
            lambda m: m.items.aappend(v),
        ),
        "insert": (
            Change("insert", "items", lambda d: d["items"].insert(0, v)),
            lambda m: m.items.insert(0, v),
            lambda m: m.items.ainsert(0, v),
        ),
        "clear": (
            Change("clear", "items", lambda d: d["items"].clear()),
            lambda m: m.items.clear(),
            lambda m: m.items.aclear(),
        ),
        "list": (
            Change("list", "items", lambda d: d.__setitem__("items", [v, v])),
            lambda m: setattr(m, "items", [v, v]),
            lambda m: m.aupdate(items=[v, v]),
        ),
        "entry": (
            Change("entry", "table", lambda d: d["table"].__setitem__(key, v), (key,)),
            lambda m: m.table.__setitem__(key, v),
            lambda m: m.table.aset_item(key, v),
        ),
        "no entry": (
            Change("no entry", "table", lambda d: d["table"].pop(key, None), (key,)),
            lambda m: m.table.pop(key, None),
            lambda m: m.table.apop(key),
        ),
        "extra": (
            Change("extra", "e", lambda d: d.__setitem__("e", v)),
            lambda m: setattr(m, "e", v),
            lambda m: m.aupdate(e=v),
        ),
        "set": (
            Change("set", "names", lambda d: d.__setitem__("names", [v])),
            lambda m: setattr(m, "names", {v}),
            lambda m: m.aupdate(names={v}),
        ),
        "name": (
            Change("name", "names", lambda d: d.__setitem__("names", sorted({*d["names"], v}))),
            lambda m: m.names.add(v),
            None,
        ),
        "x": (
            Change("x", "inner", lambda d: d["inner"].__setitem__("x", v), ("x",)),
            lambda m: setattr(m.inner, "x", v),
            lambda m: m.inner.aupdate(x=v),
        ),
        "y": (
            Change(
                "y", "inner", lambda d: d["inner"].__setitem__("y", d["inner"]["y"] + v), ("y",)
            ),
            lambda m: _added_to_y(m, v),
            lambda m: m.inner.y.increase(v),
        ),
    }


def _added(model: Any, v: int) -> None:
    model.n += v


def _added_to_y(model: Any, v: int) -> None:
    model.inner.y += v


def _directly(statement: Callable[[Any], Any], model: Any) -> None:
    statement(model)


def _in_an_inner_block(statement: Callable[[Any], Any], model: Any) -> None:
    batch = current_batch()
    assert batch is not None
    with batch.collecting():
        statement(model)


def _taken_back(statement: Callable[[Any], Any], model: Any) -> None:
    """An inner block does it and fails."""

    def fails(model: Any) -> None:
        statement(model)
        raise _BodyError

    with suppress(_BodyError):
        _in_an_inner_block(fails, model)


class Block:
    """A block of a task of its own, which does what it is told, one thing at a time."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._orders: asyncio.Queue[tuple[Callable[[], Any], asyncio.Future[Any]]] = asyncio.Queue()
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async with self._model.pipeline():
            while True:
                order, done = await self._orders.get()
                try:
                    order()
                except StopIteration:
                    return
                finally:
                    done.set_result(None)

    async def do(self, order: Callable[[], Any]) -> None:
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._orders.put_nowait((order, done))
        await done

    async def end(self, order: Callable[[], Any]) -> BaseException | None:
        """Let the block end by what ``order`` raises; returns what left it."""
        self._orders.put_nowait((order, asyncio.get_running_loop().create_future()))
        (outcome,) = await asyncio.gather(self._task, return_exceptions=True)
        return outcome if isinstance(outcome, BaseException) else None

    async def cancel(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def _stop() -> None:
    raise StopIteration


def _fail() -> None:
    raise _BodyError


class Machine:
    """Two instances of one document on the server, and the reference of each."""

    def __init__(self, models: list[Any], stored: Document) -> None:
        self.models, self.stored = models, stored
        self.references = [
            Instance(_copy(stored), _copy(stored)),
            Instance(_copy(stored), _copy(stored)),
        ]
        self.blocks: list[Block | None] = [None, None]

    async def step(self, action: str, which: int, kind: str, value: int) -> None:
        model, reference, block = self.models[which], self.references[which], self.blocks[which]
        change, statement, operation = kinds(value)[kind]
        if action == "edit":
            if change.place == "items" and change.name != "list" and reference.has_new_list():
                return  # a list that only the open block has: its edits go with it
            if change.name == "name" and reference.has_block:
                return  # whether it is the block's set or the one below, only the handle tells
            reference.edit(change)
            statement(model)
        elif action == "operate" and operation is not None:
            if self._is_refused(change):
                return
            change.apply(self.stored)
            reference.operate(change, self.stored)
            await operation(model)
        elif action == "nested" and block is not None and change.name != "name":
            await block.do(lambda: _taken_back(statement, model))
        elif action in ("block", "inner") and change.name != "name":
            if block is None:
                reference.begin()
                block = self.blocks[which] = Block(model)
            reference.change_in_block(change)
            inside = _in_an_inner_block if action == "inner" else _directly
            await block.do(lambda: inside(statement, model))
        elif action in ("commit", "abort", "refuse", "cancel") and block is not None:
            self.blocks[which] = None
            await self._end(action, model, reference, block)
        elif action == "save":
            self.stored = reference.save()
            await model.save()
        elif action == "save_changes":
            reference.save_changes(self.stored)
            await model.save_changes()
        elif action == "load":
            reference.load(self.stored)
            await model.load()

    def _is_refused(self, change: Change) -> bool:
        tried = _copy(self.stored)
        change.apply(tried)
        return bool(tried["n"] < 0)

    async def _end(self, action: str, model: Any, reference: Instance, block: Block) -> None:
        changes = [change for in_block, change in reference.entries if in_block]
        tried = _copy(self.stored)
        refused = action == "refuse"
        for change in changes:
            change.apply(tried)
            refused = refused or tried["n"] < 0
        if action == "cancel":
            await block.cancel()
        elif action == "abort":
            assert isinstance(await block.end(_fail), _BodyError)
        else:
            if action == "refuse":
                await block.do(lambda: _added(model, -(10**6)))
            outcome = await block.end(_stop)
            assert isinstance(outcome, PipelineError) == refused, outcome
            if not refused:
                self.stored = tried
                reference.commit(self.stored)
                return
        reference.abort()

    async def check(self) -> None:
        fresh = await Shared.get(self.models[0].key)
        assert _plain(fresh) == self.stored
        for model, reference in zip(self.models, self.references, strict=True):
            assert _plain(model) == reference.local()
            state = document_state(model)
            with only_of(state):
                places = {path for path, _ in changed_places(model, state.known)}  # type: ignore[arg-type]
            assert places == reference.unsaved()


def _copy(document: Document) -> Document:
    return {
        "n": document["n"],
        "s": document["s"],
        "items": list(document["items"]),
        "table": dict(document["table"]),
        "inner": dict(document["inner"]),
        "names": list(document["names"]),
        "e": document["e"],
    }


def _plain(model: Any) -> Document:
    content: Document = model.model_dump()
    return {**content, "names": sorted(content["names"])}


ACTIONS = (
    *("edit", "edit", "operate", "operate", "block", "block", "block", "inner", "nested"),
    *(
        "commit",
        "commit",
        "abort",
        "refuse",
        "cancel",
        "save",
        "save_changes",
        "save_changes",
        "load",
    ),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(ACTIONS),
        st.integers(0, 1),
        st.sampled_from(sorted(kinds(0))),
        st.integers(0, 9),
    ),
    min_size=1,
    max_size=14,
)


@pytest.fixture(scope="module", autouse=True)
def _the_seed_is_said() -> None:
    print(f"RAPYER_SEED={SEED}")  # shown with what fails


@pytest.mark.parametrize("length", [2, LONG])
@seed(SEED)
@settings(
    deadline=None,
    derandomize=False,
    database=None,
    report_multiple_bugs=False,
    max_examples=int(os.environ.get("RAPYER_EXAMPLES", "150")),
    suppress_health_check=list(HealthCheck),
)
@given(steps=STEPS)
@example(steps=[("block", 0, "append", 1), ("operate", 0, "append", 2), ("abort", 0, "add", 0)])
@example(steps=[("block", 0, "add", 1), ("edit", 0, "number", 1), ("save_changes", 0, "add", 0)])
async def test_every_step_of_every_interleaving_is_right(length: int, steps: Any) -> None:
    start: Document = {
        "n": 1,
        "s": "s",
        "items": list(range(length)),
        "table": {"a": 1},
        "inner": {"x": 1, "y": 1},
        "names": [1],
        "e": 1,
    }
    first = await Shared.model_validate(start).save()
    machine = Machine([first, await Shared.get(first.key)], _copy(start))
    try:
        await machine.check()
        for action, which, kind, value in steps:
            await machine.step(action, which, kind, value)
            await machine.check()
    finally:
        for block in machine.blocks:
            if block is not None:
                await block.cancel()
