"""``watch``: a document or place, live. Keyspace notifications where the server sends them, else polling."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from rapyer_cli.failures import UsageError
from rapyer_cli.language.addresses import Address
from rapyer_cli.language.grammar import Argument, Invocation, Kind, Option, Verb
from rapyer_cli.render.differences import MISSING, Difference, differences
from rapyer_cli.render.shapes import Changed, ChangedDocument, Shown
from rapyer_cli.verbs.arguments import LOOK_EXITS
from rapyer_cli.verbs.look import number_of

if TYPE_CHECKING:
    from rapyer_cli.session.session import Session

_POLL_SECONDS = 1.0
_MOST_SAMPLES = 40
_SPARKS = "▁▂▃▄▅▆▇█"


async def watch(session: Session, invocation: Invocation) -> None:
    """Show a document or place, then each change, until interrupted or ``--count`` changes came."""
    from rapyer_cli.render import render

    address = session.address(invocation.text("target"))
    condition = invocation.texts("condition")
    if address.is_model or condition:
        from rapyer_cli.verbs.watching_models import watch_model

        seconds = _seconds(invocation.text("interval"))
        await watch_model(session, invocation, address, condition, seconds)
        return
    if address.key is None:
        raise UsageError("watch takes a model, a document or a place inside one")
    seconds = _seconds(invocation.text("interval"))
    most = number_of(invocation, "count", 0)
    form = invocation.text("output")
    from rapyer_cli.session.resolve import place_at
    from rapyer_cli.verbs.look import current

    before = current(session, await place_at(session, invocation.text("target")))
    await render(Shown(str(address), before), session.environment, form)
    samples = [before] if _is_number(before) else []
    changes = 0
    read = _reader(session, address)
    async for _ in _ticks(session, str(address.key), seconds):
        after = await read()
        found = differences(before, after)
        if not found:
            continue
        await _show(session, address, found, after, samples, form)
        before = after
        changes += 1
        if changes == most:
            return


async def _show(
    session: Session,
    address: Address,
    found: list[Difference],
    after: Any,
    samples: list[Any],
    form: str | None,
) -> None:
    from rapyer_cli.render import chosen_form, render

    environment = session.environment
    if chosen_form(form, environment) not in ("rich", "table", "tree"):
        await render(Shown(str(address), None if after is MISSING else after), environment, form)
        return
    if _is_number(after):
        samples.append(after)
        del samples[:-_MOST_SAMPLES]
    changed = ChangedDocument(str(address), tuple(found))
    shape = Changed((changed,), state="seen")
    await render(shape, environment, form)
    if len(samples) > 2:
        environment.write(f"  {sparkline(samples)}\n")
        environment.stdout.flush()


def sparkline(values: list[float]) -> str:
    """The values as a row of small bars, the least as the lowest."""
    low, high = min(values), max(values)
    span = (high - low) or 1
    return "".join(_SPARKS[round((value - low) / span * (len(_SPARKS) - 1))] for value in values)


def _reader(session: Session, address: Address) -> Callable[[], Awaitable[Any]]:
    from rapyer_cli.reading.peek import peek

    async def read() -> Any:
        found = await peek(await session.client(), address)
        return MISSING if found is None else await found.read()

    return read


async def _ticks(session: Session, key: str, seconds: float) -> AsyncIterator[None]:
    """One tick each time the document may have changed."""
    import asyncio

    client = await session.client()
    if not await _notifies(client):
        while True:
            await asyncio.sleep(seconds)
            yield
    database = client.connection_pool.connection_kwargs.get("db") or 0
    channel = f"__keyspace@{database}__:{key}"
    async with client.pubsub() as subscription:
        await subscription.subscribe(channel)
        yield  # what changed before the subscription stood
        while True:
            message = await subscription.get_message(
                ignore_subscribe_messages=True, timeout=seconds
            )
            if message is not None:
                yield


async def _notifies(client: Any) -> bool:
    """Whether the server tells of changes of keys. Sends CONFIG GET, which not every user may."""
    import redis.exceptions

    from rapyer_cli.reading.commands import ask

    if not hasattr(client, "connection_pool"):
        return False
    try:
        reply = await ask(client, "CONFIG", "GET", "notify-keyspace-events")
    except redis.exceptions.RedisError:
        return False
    values = list(reply.values()) if isinstance(reply, dict) else list(reply or [])[1::2]
    text = values[0].decode() if values else ""
    return "K" in text and ("A" in text or all(flag in text for flag in "dg$"))


def _seconds(text: str | None) -> float:
    if text is None:
        return _POLL_SECONDS
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.01 <= seconds <= 3600:
        raise UsageError(f"--interval is seconds between 0.01 and 3600, not {text!r}")
    return seconds


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


VERBS = (
    Verb(
        "watch",
        "show each change of a model's documents, a document or a place, until Ctrl-C",
        "look",
        watch,
        arguments=(
            Argument("target", Kind.TARGET, "a model, a document, or a place inside one"),
            Argument(
                "condition", Kind.EXPRESSION, "after a model: where EXPRESSION", False, many=True
            ),
        ),
        options=(
            Option(
                "interval",
                ("--interval",),
                "seconds between looks without notifications",
                Kind.NUMBER,
            ),
            Option("count", ("--count",), "stop after so many changes", Kind.NUMBER),
        ),
        examples=(
            "watch BlogPost:42/views",
            "watch BlogPost:42 --count 1",
            "watch BlogPost where 'views >= 10' -o jsonl",
        ),
        details="Of a model, each document that is created, changed or deleted is shown with its fields before and "
        "after; in a pipe as JSON lines. Where the server sends keyspace notifications (notify-keyspace-events with "
        "KA) it is told at once; otherwise all documents are read every --interval seconds. The server's settings are "
        "never changed.",
        exits=LOOK_EXITS,
        clauses=("where",),
    ),
)
