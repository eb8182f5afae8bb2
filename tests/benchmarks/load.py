"""``python -m tests.benchmarks --load [--seconds 60]``: a thousand tasks for a minute, ours and redis-py in turns.

Both do the same mixture on the same number of documents: read, count up, append and pop, set an entry, and a batch of
three. What it takes each, how long one waits (most, one in a hundred, one in a thousand), what failed, and whether the
memory of the process grows between the first and the last tenth of the time (where the system tells it).
"""

from __future__ import annotations

import asyncio
import gc
import random
import resource
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from tests.benchmarks.models import Document
from tests.benchmarks.setting import values

TASKS = 1000
DOCUMENTS = 100
_SLICES = 10

Operations = Sequence[Callable[[Any], Awaitable[Any]]]


@dataclass
class Outcome:
    """What one side did. Times are in seconds, memory in bytes."""

    name: str
    seconds: float = 0.0
    cpu: float = 0.0
    waits: list[float] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)
    memory: list[int] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """How long no more than that share waited longer than."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

    def row(self) -> str:
        """One line of the table."""
        ms = [f"{self.percentile(share) * 1e3:.0f}" for share in (0.5, 0.99, 0.999)]
        grown = (self.memory[-1] - self.memory[0]) / 1024
        failed = ", ".join(f"{n} {name}" for name, n in self.errors.items()) or "0"
        rate = len(self.waits) / self.seconds
        cpu = self.cpu / len(self.waits) * 1e6
        cells = (self.name, f"{rate:,.0f}", f"{cpu:.0f} µs", *ms, failed, f"{grown:+,.0f} KiB")
        return f"| {' | '.join(cells)} |"


async def _batch(document: Document) -> None:
    async with document.pipeline():
        document.views += 1
        document.title = "title"
        document.counts["counter2"] += 1


OURS: Operations = (
    lambda document: Document.get(document.key),
    lambda document: document.views.increase(),
    lambda document: document.tags.aappend("one more"),
    lambda document: document.tags.apop(),
    lambda document: document.counts.aset_item("counter3", 9),
    _batch,
)


def _theirs(raw: Redis) -> Operations:
    async def batch(key: str) -> None:
        pipe = raw.pipeline(transaction=True)
        pipe.execute_command("JSON.NUMINCRBY", key, "$.views", "1")
        pipe.execute_command("JSON.SET", key, "$.title", '"title"')
        pipe.execute_command("JSON.NUMINCRBY", key, "$.counts.counter2", "1")
        await pipe.execute()

    send = raw.execute_command
    return (
        lambda key: send("JSON.GET", key),
        lambda key: send("JSON.NUMINCRBY", key, "$.views", "1"),
        lambda key: send("JSON.ARRAPPEND", key, "$.tags", '"one more"'),
        lambda key: send("JSON.ARRPOP", key, "$.tags", "-1"),
        lambda key: send("JSON.SET", key, "$.counts.counter3", "9"),
        batch,
    )


async def loaded(raw: Redis, seconds: float) -> list[Outcome]:
    """Let each side work for so long."""
    documents = [await Document(**values()).save() for _ in range(DOCUMENTS)]
    outcomes = []
    for name, operations, subjects in (
        ("redis-py", _theirs(raw), [document.key for document in documents]),
        ("rapyer", OURS, documents),
    ):
        outcomes.append(await _side(Outcome(name), operations, subjects, seconds))
    return outcomes


def _resident() -> int:
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * resource.getpagesize() if statm.exists() else 0


async def _side(
    outcome: Outcome, operations: Operations, subjects: Sequence[Any], seconds: float
) -> Outcome:
    begin, cpu = time.perf_counter(), time.process_time()
    end = begin + seconds

    async def task(seed: int) -> None:
        chance = random.Random(seed)
        while (now := time.perf_counter()) < end:
            try:
                await chance.choice(operations)(chance.choice(subjects))
            except Exception as error:
                kind = type(error).__name__
                outcome.errors[kind] = outcome.errors.get(kind, 0) + 1
            outcome.waits.append(time.perf_counter() - now)

    async def weigh() -> None:
        while True:
            await asyncio.sleep(seconds / _SLICES)
            gc.collect()
            own = outcome.waits.__sizeof__() + len(outcome.waits) * 24
            outcome.memory.append(_resident() - own)

    weighing = asyncio.create_task(weigh())
    await asyncio.gather(*map(task, range(TASKS)))
    weighing.cancel()
    outcome.seconds, outcome.cpu = time.perf_counter() - begin, time.process_time() - cpu
    return outcome


def in_words(outcomes: Sequence[Outcome]) -> str:
    """The table."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    head = "| | a second | client CPU | half wait ms | 99 % | 99.9 % | failed | memory |"
    lines = [head, "|" + " --- |" * 8, *(outcome.row() for outcome in outcomes)]
    return "\n".join(lines) + f"\n\n{TASKS} tasks, {DOCUMENTS} documents; peak {peak:.0f} MiB"
