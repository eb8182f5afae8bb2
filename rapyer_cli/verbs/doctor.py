"""``doctor``: is everything in order? Server, modules, persistence, models, indexes, drift."""

from __future__ import annotations

import platform
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from rapyer_cli.exits import Exit
from rapyer_cli.failures import failure_of
from rapyer_cli.language.grammar import Invocation, Verb
from rapyer_cli.render.shapes import Column, Ended, Table
from rapyer_cli.render.text import counted
from rapyer_cli.version import version

if TYPE_CHECKING:
    from rapyer_cli.session.session import Session

_PINGS = 10
_SAMPLED = 200

Row = dict[str, Any]


async def doctor(session: Session, invocation: Invocation) -> Ended:
    """Go through everything; the exit code is that of the first thing that is broken."""
    rows: list[Row] = [_row("rapyer", "ok", f"{version()} on Python {platform.python_version()}")]
    rows += _of_models(session)
    code = Exit.MODELS if session.models.failures else Exit.DONE
    try:
        rows += [row async for row in _of_server(session)]
        async with session.bound():
            rows += [row async for row in _of_documents(session)]
    except Exception as error:
        failure = failure_of(error)
        rows.append(_row("server", "broken", failure.message))
        code = failure.code
    if code == Exit.DONE and any(row["state"] == "broken" for row in rows):
        code = Exit.FAILED
    for failed in (failed for failed in session.models.failures if failed.traceback):
        session.environment.note(failed.traceback.rstrip("\n"))
    columns = (Column("check", "check"), Column("state", "state"), Column("detail", "detail"))
    return Ended(Table(columns, rows), code)


def _of_models(session: Session) -> list[Row]:
    models = session.models
    rows = [
        _row(
            f"models {failed.module}",
            "broken",
            failed.message + ("; its traceback is on stderr" if failed.traceback else ""),
        )
        for failed in models.failures
    ]
    names = models.names()
    source = session.settings.models(session.choices.models).source
    if names:
        rows.append(_row("models", "ok", f"{', '.join(names)} (from {source})"))
    elif not rows:
        rows.append(_row("models", "note", "none are loaded: everything works from JSON types"))
    return rows


async def _of_server(session: Session) -> AsyncIterator[Row]:
    import statistics

    from rapyer.connections import check_server, redact_url

    client = await session.client()
    source = "nothing names one" if session.server.is_default else f"from {session.server.source}"
    place = f"{redact_url(session.server.url)} ({source})"
    await check_server(client)
    yield _row("server", "ok", place)
    times = []
    for _ in range(_PINGS):
        started = time.perf_counter()
        await client.ping()
        times.append(time.perf_counter() - started)
    yield _row("latency", "ok", f"{statistics.median(times) * 1000:.2f} ms (median of {_PINGS})")
    info = await _info(client)
    yield _row("version", "ok", f"{_product(info)}, {_mode(info)}")
    modules = await _modules(client)
    yield _row("modules", "ok", ", ".join(modules) or "built in")
    yield _persistence(info)
    if session.read_only_reason:
        yield _row("changes", "note", f"refused: {session.read_only_reason}")


async def _of_documents(session: Session) -> AsyncIterator[Row]:
    from rapyer_cli.verbs.checking import Drift, misfits

    for model in session.models:
        drift = Drift()
        bad = [
            row async for row in misfits(session, [model], drift, lambda steps: None, most=_SAMPLED)
        ]
        name = model.class_key_initials()
        if bad:
            detail = (
                f"{len(bad)} of {drift.checked} looked at do not fit; 'check {name}' lists them"
            )
            yield _row(f"drift {name}", "broken", detail)
        else:
            yield _row(
                f"drift {name}", "ok", f"{counted(drift.checked, 'document')} looked at, all fit"
            )
    indexes = await _indexes(await session.client())
    if indexes is not None:
        yield _row("indexes", "ok", ", ".join(indexes) or "none")


async def _info(client: Any) -> dict[str, Any]:
    reply = await client.info()
    if "redis_version" in reply:
        return dict(reply)
    return dict(next(iter(reply.values()), {}))  # a cluster answers for each node


def _product(info: dict[str, Any]) -> str:
    """The server's own name and version; what is compatible with Redis says that one's too."""
    redis = info.get("redis_version", "?")
    name = str(info.get("server_name", "redis"))
    version = info.get(f"{name}_version", redis)
    if name == "redis":
        return f"Redis {redis}"
    return f"{name.capitalize()} {version} (as Redis {redis})"


def _mode(info: dict[str, Any]) -> str:
    return f"{info.get('redis_mode', 'standalone')}, {info.get('role', 'master')}"


async def _modules(client: Any) -> list[str]:
    import redis.exceptions

    try:
        reply = await client.module_list()
    except redis.exceptions.RedisError:
        return []
    found = []
    for module in reply if isinstance(reply, list) else []:
        values = {_text(name): value for name, value in dict(module).items()}
        found.append(f"{_text(values.get('name', '?'))} {values.get('ver', '')}".strip())
    return found


async def _indexes(client: Any) -> list[str] | None:
    import redis.exceptions

    from rapyer.errors import RapyerError
    from rapyer_cli.reading.commands import ask

    try:
        reply = await ask(client, "FT._LIST")
    except (redis.exceptions.RedisError, RapyerError):
        return None
    return sorted(_text(name) for name in reply)


def _persistence(info: dict[str, Any]) -> Row:
    aof = str(info.get("aof_enabled")) == "1"
    failed = [
        name
        for name in ("rdb_last_bgsave_status", "aof_last_write_status", "aof_last_bgrewrite_status")
        if info.get(name) not in (None, "ok")
    ]
    if failed:
        return _row(
            "persistence", "broken", f"{', '.join(failed)}: the server cannot write to disk"
        )
    detail = (
        "append-only file" if aof else "snapshots only: the last seconds or minutes can be lost"
    )
    return _row("persistence", "ok" if aof else "note", detail)


def _row(check: str, state: str, detail: str) -> Row:
    return {"check": check, "state": state, "detail": detail}


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


VERBS = (
    Verb(
        "doctor",
        "check server, modules, persistence, models, indexes and drift",
        "session",
        doctor,
        examples=("doctor", "doctor --profile live"),
        exits=(Exit.MODELS,),
        connects=False,
    ),
)
