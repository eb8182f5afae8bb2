"""How the time of an operation grows with the size of its document and with the number of keys: wall time."""

from __future__ import annotations

import statistics
from typing import Any

from redis.asyncio import Redis

from rapyer import AtomicRedisModel, init_rapyer, teardown_rapyer
from tests.benchmarks.measure import Run, Work, enough_times, nothing, wall_of_each
from tests.benchmarks.table import Row, markdown, quantity, shown

KILOBYTES = (1, 10, 100, 1_000, 10_000)
COUNTS = (1, 1_000, 100_000, 1_000_000)
_ITEM = "x" * 97
"""100 bytes as JSON, with its quotes and the comma."""
_LOADED_AT_ONCE = 10_000
_LONG_SECONDS = 1.0
"""What takes longer is not run again: it needs no repetition to be told from noise."""


class Log(AtomicRedisModel):
    title: str = ""
    views: int = 0
    items: list[str]


class Tiny(AtomicRedisModel):
    n: int = 0


async def measured(socket: str, raw: Redis, rounds: int, keys: int) -> tuple[list[Row], list[Row]]:
    """The rows of both tables; ``keys`` is the most keys."""
    await init_rapyer(f"unix://{socket}")
    try:
        sizes = [await _of_size(raw, size, rounds) for size in KILOBYTES]
        counts = [count for count in COUNTS if count < keys] + [keys]
        return sizes, [await _of_count(raw, count, rounds) for count in counts]
    finally:
        await teardown_rapyer()


async def _median(work: Work, rounds: int, before: Work = nothing, batch: int | None = None) -> Row:
    """The median of one operation in µs, and of how many rounds that is."""
    run: Run = wall_of_each(work, before, batch)
    first = await run(1)
    if first > _LONG_SECONDS:
        return {"us": round(first * 1e6, 1), "rounds": 1}
    times = await enough_times([run])
    found = [await run(times) / times for _ in range(rounds)]
    return {"us": round(statistics.median(found) * 1e6, 1), "rounds": rounds}


def _with_share(found: Row, name: str, count: int) -> Row:
    return {**found, name: round(found["us"] / count, 4)}


# -- documents ---------------------------------------------------------------------------------------


async def _of_size(raw: Redis, kilobytes: int, rounds: int) -> Row:
    await raw.flushall()
    count = kilobytes * 10
    document = await Log(items=[_ITEM] * count).save()
    key = str(document.key)
    text = await raw.execute_command("JSON.GET", key)

    async def fresh() -> None:
        await raw.execute_command("JSON.SET", key, "$", text)
        await document.load()

    async def three_changes() -> None:
        async with document.pipeline():
            document.views += 1
            document.title = "title"
            document.items.append("one more")

    # What appends does so to a list that is at most a tenth longer than it should be.
    batch = max(1, count // 10)
    return {
        "kilobytes": kilobytes,
        "save": _with_share(await _median(document.save, rounds), "us_per_kb", kilobytes),
        "get": _with_share(await _median(lambda: Log.get(key), rounds), "us_per_kb", kilobytes),
        "increase": await _median(lambda: document.views.increase(), rounds),
        "aappend": await _median(lambda: document.items.aappend("one more"), rounds, fresh, batch),
        "pipeline": await _median(three_changes, rounds, fresh, batch),
    }


# -- keys --------------------------------------------------------------------------------------------


async def _of_count(raw: Redis, count: int, rounds: int) -> Row:
    await raw.flushall()
    for start in range(0, count, _LOADED_AT_ONCE):
        pipe = raw.pipeline(transaction=False)
        for number in range(start, min(start + _LOADED_AT_ONCE, count)):
            pipe.execute_command("JSON.SET", f"Tiny:{number}", "$", f'{{"n":{number}}}')
        await pipe.execute()
    key = f"Tiny:{count // 2}"
    document = await Tiny.get(key)
    memory = (await raw.info("memory"))["used_memory"]

    async def keys() -> None:
        _require(len(await Tiny.find_keys()), count)

    async def ten_of_all() -> None:
        _require(len(await Tiny.find(Tiny.n >= 0).limit(10)), min(10, count))

    async def nine() -> None:
        # Fewer match than there may be results, so that all must be looked at.
        _require(len(await Tiny.find(Tiny.n < 9).limit(10)), min(9, count))

    return {
        "keys": count,
        "server_bytes": memory,
        "get": await _median(lambda: Tiny.get(key), rounds),
        "find_keys": _with_share(await _median(keys, rounds), "us_per_key", count),
        "find_10_all_match": await _median(ten_of_all, rounds),
        "find_10_only_9_match": _with_share(await _median(nine, rounds), "us_per_key", count),
        # Last, since it is the one that changes something.
        "increase": await _median(lambda: document.n.increase(), rounds),
    }


def _require(found: int, expected: int) -> None:
    if found != expected:
        raise RuntimeError(f"{found} were found instead of {expected}")


# -- tables ------------------------------------------------------------------------------------------


def tables(sizes: list[Row], counts: list[Row]) -> str:
    """Both tables: by the size of a document, and by the number of keys."""
    first = markdown(
        ("document", "save", "a KB", "get", "a KB", "increase", "aappend", "pipeline of 3"),
        [
            (
                f"{row['kilobytes']:,} KB",
                *_shared(row["save"], "us_per_kb"),
                *_shared(row["get"], "us_per_kb"),
                *(quantity(row[name]["us"]) for name in ("increase", "aappend", "pipeline")),
            )
            for row in sizes
        ],
    )
    second = markdown(
        (
            *("keys", "server memory", "get", "increase", "find_keys", "a key"),
            *("find 10, all match", "find 10, only 9 match", "a key"),
        ),
        [
            (
                f"{row['keys']:,}",
                f"{row['server_bytes'] / 1e6:,.0f} MB",
                *(quantity(row[name]["us"]) for name in ("get", "increase")),
                *_shared(row["find_keys"], "us_per_key"),
                quantity(row["find_10_all_match"]["us"]),
                *_shared(row["find_10_only_9_match"], "us_per_key"),
            )
            for row in counts
        ],
    )
    return f"{first}\n\n{second}"


def _shared(found: Any, name: str) -> tuple[str, str]:
    return quantity(found["us"]), shown(quantity(found[name]))
