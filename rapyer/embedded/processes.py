"""Whether a process is still there: its locks are free a moment before its sockets are closed."""

from __future__ import annotations

import os
import time


def pid_in(path: str) -> int | None:
    """The process that a pid file names; None where it says nothing."""
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def await_exit(pid: int | None, timeout: float) -> None:
    """Wait until a process has closed everything that it had open, no longer than ``timeout``."""
    deadline = time.monotonic() + timeout
    while pid is not None and _holds_files(pid) and time.monotonic() < deadline:
        time.sleep(0.002)


def _holds_files(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    try:  # one that ended and that nobody has asked after holds nothing any more
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (OSError, IndexError):
        return not os.path.isdir("/proc/self")
