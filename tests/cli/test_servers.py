"""The command line on other kinds of servers: a cluster, RESP2, a replica behind Sentinel."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from rapyer.connections import Session as Wire
from rapyer.embedded import EmbeddedServer
from rapyer_cli.failures import Refused
from rapyer_cli.session.session import Choices, Session
from rapyer_cli.verbs import all_verbs
from tests.cli.conftest import Cli
from tests.conftest import StartServer
from tests.servers import Cluster, cluster_options, free_port, wait_until


def go_through(cli: Cli, *where: str) -> None:
    """What a first user does, one verb after the other."""
    for number in range(12):
        ran = cli("new", f"BlogPost:{number}", "title=Hello", 'tags:=["a"]', *where)
        assert ran.code == 0, ran.err
    assert cli("increase", "BlogPost:1/views", "5", *where).json == 5
    assert cli("apop", "BlogPost:1/tags", *where).json == "a"
    assert cli("get", "BlogPost:1/views", *where).json == 5
    assert cli("get", "BlogPost:1/views", *where, "--read-only").json == 5
    assert cli("increase", "BlogPost:1/views", *where, "--read-only").code == 6
    assert len(cli("ls", "BlogPost", *where).lines) == 12
    assert {row["name"]: row["documents"] for row in cli("ls", *where).lines}["BlogPost"] == 12
    assert cli("count", "BlogPost", "views == 5", *where).json == 1
    assert cli("check", *where).code == 0
    ran = cli("doctor", *where)
    assert ran.code == 0, ran.out + ran.err
    assert cli("del", "BlogPost:2", "--yes", *where).code == 0
    assert cli("ttl", "BlogPost:1", "100", *where).code == 0
    assert cli("export", "--to", "all.jsonl", *where).code == 0
    keys = [
        json.loads(line)["key"] for line in Path(cli.cwd / "all.jsonl").read_text().splitlines()
    ]
    assert sorted(keys) == sorted(f"BlogPost:{n}" for n in range(12) if n != 2)
    assert cli("import", "all.jsonl", "--replace", "--yes", *where).code == 0
    assert cli("__complete", "bash", "get", *where, "--", "BlogPost:1").out.split() == [
        "BlogPost:1",
        "BlogPost:10",
        "BlogPost:11",
    ]
    many = cli("update", "BlogPost", "where", "True", "set", "views+=1", "--yes", *where)
    assert (many.code, many.json["changed"]) == (0, 11), many.err
    assert cli("get", "BlogPost:1/views", *where).json == 6
    assert cli("undo", "--yes", *where).json["changed"] == 11
    assert cli("get", "BlogPost:1/views", *where).json == 5
    assert cli("raw", "JSON.GET", "BlogPost:1", "$.views", *where).json == "[5]"
    ran = cli("watch", "BlogPost:1/views", "--count", "0", *where, "--interval", "nonsense")
    assert ran.code == 2


def nothing_slips_through(cli: Cli, url: str) -> None:
    """Whatever sends it and however it is packed: no write leaves a read-only session."""

    async def attempts() -> None:
        session = Session(cli.environment(), all_verbs, Choices(url=url, read_only=True))
        client = await session.client()
        wire = Wire.of(client)

        async def pipelined(transaction: bool) -> None:
            async with client.pipeline(transaction=transaction) as pipeline:
                pipeline.get("{a}x")
                pipeline.set("{a}x", "1")
                await pipeline.execute()

        writes: list[Callable[[], Awaitable[Any]]] = [
            lambda: client.set("{a}x", "1"),
            lambda: client.json().set("{a}x", "$", {}),
            lambda: client.eval("return redis.call('set', KEYS[1], 1)", 1, "{a}x"),
            lambda: client.execute_command("FLUSHALL"),
            lambda: wire.execute("SET", "{a}x", "1", write=True),
            lambda: wire.execute("set", "{a}x", "1", write=False),
            lambda: wire.execute_many([("GET", "{a}x"), ("SET", "{a}x", "1")], write=True),
            lambda: wire.evalsha("0" * 40, "return 1", ["{a}x"], []),
            lambda: pipelined(False),
            lambda: pipelined(True),
        ]
        for number, write in enumerate(writes):
            with pytest.raises(Refused):
                await write()
            assert await wire.execute("EXISTS", "{a}x", write=False) == 0, number
        await session.close()

    asyncio.run(attempts())


@pytest.mark.parametrize("protocol", [2, 3])
def test_on_both_protocols(cli: Cli, rapyer_server: EmbeddedServer, protocol: int) -> None:
    address = rapyer_server.ensure_running()
    go_through(cli, "--url", f"unix://{address}?protocol={protocol}")
    nothing_slips_through(cli, f"unix://{address}?protocol={protocol}")


def test_on_a_client_that_decodes(cli: Cli, rapyer_server: EmbeddedServer) -> None:
    go_through(cli, "--url", f"unix://{rapyer_server.ensure_running()}?decode_responses=True")


def test_on_a_cluster(cli: Cli, start_server: StartServer) -> None:
    made = [cluster_options() for _ in range(3)]
    cluster = Cluster([start_server(*options) for _, options in made], [port for port, _ in made])
    cluster.join()
    go_through(cli, "--url", cluster.url)
    nothing_slips_through(cli, cluster.url)


def test_behind_sentinel(cli: Cli, start_server: StartServer, tmp_path: Path) -> None:
    port, sentinel = free_port(), free_port()
    start_server("--port", str(port), "--bind", "127.0.0.1")
    conf = tmp_path / "sentinel.conf"
    conf.write_text(f"sentinel monitor main 127.0.0.1 {port} 1\n")
    watcher = start_server(
        "--port", str(sentinel), "--bind", "127.0.0.1", mode=(str(conf), "--sentinel")
    )
    wait_until(lambda: watcher.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main") is not None)
    go_through(cli, "--url", f"redis+sentinel://127.0.0.1:{sentinel}/main")
    nothing_slips_through(cli, f"redis+sentinel://127.0.0.1:{sentinel}/main")
