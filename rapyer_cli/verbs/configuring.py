"""``config``: what is in force, and where it comes from. Connects to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapyer_cli.language.grammar import Invocation, Verb
from rapyer_cli.render.shapes import Column, Table

if TYPE_CHECKING:
    from rapyer_cli.session.session import Session
    from rapyer_cli.settings import Settings


async def config(session: Session, invocation: Invocation) -> Table:
    """Show the settings in force and their sources."""
    from rapyer.connections import redact_url
    from rapyer_cli.session.history import history_path
    from rapyer_cli.trust import trust_path, trusted_directories

    settings, server = session.settings, session.server
    environment = session.environment
    reason = session.read_only_reason
    sources = settings.models(session.choices.models)
    rows = [
        _row(
            "server",
            redact_url(server.url),
            "nothing names one" if server.is_default else server.source,
        ),
        _row("profile", server.profile.name if server.profile else None, server.source),
        _row(
            "environment", server.profile.environment or None if server.profile else None, "profile"
        ),
        _row("changes", "refused" if reason else "allowed", reason or "no rule forbids them"),
        _row("models", list(sources.modules), sources.source),
        _row("profiles", settings.profile_names(), str(settings.config_path)),
        _row("config file", str(settings.config_path), _existence(settings.config_path.exists())),
        _row(
            "project file",
            str(settings.project_path) if settings.project_path else None,
            _project_in_words(settings),
        ),
        _row(
            "trusted",
            [str(directory) for directory in trusted_directories(environment)] or None,
            str(trust_path(environment)),
        ),
        _row("history", str(history_path(environment)), "the REPL's lines"),
        _row("journal", str(session.journal.path), "every change made from here"),
        _row("colours", environment.colours, "NO_COLOR, TERM and the terminal decide"),
    ]
    columns = (
        Column("setting", "setting"),
        Column("value", "value"),
        Column("source", "where from"),
    )
    return Table(columns, [row for row in rows if row["value"] is not None], raw="value")


def _project_in_words(settings: Settings) -> str:
    if settings.distrust:
        return f"not used: {settings.distrust}"
    return "[tool.rapyer]" if settings.project else "it has no [tool.rapyer]"


def _row(setting: str, value: Any, source: str) -> dict[str, Any]:
    return {"setting": setting, "value": value, "source": source}


def _existence(exists: bool) -> str:
    return "read" if exists else "not there"


VERBS = (
    Verb(
        "config",
        "show the settings in force and where they come from",
        "session",
        config,
        examples=("config", "config --profile live"),
        connects=False,
    ),
)
