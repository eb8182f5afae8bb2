"""The measures: what is compared with what."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import redis.asyncio
from pydantic import BaseModel
from redis.asyncio import BlockingConnectionPool, Redis

from rapyer import AtomicRedisModel, init_rapyer, teardown_rapyer


class Nested(BaseModel):
    name: str = "nested"
    value: int = 1


class Document(AtomicRedisModel):
    title: str
    body: str
    views: int
    score: float
    data: bytes
    at: datetime
    tags: list[str]
    counts: dict[str, int]
    nested: Nested
    likes: int


class Plain(BaseModel):
    title: str
    body: str
    views: int
    score: float
    data: bytes
    at: datetime
    tags: list[str]
    counts: dict[str, int]
    nested: Nested
    likes: int


def values() -> dict[str, Any]:
    return {
        "title": "A title of some length",
        "body": "x" * 120,
        "views": 5,
        "score": 1.5,
        "data": b"0123456789",
        "at": datetime(2024, 5, 1, 12, 0, 0, 123456, tzinfo=UTC),
        "tags": [f"tag {i}" for i in range(20)],
        "counts": {f"counter{i}": i for i in range(20)},
        "nested": Nested(),
        "likes": 7,
    }


@dataclass
class Pair:
    """Two coroutine functions that run once and return seconds per operation."""

    ours: Callable[[], Awaitable[float]]
    yardstick: Callable[[], Awaitable[float]]


@dataclass
class Measure:
    name: str
    yardstick: str
    target: float
    stretch: float
    setup: Callable[[Setting], Awaitable[Pair]]


@dataclass
class Setting:
    socket: str
    raw: Redis
    document: Document
    text: bytes

    async def close(self) -> None:
        await self.raw.aclose()
        await teardown_rapyer()


async def prepare(socket: str) -> Setting:
    pool = BlockingConnectionPool(
        connection_class=redis.asyncio.UnixDomainSocketConnection,
        path=socket,
        max_connections=100,
        timeout=None,
    )
    raw = Redis(connection_pool=pool)
    await init_rapyer(f"unix://{socket}")
    document = await Document(**values()).save()
    text = await raw.execute_command("JSON.GET", document.key)
    return Setting(socket, raw, document, text)


MEASURES: list[Measure] = []


def measure(name: str, yardstick: str, target: float, stretch: float) -> Callable[[Any], Any]:
    def add(setup: Callable[[Setting], Awaitable[Pair]]) -> Any:
        MEASURES.append(Measure(name, yardstick, target, stretch, setup))
        return setup

    return add


def cpu_of(function: Callable[[], Any], times: int) -> Callable[[], Awaitable[float]]:
    async def run() -> float:
        begin = time.process_time()
        for _ in range(times):
            function()
        return (time.process_time() - begin) / times

    return run


def cpu_of_each(
    function: Callable[[], Awaitable[Any]], times: int
) -> Callable[[], Awaitable[float]]:
    async def run() -> float:
        begin = time.process_time()
        for _ in range(times):
            await function()
        return (time.process_time() - begin) / times

    return run


def wall_of_all(
    function: Callable[[], Awaitable[Any]], times: int
) -> Callable[[], Awaitable[float]]:
    async def run() -> float:
        begin = time.perf_counter()
        await asyncio.gather(*(function() for _ in range(times)))
        return (time.perf_counter() - begin) / times

    return run


def wall_of(function: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[float]]:
    async def run() -> float:
        begin = time.perf_counter()
        await function()
        return time.perf_counter() - begin

    return run


# -- one document ------------------------------------------------------------------------------------


@measure("construct a model", "the same plain Pydantic model", 2.0, 1.5)
async def construct(setting: Setting) -> Pair:
    content = values()
    return Pair(cpu_of(lambda: Document(**content), 3000), cpu_of(lambda: Plain(**content), 3000))


@measure("load a model from JSON bytes", "plain model_validate_json", 1.6, 1.3)
async def load(setting: Setting) -> Pair:
    from rapyer.documents import load_document

    key, text = setting.document.key, setting.text
    plain = Plain(**values()).model_dump_json()
    return Pair(
        cpu_of(lambda: load_document(Document, key, text), 3000),
        cpu_of(lambda: Plain.model_validate_json(plain), 3000),
    )


@measure("save", "raw JSON.SET of a ready string", 1.25, 1.1)
async def save(setting: Setting) -> Pair:
    document, raw, text, key = (
        setting.document,
        setting.raw,
        setting.text,
        str(setting.document.key),
    )
    return Pair(
        cpu_of_each(document.save, 500),
        cpu_of_each(lambda: raw.execute_command("JSON.SET", key, "$", text), 500),
    )


@measure("get", "raw JSON.GET", 1.30, 1.1)
async def get(setting: Setting) -> Pair:
    raw, key = setting.raw, str(setting.document.key)
    return Pair(
        cpu_of_each(lambda: Document.get(key), 500),
        cpu_of_each(lambda: raw.execute_command("JSON.GET", key), 500),
    )


@measure("increase", "raw JSON.NUMINCRBY", 1.20, 1.05)
async def increase(setting: Setting) -> Pair:
    document, raw, key = setting.document, setting.raw, str(setting.document.key)
    return Pair(
        cpu_of_each(lambda: document.views.increase(), 500),
        cpu_of_each(lambda: raw.execute_command("JSON.NUMINCRBY", key, "$.views", "1"), 500),
    )


@measure("aappend + apop", "raw JSON.ARRAPPEND + JSON.ARRPOP", 1.20, 1.05)
async def append_and_pop(setting: Setting) -> Pair:
    document, raw, key = setting.document, setting.raw, str(setting.document.key)

    async def ours() -> None:
        await document.tags.aappend("one more")
        await document.tags.apop()

    async def theirs() -> None:
        await raw.execute_command("JSON.ARRAPPEND", key, "$.tags", '"one more"')
        await raw.execute_command("JSON.ARRPOP", key, "$.tags", "-1")

    return Pair(cpu_of_each(ours, 300), cpu_of_each(theirs, 300))


@measure("aset_item", "raw JSON.SET of the entry", 1.20, 1.05)
async def set_item(setting: Setting) -> Pair:
    document, raw, key = setting.document, setting.raw, str(setting.document.key)
    return Pair(
        cpu_of_each(lambda: document.counts.aset_item("counter3", 3), 500),
        cpu_of_each(lambda: raw.execute_command("JSON.SET", key, "$.counts.counter3", "3"), 500),
    )


@measure("pipeline() of 10 changes", "redis-py MULTI/EXEC of the same 10", 1.0, 0.7)
async def pipeline_of_ten(setting: Setting) -> Pair:
    document, raw, key = setting.document, setting.raw, str(setting.document.key)

    async def ours() -> None:
        async with document.pipeline():
            document.views += 1
            document.likes += 1
            document.score += 1
            document.title = "title"
            document.body = "body"
            document.counts["counter1"] = 5
            document.counts["counter2"] += 1
            document.nested.value += 1
            document.nested.name = "z"
            document.data = b"x"

    async def theirs() -> None:
        pipe = raw.pipeline(transaction=True)
        for field in ("views", "likes", "score", "counts.counter2", "nested.value"):
            pipe.execute_command("JSON.NUMINCRBY", key, f"$.{field}", "1")
        for field in ("title", "body", "nested.name", "data"):
            pipe.execute_command("JSON.SET", key, f"$.{field}", '"text"')
        pipe.execute_command("JSON.SET", key, "$.counts.counter1", "5")
        await pipe.execute()

    return Pair(cpu_of_each(ours, 200), cpu_of_each(theirs, 200))


# -- many documents ----------------------------------------------------------------------------------


@measure("bulk get of 1,000", "MGET in chunks + plain validate", 1.3, 1.0)
async def bulk_get(setting: Setting) -> Pair:
    raw = setting.raw
    documents = [Document(**values()) for _ in range(1000)]
    await Document.insert(*documents)
    keys = [str(document.key) for document in documents]

    async def ours() -> None:
        await Document.find(*keys)

    async def theirs() -> None:
        for start in range(0, 1000, 200):
            for text in await raw.execute_command("JSON.MGET", *keys[start : start + 200], "."):
                Plain.model_validate_json(text)

    return Pair(wall_of(ours), wall_of(theirs))


@measure("bulk insert of 1,000", "MULTI of SETs + dump_json", 1.0, 0.6)
async def bulk_insert(setting: Setting) -> Pair:
    raw = setting.raw
    content = values()

    async def ours() -> None:
        await Document.insert(*[Document(**content) for _ in range(1000)])

    async def theirs() -> None:
        pipe = raw.pipeline(transaction=True)
        for number in range(1000):
            pipe.execute_command(
                "JSON.SET", f"Plain:{number}", "$", Plain(**content).model_dump_json()
            )
        await pipe.execute()
        await raw.delete(*[f"Plain:{number}" for number in range(1000)])

    async def cleaning() -> float:
        begin = time.perf_counter()
        await ours()
        spent = time.perf_counter() - begin
        await Document.delete_many()
        await setting.document.save()
        return spent

    return Pair(cleaning, wall_of(theirs))


@measure("find_keys over 100,000 of 200,000 keys", "raw SCAN COUNT 1000", 1.3, 1.0)
async def find_keys(setting: Setting) -> Pair:
    raw = setting.raw
    for start in range(0, 200_000, 10_000):
        pipe = raw.pipeline(transaction=False)
        for number in range(start, start + 10_000):
            name = "Document" if number % 2 else "Other"
            pipe.execute_command("JSON.SET", f"{name}:{number}", "$", "{}")
        await pipe.execute()

    async def ours() -> None:
        count = len(await Document.find_keys())
        assert count >= 100_000, count

    async def theirs() -> None:
        found = set()
        cursor = 0
        while True:
            cursor, keys = await raw.scan(cursor, match="Document:*", count=1000)
            found.update(keys)
            if not int(cursor):
                break

    async def cleaned() -> float:
        return await wall_of(theirs)()

    return Pair(wall_of(ours), cleaned)


# -- concurrency -------------------------------------------------------------------------------------


@measure("100 concurrent increase", "the same through execute_command", 0.5, 0.35)
async def concurrent_increase(setting: Setting) -> Pair:
    document, raw, key = setting.document, setting.raw, str(setting.document.key)
    await document.save()
    return Pair(
        wall_of_all(lambda: document.views.increase(), 100),
        wall_of_all(lambda: raw.execute_command("JSON.NUMINCRBY", key, "$.views", "1"), 100),
    )


@measure("100 concurrent get", "the same through execute_command", 0.5, 0.35)
async def concurrent_get(setting: Setting) -> Pair:
    raw, key = setting.raw, str(setting.document.key)
    await setting.document.save()
    return Pair(
        wall_of_all(lambda: Document.get(key), 100),
        wall_of_all(lambda: raw.execute_command("JSON.GET", key), 100),
    )


# -- processes and memory ----------------------------------------------------------------------------

IMPORT_BASE = "import pydantic, redis"


def process(
    *arguments: str, environment: dict[str, str] | None = None
) -> Callable[[], Awaitable[float]]:
    async def run() -> float:
        begin = time.perf_counter()
        subprocess.run(
            [sys.executable, *arguments],
            check=True,
            capture_output=True,
            env={**os.environ, **(environment or {})},
            cwd=Path(__file__).parents[2],
        )
        return time.perf_counter() - begin

    return run


def whole(name: str, target: float, stretch: float, *arguments: str) -> None:
    async def setup(setting: Setting) -> Pair:
        await setting.document.save()
        environment = {"RAPYER_URL": f"unix://{setting.socket}"}
        given = [argument.replace("KEY", str(setting.document.key)) for argument in arguments]
        return Pair(process(*given, environment=environment), process("-c", IMPORT_BASE))

    MEASURES.append(Measure(name, f"python -c '{IMPORT_BASE}'", target, stretch, setup))


whole("import of the library", 1.25, 1.05, "-c", "from rapyer import AtomicRedisModel")
whole(
    "rapyer get KEY/views, whole process",
    *(1.4, 1.0),
    *("-m", "rapyer_cli", "-m", "tests.benchmarks.measures", "get", "KEY/views"),
)
whole("rapyer --version", 0.3, 0.15, "-m", "rapyer_cli", "--version")
whole("rapyer --help", 0.9, 0.5, "-m", "rapyer_cli", "--help")


@measure("memory of 100,000 loaded models", "the same plain Pydantic models", 1.3, 1.1)
async def memory(setting: Setting) -> Pair:
    from rapyer.documents import load_document

    key, text = str(setting.document.key), setting.text
    plain = Plain(**values()).model_dump_json()

    def bytes_of(make: Callable[[], Any]) -> Callable[[], Awaitable[float]]:
        async def run() -> float:
            tracemalloc.start()
            kept = [make() for _ in range(5000)]
            size = tracemalloc.get_traced_memory()[0] / len(kept)
            tracemalloc.stop()
            return size / 1e6

        return run

    return Pair(
        bytes_of(lambda: load_document(Document, key, bytes(bytearray(text)))),
        bytes_of(lambda: Plain.model_validate_json(plain)),
    )
