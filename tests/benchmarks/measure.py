"""How something is measured: pairs of runs, their clocks, and the turns they take. What is measured is elsewhere."""

from __future__ import annotations

import asyncio
import gc
import math
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.setting import Setting

Work = Callable[[], Awaitable[Any]]
Run = Callable[[int], Awaitable[float]]
"""Does something so many times; what all of them cost, in seconds or bytes."""

LEAST_SECONDS = 0.030
_MOST_GROWTH = 20


@dataclass
class Pair:
    """Both sides of a measure; ``yardstick`` None where there is nothing to compare with.

    :ivar operations: how many operations one time of a run is, to give the cost of one.
    :ivar same: whether both do the same to the setting's document, which is checked.
    """

    ours: Run
    yardstick: Run | None = None
    operations: int = 1
    same: bool = False


@dataclass(frozen=True)
class Measure:
    """A row of the table.

    :ivar unit: ``cpu`` and ``wall`` for seconds of the client's CPU or of the wall, or ``bytes``.
    :ivar varies: whether another round may give another result.
    """

    name: str
    yardstick: str | None
    target: float | None
    stretch: float | None
    unit: str
    varies: bool
    setup: Callable[[Setting], Awaitable[Pair]]


def measure(
    name: str,
    yardstick: str | None,
    target: float | None = None,
    stretch: float | None = None,
    *,
    unit: str = "cpu",
    varies: bool = True,
) -> Callable[[Callable[[Setting], Awaitable[Pair]]], Measure]:
    """Make a measure of the function that sets it up."""

    def make(setup: Callable[[Setting], Awaitable[Pair]]) -> Measure:
        return Measure(name, yardstick, target, stretch, unit, varies, setup)

    return make


# -- clocks ------------------------------------------------------------------------------------------


async def nothing() -> None:
    """What is to be done before something that needs no preparation."""


def cpu_of_calls(function: Callable[[], Any]) -> Run:
    """The CPU of a function that does not wait."""

    async def run(times: int) -> float:
        gc.collect()
        begin = time.process_time()
        for _ in range(times):
            function()
        return time.process_time() - begin

    return run


def _each(clock: Callable[[], float], work: Work, before: Work, batch: int | None) -> Run:
    async def run(times: int) -> float:
        spent, left = 0.0, times
        while left:
            some = min(left, batch or left)
            await before()
            if left == times:
                gc.collect()
            begin = clock()
            for _ in range(some):
                await work()
            spent += clock() - begin
            left -= some
        return spent

    return run


def cpu_of_each(work: Work, before: Work = nothing, batch: int | None = None) -> Run:
    """The client's CPU of ``work``, one after the other.

    :param before: done outside the clock, at the start and after every ``batch`` times.
    """
    return _each(time.process_time, work, before, batch)


def wall_of_each(work: Work, before: Work = nothing, batch: int | None = None) -> Run:
    """The time that ``work`` takes, one after the other; ``before`` as in :func:`cpu_of_each`."""
    return _each(time.perf_counter, work, before, batch)


def at_once(work: Work, tasks: int) -> Work:
    """``work`` in so many tasks at the same time; the list of results."""

    async def run() -> list[Any]:
        return await asyncio.gather(*(work() for _ in range(tasks)))

    return run


def sum_of(once: Callable[[], Awaitable[float]]) -> Run:
    """The run of something that knows itself what it costs."""

    async def run(times: int) -> float:
        gc.collect()
        return sum([await once() for _ in range(times)])

    return run


# -- turns -------------------------------------------------------------------------------------------


@dataclass
class Costs:
    """What one operation cost in each round."""

    ours: list[float] = field(default_factory=list)
    yardstick: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """One a round; none without a yardstick."""
        return [ours / theirs for ours, theirs in zip(self.ours, self.yardstick, strict=False)]

    @property
    def ratio(self) -> float | None:
        """The median of the rounds' ratios."""
        return statistics.median(self.ratios) if self.ratios else None

    @property
    def ratio_of_fastest(self) -> float | None:
        """That of each side's cheapest round, which other programs on the machine disturbed least."""
        return min(self.ours) / min(self.yardstick) if self.yardstick else None


async def check(measure: Measure, setting: Setting, pair: Pair) -> None:
    """Run both sides once, and see to it that they do the same where they should."""
    outcomes = []
    for run in (pair.ours, pair.yardstick):
        if run is not None:
            await run(1)
            outcomes.append(await setting.stored())
    if pair.same and len(set(outcomes)) != 1:
        raise RuntimeError(f"{measure.name}: the two sides differ in what they store: {outcomes}")


async def enough_times(runs: list[Run]) -> int:
    """How often something must be done for the shortest run to last long enough for its clock."""
    times = 1
    while (shortest := min([await run(times) for run in runs])) < LEAST_SECONDS:
        factor = 1.3 * LEAST_SECONDS / shortest if shortest else _MOST_GROWTH
        times = max(times + 1, math.ceil(times * min(factor, _MOST_GROWTH)))
    return times


async def take_turns(measure: Measure, setting: Setting, rounds: int) -> Costs:
    """Measure for so many rounds, every other one beginning with the yardstick."""
    pair = await measure.setup(setting)
    costs = Costs()
    sides = [(pair.ours, costs.ours)]
    if pair.yardstick is not None:
        sides.append((pair.yardstick, costs.yardstick))
    times = 1
    if measure.varies:
        await check(measure, setting, pair)
        if measure.unit != "bytes":
            times = await enough_times([run for run, _ in sides])
    for number in range(rounds if measure.varies else 1):
        for run, found in reversed(sides) if number % 2 else sides:
            found.append(await run(times) / (times * pair.operations))
    return costs
