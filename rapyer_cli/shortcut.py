"""Answering a plain read at once: without Typer, Pydantic, redis-py, asyncio, Rich or the user's modules.

It applies to ``get`` of a document or a place inside one, and to ``ttl`` of a document, where the answer is data
(a pipe, or ``-o json|jsonl|raw``), and where all of this is certain:

* the words need no parser: options apart from their values, none twice, none unknown;
* the server is a plain one that answers: ``redis://``, ``unix://``, or an embedded one that runs;
* the models have no say. None are named anywhere; or the line itself names none, and asks for a time to live or for a
  place inside a document, which a program gets as it is stored. The ordinary way imports no models for those either.

Everything else, errors included, is for the ordinary way, which prints the same: :func:`answer` either writes
the whole answer or nothing. It sends what the ordinary way sends, in read-only mode after the same question to
the server, and nothing that could write.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeAlias

from rapyer.embedded.wire import ReplyError, Wire
from rapyer_cli.environment import Environment
from rapyer_cli.exits import Exit
from rapyer_cli.failures import CliError
from rapyer_cli.language.addresses import address_of, certain_address
from rapyer_cli.language.grammar import CONNECTION_OPTIONS, OUTPUT_OPTIONS, QUICK, Verbs
from rapyer_cli.session.session import Choices, Session, command_flags, embedded_notice

_NOTHING: Any = object()
Login: TypeAlias = "tuple[str | tuple[str, int], list[tuple[str, ...]]]"
"""Where a server is, and the commands that open a connection to it."""


def answer(words: Sequence[str], environment: Environment) -> int | None:
    """Answer one command line and return its exit code; None, and nothing written, if that is not for here.

    Sends ``JSON.GET`` or ``PTTL``, in read-only mode ``COMMAND INFO`` before it, and what logging in needs.
    """
    line = _parsed(words, environment)
    if line is None:
        return None
    verb, target, options = line
    try:
        session = Session(environment, Verbs, _choices(options))
        data = _asked(session, verb, target)
        if data is _NOTHING:
            return None
        text = _shown(data, options.get("output"), environment)
    except (CliError, ReplyError, OSError, ValueError, RecursionError):
        return None  # the ordinary way meets it again, and says what it is
    if session.server.is_default:
        environment.note(f"rapyer: {embedded_notice()}")
    environment.write(text)
    environment.stdout.flush()
    return Exit.DONE


def _parsed(
    words: Sequence[str], environment: Environment
) -> tuple[str, str, dict[str, Any]] | None:
    """Verb, target and options of a line that can be understood without a parser."""
    known = {flag: one for one in (*CONNECTION_OPTIONS, *OUTPUT_OPTIONS) for flag in one.flags}
    plain: list[str] = []
    options: dict[str, Any] = {}
    waiting = iter(words)
    for word in waiting:
        if not word.startswith("-"):
            plain.append(word)
            continue
        option = known.get(word)
        if option is None or option.name == "help" or (option.name in options and not option.many):
            return None
        value: Any = True if option.kind is None else next(waiting, "")
        if value == "" or (isinstance(value, str) and value.startswith("-")):
            return None
        if option.many:
            value = [*options.get(option.name, ()), value]
        options[option.name] = value
    form = options.get("output", "auto")
    if form not in ("json", "jsonl", "raw") and (form != "auto" or environment.stdout_is_terminal):
        return None
    return (plain[0], plain[1], options) if len(plain) == 2 and plain[0] in QUICK else None


def _choices(options: dict[str, Any]) -> Choices:
    return Choices(
        url=options.get("url"),
        profile=options.get("profile"),
        models=tuple(options.get("models", ())),
        read_only="read_only" in options,
        write="write" in options,
    )


def _asked(session: Session, verb: str, target: str) -> Any:
    """The JSON that the line asks for, or ``_NOTHING`` where only the ordinary way can tell."""
    login = _login(session)
    sources = session.settings.models(session.choices.models)
    if sources.refused or session.server.note:
        return _NOTHING
    has_models = bool(sources.modules)
    address = certain_address(target) if has_models else address_of(target, ())
    if session.choices.models or login is None or address is None or address.key is None:
        return _NOTHING
    if verb == "ttl":
        return _NOTHING if address.pointer else _lifetime(session, login, address.key)
    if has_models and not address.pointer:
        return _NOTHING
    return _stored(session, login, address.key, address.pointer)


def _lifetime(session: Session, login: Login, key: str) -> Any:
    with _connected(login) as wire:
        reply = _reply(wire, session, "PTTL", key)
    left = reply if isinstance(reply, int) else -2
    return _NOTHING if left == -2 else None if left < 0 else left / 1000


def _stored(session: Session, login: Login, key: str, pointer: Sequence[str]) -> Any:
    from rapyer.paths import addressable_prefix, json_path

    path: tuple[str | int, ...] = ()
    with _connected(login) as wire:
        for segment in pointer:
            is_index = False
            if segment.lstrip("-").isdigit():
                kind = _reply(wire, session, "JSON.TYPE", key, json_path(path, unchecked=True))
                is_index = b"array" in (kind if isinstance(kind, list) else [kind])
            path = (*path, int(segment) if is_index else segment)
            if addressable_prefix(path) < len(path):
                return _NOTHING
        reply = _reply(wire, session, "JSON.GET", key, json_path(path, unchecked=True))
    found = json.loads(reply) if isinstance(reply, bytes) else []
    return found[0] if found else _NOTHING


def _shown(data: Any, form: str | None, environment: Environment) -> str:
    """The text of the answer. Raises ``UnicodeError`` when standard output cannot take it."""
    from rapyer_cli.render.plain import plain_text

    text = plain_text(data, environment, form or "auto") + "\n"
    stream = environment.stdout
    text.encode(getattr(stream, "encoding", None) or "utf-8", stream.errors or "strict")
    return text


def _login(session: Session) -> Login | None:
    """How to come to the server; None when it takes more than that."""
    from rapyer_cli.settings import password_of

    profile, url = session.server.profile, session.server.url
    password = None
    if profile is not None:
        if profile.password_file is not None or profile.password_command is not None:
            return None
        password = password_of(profile, session.environment)
    if url.startswith("embedded://"):
        from rapyer.embedded import EmbeddedServer

        return None if password else (EmbeddedServer.from_url(url).address, [])
    return _plain_login(url, password)


def _plain_login(url: str, password: str | None) -> Login | None:
    import re

    found = re.fullmatch(
        r"(?P<scheme>redis|unix)://((?P<user>[\w.%~-]*):(?P<password>[\w.%~!$&*+=,;-]+)@)?"
        r"(?P<host>[A-Za-z0-9.-]*)(:(?P<port>[0-9]+))?(?P<path>/[\w./%~+=,-]*)?",
        url,
        re.ASCII,
    )
    if found is None:
        return None
    user, path = found["user"] or "", found["path"] or ""
    password = password or found["password"]
    if "%" in url:
        from urllib.parse import unquote

        user, path = unquote(user), unquote(path)
        password = unquote(password) if password == found["password"] else password
    opening: list[tuple[str, ...]] = []
    if password:
        opening.append(("AUTH", user, password) if user else ("AUTH", password))
    if found["scheme"] == "unix":
        return None if found["host"] or found["port"] else (path, opening)
    database = path.strip("/") or "0"
    if not database.isdigit():
        return None
    if int(database):
        opening.append(("SELECT", database))
    return (found["host"] or "localhost", int(found["port"] or 6379)), opening


def _connected(login: Login) -> Wire:
    where, opening = login
    wire = Wire(where)
    try:
        for command in opening:
            wire.call(*command)
    except BaseException:
        wire.close()
        raise
    return wire


def _reply(wire: Wire, session: Session, command: str, key: str, *words: str) -> Any:
    """The reply to a command that reads. Raises :class:`CliError` where read-only mode does not let it leave."""
    from rapyer.keyspace.spelling import as_sent

    if session.read_only_reason:
        flags = command_flags(wire.call("COMMAND", "INFO", command)) or frozenset()
        if "readonly" not in flags or "write" in flags:
            raise CliError(f"{command} is not marked as reading by the server")
    return wire.call(command, as_sent(key), *words)
