"""``diff TARGET --with PROFILE``: the same model, document or place on two servers."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from rapyer_cli.exits import Exit
from rapyer_cli.failures import NotFound, UsageError
from rapyer_cli.language.addresses import Address, escape_key
from rapyer_cli.language.grammar import Invocation
from rapyer_cli.render.differences import MISSING, differences
from rapyer_cli.render.plain import arrow, difference_record
from rapyer_cli.render.shapes import Column, Compared, Ended, Table
from rapyer_cli.render.text import cut
from rapyer_cli.session.session import Session, where_in_words

if TYPE_CHECKING:
    from rapyer_cli.reading.peek import Peek

_CHUNK = 200
_SHOWN = 3


async def diff_servers(session: Session, invocation: Invocation, server: str) -> Ended:
    """Compare what is here with the same on ``server``; exit code 1 when they differ."""
    if invocation.text("right") is not None:
        raise UsageError("diff --with compares one target on two servers")
    address = session.address(invocation.text("left"))
    other = session.beside(server)
    try:
        if address.is_root:
            raise UsageError("diff --with takes a model, a document or a place, such as BlogPost")
        if address.is_model:
            return await _models(session, other, invocation, address.name)
        return await _places(session, other, address)
    finally:
        await other.close()


async def _places(session: Session, other: Session, address: Address) -> Ended:
    from rapyer_cli.reading.peek import peek

    async def value(found: Peek | None) -> Any:
        return MISSING if found is None else await found.read()

    here = await value(await peek(await session.client(), address))
    there = await value(await peek(await other.client(), address))
    if here is MISSING and there is MISSING:
        raise NotFound(f"{address} is on neither server")
    left, right = (f"{address} on {where_in_words(one)}" for one in (session, other))
    found = tuple(differences(here, there))
    return Ended(Compared(left, right, found), Exit.FAILED if found else Exit.DONE)


async def _models(session: Session, other: Session, invocation: Invocation, name: str) -> Ended:
    from rapyer_cli.render import chosen_form

    people = chosen_form(invocation.text("output"), session.environment) in (
        "rich",
        "table",
        "tree",
    )
    rows: list[dict[str, Any]] = []
    same = 0
    async for key, here, there in _pairs(session, other, name):
        found = differences(here, there)
        if not found:
            same += 1
            continue
        state = "here only" if there is MISSING else "there only" if here is MISSING else "differs"
        row: dict[str, Any] = {"key": escape_key(key, name), "state": state}
        if state == "differs" and people:
            row["differences"] = "; ".join(
                f"{'/'.join(map(str, one.path))}: {cut(arrow(one, 40), 60)}"
                for one in found[:_SHOWN]
            ) + (" …" if len(found) > _SHOWN else "")
        elif state == "differs":
            row["differences"] = [difference_record(one) for one in found]
        rows.append(row)
    columns = (
        Column("key", "document"),
        Column("state", "state"),
        Column("differences", "differences"),
    )
    session.environment.note(
        f"{name}: {same:,} the same, {len(rows):,} not "
        f"(here is {where_in_words(session)}, there is {where_in_words(other)})"
    )
    table = Table(columns, rows, empty="no differences", raw="key")
    return Ended(table, Exit.FAILED if rows else Exit.DONE)


async def _pairs(
    session: Session, other: Session, name: str
) -> AsyncGenerator[tuple[str, Any, Any], None]:
    """Key and JSON of every document on one of the servers, here and there."""
    from rapyer_cli.reading.many import stored_texts, texts_of, unique_keys_of
    from rapyer_cli.session.plan_many import SeenKeys

    client, there = await session.client(), await other.client()
    seen = SeenKeys()
    chunk: dict[str, bytes] = {}

    async def compared() -> AsyncGenerator[tuple[str, Any, Any], None]:
        found = dict([pair async for pair in texts_of(there, chunk)])
        for key, text in chunk.items():
            yield key, json.loads(text), json.loads(found[key]) if key in found else MISSING

    async for key, text in stored_texts(client, name):
        seen.add(key)
        chunk[key] = text
        if len(chunk) == _CHUNK:
            async for row in compared():
                yield row
            chunk.clear()
    async for row in compared():
        yield row
    async for key in unique_keys_of(there, name):
        if key not in seen:
            async for _, text in texts_of(there, [key]):
                yield key, MISSING, json.loads(text)
