"""Carrying out a change of many documents: counted and shown, asked, sent in chunks, journalled as one.

Each document is compared and set in one step of the server; what somebody changed meanwhile is skipped and counted.
Every chunk is journalled before it is sent, so that an interrupted change goes on where it stopped, and is taken back
by one ``undo``. Memory does not grow with the number of documents, but for eight bytes a key.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rapyer_cli.change.asking import ask_before, askable
from rapyer_cli.change.describing import redacted
from rapyer_cli.change.resuming import interrupted_before, settle
from rapyer_cli.change.rewriting import commands_of, steps_of
from rapyer_cli.exits import Exit
from rapyer_cli.failures import CliError, failure_of, one_line
from rapyer_cli.language.grammar import Invocation
from rapyer_cli.render.differences import differences, same
from rapyer_cli.render.plain import change_lines
from rapyer_cli.render.shapes import Changed, ChangedDocument, Ended, Shown
from rapyer_cli.render.text import counted, cut
from rapyer_cli.session.delta import delta, digest_of
from rapyer_cli.session.plan_many import ManyPlan, Rewrite, SeenKeys, Unfit
from rapyer_cli.session.session import Session

if TYPE_CHECKING:
    from rapyer_cli.session.journal import Record

_CHUNK = 100
_CHUNK_BYTES = 4_000_000
_SAMPLES = 3
_GROUP_SAMPLES = 1
_NAMED = 5


@dataclass(slots=True)
class Tally:
    """How it goes. ``samples`` and ``groups`` are the first documents, all and by what is done to them."""

    changed: int = 0
    same: int = 0
    skipped: int = 0
    left: int = 0
    failed: int = 0
    problems: list[str] = field(default_factory=list)
    samples: list[Rewrite] = field(default_factory=list)
    groups: dict[str, int] = field(default_factory=dict)

    def unfit(self, found: Unfit) -> None:
        """Count a document that is left as it is."""
        if found.bad:
            self.failed += 1
            if len(self.problems) < _NAMED:
                self.problems.append(found.reason)
        else:
            self.left += 1

    def seen(self, found: Rewrite, *, groups: bool) -> None:
        """Count a document that would be changed."""
        self.changed += 1
        fresh = [why for why in found.why if self.groups.get(why, 0) < _GROUP_SAMPLES]
        for why in found.why:
            self.groups[why] = self.groups.get(why, 0) + 1
        if fresh if groups else len(self.samples) < _SAMPLES:
            self.samples.append(found)

    def record(self) -> dict[str, int]:
        """The counts that are not zero, and how many were changed, as JSON."""
        facts = {"unchanged": self.same, "skipped": self.skipped, "left": self.left}
        found = {"changed": self.changed, **facts, "failed": self.failed}
        return {name: number for name, number in found.items() if number or name == "changed"}


async def carry_out_many(session: Session, plan: ManyPlan, invocation: Invocation) -> Any:
    """Show, ask and send ``plan``, as the line and the session say."""
    if session.transaction is not None:
        raise CliError(
            f"{plan.verb} of many documents does not go into a transaction: 'commit' or 'discard' first"
        )
    for note in plan.notes:
        session.environment.note(f"rapyer: {note}")
    if invocation.flag("dry_run"):
        return _tried(session, plan, await _look(session, plan))
    total = None
    if not invocation.flag("yes"):
        askable(session, f"{plan.verb} {plan.question}")
        tally = await _look(session, plan)
        if not tally.changed:
            return _nothing(session, plan, tally)
        _show_samples(session, plan, tally)
        total = tally.changed
        await ask_before(session, invocation, _question(plan, total))
    return await _send_all(session, invocation, plan, total)


def _question(plan: ManyPlan, number: int) -> str:
    documents = counted(number, "document")
    if plan.undoes is not None:
        return f"undo {plan.undoes.verb} of {documents}?"
    return f"{plan.verb} {documents} {plan.question}".rstrip() + "?"


async def _look(session: Session, plan: ManyPlan) -> Tally:
    from rapyer_cli.render.progress import progress

    tally, seen = Tally(), SeenKeys()
    with progress(session.environment, "looking", None) as advance:
        async with aclosing(_stream(plan)) as documents:
            async for found in documents:
                advance(1)
                if not seen.add(found.key):
                    continue
                if isinstance(found, Unfit):
                    tally.unfit(found)
                elif same_document(found):
                    tally.same += 1
                else:
                    tally.seen(found, groups=plan.groups)
    return tally


async def _stream(plan: ManyPlan) -> AsyncGenerator[Rewrite | Unfit, None]:
    async for found in plan.documents():
        yield found


def same_document(found: Rewrite) -> bool:
    """Whether nothing would change."""
    return found.before is found.after or same(found.before, found.after)


def _changed(found: Rewrite) -> ChangedDocument:
    return ChangedDocument(found.key, tuple(differences(found.before, found.after)))


def _tried(session: Session, plan: ManyPlan, tally: Tally) -> Any:
    _say_groups(session, plan, tally)
    shown = "" if tally.changed <= len(tally.samples) else f"; {len(tally.samples)} of them:"
    session.environment.note(
        f"would {plan.verb} {counted(tally.changed, 'document')}{_others(tally)}{shown}"
    )
    _say_problems(session, tally)
    commands = tuple(line for found in tally.samples for line in commands_of(found))
    return Changed(tuple(map(_changed, tally.samples)), commands=commands, state="dry")


def _nothing(session: Session, plan: ManyPlan, tally: Tally) -> Any:
    session.environment.note(f"rapyer: nothing to {plan.verb}{_others(tally)}")
    _say_problems(session, tally)
    return Ended(None, Exit.FAILED if tally.failed else Exit.DONE)


def _show_samples(session: Session, plan: ManyPlan, tally: Tally) -> None:
    _say_groups(session, plan, tally)
    shape = Changed(tuple(map(_changed, tally.samples)), state="dry")
    for line in change_lines(shape):
        session.environment.note(cut(line, max(session.environment.width, 40)))
    _say_problems(session, tally)


def _say_groups(session: Session, plan: ManyPlan, tally: Tally) -> None:
    if plan.groups:
        for why, number in sorted(tally.groups.items(), key=lambda entry: -entry[1]):
            session.environment.note(f"{counted(number, 'document')}: {why}")


def _others(tally: Tally) -> str:
    parts = [f"{tally.same:,} are so already"] if tally.same else []
    parts += [f"{tally.skipped:,} skipped: others changed them meanwhile"] if tally.skipped else []
    parts += [f"{tally.left:,} left as they are"] if tally.left else []
    parts += [f"{tally.failed:,} cannot be changed"] if tally.failed else []
    return f" ({'; '.join(parts)})" if parts else ""


def _say_problems(session: Session, tally: Tally) -> None:
    for problem in tally.problems:
        session.environment.note(f"rapyer: {one_line(problem)}")
    if tally.failed > len(tally.problems):
        session.environment.note(f"rapyer: and {tally.failed - len(tally.problems):,} more")


async def _send_all(
    session: Session, invocation: Invocation, plan: ManyPlan, total: int | None
) -> Any:
    from rapyer_cli.render.progress import progress

    tally, seen = Tally(), SeenKeys()
    record = await _interrupted(session, plan, seen, tally)
    going_on = tally.changed
    outcome = "interrupted"
    began = record is not None
    try:
        with progress(session.environment, plan.verb, total) as advance:
            async with aclosing(_chunks(plan, seen, tally)) as chunks:
                async for chunk in chunks:
                    if not began:
                        record, began = session.journal.begin(_header(session, plan)), True
                    await _send(session, plan, chunk, tally, record)
                    advance(len(chunk))
        outcome = "done" if tally.changed or not tally.left else "nothing was changed"
    except BaseException as error:
        if not isinstance(error, asyncio.CancelledError):
            outcome = f"interrupted: {failure_of(error).message}"
        session.environment.note(_stopped(plan, tally, record))
        raise
    finally:
        if record is not None:
            _close(plan, record, outcome, tally)
    number = None if record is None or record.is_lost else record.number
    _remember(session, plan, number if tally.changed else None)
    return _ended(session, invocation, plan, tally, number, going_on)


def _stopped(plan: ManyPlan, tally: Tally, record: Record | None) -> str:
    back = ""
    if record is not None and tally.changed and not plan.irreversible:
        back = f"; {_undo(plan, record.number)} takes it back"
    return (
        f"rapyer: {plan.verb} stopped after {counted(tally.changed, 'document')}; "
        f"the same line again goes on{back}"
    )


def _undo(plan: ManyPlan, number: int) -> str:
    return f"'undo {number}{plan.undo_with}'"


def _ended(
    session: Session,
    invocation: Invocation,
    plan: ManyPlan,
    tally: Tally,
    number: int | None,
    going_on: int,
) -> Ended:
    from rapyer_cli.render import chosen_form

    environment = session.environment
    back = ""
    if tally.changed and not plan.irreversible:
        back = f"; {_undo(plan, number)} takes it back" if number else "; it cannot be undone"
    before = f", {going_on:,} of them before" if going_on else ""
    environment.note(
        f"{plan.verb}: {counted(tally.changed, 'document')} changed{before}{_others(tally)}{back}"
    )
    _say_problems(session, tally)
    shape = None
    if chosen_form(invocation.text("output"), environment) not in ("rich", "table", "tree"):
        shape = Shown(plan.verb, {**tally.record(), "entry": number})
    code = Exit.FAILED if tally.failed else Exit.DONE
    if plan.undoes is not None and tally.left and not tally.changed:
        code = Exit.REFUSED
    return Ended(shape, code)


def _header(session: Session, plan: ManyPlan) -> dict[str, Any]:
    header: dict[str, Any] = {"server": redacted(session), "verb": plan.verb}
    header |= {"line": plan.line, "many": True, "changes": [f"{plan.verb} {plan.question}".strip()]}
    if plan.undoes is not None:
        header["undoes"] = plan.undoes.number
    if plan.irreversible:
        header["irreversible"] = plan.irreversible
    return header


async def _interrupted(
    session: Session, plan: ManyPlan, seen: SeenKeys, tally: Tally
) -> Record | None:
    """The record of the same change where that was interrupted; what it did is in ``seen`` then."""
    entry = None if plan.anew else interrupted_before(session, plan)
    if entry is None:
        return None
    await settle(session, entry)
    left: set[str] = set()
    for step in session.journal.steps(entry):
        left.update(step.get("not", ()))
    for step in session.journal.steps(entry):
        for key, *_ in step.get("documents", ()):
            if key in left:
                left.discard(key)
            elif seen.add(key):
                tally.changed += 1
    session.environment.note(
        f"rapyer: going on with {plan.verb} ({entry['entry']}), which was interrupted after "
        f"{counted(tally.changed, 'document')} (--anew begins from the start)"
    )
    return session.journal.resume(entry)


async def _chunks(
    plan: ManyPlan, seen: SeenKeys, tally: Tally
) -> AsyncGenerator[list[Rewrite], None]:
    chunk: list[Rewrite] = []
    room = 0
    async with aclosing(_stream(plan)) as documents:
        async for found in documents:
            if not seen.add(found.key):
                continue
            if isinstance(found, Unfit):
                tally.unfit(found)
            elif same_document(found):
                tally.same += 1
            else:
                chunk.append(found)
                room += len(found.text) + 1000
                if len(chunk) == _CHUNK or room > _CHUNK_BYTES:
                    yield chunk
                    chunk, room = [], 0
    if chunk:
        yield chunk


async def _send(
    session: Session, plan: ManyPlan, chunk: list[Rewrite], tally: Tally, record: Record | None
) -> None:
    from rapyer.connections import Session as Connection

    if record is not None:
        record.step(
            {
                "documents": [
                    [one.key, delta(one.before, one.after), digest_of(one.after), one.ttl]
                    for one in chunk
                ]
            }
        )
    connection = Connection.of(await session.client())
    with session.guard.writing():
        answers = await asyncio.gather(
            *(_send_one(connection, found) for found in chunk), return_exceptions=True
        )
    not_done: list[str] = []
    fatal: BaseException | None = None
    for found, answer in zip(chunk, answers, strict=True):
        if answer is None:
            tally.seen(found, groups=plan.groups)
        elif isinstance(answer, Skipped):
            not_done.append(found.key)
            tally.skipped += 1
        elif isinstance(answer, Unfit):
            not_done.append(found.key)
            tally.unfit(answer)
        else:
            fatal = fatal or answer
    if fatal is not None:
        raise fatal  # which of the chunk were changed is found out when it goes on
    if record is not None:
        record.step({"not": not_done})


class Skipped:
    """A document that somebody changed after it was read."""


async def _send_one(connection: Any, found: Rewrite) -> Skipped | Unfit | None:
    from rapyer.errors import ConflictError, KeyExistsError, KeyNotFound, RapyerError, ServerError
    from rapyer.script.call import Refused, submit

    try:
        await submit(connection, steps_of(found))
    except Refused as refused:
        error = refused.error
        if isinstance(error, ConflictError | KeyNotFound | KeyExistsError):
            return Skipped()
        if isinstance(error, ServerError) or not isinstance(error, RapyerError):
            raise error from None
        return Unfit(found.key, str(error))
    except ValueError as error:
        return Unfit(found.key, f"{found.key}: {error}")
    return None


def _close(plan: ManyPlan, record: Record, outcome: str, tally: Tally) -> None:
    changes = [f"{plan.verb} {plan.question}".strip()]
    if tally.samples:
        shown = change_lines(Changed(tuple(map(_changed, tally.samples[:_SAMPLES]))))
        changes += [cut(line, 200) for line in shown[:4]]
    record.end(outcome, documents=tally.changed, changes=changes)


def _remember(session: Session, plan: ManyPlan, number: int | None) -> None:
    """Keep it for ``undo`` in this sitting."""
    from rapyer_cli.session.plan import Done

    if plan.undoes is not None:
        session.done[:] = [kept for kept in session.done if kept.number != plan.undoes.number]
    elif number is not None and not plan.irreversible:
        session.done.append(Done(plan.verb, [], number=number, many=True))
