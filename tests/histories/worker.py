"""A process that works on the ledger: ``python -m tests.histories.worker URL NAME SEED SECONDS``.

Each operation is a line of JSON before it begins and one when it has ended, so that of an operation during which the
process is killed at least the beginning is known.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import rapyer
from rapyer import errors
from tests.histories.documents import Ledger, Own

TASKS = 3
T = TypeVar("T")


class Worker:
    """One task: its own instance of the ledger, and a document of its own."""

    def __init__(self, name: str, seed: int, ledger: Ledger) -> None:
        self.name, self.ledger = name, ledger
        self.chance = random.Random(seed)
        self.own = Own(name=name)
        self.count = 0
        self.is_unknown = False
        """Whether a write of its own document was sent whose fate nobody knows."""

    def token(self) -> str:
        self.count += 1
        return f"{self.name}.{self.count}"

    async def run(self, seconds: float) -> None:
        while await self.recorded("own", self.save_own) != "ok":
            pass
        end = time.monotonic() + seconds
        kinds = ["increase", "append", "pop", "batch", "read", "watch", "lock", "change_own"]
        while time.monotonic() < end:
            kind = self.chance.choice(kinds)
            await getattr(self, kind)()

    async def save_own(self) -> None:
        await self.own.save()

    async def recorded(
        self, kind: str, work: Callable[[], Awaitable[Any]], given: Any = None
    ) -> str:
        """Do it, and write down what came of it: ``ok``, ``no`` (nothing was done) or ``unknown``."""
        number = self.token()
        say(kind=kind, number=number, began=time.monotonic(), given=given)
        value = None
        try:
            value = await work()
            outcome = "ok"
        except (errors.OutcomeUnknownError, errors.AppliedError):
            outcome = "unknown"
        except (errors.RapyerError, OSError) as error:
            outcome, value = "no", f"{type(error).__name__}: {error}"
        say(number=number, ended=time.monotonic(), outcome=outcome, value=value)
        if outcome != "ok":
            await asyncio.sleep(0.005)
        return outcome

    async def increase(self) -> None:
        amount = self.chance.randint(1, 3)
        await self.recorded("increase", lambda: self.ledger.counter.increase(amount), amount)

    async def append(self) -> None:
        token = self.token()
        await self.recorded("append", lambda: self.ledger.appended.aappend(token), token)

    async def pop(self) -> None:
        await self.recorded("pop", lambda: self.ledger.queue.apop(0))

    async def batch(self) -> None:
        token = self.token()

        async def work() -> None:
            async with self.ledger.pipeline():
                self.ledger.left += 1
                self.ledger.entries[token] = 1
                self.ledger.right += 1

        await self.recorded("batch", work, token)

    async def read(self) -> None:
        async def work() -> list[int]:
            seen = await Ledger.get(self.ledger.key)
            return [int(seen.left), int(seen.right), len(seen.entries)]

        await self.recorded("read", work)

    async def watch(self) -> None:
        async def work() -> None:
            async with self.ledger.pipeline(watch=True):
                self.ledger.watched = int(self.ledger.watched) + 1

        await self.recorded("watch", work)

    async def lock(self) -> None:
        async def work() -> list[float]:
            async with self.ledger.lock(timeout=2, expiry=10):
                began = time.monotonic()
                seen = await Ledger.get(self.ledger.key)
                await asyncio.sleep(0)
                await self.ledger.aupdate(locked=int(seen.locked) + 1)
                return [began, time.monotonic()]

        await self.recorded("lock", work)

    async def change_own(self) -> None:
        own, number = self.own, self.chance.randint(0, 99)

        async def work() -> None:
            kind = number % 4
            if kind == 0:
                await own.n.increase(number)
            elif kind == 1:
                await own.items.aappend(number)
            elif kind == 2:
                await own.table.aset_item(str(number % 5), number)
            else:
                async with own.pipeline():
                    own.n += 1
                    own.items.append(number)
                    own.table["p"] = number

        if await self.recorded("own", work) == "unknown":
            self.is_unknown = True

        async def compare() -> list[Any]:
            if self.is_unknown:  # until it is written again, which may take several attempts
                await own.save_changes()
                self.is_unknown = False
            stored = await Own.get(own.key)
            return [own.model_dump(), stored.model_dump()]

        await self.recorded("compare", compare)


def say(**line: Any) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def until_it_works(work: Callable[[], Awaitable[T]]) -> T:
    """The connection may break from the beginning."""
    while True:
        try:
            return await work()
        except errors.ConnectionError:
            await asyncio.sleep(0.005)


async def main(url: str, name: str, seed: str, seconds: str) -> None:
    await until_it_works(lambda: rapyer.init_rapyer(url))
    shared = await until_it_works(lambda: Ledger.get("Ledger:shared"))
    workers = []
    for number in range(TASKS):
        # two tasks share an instance, the third has one of its own
        ledger = shared
        if number == 2:
            ledger = await until_it_works(lambda: Ledger.get("Ledger:shared"))
        workers.append(Worker(f"{name}.{number}", int(seed) * TASKS + number, ledger))
    say(ready=True)
    await asyncio.to_thread(sys.stdin.readline)  # until all others are ready, too
    await asyncio.gather(*(worker.run(float(seconds)) for worker in workers))
    await rapyer.teardown_rapyer()
    say(done=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
