"""What a verb may give back besides a shape: a shape with an exit code of its own."""

from __future__ import annotations

from typing import NamedTuple

from rapyer_cli.exits import Exit
from rapyer_cli.render.shapes import Shape


class Ended(NamedTuple):
    """``shape`` is shown, then the command ends with ``code``."""

    shape: Shape | None
    code: Exit
