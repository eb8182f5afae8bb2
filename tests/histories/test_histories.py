"""Many processes at once, with something going wrong: nothing twice, nothing torn, nothing acknowledged lost.

``RAPYER_SECONDS=60`` lets each history go on for so long instead of two seconds.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from rapyer.connections import client_from_url
from tests.histories.checking import History, events_of
from tests.histories.cutting import cutting
from tests.histories.documents import Ledger
from tests.servers import RedisProcess, running

SECONDS = float(os.environ.get("RAPYER_SECONDS", "2"))
PROCESSES = 3
ROOT = Path(__file__).parents[2]
SEED = int(os.environ.get("RAPYER_SEED", random.SystemRandom().randrange(2**16)))


class Trouble:
    """What can be done to the workers and their server."""

    def __init__(self, server: RedisProcess, workers: list[asyncio.subprocess.Process]) -> None:
        self.server, self.workers = server, workers

    async def every(self, seconds: float, cause: Callable[[], object]) -> None:
        while True:
            await asyncio.sleep(seconds)
            cause()

    async def nothing(self) -> None:
        await asyncio.sleep(0)

    async def scripts_flushed(self) -> None:
        await self.every(0.05, lambda: self.server.call("SCRIPT", "FLUSH"))

    async def clients_killed(self) -> None:
        await self.every(0.1, lambda: self.server.call("CLIENT", "KILL", "TYPE", "normal"))

    async def a_worker_killed(self) -> None:
        await asyncio.sleep(SECONDS / 2)
        self.workers[0].send_signal(signal.SIGKILL)

    async def the_server_halted(self) -> None:
        process = self.server.process
        assert process is not None
        while True:
            await asyncio.sleep(0.3)
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(0.1)
            process.send_signal(signal.SIGCONT)

    async def the_server_killed(self) -> None:
        for _ in range(2):
            await asyncio.sleep(SECONDS / 3)
            self.server.stop()
            await asyncio.sleep(0.05)
            self.server.start()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisProcess]:
    options = ("--appendonly", "yes", "--appendfsync", "always")
    with running(RedisProcess(tmp_path / "r", *options)) as server:
        client = client_from_url(f"unix://{server.socket}")
        Ledger.Meta.redis = client
        yield server
        Ledger.Meta.redis = None
        await client.aclose()


async def worked(
    server: RedisProcess, trouble: Callable[[Trouble], Awaitable[None]], url: str = ""
) -> Any:
    start = await Ledger(name="shared", queue=list(range(2_000))).save()
    workers = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.histories.worker", url or f"unix://{server.socket}"),
            *(str(number), str(SEED + number), str(SECONDS)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
            limit=1 << 30,
        )
        for number in range(PROCESSES)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert b"ready" in await worker.stdout.readline()
    causing = asyncio.create_task(trouble(Trouble(server, workers)))  # type: ignore[arg-type]
    outputs = await asyncio.gather(*(worker.communicate(b"go\n") for worker in workers))
    causing.cancel()
    await asyncio.gather(causing, return_exceptions=True)
    assert server.process is not None
    server.process.send_signal(signal.SIGCONT)
    events = [event for output, _ in outputs for event in events_of(output)]
    killed = [worker.returncode for worker in workers if worker.returncode != 0]
    return History(events, start, await Ledger.get("Ledger:shared")), killed


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble.nothing,
        Trouble.scripts_flushed,
        Trouble.clients_killed,
        Trouble.a_worker_killed,
        Trouble.the_server_halted,
        Trouble.the_server_killed,
    ],
    ids=lambda trouble: trouble.__name__,
)
async def test_every_operation_is_done_once_or_not_at_all(
    trouble: Callable[[Trouble], Awaitable[None]], server: RedisProcess
) -> None:
    print(f"RAPYER_SEED={SEED}")
    history, killed = await worked(server, trouble)
    check(history)
    assert killed == ([-signal.SIGKILL] if trouble is Trouble.a_worker_killed else [])


async def test_connections_that_break_after_any_byte_leave_nothing_half_done(
    server: RedisProcess,
) -> None:
    print(f"RAPYER_SEED={SEED}")
    async with cutting(str(server.socket), SEED) as proxy:
        history, killed = await worked(
            server, Trouble.nothing, f"redis://127.0.0.1:{proxy.port}?socket_timeout=5"
        )
        check(history)
        assert not killed
        assert proxy.cuts > 5


def check(history: History) -> None:
    assert list(history.faults()) == []
    for kind in ("increase", "append", "pop", "batch", "read", "watch", "lock", "compare"):
        assert history.of(kind), f"no {kind} was done"
