"""What the program gets from outside: streams, terminal, directories, variables, clock.

Everything else in ``rapyer_cli`` takes them from an :class:`Environment`, so that a test can run a whole
command in process, as if on a terminal or in a pipe.
"""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO


@dataclass(slots=True)
class Environment:
    """One run's surroundings. ``width`` and ``height`` are those of the terminal, in characters."""

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    stdin_is_terminal: bool = False
    stdout_is_terminal: bool = False
    stderr_is_terminal: bool = False
    width: int = 80
    height: int = 24
    environ: Mapping[str, str] = field(default_factory=dict)
    cwd: Path = Path()
    clock: Callable[[], float] = time.time
    measure: Callable[[], tuple[int, int]] | None = None
    """What tells the terminal's columns and lines; None where they stay as they are."""

    @classmethod
    def of_process(cls) -> Environment:
        """The surroundings of this process."""
        columns, lines = _terminal_size()
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(newline="\n")  # no other character ends a line
        codecs.register_error(_SPELLED_OUT, _spelled_out)
        return cls(
            stdin=sys.stdin if sys.stdin is not None else io.StringIO(),
            stdout=_writable(sys.stdout),
            stderr=_writable(sys.stderr),
            stdin_is_terminal=_is_terminal(sys.stdin),
            stdout_is_terminal=_is_terminal(sys.stdout),
            stderr_is_terminal=_is_terminal(sys.stderr),
            width=columns,
            height=lines,
            environ=os.environ,
            cwd=Path.cwd(),
            measure=_terminal_size,
        )

    def follow_terminal(self) -> None:
        """Let width and height be those that the terminal has now."""
        if self.measure is not None:
            self.width, self.height = self.measure()

    @property
    def config_directory(self) -> Path:
        """Where ``config.toml`` is: ``$XDG_CONFIG_HOME/rapyer``."""
        return self._base("XDG_CONFIG_HOME", ".config") / "rapyer"

    @property
    def state_directory(self) -> Path:
        """Where history and journal are: ``$XDG_STATE_HOME/rapyer``."""
        return self._base("XDG_STATE_HOME", ".local/state") / "rapyer"

    @property
    def cache_directory(self) -> Path:
        """Where what completion knows is kept: ``$XDG_CACHE_HOME/rapyer``."""
        return self._base("XDG_CACHE_HOME", ".cache") / "rapyer"

    @property
    def colours(self) -> bool:
        """Whether standard output takes colours (``NO_COLOR`` and dumb terminals do not)."""
        return (
            self.stdout_is_terminal
            and not self.environ.get("NO_COLOR")
            and self.environ.get("TERM") != "dumb"
        )

    @property
    def interactive(self) -> bool:
        """Whether a person can be asked."""
        return self.stdin_is_terminal and self.stderr_is_terminal

    @property
    def owns_terminal(self) -> bool:
        """Whether another program (a pager) that is started would share this terminal."""
        try:
            return self.stdin_is_terminal and os.isatty(self.stdout.fileno())
        except (OSError, ValueError):
            return False

    def note(self, message: str) -> None:
        """Write one line to standard error, if that takes any: what is being done does not depend on it."""
        if self.stderr_is_terminal:
            message = harmless(message)
        try:
            self.stderr.write(message + "\n")
            self.stderr.flush()
        except OSError:
            _forget(self.stderr)

    def write(self, text: str) -> None:
        """Write ``text`` to standard output; a terminal gets nothing that it could take for a command."""
        self.stdout.write(harmless(text) if self.stdout_is_terminal else text)

    def forget_stdout(self) -> None:
        """Write no more to standard output."""
        _forget(self.stdout)

    async def ask(self, question: str) -> str:
        """Ask on standard error and read one line; Ctrl-C works meanwhile."""
        import asyncio

        self.stderr.write(question)
        self.stderr.flush()
        try:
            descriptor = self.stdin.fileno()
        except (OSError, ValueError):
            return self._answer()
        loop = asyncio.get_running_loop()
        readable = loop.create_future()
        loop.add_reader(descriptor, readable.cancel)
        try:
            await asyncio.wait([readable])
        finally:
            loop.remove_reader(descriptor)
        return self._answer()

    def _answer(self) -> str:
        answer = self.stdin.readline()
        if not answer.endswith("\n"):
            self.stderr.write("\n")
        return answer

    def _base(self, variable: str, below_home: str) -> Path:
        named = self.environ.get(variable)
        if named and Path(named).is_absolute():
            return Path(named)
        home = self.environ.get("HOME")
        return (Path(home) if home else Path.home()) / below_home


def _forget(stream: TextIO) -> None:
    # Python would complain about what it cannot write once more when it flushes at exit.
    if stream in (sys.stdout, sys.stderr):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def harmless(text: str) -> str:
    """``text`` with control, C1 and bidi characters as JSON escapes them; ends of lines and tabs stay."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\n\t" else f"\\u{ord(char):04x}" for char in text
    )


_SPELLED_OUT = "rapyer.spelled-out"
_PLAIN = {"→": "->", "…": "...", "─": "-", "│": "|", "├": "|", "└": "`"}


def _spelled_out(error: UnicodeError) -> tuple[str | bytes, int]:
    """Characters that the encoding of a stream lacks: signs of ours in ASCII, others as JSON escapes them."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_PLAIN.get(char) or json.dumps(char)[1:-1] for char in text), error.end


def _writable(stream: TextIO | None) -> TextIO:
    """A standard stream that takes every character; one that is closed loses what it is given."""
    if stream is None:
        return io.StringIO()
    if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
        stream.reconfigure(errors=_SPELLED_OUT)
    return stream


def _terminal_size() -> tuple[int, int]:
    """Columns and lines: of ``COLUMNS`` and ``LINES``, else of the terminal, else 80 and 24."""
    found = (80, 24)
    for descriptor in (1, 2, 0):
        try:
            size = os.get_terminal_size(descriptor)
        except OSError:
            continue
        found = (size.columns or 80, size.lines or 24)
        break
    columns, lines = os.environ.get("COLUMNS", ""), os.environ.get("LINES", "")
    return (
        int(columns) if columns.isdigit() and int(columns) else found[0],
        int(lines) if lines.isdigit() and int(lines) else found[1],
    )


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False
