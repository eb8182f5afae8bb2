"""Carrying out one parsed line: look or plan, ask, send, note, show. Each step is a function here.

The only place that opens the guard, and the only one that sends a plan.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from rapyer_cli.change.asking import ask_before
from rapyer_cli.change.describing import described, summary
from rapyer_cli.change.storing import end_records
from rapyer_cli.failures import CliError, ConnectionRefused, Refused, ValueRefused, failure_of
from rapyer_cli.language.grammar import Invocation
from rapyer_cli.render.shapes import Changed, Shape
from rapyer_cli.render.text import cut
from rapyer_cli.session.last import remember
from rapyer_cli.session.session import Session

if TYPE_CHECKING:
    from rapyer.batch.batch import Batch
    from rapyer_cli.session.plan import Plan

_KEPT_FOR_UNDO = 50
_LONGEST_CHANGE = 300


async def run(session: Session, invocation: Invocation) -> int:
    """Run one line and show what it gives; returns its exit code (0 unless the verb gave another)."""
    session.read.clear()
    session.drifted.clear()
    outcome = "interrupted"
    try:
        code = await _run(session, invocation)
        outcome = "done"
    finally:
        end_records(session, outcome)
    return code


async def _run(session: Session, invocation: Invocation) -> int:
    verb = invocation.verb
    if verb.changes(invocation) and not invocation.flag("dry_run"):
        refuse_if_read_only(session)
    if verb.connects:
        async with session.bound():
            outcome = await verb.run(session, invocation)
            return await _finish(session, invocation, outcome)
    return await _finish(session, invocation, await verb.run(session, invocation))


async def _finish(session: Session, invocation: Invocation, outcome: Any) -> int:
    from rapyer_cli.render.shapes import Ended

    code = 0
    if isinstance(outcome, Ended):
        code, outcome = outcome.code, outcome.shape
    shape: Shape | None
    if _is_a(outcome, "rapyer_cli.session.plan_many", "ManyPlan"):
        from rapyer_cli.change.many import carry_out_many

        outcome = await carry_out_many(session, outcome, invocation)
        if isinstance(outcome, Ended):
            code, outcome = outcome.code, outcome.shape
    if _is_a(outcome, "rapyer_cli.session.plan", "Plan"):
        shape = await carry_out(session, outcome, invocation)
    else:
        shape = outcome
    if session.in_repl:
        remember(session, shape)
    if shape is not None:
        from rapyer_cli.render import render

        environment = session.environment
        try:
            form = invocation.text("output")
            await render(shape, environment, form, everything=invocation.flag("all"))
            environment.stdout.flush()
        except OSError as error:
            if not invocation.verb.changes(invocation) or invocation.flag("dry_run"):
                raise
            # it is done, whatever becomes of the words: a script that takes it for undone would do it twice
            environment.forget_stdout()
            environment.note(f"rapyer: done, but not shown: {error.strerror or error}")
    return code


def batch_for(session: Session, invocation: Invocation) -> Batch:
    """The batch for the plan of this line. A dry run never joins the open transaction."""
    from rapyer.batch.batch import Batch

    if session.transaction is not None and not invocation.flag("dry_run"):
        return session.transaction.batch
    return Batch()


def refuse_if_read_only(session: Session) -> None:
    """Raise :class:`Refused` when this session must not change anything."""
    if session.read_only_reason:
        raise Refused(f"read-only: {session.read_only_reason}; nothing was sent")


async def carry_out(session: Session, plan: Plan, invocation: Invocation) -> Changed:
    """Try, queue or send ``plan``, as the line and the session say."""
    if invocation.flag("dry_run"):
        return try_out(plan)
    if session.transaction is not None:
        if not session.transaction.plans:
            session.transaction.server_run = await _server_run(session)
        return queue(session, plan)
    try:
        await confirm(session, plan, invocation)
    except BaseException:
        plan.batch.discard()
        raise
    return await send(session, plan)


def try_out(plan: Plan) -> Changed:
    """What ``plan`` would send and change. Nothing is sent, and local values are as they were.

    Raises :class:`ValueRefused` for what the server would refuse.
    """
    commands = tuple(plan.batch.commands())
    documents, refusals = plan.documents(), plan.refusals()
    plan.batch.discard()
    if refusals:
        raise ValueRefused(refusals[0])
    return Changed(documents, commands=commands, state="dry")


def queue(session: Session, plan: Plan) -> Changed:
    """Leave ``plan`` in the open transaction."""
    transaction = session.transaction
    assert transaction is not None
    transaction.plans.append(plan)
    for note in plan.notes:
        session.environment.note(f"queued: {note}")
    for refusal in plan.refusals():
        session.environment.note(f"rapyer: commit will refuse this as it is now: {refusal}")
    for touch in plan.touches:
        transaction.documents[touch.key] = touch.document
    return Changed(plan.documents(), state="queued")


async def confirm(session: Session, plan: Plan, invocation: Invocation) -> None:
    """Ask before something is destroyed; without a terminal ``--yes`` must be given.

    Raises :class:`Refused` when the answer is no or nobody can be asked.
    """
    if plan.effect == "destructive":
        await ask_before(
            session, invocation, plan.question or f"{plan.verb} {', '.join(plan.keys)}?"
        )


async def send(session: Session, plan: Plan) -> Changed:
    """Apply ``plan`` in one atomic step, journal it, and remember it for ``undo``."""
    entry = described(session, plan)
    try:
        async with session.bound(refresh_ttl=True):
            with session.guard.writing():
                await plan.batch.commit()
    except BaseException as error:
        plan.batch.discard()
        outcome = failure_of(error).message
        if isinstance(error, asyncio.CancelledError):
            outcome = (
                "interrupted while it was sent: it was applied once or not at all; "
                "look before you repeat it"
            )
            session.environment.note(f"rapyer: {plan.verb}: {outcome}")
        session.journal.write({**entry, "outcome": outcome})
        raise
    for touch in plan.touches:
        touch.after = touch.look()
    for note in plan.notes:
        session.environment.note(note)
    changed = Changed(plan.documents(), plan.result(), plan.read_result is not None)
    _remember(session, plan, {**entry, "outcome": "done"}, changed)
    return changed


async def commit_transaction(session: Session, invocation: Invocation) -> Changed | None:
    """Send what ``begin`` queued as one plan. Once it was sent nothing is queued, whatever happened."""
    from rapyer_cli.session.plan import Plan, merged

    transaction = session.transaction
    if transaction is None:
        raise CliError("nothing is queued: 'begin' starts")
    if not transaction.plans:
        session.transaction = None
        session.environment.note("rapyer: nothing was queued")
        return None
    count = len(transaction.plans)
    plan = Plan(
        "commit",
        "destructive" if any(p.effect == "destructive" for p in transaction.plans) else "write",
        transaction.batch,
        merged([touch for plan in transaction.plans for touch in plan.touches]),
        question=f"commit {count} queued changes, some of which delete?",
    )
    if invocation.flag("dry_run"):
        return Changed(plan.documents(), commands=tuple(plan.batch.commands()), state="dry")
    await confirm(session, plan, invocation)
    if transaction.server_run is not None and await _server_run(session) != transaction.server_run:
        raise ConnectionRefused(
            "the server was restarted after the changes were queued; nothing was sent: look at the "
            "document and queue them again"
        )
    session.transaction = None
    return await send(session, plan)


async def _server_run(session: Session) -> bytes | None:
    """What tells one run of the server from the next; None on a cluster, or where it may not be asked."""
    import redis.exceptions

    from rapyer_cli.reading.commands import ask, is_cluster

    client = await session.client()
    if is_cluster(client):
        return None
    try:
        text: bytes = await ask(client, "INFO", "server")
    except redis.exceptions.ResponseError:
        return None
    lines = (line.partition(b":") for line in text.splitlines())
    return next((value for name, _, value in lines if name == b"run_id"), None)


async def confirm_bulk(session: Session, invocation: Invocation, what: str) -> None:
    """Ask before many documents are overwritten. Raises :class:`Refused` as :func:`confirm` does."""
    await ask_before(session, invocation, f"{what}?")


def _remember(session: Session, plan: Plan, entry: dict[str, Any], changed: Changed) -> None:
    """Journal what was done with what takes it back, and keep that for ``undo`` in this sitting."""
    from rapyer_cli.session.plan import Done, Recorded

    done = Done(plan.verb, [Recorded.of(touch) for touch in plan.touches], plan.lifetime)
    if done.lifetime is not None:
        entry["lifetime"] = list(done.lifetime)
    undone = plan.undoes
    if undone is not None:
        entry["undoes"] = undone.number
        session.done[:] = [
            kept
            for kept in session.done
            if kept is not undone and (kept.number is None or kept.number != undone.number)
        ]
    entry["changes"] = [cut(line, _LONGEST_CHANGE) for line in summary(plan, changed)]
    done.number = session.journal.write(entry, [list(place) for place in done.places])
    if undone is None:
        session.done.append(done)
        del session.done[:-_KEPT_FOR_UNDO]


def _is_a(outcome: Any, module: str, name: str) -> bool:
    """Whether ``outcome`` is of a class whose module only some verbs import."""
    import sys

    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(outcome, vars(loaded)[name])
