"""A command imports only what it needs. Each runs in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rapyer_cli.verbs import HOMES
from tests.cli.conftest import Store

HEAVY = ("typer", "pydantic", "redis", "rich", "prompt_toolkit", "asyncio", "rapyer")
PROBE = """
import json, sys
sys.argv = ["rapyer", *json.loads(sys.argv[1])]
from rapyer_cli.__main__ import main
code = main()
names = [name for name in json.loads({names!r}) if name in sys.modules]
sys.stderr.write("\\nLOADED " + json.dumps([int(code), names]))
"""


def loaded(
    environ: dict[str, str], *words: str, extra: tuple[str, ...] = ()
) -> tuple[int, set[str]]:
    probe = PROBE.format(names=json.dumps([*HEAVY, *extra]))
    done = subprocess.run(
        [sys.executable, "-c", probe, json.dumps(words)],
        env={**environ, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    code, names = json.loads(done.stderr.rpartition("LOADED ")[2])
    return code, set(names)


def test_the_version_needs_nothing(environ: dict[str, str]) -> None:
    code, names = loaded(environ, "--version")
    assert code == 0
    assert names <= {"rapyer"}, "which exports lazily"


def test_a_pipe_needs_no_rich_and_no_prompt(environ: dict[str, str], store: Store) -> None:
    store.put("BlogPost:1", {"title": "x", "views": 1})
    code, names = loaded(environ, "get", "BlogPost:1/title")
    assert code == 0
    assert not names & {"rich", "prompt_toolkit"}
    code, names = loaded(environ, "increase", "BlogPost:1/views")
    assert code == 0
    assert not names & {"rich", "prompt_toolkit"}


def test_an_operation_needs_no_other_verbs(environ: dict[str, str], store: Store) -> None:
    store.put("BlogPost:1", {"title": "x", "views": 1})
    others = tuple(f"rapyer_cli.verbs.{home}" for home in HOMES)
    shell = ("rapyer_cli.completion.engine", "rapyer_cli.knowledge.knowledge")
    loaded(environ, "increase", "BlogPost:1/views")
    code, names = loaded(environ, "increase", "BlogPost:1/views", extra=(*others, *shell))
    assert code == 0
    assert "redis" in names
    assert not names & {*others, *shell, "rapyer_cli.shortcut"}


def test_a_verb_alone_needs_no_parser(environ: dict[str, str]) -> None:
    code, names = loaded(environ, "models")
    assert code == 0
    assert "typer" not in names


@pytest.mark.parametrize("words", [("set",), ("frobnicate",), ("get", "--nope"), ("get", "--help")])
def test_user_code_is_imported_only_when_the_words_are_understood(
    environ: dict[str, str], tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "marker.py").write_text("")
    environ = {**environ, "RAPYER_MODELS": str(tmp_path / "marker.py")}
    _, names = loaded(environ, *words, extra=("marker",))
    assert "marker" not in names


def test_help_needs_neither_rich_nor_user_code(environ: dict[str, str]) -> None:
    code, names = loaded(environ, "get", "--help")
    assert code == 0
    assert not names & {"typer", "rich", "prompt_toolkit", "pydantic", "redis"}


def test_the_overview_is_kept_so_that_it_needs_nothing_the_second_time(
    environ: dict[str, str],
) -> None:
    loaded(environ, "--help")
    code, names = loaded(environ, "--help")
    assert code == 0
    assert names <= {"rapyer"}


@pytest.mark.parametrize(
    "words",
    [
        ("get", "BlogPost:1/title"),
        ("get", "BlogPost:1/tags/0", "-o", "raw"),
        ("ttl", "BlogPost:1", "--read-only"),
    ],
)
def test_a_plain_read_imports_neither_the_library_nor_user_code(
    environ: dict[str, str], store: Store, words: tuple[str, ...]
) -> None:
    store.put("BlogPost:1", {"title": "x", "tags": ["a"]})
    code, names = loaded(environ, *words, extra=("blog_models",))
    assert code == 0
    assert names <= {"rapyer"}
