"""``undo``: the plan that puts back what the last change replaced, if nobody changed it since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapyer_cli.failures import CliError, Refused
from rapyer_cli.render.differences import MISSING, same
from rapyer_cli.render.text import lifetime_in_words
from rapyer_cli.session.session import Session

if TYPE_CHECKING:
    from rapyer_cli.session.plan import Done, Plan, Touch


async def plan_undo(session: Session) -> Plan:
    """The plan for the last change of this sitting.

    Works on raw JSON, so that also values come back that do not fit the model. Raises :class:`CliError`
    when there is nothing to undo, :class:`Refused` when somebody changed a place since. What changes
    between here and the commit makes the commit fail with ``ConflictError``.
    """
    from rapyer.batch.batch import Batch
    from rapyer.models.raw import RawDocument
    from rapyer_cli.session.plan import Plan, Touch

    if not session.done:
        raise CliError("there is nothing to undo: nothing was changed in this session")
    done = session.done[-1]
    batch = Batch()
    if done.lifetime is not None:
        return await _plan_lifetime(session, done, batch)
    documents: dict[str, Any] = {}
    touches: list[Touch] = []
    for touch in done.touches:
        if touch.key not in documents:
            documents[touch.key] = await _watched(batch, RawDocument(touch.key))
    for touch in done.touches:
        current = _at(_as_seen(session, documents[touch.key], touch), touch)
        if not _is(current, touch.after):
            raise Refused(
                f"{touch.key} was changed by somebody else since {done.verb}; nothing was undone"
            )
    with batch.collecting():
        for touch in reversed(done.touches):
            document = documents[touch.key] or RawDocument(touch.key, _value(touch.before))
            await _put_back(document, touch)
            touches.append(Touch(document, touch.key, touch.path, touch.after, touch.before))
    for touch in touches:
        touch.removed = touch.after is MISSING and not touch.path
    return Plan(f"undo of {done.verb}", "write", batch, touches, undoes=done)


async def _plan_lifetime(session: Session, done: Done, batch: Any) -> Plan:
    """Back to the time to live that the document had, counted from now."""
    from rapyer.models.raw import RawDocument
    from rapyer_cli.reading.many import ttls_of
    from rapyer_cli.session.plan import Lifetime, Plan

    change = done.lifetime
    assert change is not None
    now = (await ttls_of(await session.client(), [change.key]))[change.key]
    if (now is None) != (change.after is None) or (now or 0) > (change.after or 0):
        raise Refused(
            f"the time to live of {change.key} was changed by somebody else; nothing was undone"
        )
    with batch.collecting():
        await RawDocument(change.key).set_ttl(change.before)
    note = f"{change.key}: lives {lifetime_in_words(now)} → {lifetime_in_words(change.before)}"
    back = Lifetime(change.key, now, change.before)
    return Plan("undo of ttl", "write", batch, [], notes=(note,), undoes=done, lifetime=back)


async def _watched(batch: Any, document: Any) -> Any:
    from rapyer.errors import KeyNotFound

    # Watched first and read afterwards: whatever comes after the reading is noticed.
    await batch.watch(document)
    try:
        return await document.load()
    except KeyNotFound:
        return None


def _as_seen(session: Session, document: Any, touch: Touch) -> Any:
    """The document as the change saw it: through its model, unless it was taken as plain JSON then."""
    from rapyer.errors import DocumentError
    from rapyer.models.raw import RawDocument
    from rapyer_cli.reading.drift import load_as_far

    model = session.models.of_key(touch.key)
    if document is None or model is None or isinstance(touch.document, RawDocument):
        return document
    try:
        return load_as_far(model, touch.key, document.to_json())[0]
    except DocumentError:
        return document


async def _put_back(document: Any, touch: Touch) -> None:
    from rapyer.models.places import resolve

    if not touch.path:
        if touch.before is MISSING:
            await document.delete()
        elif touch.after is MISSING:
            await document.save(nx=True)
            if touch.ttl is not None:
                await document.set_ttl(touch.ttl)
        else:
            await resolve(document, ()).set(touch.before)
        return
    place = resolve(document, [str(segment) for segment in touch.path])
    if touch.before is MISSING:
        await place.delete()
    else:
        await place.set(touch.before)


def _at(document: Any, touch: Touch) -> Any:
    from rapyer.errors import PathNotFound
    from rapyer.models.places import resolve
    from rapyer_cli.session.plan import stored

    if document is None:
        return MISSING
    try:
        return stored(resolve(document, [str(segment) for segment in touch.path]))
    except PathNotFound:
        return MISSING


def _is(current: Any, expected: Any) -> bool:
    if current is MISSING or expected is MISSING:
        return current is expected
    return same(current, expected)


def _value(before: Any) -> Any:
    return None if before is MISSING else before
