"""Many tasks at the same time: the time until all are done, and the memory they need meanwhile."""

from __future__ import annotations

import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

from tests.benchmarks.measure import Measure, Pair, Work, at_once, measure, sum_of, wall_of_each
from tests.benchmarks.models import Document
from tests.benchmarks.setting import Setting

_TASKS = 1000


@measure("100 concurrent increase", "the same through execute_command", 0.5, 0.35, unit="wall")
async def concurrent_increase(setting: Setting) -> Pair:
    document, raw, key = setting.document, setting.raw, setting.key
    ours = at_once(lambda: document.views.increase(), 100)
    theirs = at_once(lambda: raw.execute_command("JSON.NUMINCRBY", key, "$.views", "1"), 100)
    fresh = setting.fresh()
    return Pair(wall_of_each(ours, fresh), wall_of_each(theirs, fresh), operations=100, same=True)


@measure("100 concurrent get", "the same through execute_command", 0.5, 0.35, unit="wall")
async def concurrent_get(setting: Setting) -> Pair:
    raw, key, fresh = setting.raw, setting.key, setting.fresh()
    ours = at_once(lambda: Document.get(key), 100)
    theirs = at_once(lambda: raw.execute_command("JSON.GET", key), 100)
    return Pair(wall_of_each(ours, fresh), wall_of_each(theirs, fresh), operations=100, same=True)


# -- 1,000 tasks: all succeed, and the counter is exact ----------------------------------------------


def _thousand_increases(setting: Setting) -> Work:
    """1,000 tasks that increase one counter, checked."""
    document = setting.document
    increases = at_once(lambda: document.views.increase(), _TASKS)

    async def run() -> None:
        before = int(document.views)
        counted = sorted(await increases())
        stored = await setting.raw.execute_command("JSON.GET", setting.key, ".views")
        expected = list(range(before + 1, before + _TASKS + 1))
        if counted != expected or int(stored) != expected[-1] or document.views != expected[-1]:
            raise RuntimeError(f"{before} and {_TASKS} increases gave {stored!r}")

    return run


def _thousand_gets(setting: Setting) -> Work:
    """1,000 tasks that read one document, checked."""
    key = setting.key
    gets = at_once(lambda: Document.get(key), _TASKS)

    async def run() -> None:
        if any(found != setting.document for found in await gets()):
            raise RuntimeError("a task got another document")

    return run


def _peak_of(work: Work, before: Work) -> Callable[[], Awaitable[float]]:
    async def once() -> float:
        await before()
        await work()  # opens the connections, which stay
        tracemalloc.start()
        try:
            await work()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return once


def _thousand(name: str, work: Callable[[Setting], Work]) -> tuple[Measure, Measure]:
    async def seconds(setting: Setting) -> Pair:
        return Pair(wall_of_each(work(setting), setting.fresh()), operations=_TASKS)

    async def memory(setting: Setting) -> Pair:
        once: Any = _peak_of(work(setting), setting.fresh())
        return Pair(sum_of(once), operations=_TASKS)

    title = f"1,000 tasks at once, {name}"
    return (
        measure(title, None, unit="wall")(seconds),
        measure(f"{title}: peak memory a task", None, unit="bytes")(memory),
    )


MEASURES: tuple[Measure, ...] = (
    *(concurrent_increase, concurrent_get),
    *_thousand("increase", _thousand_increases),
    *_thousand("get", _thousand_gets),
)
