"""The history of lines, in a file that only the user can read. No prompt-toolkit here.

Passwords in URLs are replaced before a line is written; a line that begins with a blank is not kept.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from rapyer_cli.environment import Environment

_KEPT = 5000
_URL = re.compile(r"\S+://\S+")


def history_path(environment: Environment) -> Path:
    """The history file."""
    return environment.state_directory / "history"


def load_lines(environment: Environment) -> list[str]:
    """All kept lines, oldest first; empty when there are none or the file cannot be read."""
    try:
        text = history_path(environment).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [_decoded(line) for line in text.splitlines() if line][-_KEPT:]


def last_lines(environment: Environment, count: int) -> list[str]:
    """The last ``count`` lines, oldest first."""
    return load_lines(environment)[-count:] if count else []


def append_line(environment: Environment, line: str) -> None:
    """Keep ``line``; one that begins with a blank, or cannot be written, is not kept."""
    if not line.strip() or line[0].isspace():
        return
    path = history_path(environment)
    data = (_encoded(without_passwords(line)) + "\n").encode("utf-8", "backslashreplace")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError:
        return
    try:
        os.fchmod(descriptor, 0o600)
        os.write(descriptor, data)
    except OSError:
        return
    finally:
        os.close(descriptor)


def without_passwords(line: str) -> str:
    """``line`` with the passwords of its URLs replaced."""
    if "://" not in line:
        return line
    from rapyer.connections import redact_url

    return _URL.sub(lambda match: str(redact_url(match.group())), line)


def _encoded(line: str) -> str:
    return line.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def _decoded(line: str) -> str:
    return re.sub(r"\\([\\nr])", lambda m: {"\\": "\\", "n": "\n", "r": "\r"}[m.group(1)], line)
