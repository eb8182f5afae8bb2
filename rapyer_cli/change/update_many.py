"""``update MODEL where EXPR set …`` and ``del MODEL where EXPR``: what becomes of each document that is found."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from rapyer_cli.failures import UsageError, one_line
from rapyer_cli.language.conditions import Setting
from rapyer_cli.reading.matching import Match, Misfit, condition_from, matches_of
from rapyer_cli.render.differences import MISSING
from rapyer_cli.session.plan_many import ManyPlan, Rewrite, Unfit
from rapyer_cli.session.session import Session

_CHUNK = 200


async def model_of(session: Session, verb: str, target: str | None) -> tuple[str, Any]:
    """The prefix and the model that a target names; None for a model that is not loaded."""
    from rapyer_cli.session.resolve import require_known

    address = session.model_address(target)
    if not address.is_model:
        raise UsageError(f"{verb} … where takes a model, such as BlogPost, not {address}")
    await require_known(session, address.name)
    return address.name, session.models.named(address.name)


async def plan_update_many(
    session: Session,
    target: str | None,
    text: str,
    settings: Sequence[Setting],
    *,
    as_json: bool,
    anew: bool,
) -> ManyPlan:
    """The plan that sets fields of every document of a model that fulfils a condition.

    Raises :class:`ValueRefused` and :class:`UsageError` for a value or field that no document could take.
    """
    from rapyer_cli.change.setting import Edit

    name, model = await model_of(session, "update", target)
    condition = condition_from(model, text)
    edits = [Edit.of(session, name, model, setting, as_json=as_json) for setting in settings]
    client = await session.client()
    refresh = await _refresh(session, model)

    async def documents() -> AsyncIterator[Rewrite | Unfit]:
        async for found in matches_of(client, name, model, condition):
            if isinstance(found, Misfit):
                yield Unfit(found.key, f"left out: {one_line(found.reason)}")
            else:
                yield _updated(found, edits, refresh)

    done = " ".join(f"{s.name}{s.sign}{':' * s.is_json}={s.text}" for s in settings)
    line = f"update {name} where {text} set {done}"
    return ManyPlan(
        "update", line, "write", f"of {name} where {text}: set {done}", documents, anew=anew
    )


async def _refresh(session: Session, model: Any) -> int | None:
    """The milliseconds to which a change sets the time to live, where the model asks for that."""
    from rapyer.config import refresh_of

    async with session.bound(refresh_ttl=True):
        return None if model is None else refresh_of(model.Meta)


def _updated(found: Match, edits: Sequence[Any], refresh: int | None) -> Rewrite | Unfit:
    from rapyer.errors import RapyerError
    from rapyer.models.loading import load_document

    before = json.loads(found.text)
    after = before
    try:
        for edit in edits:
            after = edit.apply(after, found.document)
        if found.model is not None and after is not before:
            load_document(found.model, found.key, _text(after))
    except (ValueError, ArithmeticError, LookupError, TypeError, RapyerError) as error:
        return Unfit(found.key, f"{found.key} is left as it is: {one_line(str(error))}")
    return Rewrite(found.key, before, after, found.text, refresh=refresh)


def _text(value: Any) -> bytes:
    from rapyer.schema.spec import any_spec

    return any_spec().to_json(value)


async def plan_delete_many(
    session: Session, target: str | None, text: str, *, anew: bool
) -> ManyPlan:
    """The plan that deletes every document of a model that fulfils a condition."""
    name, model = await model_of(session, "del", target)
    condition = condition_from(model, text)
    client = await session.client()

    async def documents() -> AsyncIterator[Rewrite | Unfit]:
        chunk: list[Match] = []
        # To delete all of them none has to fit its model.
        loaded = None if condition is None else model
        async for found in matches_of(client, name, loaded, condition):
            if loaded is None and model is not None and session.models.of_key(found.key) != model:
                continue
            if isinstance(found, Misfit):
                yield Unfit(found.key, f"left out: {one_line(found.reason)}")
                continue
            chunk.append(found)
            if len(chunk) == _CHUNK:
                async for one in _gone(client, chunk):
                    yield one
                chunk = []
        async for one in _gone(client, chunk):
            yield one

    line = f"del {name} where {text}"
    return ManyPlan("del", line, "destructive", f"of {name} where {text}", documents, anew=anew)


async def _gone(client: Any, chunk: list[Match]) -> AsyncIterator[Rewrite]:
    from rapyer_cli.reading.many import ttls_of

    ttls = await ttls_of(client, [found.key for found in chunk])
    for found in chunk:
        yield Rewrite(found.key, json.loads(found.text), MISSING, found.text, ttls[found.key])
