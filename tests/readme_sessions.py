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

from rapyer.embedded import EmbeddedServer

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
COLUMNS = 88
_BLOCK = re.compile(r"(?<=```console\n).*?(?=```)", re.DOTALL)
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


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def true_readme(text: str, url: str) -> str:
    """``text`` with every console block as it is when its commands are run against ``url``."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "RAPYER_URL": url,
        "NO_COLOR": "1",
        "TERM": "xterm-256color",
        "COLUMNS": str(COLUMNS),
    }

    def block(match: re.Match[str]) -> str:
        commands = [line[2:] for line in match[0].splitlines() if line.startswith("$ ")]
        return "".join(f"$ {command}\n{shown(command, environment)}" for command in commands)

    return _BLOCK.sub(block, text)


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
