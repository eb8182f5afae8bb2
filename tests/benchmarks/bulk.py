"""Many documents: the time it takes, and the memory of loaded ones."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

from rapyer.models.loading import load_document
from tests.benchmarks.measure import Measure, Pair, Run, measure, sum_of, wall_of_each
from tests.benchmarks.models import Document, Plain
from tests.benchmarks.setting import Setting, values

_CHUNK = 200


@measure("bulk get of 1,000", "MGET in chunks + plain validate", 1.3, 1.0, unit="wall")
async def bulk_get(setting: Setting) -> Pair:
    raw = setting.raw
    await Document.insert(*[Document(**values()) for _ in range(1000)])
    keys = [str(key) for key in await Document.find_keys() if key != setting.key]

    async def ours() -> list[Document]:
        return await Document.find(*keys)

    async def theirs() -> list[Plain]:
        found = []
        for start in range(0, len(keys), _CHUNK):
            texts = await raw.execute_command("JSON.MGET", *keys[start : start + _CHUNK], ".")
            found += [Plain.model_validate_json(text) for text in texts]
        return found

    return Pair(wall_of_each(ours), wall_of_each(theirs))


@measure("bulk insert of 1,000", "MULTI of SETs + dump_json", 1.0, 0.6, unit="wall")
async def bulk_insert(setting: Setting) -> Pair:
    raw, content = setting.raw, values()

    async def empty() -> None:
        await raw.flushall()
        await setting.fresh()()

    async def ours() -> None:
        await Document.insert(*[Document(**content) for _ in range(1000)])

    async def theirs() -> None:
        pipe = raw.pipeline(transaction=True)
        for number in range(1000):
            text = Plain(**content).model_dump_json()
            pipe.execute_command("JSON.SET", f"Plain:{number}", "$", text)
        await pipe.execute()

    return Pair(wall_of_each(ours, empty, 1), wall_of_each(theirs, empty, 1))


@measure("find_keys over 100,000 of 200,000 keys", "raw SCAN COUNT 1000", 1.3, 1.0, unit="wall")
async def find_keys(setting: Setting) -> Pair:
    raw, expected = setting.raw, setting.keys // 2 + 1
    await raw.flushall()
    await setting.fresh()()
    for start in range(0, setting.keys, 10_000):
        pipe = raw.pipeline(transaction=False)
        for number in range(start, min(start + 10_000, setting.keys)):
            name = "Document" if number % 2 else "Other"
            pipe.execute_command("JSON.SET", f"{name}:{number}", "$", "{}")
        await pipe.execute()

    async def ours() -> None:
        _require(len(await Document.find_keys()), expected)

    async def theirs() -> None:
        found: set[bytes] = set()
        cursor = None
        while cursor != 0:
            cursor, keys = await raw.scan(cursor or 0, match="Document:*", count=1000)
            found.update(keys)
        _require(len(found), expected)

    return Pair(wall_of_each(ours), wall_of_each(theirs))


def _require(found: int, expected: int) -> None:
    if found != expected:
        raise RuntimeError(f"{found} keys were found instead of {expected}")


@measure(
    *("memory of 100,000 loaded models", "the same plain Pydantic models", 1.3, 1.1),
    unit="bytes",
    varies=False,
)
async def memory(setting: Setting) -> Pair:
    key, text = setting.key, setting.text
    return Pair(
        _bytes_of_each(lambda: load_document(Document, key, bytes(bytearray(text)))),
        _bytes_of_each(lambda: Plain.model_validate_json(text)),
    )


def _bytes_of_each(make: Callable[[], Any], count: int = 100_000) -> Run:
    async def once() -> float:
        tracemalloc.start()
        try:
            kept = [make() for _ in range(count)]
            return tracemalloc.get_traced_memory()[0] / len(kept)
        finally:
            tracemalloc.stop()

    return sum_of(once)


MEASURES: tuple[Measure, ...] = (bulk_get, bulk_insert, find_keys)
MEMORY: tuple[Measure, ...] = (memory,)
