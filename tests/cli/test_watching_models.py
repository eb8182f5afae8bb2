"""``watch MODEL``: a live tail with the fields before and after, typed and untyped, for people and pipes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import MODELS, Cli, Store

Watch = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def watch(cli: Cli) -> Iterator[Watch]:
    """Start ``watch`` in a process, and wait until it watches."""
    running: list[subprocess.Popen[str]] = []

    def start(*words: str, models: str = MODELS) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "rapyer_cli", "watch", *words, "--interval", "0.05"]
        environ = {**os.environ, **cli.environ, "RAPYER_MODELS": models}
        environ["PYTHONPATH"] = str(Path(__file__).parents[2])
        process = subprocess.Popen(
            command,
            env=environ,
            cwd=cli.cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "watching" in line, line
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def next_line(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


@pytest.mark.parametrize("models", [MODELS, ""])
def test_a_pipe_gets_json_lines_and_ctrl_c_ends_it(watch: Watch, store: Store, models: str) -> None:
    store.put("BlogPost:1", {"title": "a", "views": 1})
    process = watch("BlogPost", models=models)
    store.call("JSON.SET", "BlogPost:1", "$.views", "2")
    assert next_line(process) == {
        "key": "BlogPost:1",
        "kind": "changed",
        "changes": [{"path": "views", "change": "changed", "before": 1, "after": 2}],
        "document": {"title": "a", "views": 2},
    }
    store.put("BlogPost:2", {"title": "b"})
    line = next_line(process)
    assert (line["key"], line["kind"], line["document"]) == (
        "BlogPost:2",
        "created",
        {"title": "b"},
    )
    store.call("DEL", "BlogPost:1")
    line = next_line(process)
    assert (line["key"], line["kind"], line["document"]) == ("BlogPost:1", "deleted", None)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130


@pytest.mark.parametrize("models", [MODELS, ""])
def test_a_condition_chooses_and_count_ends_it(watch: Watch, store: Store, models: str) -> None:
    store.put("BlogPost:1", {"title": "a", "views": 1})
    process = watch("BlogPost", "where", "views > 10", "--count", "2", models=models)
    store.call("JSON.SET", "BlogPost:1", "$.views", "20")
    assert next_line(process)["document"]["views"] == 20
    store.call("JSON.SET", "BlogPost:1", "$.views", "5")
    assert next_line(process)["kind"] == "matches no longer"
    assert process.wait() == 0


def test_people_see_the_fields_before_and_after(watch: Watch, store: Store) -> None:
    store.put("BlogPost:1", {"title": "a", "views": 1})
    process = watch("BlogPost", "-o", "table", "--count", "1")
    store.call("JSON.SET", "BlogPost:1", "$.views", "2")
    out, _ = process.communicate()
    assert "BlogPost:1" in out
    assert "views" in out
    assert "1 → 2" in out


def test_bad_lines(cli: Cli, store: Store) -> None:
    store.put("BlogPost:1", {"title": "a"})
    assert cli("watch", "BlogPost:1", "where", "views > 1").code == 2
    assert cli("watch", "BlogPost", "where").code == 2
    assert cli("watch", "BlogPost", "where", "vews > 1").code == 4
    assert cli("watch", "Nothing").code == 3
