"""``server start|stop|status``: the embedded server by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapyer_cli.exits import Exit
from rapyer_cli.failures import UsageError
from rapyer_cli.language.grammar import Argument, Invocation, Kind, Verb
from rapyer_cli.render.shapes import Ended, FieldRow, Lines, Shown

_ACTIONS = ("start", "stop", "status")


async def server(session: Session, invocation: Invocation) -> Any:
    """Start, stop or ask after the embedded server."""
    from rapyer.embedded import EmbeddedServer

    url = session.server.url
    if not url.startswith("embedded://"):
        if session.choices.url or session.choices.profile:
            raise UsageError(f"{session.server.source} is not an embedded server; embedded:// is")
        url = "embedded://"
    embedded = EmbeddedServer.from_url(url)
    match invocation.text("action"):
        case "start":
            embedded.ensure_running()
            return Lines((f"running: {embedded.url}",), data=_state(embedded))
        case "stop":
            stopped = embedded.stop()
            return Lines(
                ("stopped" if stopped else "it was not running",), data={"stopped": stopped}
            )
        case _:
            state = _state(embedded)
            rows = tuple(
                FieldRow(name, value) for name, value in state.items() if value is not None
            )
            title = "embedded server" + ("" if state["running"] else ": not running")
            return Ended(Shown(title, state, rows=rows), Exit.DONE)


def _state(embedded: Any) -> dict[str, Any]:
    return {"url": embedded.url, **embedded.status()._asdict()}


VERBS = (
    Verb(
        "server",
        "start, stop or ask after the embedded server",
        "session",
        server,
        arguments=(Argument("action", Kind.WORD, "what to do", choices=_ACTIONS),),
        examples=("server status", "server stop", "server start --url embedded:///tmp/try"),
        connects=False,
    ),
)

if TYPE_CHECKING:
    from rapyer_cli.session.session import Session
