"""``copy TARGET --to PROFILE``: documents from the server in force to another."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from rapyer_cli.exits import Exit
from rapyer_cli.failures import NotFound, UsageError, one_line
from rapyer_cli.language.grammar import Argument, Invocation, Kind, Option, Verb
from rapyer_cli.render.differences import MISSING
from rapyer_cli.verbs.arguments import ANEW, CHANGE_EXITS

if TYPE_CHECKING:
    from rapyer_cli.language.addresses import Address
    from rapyer_cli.session.plan_many import ManyPlan, Rewrite, Unfit
    from rapyer_cli.session.session import Session

_CHUNK = 200


async def copy(session: Session, invocation: Invocation) -> Any:
    """Copy documents to another server, where they are compared and set, journalled and undone."""
    from rapyer_cli.change.execute import refuse_if_read_only
    from rapyer_cli.change.many import carry_out_many

    server = invocation.text("to")
    if not server:
        raise UsageError("copy needs --to PROFILE: the server that gets the documents")
    other = session.beside(server)
    try:
        if not invocation.flag("dry_run"):
            refuse_if_read_only(other)
        plan = _plan(session, other, invocation, server)
        return await carry_out_many(other, plan, invocation)
    finally:
        await other.close()


def _plan(session: Session, other: Session, invocation: Invocation, server: str) -> ManyPlan:
    from rapyer_cli.language.conditions import condition_of
    from rapyer_cli.reading.matching import condition_from
    from rapyer_cli.session.plan_many import ManyPlan
    from rapyer_cli.session.session import where_in_words

    target = invocation.text("target")
    address = session.address(target)
    words = invocation.texts("condition")
    text = condition_of(words, "copy MODEL where EXPRESSION --to PROFILE") if words else None
    if address.pointer or address.is_root or (text is not None and not address.is_model):
        raise UsageError("copy takes a model, MODEL where EXPRESSION, or a document")
    model = session.models.named(address.name) if address.is_model else None
    condition = condition_from(model, text)
    replace = invocation.flag("replace")

    async def documents() -> AsyncIterator[Rewrite | Unfit]:
        chunk: dict[str, bytes] = {}
        async for key, stored in _sources(session, address, model, condition):
            chunk[key] = stored
            if len(chunk) == _CHUNK:
                async for found in _copied(session, other, chunk, replace=replace):
                    yield found
                chunk = {}
        async for found in _copied(session, other, chunk, replace=replace):
            yield found

    chosen = f"{address}" + (f" where {text}" if text is not None else "")
    option = "--url" if "://" in server else "--profile"
    shown = where_in_words(other)
    return ManyPlan(
        "copy",
        f"copy {chosen} from {where_in_words(session)}" + (" --replace" if replace else ""),
        "write",
        f"of {chosen} from {where_in_words(session)} to {shown}",
        documents,
        anew=invocation.flag("anew"),
        undo_with=f" {option} {shown}",
    )


async def _sources(
    session: Session, address: Address, model: Any, condition: Any
) -> AsyncIterator[tuple[str, bytes]]:
    from rapyer_cli.reading.many import stored_texts, texts_of
    from rapyer_cli.reading.matching import Misfit, matches_of
    from rapyer_cli.session.resolve import require_known

    client = await session.client()
    if address.key is not None:
        found = [pair async for pair in texts_of(client, [address.key])]
        if not found:
            raise NotFound(f"{address.key} does not exist")
        yield found[0]
        return
    await require_known(session, address.name)
    if condition is None:
        async for pair in stored_texts(client, address.name):
            yield pair
        return
    async for match in matches_of(client, address.name, model, condition):
        if isinstance(match, Misfit):
            session.environment.note(f"rapyer: left out: {one_line(match.reason)}")
        else:
            yield match.key, match.text


async def _copied(
    session: Session, other: Session, chunk: dict[str, bytes], *, replace: bool
) -> AsyncIterator[Rewrite | Unfit]:
    from rapyer_cli.reading.many import texts_of, ttls_of
    from rapyer_cli.render.differences import same
    from rapyer_cli.session.plan_many import Rewrite, Unfit

    there = dict([pair async for pair in texts_of(await other.client(), chunk)])
    ttls = await ttls_of(await session.client(), chunk)
    for key, text in chunk.items():
        data = json.loads(text)
        if key not in there:
            yield Rewrite(key, MISSING, data, b"", ttls[key])
            continue
        before = json.loads(there[key])
        if replace or same(before, data):
            yield Rewrite(key, before, data, there[key])
        else:
            yield Unfit(key, f"{key} is there already and differs", bad=False)


VERBS = (
    Verb(
        "copy",
        "copy documents to another server",
        "many",
        copy,
        arguments=(
            Argument("target", Kind.TARGET, "a model or a document"),
            Argument(
                "condition", Kind.EXPRESSION, "after a model: where EXPRESSION", False, many=True
            ),
        ),
        options=(
            Option("to", ("--to",), "the server that gets them", Kind.PROFILE, metavar="PROFILE"),
            Option("replace", ("--replace",), "change documents that are there and differ"),
            ANEW,
        ),
        examples=(
            "copy BlogPost:42 --to staging",
            "copy BlogPost where 'views >= 10' --profile live --to staging --dry-run",
        ),
        effect="write",
        exits=(*CHANGE_EXITS, Exit.FAILED),
        details="Times to live go with new documents. One that is there already and differs is left, unless "
        "--replace is given. --to is a profile or a URL; its own rules hold: a profile whose environment is prod "
        "needs --write. The change is journalled as one of that server, and undone there.",
        # what it changes is another server, whose rules it asks itself
        only_looks=lambda invocation: True,
        clauses=("where",),
    ),
)
