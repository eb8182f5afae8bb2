"""The commands of tasks that run at the same time, sent together: one write and one read for many.

A command that comes while another one is under way waits until the event loop has run the other tasks
that are ready, and leaves with theirs. Each gets its own replies or its own error. Which connection is
taken, and what an error means, is the lane's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

SMALL = 16 * 1024
"""Larger commands go alone, so that nobody waits for their transfer."""
MOST_COMMANDS = 128
MOST_BYTES = 128 * 1024


class Broken(Exception):  # noqa: N818 - an outcome, which becomes an error for each command
    """An exchange that failed, before (``sent`` is False) or after its commands were sent."""

    def __init__(self, cause: BaseException, sent: bool) -> None:
        super().__init__(cause)
        self.cause, self.sent = cause, sent


class _Waiting(NamedTuple):
    payload: bytes
    replies: int
    future: asyncio.Future[list[Any]]


class Together:
    """Collects commands and exchanges them in batches of bounded size.

    :param converse: sends a payload and reads so many replies, or raises :class:`Broken`.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        converse: Callable[[bytes, int], Awaitable[list[Any]]],
    ) -> None:
        self._loop = loop
        self._converse = converse
        self._waiting: list[_Waiting] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def exchange(self, payload: bytes, count: int) -> list[Any]:
        """The replies to a payload of ``count`` commands. Raises :class:`Broken`."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        future: asyncio.Future[list[Any]] = self._loop.create_future()
        self._waiting.append(_Waiting(payload, count, future))
        return await future

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        batch: list[_Waiting] = []
        commands = size = 0
        for entry in waiting:
            if entry.future.done():
                continue  # cancelled before it left
            if batch and (
                commands + entry.replies > MOST_COMMANDS or size + len(entry.payload) > MOST_BYTES
            ):
                self._start(batch)
                batch, commands, size = [], 0, 0
            batch.append(entry)
            commands += entry.replies
            size += len(entry.payload)
        if batch:
            self._start(batch)

    def _start(self, batch: list[_Waiting]) -> None:
        task = self._loop.create_task(self._run(batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, batch: list[_Waiting]) -> None:
        payload = b"".join([entry.payload for entry in batch])
        try:
            replies = await self._converse(payload, sum(entry.replies for entry in batch))
        except Broken as broken:
            for entry in batch:
                if not entry.future.done():
                    entry.future.set_exception(Broken(broken.cause, broken.sent))
        except asyncio.CancelledError:
            for entry in batch:
                entry.future.cancel()
            raise
        except Exception as error:
            for entry in batch:
                if not entry.future.done():
                    entry.future.set_exception(error)
        else:
            position = 0
            for entry in batch:
                if not entry.future.done():
                    entry.future.set_result(replies[position : position + entry.replies])
                position += entry.replies
