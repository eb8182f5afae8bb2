"""Carrying out one change at once: it is located, sent, and its answer settled, each once."""

from __future__ import annotations

from typing import Any

from rapyer.batch.arrival import Arrival
from rapyer.batch.batch import current_batch
from rapyer.batch.change import Change, Queued
from rapyer.batch.fate import applied_error, fate_is_unknown, lose
from rapyer.batch.guarding import guarded, guards_of
from rapyer.batch.part import ECHO, refresh_of, session_of, sets_ttl
from rapyer.batch.reading import read_plainly
from rapyer.batch.reading_again import read_again, read_places
from rapyer.script.call import Primitive, Refused, Step, submit
from rapyer.state.document import based, document_state
from rapyer.state.node import locate


async def perform(change: Change) -> Any:
    """Carry out ``change``: queued inside a pipeline (returns :class:`Queued`), otherwise at once.

    At once means one EVALSHA; when it is refused, the specific error is raised and nothing is changed.
    Afterwards the local value is what the server has (see :mod:`rapyer.batch.arrival`). Raises
    :class:`~rapyer.errors.AppliedError` when the server applied it and its answer fits no model.
    """
    place = document, path = locate(change.owner)
    batch = current_batch()
    if batch is not None:
        queued: Queued[Any] = Queued(change.verb)
        batch.queue(change, place, queued)
        return queued
    kind = document.__rapyer_node__
    if change.effect != "read" and (guard := kind.key_guard(document)) is not None:
        guard(change.verb, path, change.texts)
    key = kind.key(document)
    primitives = change.primitives(path)
    if (guards := guards_of(document)) is not None:
        primitives = guarded(document, guards, primitives)
    steps: list[Step] = [(key, step) for step in primitives]
    refresh = refresh_of(document)
    if refresh is not None and not sets_ttl(primitives):
        steps.append((key, refresh))
    echoes = [(key, Primitive("echo", path, ECHO))] if change.echoes else []
    state = document_state(document)
    if state.unstamped is not None:
        await state.may_depart()
    if change.effect == "read" and not state.flying:
        return land(await read_plainly(change, document, path, state), change)
    if state.work is None:
        change.depart()
    else:
        with based(state):  # what is changed on top is not what the answer is about
            change.depart()
    departed = state.depart()
    try:
        stamp, values = await submit(session_of(document), steps, echoes)
        arrival = Arrival(document, state, stamp, applied=False)
        arrival.path, arrival.answers = path, values[: len(primitives)]
        arrival.steps = primitives
        arrival.echo = values[-1] if echoes else None
        result = land(arrival, change)
        if arrival.untold:
            await read_places(document, state, arrival.untold)
        if arrival.stale:
            await read_again(document, state, arrival.stale)
    except Refused as refused:
        raise refused.error from refused.error.__cause__
    except BaseException as error:
        if fate_is_unknown(error):
            lose(state, change.places(path))
        raise
    finally:
        state.land(departed)
    return result


def land(arrival: Arrival, change: Change) -> Any:
    """Settle the answer to ``change``; returns the operation's result.

    Raises :class:`~rapyer.errors.AppliedError`.
    """
    state, answers = arrival.state, arrival.answers
    try:
        result = change.decode(answers)
        newer = state.newer(arrival.stamp)
        if state.work is None:
            change.settle(arrival)
            arrival.catch_up(newer)
        else:
            with based(state):
                change.settle(arrival)
                arrival.catch_up(newer)
    except Exception as error:
        if change.effect == "read":
            raise
        lose(state, change.places(arrival.path))
        raise applied_error(arrival.document, change.verb, answers, error) from error
    return result
