"""Opening the REPL in a pseudo-terminal, up to its prompt. What that is compared with is in ``processes``."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PROMPT = b"rapyer>"
_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[()][0-9A-B]|\x1b[=>78]")
_WHERE_IS_THE_CURSOR = b"\x1b[6n"
_SECONDS = 20.0


def seconds_to_prompt(
    arguments: Sequence[str], environment: Mapping[str, str], directory: Path
) -> float:
    """Start Python with ``arguments`` in a terminal; the seconds until the prompt is written.

    Then the session is left as a person leaves it.
    """
    terminal, inside = pty.openpty()
    try:
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        begin = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env={**environment, "TERM": "xterm-256color"},
            cwd=directory,
            start_new_session=True,
        )
        os.close(inside)
        try:
            _await_prompt(terminal)
            spent = time.perf_counter() - begin
            os.write(terminal, b"exit\r")
            _await_end(terminal)
            if process.wait(_SECONDS):
                raise RuntimeError(f"the REPL ended with {process.returncode}")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    finally:
        os.close(terminal)
    return spent


def _await_prompt(terminal: int) -> None:
    written, answered = b"", 0
    while PROMPT not in _CONTROL.sub(b"", written):
        some = _read(terminal)
        if not some:
            raise RuntimeError(f"the REPL ended without a prompt: {written!r}")
        written += some
        while answered < written.count(_WHERE_IS_THE_CURSOR):
            os.write(terminal, b"\x1b[3;1R")
            answered += 1


def _await_end(terminal: int) -> None:
    # The REPL asks where the cursor is before each line, and waits a moment for the answer.
    while some := _read(terminal):
        if _WHERE_IS_THE_CURSOR in some:
            os.write(terminal, b"\x1b[4;1R")


def _read(terminal: int) -> bytes:
    """What was written; nothing when the other side is closed."""
    if not select.select([terminal], [], [], _SECONDS)[0]:
        raise TimeoutError(f"the REPL wrote nothing for {_SECONDS:.0f} s")
    try:
        return os.read(terminal, 65536)
    except OSError:  # what Linux says at the end
        return b""
