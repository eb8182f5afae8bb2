"""What the journal says of a plan, besides what takes it back: server, commands, places, changes in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapyer_cli.render.differences import MISSING
from rapyer_cli.render.plain import change_lines
from rapyer_cli.render.shapes import Changed
from rapyer_cli.render.text import cut, json_text
from rapyer_cli.session.session import Session

if TYPE_CHECKING:
    from rapyer_cli.session.plan import Plan, Touch

_LONGEST_COMMAND = 2000
_LONGEST_VALUE = 4000
_MOST_CHANGES = 5


def described(session: Session, plan: Plan) -> dict[str, Any]:
    """The entry of ``plan`` before it is sent."""
    return {
        "server": redacted(session),
        "verb": plan.verb,
        "commands": [cut(command, _LONGEST_COMMAND) for command in plan.batch.commands()],
        "places": [_place(touch) for touch in plan.touches],
    }


def summary(plan: Plan, changed: Changed) -> list[str]:
    """What was changed, for people."""
    lines = [*change_lines(changed), *plan.notes]
    more = len(lines) - _MOST_CHANGES
    return lines if more <= 0 else [*lines[:_MOST_CHANGES], f"… and {more:,} more"]


def _place(touch: Touch) -> dict[str, Any]:
    """The place and what it held, unless that is large: what takes it back is kept anyway."""
    place: dict[str, Any] = {"key": touch.key, "path": list(touch.path)}
    before = None if touch.before is MISSING else touch.before
    text = json_text(before)
    return (
        {**place, "bytes": len(text)} if len(text) > _LONGEST_VALUE else {**place, "before": before}
    )


def redacted(session: Session) -> str:
    """The server's URL without its password."""
    from rapyer.connections import redact_url

    return str(redact_url(session.server.url))
