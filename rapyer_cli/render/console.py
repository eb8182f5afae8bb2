"""The Rich console of a run, and how one value is coloured. Imported only for Rich output."""

from __future__ import annotations

from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from rapyer_cli.environment import Environment
from rapyer_cli.render.differences import MISSING
from rapyer_cli.render.text import readable

STYLES = {
    "text": "green",
    "number": "cyan",
    "truth": "magenta",
    "none": "dim italic",
    "nested": "",
    "name": "bold",
    "type": "dim",
    "added": "green",
    "removed": "red",
    "changed": "yellow",
}


def console_for(environment: Environment, stream: TextIO | None = None) -> Console:
    """A console on standard output (or ``stream``) with the width and colours of the environment."""
    environment.follow_terminal()
    return Console(
        file=stream or environment.stdout,
        width=environment.width,
        force_terminal=environment.stdout_is_terminal,
        no_color=not environment.colours,
        color_system="auto" if environment.colours else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        _environ=dict(environment.environ),
    )


def value_text(data: Any, limit: int) -> Text:
    """One value on one line, coloured by its JSON type."""
    return Text(readable(data, limit), style=style_of(data), no_wrap=True, overflow="ellipsis")


def style_of(data: Any) -> str:
    """The style of a JSON value."""
    if data is None or data is MISSING:
        return STYLES["none"]
    if isinstance(data, bool):
        return STYLES["truth"]
    if isinstance(data, (int, float)):
        return STYLES["number"]
    if isinstance(data, str):
        return STYLES["text"]
    return STYLES["nested"]
