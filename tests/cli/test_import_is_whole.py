"""An import stores each document with its expiry or not at all, and one bad line stops no other."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Store
from tests.histories.cutting import cutting


def written(path: Path, *lines: str | dict[str, object]) -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text(
        "".join(f"{text}\n" for text in texts), encoding="utf-8", errors="surrogatepass"
    )
    return path


def good(number: int, ttl: float | None = None) -> dict[str, object]:
    return {"key": f"BlogPost:{number}", "value": {"title": f"post {number}"}, "ttl": ttl}


BAD = {
    "deep": '{"key":"BlogPost:bad","value":' + "[" * 100_000 + "]" * 100_000 + "}",
    "nested for the server": json.dumps(
        {"key": "Other:bad", "value": json.loads("[" * 200 + "]" * 200)}
    ),
    "surrogate in the value": r'{"key":"BlogPost:bad","value":{"title":"\ud800"}}',
    "surrogate in the key": r'{"key":"BlogPost:\ud800","value":{"title":"x"}}',
    "another type": '{"key":"taken","value":{}}',
    "no JSON": "{",
    "too long a life": '{"key":"BlogPost:bad","value":{"title":"x"},"ttl":1e300}',
    "not a document of its model": '{"key":"BlogPost:bad","value":{"views":"many"}}',
    "bytes": "\udcff",
    "an integer that no server holds": '{"key":"Other:bad","value":{"n":99999999999999999999}}',
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("replace", [(), ("--replace", "--yes")])
def test_a_bad_line_is_rejected_alone(
    name: str, replace: tuple[str, ...], cli: Cli, store: Store
) -> None:
    store.call("SET", "taken", "text")
    path = cli.cwd / "all.jsonl"
    with path.open("wb") as file:
        for line in (json.dumps(good(1)), BAD[name], json.dumps(good(2, 50))):
            file.write(line.encode("utf-8", "surrogateescape") + b"\n")
    ran = cli("import", "all.jsonl", "--rejects", "bad.jsonl", *replace)
    assert ran.code == 1, ran
    assert "all.jsonl:2:" in ran.err
    assert "Traceback" not in ran.err
    assert store.text("BlogPost:1") is not None
    assert 0 < store.call("PTTL", "BlogPost:2") <= 50_000
    assert store.call("GET", "taken") == b"text"
    rejected = (cli.cwd / "bad.jsonl").read_bytes()
    assert rejected == BAD[name].encode("utf-8", "surrogateescape") + b"\n"


@pytest.mark.parametrize("replace", [(), ("--replace", "--yes")])
@pytest.mark.parametrize("ttl", [None, 50.0])
def test_every_double_is_stored_as_it_was_written(
    replace: tuple[str, ...], ttl: float | None, cli: Cli, store: Store
) -> None:
    doubles = [0.1, 0.23733660385428734, 265242089004403.66, 5e-324, 1.7976931348623157e308]
    lines: list[dict[str, object]] = [
        {"key": f"Other:{n}", "value": {"deep": [{"x": number}], "n": n}, "ttl": ttl}
        for n, number in enumerate(doubles)
    ]
    written(cli.cwd / "all.jsonl", *lines)
    ran = cli("import", "all.jsonl", *replace)
    assert ran.code == 0, ran
    for n, number in enumerate(doubles):
        assert json.loads(str(store.text(f"Other:{n}"))) == {"deep": [{"x": number}], "n": n}
        assert (store.call("PTTL", f"Other:{n}") > 0) == (ttl is not None)
    again = cli("import", "all.jsonl")
    assert again.code == 0, again
    assert "5 were there already" in again.err


def test_the_rejects_never_empty_the_source(cli: Cli, store: Store) -> None:
    path = written(cli.cwd / "all.jsonl", good(1), "{")
    os.link(path, cli.cwd / "same.jsonl")
    before = path.read_bytes()
    for name in ("all.jsonl", "./all.jsonl", "same.jsonl"):
        ran = cli("import", "all.jsonl", "--rejects", name)
        assert ran.code == 2
        assert path.read_bytes() == before
    assert store.call("DBSIZE") == 0


async def test_a_cut_connection_leaves_no_document_without_its_life(cli: Cli, store: Store) -> None:
    written(cli.cwd / "all.jsonl", *(good(number, 500) for number in range(600)))
    async with cutting(store.address, seed=5) as proxy:
        words = ("import", "all.jsonl", "--url", f"redis://127.0.0.1:{proxy.port}")
        for attempt in range(60):
            ran = await asyncio.to_thread(cli, *words, *(("--resume",) if attempt else ()))
            assert all(store.call("PTTL", key) > 0 for key in store.call("KEYS", "BlogPost:*"))
            if ran.code in (0, 1):
                break
        assert ran.code == 0, ran
    assert store.call("DBSIZE") == 600


def test_bad_lines_outlast_the_end_of_the_process(cli: Cli, store: Store) -> None:
    lines = [json.dumps(good(n)) if n % 3 else "{" for n in range(90_000)]
    path = written(cli.cwd / "all.jsonl", *lines)
    words = [sys.executable, "-m", "rapyer_cli", "import", str(path), "--rejects", "bad.jsonl"]
    process = subprocess.Popen(
        [*words, *cli.words], cwd=cli.cwd, env={**cli.environ, "PATH": os.environ["PATH"]}
    )
    deadline = time.monotonic() + 30
    while store.call("DBSIZE") < 200 and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert store.call("DBSIZE") < 60_000
    ran = cli("import", "all.jsonl", "--rejects", "bad.jsonl", "--resume")
    assert ran.code == 1
    assert "30,000 lines not" in ran.err
    rejected = (cli.cwd / "bad.jsonl").read_text().splitlines()
    assert len(rejected) >= 30_000
    assert store.call("DBSIZE") == 60_000
