"""A proxy that cuts connections wherever it happens: after any byte of a request or of a reply."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Cutting:
    """Each connection lasts for a random number of bytes, in one direction or the other."""

    def __init__(self, target: str, seed: int) -> None:
        self._target, self._chance = target, random.Random(seed)
        self.port = self.cuts = 0
        self.serving: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        try:
            await self._serve(reader, writer)
        finally:
            self.serving.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(self._target)
        last = self._chance.randrange(2_000, 60_000)
        there, back = (last, 1 << 60) if self._chance.random() < 0.5 else (1 << 60, last)
        ways = [
            asyncio.create_task(self._pump(reader, up_writer, there)),
            asyncio.create_task(self._pump(up_reader, writer, back)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0.002)  # what has arrived at the server is executed
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for one in (writer, up_writer):
            one.close()
        await asyncio.gather(writer.wait_closed(), up_writer.wait_closed(), return_exceptions=True)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, last: int
    ) -> None:
        while data := await source.read(1 << 16):
            sink.write(data[:last])
            await sink.drain()
            last -= len(data)
            if last <= 0:
                self.cuts += 1
                return


@asynccontextmanager
async def cutting(target: str, seed: int) -> AsyncIterator[Cutting]:
    """A proxy on loopback to the server at a Unix socket."""
    proxy = Cutting(target, seed)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await asyncio.gather(*proxy.serving, return_exceptions=True)
