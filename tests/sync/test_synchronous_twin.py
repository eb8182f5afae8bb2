"""Everything that can be awaited can be waited for, with the same promises; what a task has, a thread has."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

import rapyer
import rapyer.sync
from rapyer import errors
from rapyer.embedded import EmbeddedServer
from rapyer.embedded.wire import Wire
from rapyer.models.locks import Lock
from rapyer.sync.portal import PORTAL
from rapyer.sync.twin import GIVES_WHAT_IS_AWAITED, classes_with_twins
from tests.cli.conftest import Cli


class Inner(BaseModel):
    numbers: list[int] = []
    by_name: dict[str, list[int]] = {}


class Waiting(rapyer.sync.AtomicRedisModel):
    name: str = ""
    stock: int = Field(default=0, ge=0)
    tags: list[str] = []
    scores: dict[str, int] = {}
    inner: Inner = Inner()


class Awaited(rapyer.AtomicRedisModel):
    n: int = 0


Read = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def _initialised(rapyer_server: EmbeddedServer) -> Iterator[None]:
    rapyer_server.flush()
    rapyer.sync.init_rapyer(rapyer_server.url)
    yield
    rapyer.sync.teardown_rapyer()


@pytest.fixture
def stored(rapyer_server: EmbeddedServer) -> Read:
    """What the server has of a document."""

    def read(document: Any) -> Any:
        with Wire(rapyer_server.ensure_running()) as wire:
            text = wire.call("JSON.GET", document.key)
        return None if text is None else json.loads(text)

    return read


# -- the table -----------------------------------------------------------------------------------------


def test_every_asynchronous_method_has_a_twin() -> None:
    for cls in classes_with_twins():
        for name, member in vars(cls).items():
            function = getattr(member, "__func__", member)
            if not name.startswith("_"):
                assert not inspect.iscoroutinefunction(function), f"{cls.__name__}.{name}"


def test_whatever_gives_something_to_await_is_known() -> None:
    awaited = (
        "Find[",
        "AsyncGenerator",
        "AsyncIterator",
        "AsyncContextManager",
        "Pipeline",
        "Block",
    )
    for cls in classes_with_twins():
        for name, member in vars(cls).items():
            function = inspect.unwrap(getattr(member, "__func__", member))
            if name.startswith("_") or not inspect.isfunction(function):
                continue
            if any(word in str(function.__annotations__.get("return", "")) for word in awaited):
                assert {name, name.removeprefix("a")} & GIVES_WHAT_IS_AWAITED, name


def test_the_package_has_the_names_of_the_asynchronous_one() -> None:
    a_names = {
        name for name in rapyer.__all__ if name.startswith("a") and name[1:] in rapyer.__all__
    }
    assert set(rapyer.__all__) - a_names - {"Batch"} <= set(rapyer.sync.__all__)
    for name in set(rapyer.__all__) & set(rapyer.sync.__all__):
        assert not inspect.iscoroutinefunction(getattr(rapyer.sync, name)), name


# -- documents and fields ------------------------------------------------------------------------------


def test_documents_are_saved_read_changed_and_deleted(stored: Read) -> None:
    thing = Waiting(name="a", tags=["x"])
    assert thing.save() is thing
    assert Waiting.get(thing.key) == thing == rapyer.sync.get(thing.key)
    thing.aupdate(name="b", stock=2)
    thing.name = "c"
    thing.save_changes()
    assert stored(thing)["name"] == "c"
    copy = thing.duplicate()
    assert (copy.pk != thing.pk, copy.load() is copy) == (True, True)
    thing.set_ttl(50)
    assert Waiting.exists(thing.pk)
    thing.delete()
    assert stored(thing) is None
    with pytest.raises(errors.KeyNotFound):
        thing.load()


def test_fields_at_every_depth_wait_for_the_server(stored: Read) -> None:
    thing = Waiting(tags=["x"], inner=Inner(by_name={"a": [1]})).save()
    assert thing.stock.increase(5) == 5
    thing.tags.aappend("y")
    assert thing.tags.apop(0) == "x"
    thing.scores.aupdate(chess=3)
    assert thing.scores["chess"].increase() == 4
    thing.inner.numbers.aextend([1, 2])
    thing.inner.by_name["a"].ainsert(0, 7)
    thing.inner.aupdate(numbers=[9])
    thing.name = "kept"
    thing.name.save()
    assert stored(thing) == {
        "name": "kept",
        "stock": 5,
        "tags": ["y"],
        "scores": {"chess": 4},
        "inner": {"numbers": [9], "by_name": {"a": [7, 1]}},
    }
    assert thing.model_dump() == stored(thing)
    with pytest.raises(errors.ConstraintError):
        thing.stock.increase(-6)
    assert thing.stock == 5 == stored(thing)["stock"]


def test_documents_are_found_iterated_over_and_left_early() -> None:
    keys = Waiting.insert(*(Waiting(name=str(i), stock=i) for i in range(1000)))
    assert len(keys) == 1000
    search = Waiting.find(Waiting.stock >= 990).sort("-stock")
    assert [thing.stock for thing in search] == list(range(999, 989, -1))
    assert (search.count(), search.first().stock) == (10, 999)
    assert [thing.stock for thing in search.limit(2).offset(1)] == [998, 997]
    assert search.project("name").all()[0] == {"name": "999"}
    assert len(list(Waiting.find_keys())) == 1000 == len(list(rapyer.sync.find(*keys)))
    for _ in Waiting.find():
        break
    assert Waiting.find(Waiting.stock < 10).update(name="few") == 10
    assert Waiting.find_one(Waiting.name == "few").stock < 10
    assert Waiting.delete_many(Waiting.stock >= 0) == 1000


def test_changes_are_told_as_they_happen() -> None:
    thing = Waiting().save()
    changes = Waiting.changes(interval=0.01)
    with ThreadPoolExecutor(1) as others:
        told = others.submit(lambda: next(changes))
        count = 0
        while not told.done():
            count += 1
            thing.stock.increase()
    assert told.result().key == thing.key


# -- pipelines -----------------------------------------------------------------------------------------


def test_a_block_is_applied_as_a_whole_or_not_at_all(stored: Read) -> None:
    thing = Waiting(name="a").save()
    with thing.pipeline() as same:
        assert same is thing
        thing.stock += 2
        thing.tags.append("x")
        later = thing.stock.increase(3)
        thing.inner.by_name["k"] = [1]
        assert stored(thing)["stock"] == 0, "nothing is sent before the end"
    assert later.result() == 5
    assert (
        stored(thing)
        == thing.model_dump()
        == {
            "name": "a",
            "stock": 5,
            "tags": ["x"],
            "scores": {},
            "inner": {"numbers": [], "by_name": {"k": [1]}},
        }
    )
    before = stored(thing)
    with pytest.raises(errors.PipelineError):
        _sell_too_many(thing)
    with pytest.raises(ZeroDivisionError), thing.pipeline():
        thing.stock += 1 // 0
    assert stored(thing) == before == thing.model_dump()
    thing.stock += 1
    assert stored(thing) == before, "the block has ended"


def _sell_too_many(thing: Waiting) -> None:
    with rapyer.sync.pipeline():
        thing.name = "b"
        thing.stock -= 6


def test_statements_are_queued_as_what_they_do(stored: Read) -> None:
    thing, other = Waiting().save(), None
    other = Waiting.get(thing.key)
    with thing.pipeline():
        thing.stock += 1
        with ThreadPoolExecutor(1) as others:
            others.submit(other.stock.increase, 10).result()
    assert (stored(thing)["stock"], thing.stock) == (11, 11)


def test_blocks_of_two_threads_never_mix(stored: Read) -> None:
    barrier = threading.Barrier(2, timeout=20)
    thing = Waiting().save()

    def work(number: int) -> None:
        mine = Waiting.get(thing.key)
        for _ in range(30):
            try:
                with mine.pipeline():
                    barrier.wait()
                    mine.stock += 1
                    mine.tags.append(str(number))
                    barrier.wait()
                    if number:
                        raise InterruptedError
            except InterruptedError:
                pass
            barrier.wait()
            assert mine.tags == (["0"] * len(mine.tags))

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(work, range(2)))
    assert (stored(thing)["stock"], stored(thing)["tags"]) == (30, ["0"] * 30)


def test_a_thread_started_inside_a_block_is_no_part_of_it(stored: Read) -> None:
    thing = Waiting().save()
    with pytest.raises(InterruptedError):
        _start_a_thread(thing, stored)
    assert stored(thing)["name"] == "theirs"


def _start_a_thread(thing: Waiting, stored: Read) -> None:
    with thing.pipeline():
        thing.name = "mine"
        context = contextvars.copy_context()
        other = Waiting.get(thing.key)
        thread = threading.Thread(target=context.run, args=(_set_and_save, other))
        thread.start()
        thread.join()
        assert stored(thing)["name"] == "theirs"
        raise InterruptedError


def _set_and_save(thing: Waiting) -> None:
    thing.name = "theirs"
    thing.save_changes()


# -- locks ---------------------------------------------------------------------------------------------


def test_a_lock_has_one_thread_at_a_time() -> None:
    thing = Waiting().save()
    inside: list[int] = []

    def work(number: int) -> None:
        mine = Waiting.get(thing.key)
        for _ in range(5):
            with mine.lock():
                inside.append(number)
                mine.load()
                mine.stock += 1
                mine.save()
                assert inside == [number]
                inside.remove(number)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    assert thing.load().stock == 20
    with thing.lock("rename", save_at_end=True) as fresh:
        fresh.name = "renamed"
    assert Waiting.get(thing.key).name == "renamed"


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_lock_that_is_lost_stops_its_block(rapyer_server: EmbeddedServer, goes_on: bool) -> None:
    thing = Waiting().save()
    with pytest.raises(errors.LockError, match="was lost while it was held"):
        _hold_and_lose(thing, rapyer_server, goes_on=goes_on)
    assert Waiting().save().stock.increase() == 1, "the thread goes on"


def _hold_and_lose(thing: Waiting, server: EmbeddedServer, *, goes_on: bool) -> None:
    lost = threading.Event()
    with thing.lock(expiry=0.2) as lock:
        assert isinstance(lock, Lock)
        with Wire(server.ensure_running()) as wire:
            wire.call("FLUSHALL")
        while not lock.lost:
            lost.wait(0.01)
        while goes_on:
            Waiting.exists("nothing")


# -- threads, loops and processes ----------------------------------------------------------------------


async def test_a_thread_that_runs_a_loop_is_refused() -> None:
    thing = Waiting()
    with pytest.raises(errors.ConfigurationError, match="this thread runs an event loop"):
        thing.save()
    block = thing.pipeline()
    with pytest.raises(errors.ConfigurationError, match="this thread runs an event loop"):
        block.__enter__()
    assert (await asyncio.to_thread(thing.save)) is thing


def test_models_of_both_kinds_live_in_one_program(rapyer_server: EmbeddedServer) -> None:
    async def main() -> int:
        await rapyer.init_rapyer(rapyer_server.url)
        thing = await Awaited().save()
        async with thing.pipeline():
            thing.n += 1
        number = await thing.n.increase()
        await rapyer.teardown_rapyer()
        return number

    rapyer.sync.teardown_rapyer()
    assert asyncio.run(main()) == 2
    rapyer.sync.init_rapyer(rapyer_server.url)
    assert Waiting().save().stock.increase() == 1


def test_an_interruption_cancels_what_is_waited_for() -> None:
    thing = Waiting().save()
    with thing.lock():
        with ThreadPoolExecutor(1) as others:
            holds = others.submit(lambda: Waiting.get(thing.key))
            assert holds.result() == thing
        signal.signal(signal.SIGALRM, _interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt), thing.lock():
            pytest.fail("the lock is held already")
        assert thing.stock.increase() == 1
    with thing.lock(timeout=5):
        assert thing.stock.increase() == 2


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_the_task_of_a_thread_ends_with_it() -> None:
    assert PORTAL.loop is not None

    def tasks() -> int:
        return len(asyncio.all_tasks(PORTAL.loop))

    before = tasks()
    for _ in range(5):
        thread = threading.Thread(target=Waiting().save)
        thread.start()
        thread.join()
    del thread
    waited = threading.Event()
    for _ in range(500):
        if tasks() <= before:
            break
        waited.wait(0.01)
    assert tasks() <= before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_has_a_loop_and_connections_of_its_own(
    stored: Read, rapyer_server: EmbeddedServer
) -> None:
    """As the workers of Celery and gunicorn have: the models were set up before the fork."""
    thing = Waiting().save()
    process = multiprocessing.get_context("spawn").Process(
        target=_increase, args=(rapyer_server.url, thing.key)
    )
    process.start()
    process.join()
    assert process.exitcode == 0
    assert stored(thing)["stock"] == 100


def _increase(url: str, key: str) -> None:
    rapyer.sync.init_rapyer(url)
    thing = Waiting.get(key)
    child = os.fork()
    for _ in range(50):
        thing.stock.increase()
    if child == 0:
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    rapyer.sync.teardown_rapyer()


def test_the_current_context_is_that_of_the_caller() -> None:
    """As traces need it: a span that is open here is the parent of what the library opens."""
    trace: contextvars.ContextVar[str] = contextvars.ContextVar("trace", default="none")
    seen = []

    async def look() -> None:
        seen.append(trace.get())

    trace.set("mine")
    PORTAL.run(look())
    trace.set("another")
    PORTAL.run(look())
    assert seen == ["mine", "another"]


def test_the_shell_works_on_synchronous_models(
    tmp_path: Path, rapyer_url: str, stored: Read
) -> None:
    models = tmp_path / "waiting_models.py"
    models.write_text(
        "from rapyer.sync import AtomicRedisModel\n"
        "class Shown(AtomicRedisModel):\n    n: int = 0\n    tags: list[str] = []\n"
    )
    environ = {
        "HOME": str(tmp_path),
        "RAPYER_URL": rapyer_url,
        "RAPYER_MODELS": str(models),
        "TERM": "dumb",
    }
    cli = Cli(tmp_path, environ)
    assert cli("new", "Shown:1", "n=4").code == 0
    assert cli("increase", "Shown:1/n", "2").json == 6
    assert cli("append", "Shown:1/tags", "a").code == 0
    assert cli("find", "Shown", "n > 5").json["document"] == {"n": 6, "tags": ["a"]}
    assert cli("undo").code == 0
    assert cli("check").code == 0
    assert cli("del", "Shown", "where", "n == 6", "--yes").code == 0
