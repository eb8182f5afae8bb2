"""``undo``: the plan that puts back what a change replaced, if nobody changed it since."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from rapyer_cli.failures import CliError, Refused
from rapyer_cli.render.differences import MISSING
from rapyer_cli.render.text import lifetime_in_words
from rapyer_cli.session.session import Session

if TYPE_CHECKING:
    from rapyer_cli.session.plan import Done, Plan, Recorded, Touch


async def plan_undo(session: Session) -> Any:
    """The plan that takes back the last change of this sitting; see :func:`plan_undo_of`.

    Raises :class:`CliError` when there is none.
    """
    if not session.done:
        raise CliError(
            "there is nothing to undo: nothing was changed in this session "
            "('history /' lists what others did, 'undo ENTRY' takes one back)"
        )
    return await plan_undo_of(session, session.done[-1])


async def plan_undo_of(session: Session, done: Done) -> Any:
    """The plan that takes back a change of this sitting or of another process.

    Works on raw JSON, so that also values come back that do not fit the model. Raises :class:`Refused` when
    somebody changed a place since. What changes between here and the commit makes the commit fail with
    ``ConflictError``.
    """
    from rapyer.batch.batch import Batch
    from rapyer.models.raw import RawDocument
    from rapyer_cli.session.plan import Plan, Touch

    if done.many:
        from rapyer_cli.change.undo_many import plan_undo_of_many

        return plan_undo_of_many(session, done)
    batch = Batch()
    if done.lifetime is not None:
        return await _plan_lifetime(session, done, batch)
    if not done.places:
        raise CliError(f"{done.verb} cannot be undone")
    documents: dict[str, Any] = {}
    for place in done.places:
        if place.key not in documents:
            documents[place.key] = await _watched(batch, RawDocument(place.key))
    found = [(place, *_back(session, documents[place.key], place, done)) for place in done.places]
    touches: list[Touch] = []
    with batch.collecting():
        for place, now, back in reversed(found):
            document = documents[place.key]
            if document is None:
                document = RawDocument(place.key, None if back is MISSING else back)
            touch = Touch(document, place.key, place.path, now, back)
            await _put_back(touch, place.ttl)
            touches.append(touch)
    for touch in touches:
        touch.removed = touch.after is MISSING and not touch.path
    return Plan(f"undo of {done.verb}", "write", batch, touches, undoes=done)


def _back(session: Session, document: Any, place: Recorded, done: Done) -> tuple[Any, Any]:
    """What stands at the place now, and what stood there before."""
    from rapyer_cli.session.delta import before_of, digest_of

    for seen in _as_seen(session, document, place):
        now = _at(seen, place)
        if digest_of(now) == place.digest:
            return now, before_of(place.change, now)
    raise Refused(f"{place.key} was changed by somebody else since {done.verb}; nothing was undone")


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


def _as_seen(session: Session, document: Any, place: Recorded) -> Iterator[Any]:
    """The document as the change may have seen it: as it is stored, and through its model."""
    from rapyer.errors import DocumentError
    from rapyer_cli.reading.drift import load_as_far

    yield document
    model = session.models.of_key(place.key)
    if document is None or model is None or place.plain:
        return
    with suppress(DocumentError):
        yield load_as_far(model, place.key, document.to_json())[0]


async def _put_back(touch: Touch, ttl: float | None) -> None:
    from rapyer.models.places import resolve

    document = touch.document
    if not touch.path:
        if touch.after is MISSING:
            await document.delete()
        elif touch.before is MISSING:
            await document.save(nx=True)
            if ttl is not None:
                await document.set_ttl(ttl)
        else:
            await resolve(document, ()).set(touch.after)
        return
    place = resolve(document, [str(segment) for segment in touch.path])
    if touch.after is MISSING:
        await place.delete()
    else:
        await place.set(touch.after)


def _at(document: Any, place: Recorded) -> Any:
    from rapyer.errors import PathNotFound
    from rapyer.models.places import resolve
    from rapyer_cli.session.plan import stored

    if document is None:
        return MISSING
    try:
        return stored(resolve(document, [str(segment) for segment in place.path]))
    except PathNotFound:
        return MISSING
