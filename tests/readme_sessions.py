"""The sessions shown in README.md, run by the real program in a terminal.

``python -m tests.readme_sessions`` rewrites them in place; a test fails when they are not true.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

import pexpect
import pyte

from rapyer.embedded import EmbeddedServer

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
COLUMNS = 88
_BLOCK = re.compile(r"(?<=```console\n).*?(?=```)", re.DOTALL)
_REPL = re.compile(r"<!-- repl: (.*?) -->\n```text\n.*?```", re.DOTALL)
_PROMPT = re.compile(r"\S.*?> ?")
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]")


def shown(command: str, environment: dict[str, str]) -> str:
    """What ``command`` prints on a terminal."""
    output, _ = pexpect.run(
        f"/bin/sh -c {_quoted(command)}",
        env=environment,
        cwd=str(ROOT),
        dimensions=(50, COLUMNS),
        withexitstatus=True,
        encoding="utf-8",
    )
    lines = [_ESCAPE.sub("", line).rstrip() for line in output.replace("\r\n", "\n").split("\n")]
    return "\n".join(lines).rstrip("\n") + "\n" if any(lines) else ""


def typed(lines: list[str], environment: dict[str, str], rows: int = 70) -> str:
    """The screen of ``rapyer repl`` after ``lines`` were typed, without the toolbar."""
    screen = pyte.Screen(COLUMNS, rows)
    stream = pyte.Stream(screen)
    process = pexpect.spawn(
        sys.executable,
        ["-m", "rapyer_cli", "repl"],
        env=environment,  # type: ignore[arg-type]
        cwd=str(ROOT),
        dimensions=(rows, COLUMNS),
        encoding="utf-8",
        timeout=30,
    )

    def shown_lines() -> list[str]:
        return [line.rstrip() for line in screen.display]

    def until_ready(prompts: int) -> None:
        while sum(
            1 for line in shown_lines() if _PROMPT.match(line)
        ) < prompts or not _PROMPT.match(shown_lines()[screen.cursor.y]):
            text = process.read_nonblocking(4096, timeout=30)
            stream.feed(text)
            if "\x1b[6n" in text:  # where is the cursor?
                process.send(f"\x1b[{screen.cursor.y + 1};{screen.cursor.x + 1}R")

    until_ready(1)
    for number, line in enumerate(lines, 2):
        process.send(line + "\r")
        until_ready(number)
    last = screen.cursor.y
    result = shown_lines()[:last]
    process.close(force=True)
    first = next(number for number, line in enumerate(result) if _PROMPT.match(line))
    return "\n".join(line for line in result[first:] if line) + "\n"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def true_readme(text: str, url: str) -> str:
    """``text`` with every session as it is when its commands are run against ``url``."""
    with tempfile.TemporaryDirectory() as home:
        return _true_readme(text, url, home)


def _true_readme(text: str, url: str, home: str) -> str:
    models = " ".join(str(ROOT / "examples" / name) for name in ("blog.py", "music.py"))
    environment = {
        # As [tool.rapyer] says here, and also where the clone is somebody else's.
        "RAPYER_MODELS": models,
        **{name: value for name, value in os.environ.items() if not name.startswith("XDG_")},
        "HOME": home,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "RAPYER_URL": url,
        "NO_COLOR": "1",
        "TERM": "xterm-256color",
        "COLUMNS": str(COLUMNS),
    }

    def block(match: re.Match[str]) -> str:
        commands = [line[2:] for line in match[0].splitlines() if line.startswith("$ ")]
        return "".join(f"$ {command}\n{shown(command, environment)}" for command in commands)

    def session(match: re.Match[str]) -> str:
        lines = [line.strip() for line in match[1].split(";")]
        return f"<!-- repl: {match[1]} -->\n```text\n{typed(lines, environment)}```"

    return _REPL.sub(session, _BLOCK.sub(block, text))


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        server = EmbeddedServer(directory)
        socket = server.ensure_running()
        try:
            README.write_text(true_readme(README.read_text(encoding="utf-8"), f"unix://{socket}"))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
