"""``raw COMMAND…``: a Redis command as it is. What only reads is known by the server's own flags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from rapyer_cli.exits import Exit
from rapyer_cli.failures import CliError, Refused, UsageError
from rapyer_cli.language.grammar import Argument, Invocation, Kind, Verb
from rapyer_cli.render.shapes import Changed, Shown
from rapyer_cli.render.text import cut
from rapyer_cli.verbs.arguments import CHANGE_EXITS

if TYPE_CHECKING:
    from rapyer_cli.session.session import Session

_OF_THE_CONNECTION = frozenset(
    [
        *("AUTH", "HELLO", "SELECT", "QUIT", "RESET", "READONLY", "READWRITE", "ASKING", "MONITOR"),
        *("MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH", "SYNC", "PSYNC", "REPLCONF", "FAILOVER"),
        *("SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"),
        *("CLIENT|REPLY", "CLIENT|TRACKING", "CLIENT|CACHING", "CLIENT|SETNAME", "CLIENT|SETINFO"),
        *("CLIENT|NO-EVICT", "CLIENT|NO-TOUCH"),
    ]
)
_SECRET = ("ACL", "MIGRATE", "CONFIG", "SENTINEL")
_LONGEST = 2000


class Meaning(NamedTuple):
    """What the server says of a command: its name with the subcommand, whether it only reads, whether it is dangerous."""

    name: str
    reads: bool
    dangerous: bool


async def raw(session: Session, invocation: Invocation) -> Any:
    """Send one command; one that may write only with ``--write``."""
    from rapyer_cli.change.asking import ask_before
    from rapyer_cli.change.execute import refuse_if_read_only
    from rapyer_cli.reading.commands import ask

    words = invocation.texts("command")
    if not words or not words[0]:
        raise UsageError("raw takes a Redis command, such as HGETALL KEY")
    if session.transaction is not None:
        raise CliError("raw does not go into a transaction: 'commit' or 'discard' first")
    client = await session.client()
    meaning = await _meaning(session, words)
    shown = meaning.name.replace("|", " ")
    if meaning.name in _OF_THE_CONNECTION:
        raise Refused(f"{shown} concerns the connection, which all verbs share; it was not sent")
    if invocation.flag("dry_run"):
        return Changed((), commands=(_line(words),), state="dry")
    if meaning.reads:
        return Shown(shown, as_json(await ask(client, *_encoded(words))))
    if not invocation.flag("write"):
        raise Refused(
            f"{shown} is not marked as reading by the server; --write sends it, and it cannot be undone"
        )
    refuse_if_read_only(session)
    if meaning.dangerous:
        await ask_before(session, invocation, f"send {shown}, which the server calls dangerous?")
    return Shown(shown, as_json(await _sent(session, words)))


async def _sent(session: Session, words: list[str]) -> Any:
    """The reply to a command that may write, which is journalled whatever comes of it."""
    from rapyer_cli.change.describing import redacted
    from rapyer_cli.failures import failure_of
    from rapyer_cli.reading.commands import send_all

    entry = {
        "server": redacted(session),
        "verb": "raw",
        "commands": [_line(words)],
        "irreversible": "raw commands are not known to the journal",
    }
    try:
        with session.guard.writing():
            (reply,) = await send_all(await session.client(), [tuple(_encoded(words))])
        if isinstance(reply, Exception):
            raise reply
    except BaseException as error:
        session.journal.write({**entry, "outcome": failure_of(error).message})
        raise
    session.journal.write({**entry, "outcome": "done"})
    return reply


async def _meaning(session: Session, words: list[str]) -> Meaning:
    """What the server says of the command. Sends COMMAND INFO, for the subcommand where there is one."""
    from rapyer_cli.reading.commands import ask
    from rapyer_cli.session.guard import is_neutral

    client = await session.client()
    name = words[0].upper()
    names = [name] if len(words) == 1 else [f"{name}|{words[1].upper()}", name]
    for one in names:
        if any(character in one for character in "\r\n \0"):
            continue
        reply = await ask(client, "COMMAND", "INFO", one)
        if isinstance(reply, list) and reply and reply[0]:
            about = reply[0]
            flags = {_text(flag) for flag in about[2]}
            categories = {_text(category) for category in about[6]} if len(about) > 6 else set()
            reads = ("readonly" in flags and "write" not in flags) or is_neutral(one)
            return Meaning(one, reads, "@dangerous" in categories)
    raise CliError(f"the server knows no command {words[0]!r}")


def as_json(reply: Any) -> Any:
    """A reply as JSON: texts for bytes (escapes for what is no UTF-8), lists, numbers, objects for maps."""
    if isinstance(reply, bytes):
        return reply.decode("utf-8", "backslashreplace")
    if isinstance(reply, dict):
        return {str(as_json(name)): as_json(value) for name, value in reply.items()}
    if isinstance(reply, (list, tuple, set, frozenset)):
        return [as_json(item) for item in reply]
    if reply is None or isinstance(reply, (bool, int, float, str)):
        return reply
    return str(reply)


def _encoded(words: list[str]) -> list[bytes]:
    return [word.encode("utf-8", "surrogateescape") for word in words]


def _line(words: list[str]) -> str:
    """The command for the journal and a dry run; without what may be a password."""
    if words[0].upper() in _SECRET:
        return " ".join([*words[:2], "…"]) if len(words) > 2 else " ".join(words)
    from rapyer_cli.language.quoting import quoted

    return cut(" ".join(quoted(word) for word in words), _LONGEST)


def _text(word: Any) -> str:
    return word.decode() if isinstance(word, bytes) else str(word)


VERBS = (
    Verb(
        "raw",
        "send a Redis command as it is",
        "many",
        raw,
        arguments=(Argument("command", Kind.WORD, "the command and its arguments", many=True),),
        examples=(
            "raw HGETALL session:1",
            "raw XLEN events -o json",
            "raw LPUSH queue job --write",
        ),
        effect="write",
        exits=(*CHANGE_EXITS, Exit.FAILED),
        details="A command that the server itself marks as reading is sent; any other only with --write, and where "
        "the session may change anything. What the server calls dangerous is asked for besides (--yes where nobody "
        "can be). It is journalled, and cannot be undone. -- comes before words that begin with --.",
        only_looks=lambda invocation: not invocation.flag("write"),
    ),
)
