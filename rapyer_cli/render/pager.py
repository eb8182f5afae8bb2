"""The user's pager, for what is taller than the screen."""

from __future__ import annotations

import shlex
import subprocess

from rapyer_cli.environment import Environment

_USUAL = "less -R"


def show_in_pager(text: str, environment: Environment) -> None:
    """Show ``text`` in ``$RAPYER_PAGER``, ``$PAGER`` or less; as it is when it fits or there is none."""
    words = environment.environ.get("RAPYER_PAGER") or environment.environ.get("PAGER") or _USUAL
    if text.count("\n") < environment.height or not environment.owns_terminal:
        environment.stdout.write(text)
        return
    environment.stdout.flush()
    try:
        process = subprocess.Popen(
            shlex.split(words), stdin=subprocess.PIPE, env=dict(environment.environ)
        )
    except (OSError, ValueError):
        environment.stdout.write(text)
        return
    try:
        process.communicate(text.encode("utf-8", "backslashreplace"))
    except KeyboardInterrupt:
        process.wait()
