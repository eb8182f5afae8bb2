"""The first lines of a sitting: which server, whether it may be changed, which models with how many documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rapyer_cli.failures import report
from rapyer_cli.render.text import cut, printable
from rapyer_cli.session.session import Session, where_in_words
from rapyer_cli.version import version

_PATIENCE_SECONDS = 0.3
_HELP = "'help' lists the verbs, Tab completes, F1 shows the keys, Ctrl-D leaves."


async def greet(session: Session) -> None:
    """Say where one is. Sends INFO and SCAN, for a moment; a server that does not answer is said to."""
    environment = session.environment
    names = session.models.names()
    server, counts, complete = "", dict.fromkeys(names, 0), True
    lost: Exception | None = None
    try:
        from rapyer.connections import check_server
        from rapyer_cli.reading.many import counts_by_prefix

        client = await session.client()
        await check_server(client)
        server = await _product(client)
        counts, complete = await counts_by_prefix(client, names, seconds=_PATIENCE_SECONDS)
    except Exception as error:
        lost = error
    for line in lines(session, server, None if lost else counts, complete=complete):
        environment.note(cut(line, environment.width - 1))
    if lost is not None:
        report(lost, environment)


def lines(
    session: Session, server: str, counts: Mapping[str, int] | None, *, complete: bool
) -> list[str]:
    """What is said, a line each. ``counts`` are the documents of each model, None where nobody knows."""
    where = printable(where_in_words(session))
    said = [" · ".join(part for part in (f"rapyer {version()}", where, server) if part)]
    profile = session.server.profile
    if profile is not None and profile.environment:
        word = "PRODUCTION" if profile.is_prod else profile.environment
        state = f"read-only: {session.read_only_reason}" if session.read_only_reason else "writable"
        said.append(f"{word}, {state}")
    elif session.read_only_reason:
        said.append(f"read-only: {session.read_only_reason}")
    names = session.models.names()
    if counts is None:
        said.append(f"models: {', '.join(names) or 'none loaded'}")
    elif names:
        more = "" if complete else "+"
        said.append(f"models: {', '.join(f'{name} {counts[name]:,}{more}' for name in names)}")
    else:
        stored = ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())[:6])
        said.append(f"models: none loaded{f'; stored: {stored}' if stored else ''}")
    return [*said, _HELP]


async def _product(client: Any) -> str:
    """``Redis 8.2.1``."""
    reply = await client.info("server")
    info = reply if "redis_version" in reply else next(iter(reply.values()), {})
    name = str(info.get("server_name", "redis"))
    return f"{name.capitalize()} {info.get(f'{name}_version', info.get('redis_version', '?'))}"
