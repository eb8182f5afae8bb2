"""Output: terminal and pipe, every form, colours, width, odd characters, closed pipes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rapyer_cli.oneshot import run_words
from rapyer_cli.render.text import readable
from rapyer_cli.verbs.watching import sparkline
from tests.cli.conftest import Cli, Store

ESCAPE = "\x1b["


@pytest.mark.parametrize("form", ["auto", "json", "jsonl", "raw", "table", "tree"])
@pytest.mark.parametrize(
    "words",
    [
        ("get", "BlogPost:1"),
        ("get", "BlogPost:1/tags"),
        ("get", "BlogPost:1/title"),
        ("ls",),
        ("ls", "BlogPost"),
        ("ls", "BlogPost:1"),
        ("tree", "BlogPost:1"),
        ("models",),
        ("schema", "BlogPost"),
        ("ops",),
        ("find", "BlogPost"),
        ("count", "BlogPost"),
        ("config",),
        ("doctor",),
        ("increase", "BlogPost:1/views"),
        ("set", "BlogPost:1/title", "x", "-n"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("terminal", [False, True])
def test_every_verb_has_every_form(
    cli: Cli, post: str, form: str, words: tuple[str, ...], terminal: bool
) -> None:
    ran = cli(*words, "-o", form, terminal=terminal)
    assert ran.code == 0, ran.err
    assert ran.out
    plain = form in ("json", "jsonl", "raw") or (form == "auto" and not terminal)
    assert not plain or ESCAPE not in ran.out
    if form == "json":
        json.loads(ran.out)
    if form == "jsonl":
        assert all(json.loads(line) is not None for line in ran.out.splitlines())


def test_a_terminal_gets_colours_and_no_color_takes_them_away(cli: Cli, post: str) -> None:
    assert ESCAPE in cli("get", post, terminal=True).out
    cli.environ["NO_COLOR"] = "1"
    assert ESCAPE not in cli("get", post, terminal=True).out
    del cli.environ["NO_COLOR"]
    cli.environ["TERM"] = "dumb"
    assert ESCAPE not in cli("get", post, terminal=True).out


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize(
    "verb", ["get BlogPost:1", "ls BlogPost:1", "find BlogPost", "schema BlogPost", "ops", "doctor"]
)
def test_no_line_is_wider_than_the_terminal(cli: Cli, post: str, width: int, verb: str) -> None:
    cli.width = width
    cli.environ["NO_COLOR"] = "1"
    cli("set", f"{post}/title", "long " * 100)
    lines = cli(*verb.split(), terminal=True).out.splitlines()
    assert max(map(len, lines)) <= width


def test_a_document_larger_than_the_screen_is_summarised(untyped: Cli, store: Store) -> None:
    store.put("Big:1", {f"field{n:04}": "x" * 500 for n in range(1000)})
    untyped.environ["NO_COLOR"] = "1"
    out = untyped("get", "Big:1", terminal=True).out
    assert len(out.splitlines()) <= untyped.height
    assert "--all shows everything" in out
    everything = untyped("get", "Big:1", "--all", terminal=True).out
    assert "field0999" in everything
    assert len(untyped("get", "Big:1").json) == 1000, "a pipe gets everything"


def test_a_value_cannot_send_commands_to_the_terminal(cli: Cli, store: Store, post: str) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\u202e\r\n[bold]"
    store.call("JSON.SET", post, "$.title", json.dumps(evil))
    cli.environ["NO_COLOR"] = "1"
    for words in (
        ("get", post),
        ("get", f"{post}/title"),
        ("ls", post),
        ("tree", post),
        ("find", "BlogPost"),
    ):
        out = cli(*words, terminal=True).out
        assert not set(out) & set("\x1b\x07\r\u202e"), words
        assert "\\u001b" in out
        assert "[bold]" in out
    assert cli("get", f"{post}/title").json == evil
    assert cli("get", f"{post}/title", "-o", "raw").out == evil + "\n"
    assert "\x1b" not in cli("set", f"{post}/title", "x").err


def test_unicode_is_shown_as_it_is(cli: Cli, store: Store, post: str) -> None:
    store.call("JSON.SET", post, "$.title", json.dumps("é日本😀"))
    assert cli("get", f"{post}/title").out == '"é日本😀"\n'
    assert "é日本😀" in cli("get", post, terminal=True).out


def test_a_stream_without_unicode_gets_ascii_json(cli: Cli, store: Store, post: str) -> None:
    store.call("JSON.SET", post, "$.title", json.dumps("é😀"))
    environment = cli.environment()
    buffer = io.BytesIO()
    environment.stdout = io.TextIOWrapper(buffer, encoding="ascii")
    assert run_words(["get", f"{post}/title"], environment) == 0
    assert buffer.getvalue() == b'"\\u00e9\\ud83d\\ude00"\n'


def piped(cli: Cli, *words: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "rapyer_cli", *words],
        env={**cli.environ, "PATH": os.environ["PATH"]},
        cwd=Path(__file__).parents[2],
        stderr=subprocess.PIPE,
        **options,
    )


@pytest.mark.parametrize(
    "words", [("export",), ("find", "BlogPost"), ("ls", "BlogPost"), ("get", "BlogPost:0")]
)
def test_a_closed_pipe_ends_quietly(cli: Cli, store: Store, words: tuple[str, ...]) -> None:
    for number in range(300):
        store.put(f"BlogPost:{number}", {"title": "x" * 2000})
    reading, writing = os.pipe()
    os.close(reading)
    process = piped(cli, *words, stdout=writing)
    os.close(writing)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, b"")


def test_only_data_goes_to_standard_output(cli: Cli, post: str) -> None:
    process = piped(cli, "increase", f"{post}/views", "3", stdout=subprocess.PIPE)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, b"3\n")
    assert err.decode() == "BlogPost:1/views: 0 → 3\n"


def test_numbers_have_bars_where_there_is_room(cli: Cli, store: Store) -> None:
    for number in (1, 5, 10):
        store.put(f"BlogPost:{number}", {"title": "x", "views": number})
    cli.environ["NO_COLOR"] = "1"
    out = cli("find", "BlogPost", "--fields", "views", "--sort", "views", terminal=True).out
    assert "█" in out.splitlines()[-1]
    cli.width = 20
    assert "█" not in cli("find", "BlogPost", "--fields", "views", terminal=True).out


def test_a_sparkline_goes_from_the_least_to_the_greatest() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([3, 3, 3]) == "▁▁▁"


def test_a_huge_value_is_cut_before_it_is_formatted() -> None:
    assert len(readable({"a": ["x" * 10**6] * 1000}, 50)) == 50


def test_what_is_cut_can_be_seen_and_says_how(cli: Cli, post: str) -> None:
    cli("set", f"{post}/title", "x" * 500)
    assert "--all shows what is cut" in cli("get", post, terminal=True).out
    assert "--all shows" not in cli("get", post, "--all", terminal=True).out
    cli("set", f"{post}/title", "short")
    assert "--all shows" not in cli("get", f"{post}/address", terminal=True).out


def test_a_long_list_is_not_poured_over_the_terminal(cli: Cli, post: str) -> None:
    cli("set", f"{post}/scores", json.dumps(list(range(500))))
    shown = cli("ls", f"{post}/scores", terminal=True)
    assert len(shown.out.splitlines()) < 110
    assert "400 more; --all shows every one" in shown.out
    assert len(cli("ls", f"{post}/scores").lines) == 500
    assert len(cli("ls", f"{post}/scores", "--limit", "3").lines) == 3


def test_documents_without_a_model_are_shown_with_their_fields(untyped: Cli, store: Store) -> None:
    store.put("Many:1", {"n": 1, "name": "one", "list": [1]})
    shown = untyped("find", "Many", terminal=True).out
    assert "name" in shown
    assert "one" in shown
    assert "list" not in shown
