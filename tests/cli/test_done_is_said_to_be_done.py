"""What changed the server exits 0, whatever becomes of its words; what reaches a terminal is harmless."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.cli.conftest import Cli, Store

POST = "BlogPost:1"
CHANGES: list[tuple[str, tuple[str, ...]]] = [
    ("increase", (f"{POST}/views", "2")),
    ("set", (f"{POST}/title", "é→😀")),
    ("append", (f"{POST}/tags", "b")),
    ("pop", (f"{POST}/tags",)),
    ("update", (POST, "title=z", "views=9")),
    ("ttl", (POST, "100")),
    ("new", ("BlogPost:2", "title=y")),
    ("del", (POST,)),
]
STREAMS = [">&-", "2>&-", ">&- 2>&-", ">/dev/full", ">/dev/full 2>/dev/full", "| true"]


def state_of(store: Store) -> list[object]:
    return [store.call(*words) for words in (("JSON.GET", POST), ("PTTL", POST), ("DBSIZE",))]


@pytest.mark.parametrize("streams", STREAMS)
@pytest.mark.parametrize(("verb", "words"), CHANGES, ids=lambda value: value)
def test_a_change_whose_words_are_lost_is_no_failure(
    verb: str, words: tuple[str, ...], streams: str, cli: Cli, store: Store
) -> None:
    assert cli("new", POST, "title=x", 'tags:=["a"]').code == 0
    before = state_of(store)
    line = [sys.executable, "-m", "rapyer_cli", verb, *words, "--yes", *cli.words]
    done = subprocess.run(
        ["bash", "-c", f'set -o pipefail; "$@" {streams}', "bash", *line],
        env={**cli.environ, "PATH": "/usr/bin:/bin"},
        cwd=cli.cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done
    assert "Traceback" not in done.stderr
    assert state_of(store) != before


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252"])
@pytest.mark.parametrize("form", ["auto", "table", "json", "raw"])
def test_an_encoding_that_lacks_a_character_spells_it_out(
    encoding: str, form: str, cli: Cli, store: Store
) -> None:
    assert cli("new", POST, "title=x").code == 0
    line = [sys.executable, "-m", "rapyer_cli"]
    environment = {**cli.environ, "PATH": "/usr/bin:/bin", "PYTHONIOENCODING": encoding}
    for words in (
        ("set", f"{POST}/title", "é→😀", "-o", form),
        ("get", f"{POST}/title", "-o", form),
    ):
        done = subprocess.run(
            [*line, *words, *cli.words],
            env=environment,
            cwd=cli.cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done
    if form in ("auto", "json"):
        assert json.loads(done.stdout.decode(encoding)) == "é→😀"


HOSTILE = "a\x1b[31m\x9b31m\x07\u202e\x7f\u2028b"
FORMS = ["auto", "table", "tree", "json", "jsonl", "raw"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "words",
    [
        ("get", POST),
        ("get", f"{POST}/title"),
        ("ls", POST),
        ("tree", POST),
        ("find", "BlogPost"),
        ("diff", POST, "BlogPost:2"),
        ("diff", POST, POST),
        ("export", "BlogPost"),
        ("set", f"{POST}/title", f"{HOSTILE}!"),
        ("increase", f"{POST}/{HOSTILE}"),
        ("get", f"BlogPost:{HOSTILE}"),
        ("check", "BlogPost"),
    ],
    ids=lambda words: " ".join(words[:2])[:30],
)
def test_nothing_raw_reaches_a_terminal(
    words: tuple[str, ...], form: str, cli: Cli, store: Store
) -> None:
    assert cli("new", POST, f"title={HOSTILE}", f"tags:={json.dumps([HOSTILE])}").code == 0
    assert cli("new", "BlogPost:2", "title=y").code == 0
    assert cli("new", f"BlogPost:{HOSTILE}", "title=y").code == 0
    cli.environ |= {"NO_COLOR": "1", "TERM": "dumb"}  # neither colours nor a bar
    ran = cli(*words, "-o", form, "--yes" if words[0] == "set" else "--debug", terminal=True)
    for text in (ran.out, ran.err):
        assert all(char.isprintable() or char in "\n\t" for char in text), repr(text)


def test_lines_that_nobody_commits_are_a_failure(cli: Cli, store: Store) -> None:
    assert cli("new", POST, "title=x").code == 0
    ran = cli("repl", stdin=f"begin\nincrease {POST}/views\n")
    assert ran.code == 1
    assert "1 queued change is dropped: nobody said commit" in ran.err
    assert store.json(POST, "$.views") == 0
    assert cli("repl", stdin=f"begin\nincrease {POST}/views\ncommit\n").code == 0
    assert store.json(POST, "$.views") == 1
