"""Answering a plain read at once: without Typer, Pydantic, redis-py, asyncio, Rich or the user's modules.

It applies to ``get`` of a document or a place inside one, and to ``ttl`` of a document, where the answer is data
(a pipe, or ``-o json|jsonl|raw``), and where all of this is certain:

* the words need no parser: options apart from their values, none twice, none unknown;
* the server is a plain one that answers: ``redis://``, ``unix://``, or an embedded one that runs;
* importing the models would say nothing and define what it defined the last time (:mod:`rapyer_cli.knowledge.freshness`);
* a whole document fits its model beyond doubt (:mod:`rapyer_cli.knowledge.fitting`); a place is shown as it is stored.

Everything else, errors included, is for the ordinary way, which prints the same: :func:`answer` either writes
the whole answer or nothing. It sends what the ordinary way sends, in read-only mode after the same question to
the server, and nothing that could write.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rapyer.embedded.wire import ReplyError, Wire
from rapyer_cli.environment import Environment
from rapyer_cli.exits import Exit
from rapyer_cli.failures import CliError
from rapyer_cli.language.addresses import Address, address_of
from rapyer_cli.language.grammar import CONNECTION_OPTIONS, OUTPUT_OPTIONS, Verbs
from rapyer_cli.session.session import Choices, Session, command_flags, embedded_notice
from rapyer_cli.verbs import QUICK

_NOTHING: Any = object()


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
    except (LookupError, TypeError, AttributeError):
        return None  # what is known of the models was not written by this version
    if session.server.is_default:
        environment.note(f"rapyer: {embedded_notice()}")
    environment.stdout.write(text)
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
    knowledge = _knowledge(session)
    if login is None or knowledge is None:
        return _NOTHING
    names = knowledge.get("models", [])
    address = address_of(target, names)
    if address.key is None or (verb == "ttl" and address.pointer):
        return _NOTHING
    with _connected(*login) as wire:
        if verb == "ttl":
            reply = _reply(wire, session, "PTTL", address.key)
            left = reply if isinstance(reply, int) else -2
            return _NOTHING if left == -2 else None if left < 0 else left / 1000
        path = _path(address, knowledge)
        if path is None:
            return _NOTHING
        reply = _reply(wire, session, "JSON.GET", address.key, path)
    found = json.loads(reply) if isinstance(reply, bytes) else []
    if not found or (not address.pointer and not _fits(found[0], address.key, knowledge)):
        return _NOTHING
    return found[0]


def _knowledge(session: Session) -> dict[str, Any] | None:
    """What the models are, without importing them; None when that is not known for certain."""
    from rapyer_cli.knowledge.cache import cache_path, read
    from rapyer_cli.knowledge.freshness import is_fresh

    sources = session.settings.models(session.choices.models)
    if not sources.modules:
        return {}
    data = read(cache_path(session.environment, sources))
    names = data.get("models", ())
    certain = data.get("quiet") and len(names) == len(set(names))
    return data if certain and is_fresh(data.get("stamp"), session.environment) else None


def _model_of(key: str, knowledge: dict[str, Any]) -> str | None:
    fitting = [name for name in knowledge.get("models", ()) if key.startswith(f"{name}:")]
    return max(fitting, key=len, default=None)


def _path(address: Address, knowledge: dict[str, Any]) -> str | None:
    """The JSON path of an address; None where the document, or the model itself, has to be asked for it."""
    from rapyer.paths import addressable_prefix, json_path

    assert address.key is not None
    types = knowledge.get("types", {})
    name = _model_of(address.key, knowledge)
    place: Any = None if name is None else {"kind": "model", "model": name, "item": None}
    path: list[str | int] = []
    for segment in address.pointer:
        kind = place["kind"] if place is not None else ""
        is_number = segment.lstrip("-").isdigit()
        if is_number and kind not in ("list", "dict", "model"):
            return None
        path.append(int(segment) if is_number and kind == "list" else segment)
        if place is not None:
            place = types.get(place["model"], {}).get(segment) if kind == "model" else place["item"]
    if addressable_prefix(tuple(path)) < len(path):
        return None
    return json_path(tuple(path), unchecked=True)


def _fits(data: Any, key: str, knowledge: dict[str, Any]) -> bool:
    """Whether the ordinary way would have nothing to say about this document."""
    from rapyer_cli.knowledge.fitting import fits

    name = _model_of(key, knowledge)
    return name is None or fits(data, knowledge["shapes"][name])


def _shown(data: Any, form: str | None, environment: Environment) -> str:
    """The text of the answer. Raises ``UnicodeError`` when standard output cannot take it."""
    from rapyer_cli.render.plain import plain_text

    text = plain_text(data, environment, form or "auto") + "\n"
    stream = environment.stdout
    text.encode(getattr(stream, "encoding", None) or "utf-8", stream.errors or "strict")
    return text


def _login(session: Session) -> tuple[str | tuple[str, int], list[tuple[str, ...]]] | None:
    """Where the server is, and the commands that open a connection; None when it takes more than that."""
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


def _plain_login(
    url: str, password: str | None
) -> tuple[str | tuple[str, int], list[tuple[str, ...]]] | None:
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


def _connected(where: str | tuple[str, int], opening: list[tuple[str, ...]]) -> Wire:
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
    from rapyer_cli.reading.many import as_sent

    if session.read_only_reason:
        flags = command_flags(wire.call("COMMAND", "INFO", command)) or frozenset()
        if "readonly" not in flags or "write" in flags:
            raise CliError(f"{command} is not marked as reading by the server")
    return wire.call(command, as_sent(key), *words)
