"""What the measures share: one server, both clients, one stored document. What is measured is elsewhere."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from rapyer import init_rapyer, teardown_rapyer
from tests.benchmarks.models import Document, Nested


def values() -> dict[str, Any]:
    """The content of a document of about 800 bytes."""
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
class Setting:
    """The server and what is on it.

    :ivar raw: the yardstick's client: redis-py as a careful user sets it up.
    :ivar document: the stored document, rapyer's way; ``key`` and ``text`` are what is stored.
    :ivar directory: for files that end with the run.
    :ivar keys: how many keys the scanning measure has to go through.
    """

    socket: str
    raw: Redis
    document: Document
    key: str
    text: bytes
    directory: Path
    keys: int

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def fresh(self, tags: int = 20) -> Callable[[], Awaitable[None]]:
        """What puts the document back as it was, here and on the server, with so many tags."""
        content = {**json.loads(self.text), "tags": [f"tag {i}" for i in range(tags)]}
        text = json.dumps(content, separators=(",", ":"))

        async def store() -> None:
            await self.raw.execute_command("JSON.SET", self.key, "$", text)
            await self.document.load()

        return store

    async def stored(self) -> bytes:
        """The document as it is on the server."""
        text: bytes = await self.raw.execute_command("JSON.GET", self.key)
        return text


def yardstick_client(socket: str) -> Redis:
    """redis-py that waits for one of 50 connections, as rapyer does, and never sends a write twice."""
    return Redis(
        connection_pool=BlockingConnectionPool(
            connection_class=UnixDomainSocketConnection,
            path=socket,
            max_connections=50,
            timeout=None,
            retry=Retry(NoBackoff(), 0),
        )
    )


@asynccontextmanager
async def prepared(socket: str, directory: Path, keys: int) -> AsyncIterator[Setting]:
    """The setting on an empty server."""
    raw = yardstick_client(socket)
    await init_rapyer(f"unix://{socket}")
    try:
        document = await Document(**values()).save()
        key = str(document.key)
        text = await raw.execute_command("JSON.GET", key)
        yield Setting(socket, raw, document, key, text, directory, keys)
    finally:
        await raw.aclose()
        await teardown_rapyer()
