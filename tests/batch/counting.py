"""A program that several processes run at once against one document: ``python -m tests.batch.counting``.

Its arguments are the server's URL, a role, the document's key and how often to do it. It prints what it
saw as one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Annotated, Any

from pydantic import Field

import rapyer
from rapyer import AtomicRedisModel
from rapyer.errors import PipelineError


class Tally(AtomicRedisModel):
    n: int = 0
    x: float = 0.0
    text: str = ""
    numbers: list[int] = [0, 0]
    items: list[str] = []
    table: dict[str, int] = {"k": 0, "back\\slash": 0}
    stock: Annotated[int, Field(ge=0)] = 10
    left: int = 0
    right: int = 0
    done: bool = False


async def add_in_pipelines(key: str, times: int) -> Any:
    tally = await Tally.get(key)
    for number in range(times):
        async with tally.pipeline():
            tally.n += 1
            tally.n -= 3
            tally.n += 4
            tally.x += 0.5
            tally.text += "ab"
            tally.numbers[0] += 1
            tally.numbers[-1] += 2
            tally.table["k"] += 3
            tally.table["back\\slash"] += 1
            tally.items.append(f"{number}")


async def increase(key: str, times: int) -> Any:
    tally = await Tally.get(key)
    return [int(await tally.n.increase()) for _ in range(times)]


async def buy(key: str, times: int) -> Any:
    """How many of ``times`` buyers at once got one."""

    async def attempt() -> bool:
        tally = await Tally.get(key)
        try:
            async with tally.pipeline():
                tally.items.append("bought")
                tally.stock -= 1
        except PipelineError:
            return False
        return True

    return sum(await asyncio.gather(*(attempt() for _ in range(times))))


async def watch(key: str, times: int) -> Any:
    """How many states were seen, and which of them were half a batch, until the document is done."""
    torn: list[Any] = []
    polls = 0
    print("watching", flush=True)
    while True:
        tally = await Tally.get(key)
        polls += 1
        if not (tally.left == tally.right == len(tally.items) == tally.table["k"]):
            torn.append(tally.model_dump())
        if tally.done:
            return {"polls": polls, "torn": torn}


ROLES = {role.__name__: role for role in (add_in_pipelines, increase, buy, watch)}


async def main(url: str, role: str, key: str, times: str) -> None:
    await rapyer.init_rapyer(url)
    result = await ROLES[role](key, int(times))
    print(json.dumps(result))
    await rapyer.teardown_rapyer()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
