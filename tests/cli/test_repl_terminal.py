"""Whole sessions in a pseudo-terminal: what a person sees."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pyte
import pytest

from tests.cli.conftest import Cli, Store

ROWS, COLUMNS = 30, 100


class Terminal:
    """A screen with the REPL on it."""

    def __init__(self, environ: dict[str, str], *words: str) -> None:
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.Stream(self.screen)
        self.process = pexpect.spawn(
            sys.executable,
            ["-m", "rapyer_cli", *words],
            env={**environ, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},  # type: ignore[arg-type]
            cwd=str(Path(__file__).parents[2]),
            dimensions=(ROWS, COLUMNS),
            encoding="utf-8",
            timeout=20,
        )

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def see(self, pattern: str) -> str:
        """Wait until the pattern is on the screen."""
        while not re.search(pattern, self.text):
            try:
                self._feed(self.process.read_nonblocking(4096, timeout=20))
            except (pexpect.TIMEOUT, pexpect.EOF):
                pytest.fail(f"{pattern!r} did not appear; the screen is:\n{self.text}")
        return self.text

    def _feed(self, text: str) -> None:
        self._stream.feed(text)
        if "\x1b[6n" in text:  # where is the cursor?
            self.process.send(f"\x1b[{self.screen.cursor.y + 1};{self.screen.cursor.x + 1}R")

    def type(self, text: str) -> None:
        self.process.send(text)

    def ended(self) -> int:
        self.process.expect(pexpect.EOF)
        self.process.wait()
        assert self.process.exitstatus is not None
        return int(self.process.exitstatus)


@pytest.fixture
def stored(store: Store) -> None:
    store.put(
        "BlogPost:42",
        {"title": "Hello", "views": 5, "tags": ["a", "b", "c"], "settings": {"theme": "light"}},
    )


@pytest.fixture
def terminal(cli: Cli, stored: None) -> Iterator[Terminal]:
    opened = Terminal(cli.environ, "repl")
    yield opened
    opened.process.close(force=True)


def test_navigate_increase_apop_see_the_new_values_and_leave(
    terminal: Terminal, store: Store
) -> None:
    terminal.see(r"rapyer>")
    terminal.type("cd BlogPost:42\r")
    terminal.see(r"BlogPost:42>")
    terminal.type("increase views 5\r")
    terminal.see(r"~ views +5 → 10")
    terminal.type("apop tags\r")
    terminal.see(r'→ "c"')
    terminal.type("get views\r")
    terminal.see(r"(?m)^10$")
    terminal.type("begin\r")
    terminal.see(r"\(0 queued\)>")
    terminal.type("append tags z\r")
    terminal.see(r"\(1 queued\)>")
    terminal.type("commit\r")
    terminal.see(r'\+ tags/2 +"z"\n.*BlogPost:42>')
    terminal.type("undo\r")
    terminal.see(r'- tags/2 +"z"')
    terminal.type("exit\r")
    assert terminal.ended() == 0
    assert store.json("BlogPost:42", "$.views") == 10
    assert store.json("BlogPost:42", "$.tags") == ["a", "b"]


def test_tab_completes_and_the_toolbar_shows_the_type(terminal: Terminal) -> None:
    terminal.see(r"rapyer>")
    terminal.type("increase Blog")
    terminal.see(r"BlogPost: +model")
    terminal.type("\t")
    terminal.see(r"rapyer> increase BlogPost:")
    terminal.type("42/vi")
    terminal.see(r"BlogPost:42/views +int")
    terminal.type("\t")
    terminal.see(r"increase TARGET \[AMOUNT\] +BlogPost:42/views: int")
    terminal.type(" 3\r")
    terminal.see(r"~ views +5 → 8")


def test_ctrl_c_stops_a_watch_and_not_the_shell(terminal: Terminal, store: Store) -> None:
    terminal.see(r"rapyer>")
    terminal.type("watch BlogPost:42/views --interval 0.05\r")
    terminal.see(r"(?m)^5$")
    store.call("JSON.NUMINCRBY", "BlogPost:42", "$.views", 2)
    terminal.see(r"5 → 7")
    terminal.type("\x03")
    terminal.see(r"interrupted\n.*rapyer>")
    terminal.type("get BlogPost:42/views\r")
    terminal.see(r"(?m)^7$")
    terminal.type("\x04")
    assert terminal.ended() == 0


def test_destruction_is_asked_about_and_ctrl_c_is_no(terminal: Terminal, store: Store) -> None:
    terminal.see(r"rapyer>")
    terminal.type("clear BlogPost:42/tags\r")
    terminal.see(r"\[y/N\]")
    terminal.type("\x03")
    terminal.see(r"not confirmed")
    terminal.type("clear BlogPost:42/tags\r")
    terminal.see(r"not confirmed[\s\S]*\[y/N\]")
    terminal.type("y\r")
    terminal.see(r'- tags/0 +"a"')
    assert store.json("BlogPost:42", "$.tags") == []


def test_a_one_shot_asks_and_ctrl_c_ends_it_with_130(cli: Cli, store: Store, stored: None) -> None:
    terminal = Terminal(cli.environ, "del", "BlogPost:42")
    terminal.see(r"delete BlogPost:42\? \[y/N\]")
    terminal.type("\x03")
    assert terminal.ended() == 130
    assert store.json("BlogPost:42") is not None
