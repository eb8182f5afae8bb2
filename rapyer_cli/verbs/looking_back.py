"""``history undo``: what was changed, by whichever process, and taking it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapyer_cli.exits import Exit
from rapyer_cli.failures import CliError, UsageError
from rapyer_cli.language.grammar import Argument, Invocation, Kind, Option, Verb
from rapyer_cli.render.shapes import Column, Lines, Shape, Table
from rapyer_cli.verbs.arguments import CHANGE_EXITS

if TYPE_CHECKING:
    from rapyer_cli.session.journal import Entry
    from rapyer_cli.session.session import Session

_LISTED = 20


async def history(session: Session, invocation: Invocation) -> Shape:
    """Show what was changed; in the REPL without a target the last lines."""
    target = invocation.text("target")
    if session.in_repl and (target is None or target.isdigit()):
        from rapyer_cli.session.history import last_lines

        return Lines(tuple(last_lines(session.environment, int(target or "20"))))
    from rapyer_cli.change.past import entries_here, touching, undone

    entries = entries_here(session)
    taken_back = undone(entries)
    address = session.address(target) if target is not None else None
    if address is not None and address.key is not None:
        entries = list(touching(session, address.key, address.pointer))
    elif address is not None and not address.is_root:
        entries = [entry for entry in entries if _is_of(session, entry, address.name)]
    limit = _limit(invocation)
    omitted = max(len(entries) - limit, 0)
    rows = [_row(entry, taken_back) for entry in entries[omitted:]]
    columns = (
        Column("entry", "entry", numeric=True),
        Column("time", "time"),
        Column("verb", "verb"),
        Column("changes", "changes"),
        Column("outcome", "outcome"),
    )
    if session.environment.stdout_is_terminal and invocation.text("output") in (
        None,
        "auto",
        "table",
    ):
        for row in rows:
            row["changes"] = "; ".join(row["changes"])
            row["time"] = row["time"][:19].replace("T", " ")
    more = f"{omitted:,} older ones; --limit N shows more" if omitted else ""
    return Table(columns, rows, empty="no change is in the journal", raw="entry", note=more)


def _is_of(session: Session, entry: Entry, name: str) -> bool:
    from rapyer_cli.change.past import keys_of_many

    if entry.get("many"):
        return any(key.startswith(f"{name}:") for key in keys_of_many(session, entry))
    keys = [place["key"] for place in entry.get("places", ())]
    keys += entry.get("keys", [])
    keys += entry["lifetime"][:1] if "lifetime" in entry else []
    return any(key == name or key.startswith(f"{name}:") for key in keys)


def _row(entry: Entry, taken_back: dict[int, int]) -> dict[str, Any]:
    number = int(entry["entry"])
    outcome = str(entry.get("outcome", "interrupted"))
    if number in taken_back:
        outcome = f"undone by {taken_back[number]}"
    return {
        "entry": number,
        "time": str(entry.get("time", "")),
        "verb": str(entry["verb"]),
        "changes": list(entry.get("changes") or entry.get("commands") or entry.get("keys") or [])[
            :5
        ],
        "outcome": outcome,
    }


def _limit(invocation: Invocation) -> int:
    text = invocation.text("limit")
    if text is None:
        return 10**9 if invocation.flag("all") else _LISTED
    if not text.isdigit() or not int(text):
        raise UsageError(f"--limit expects a number such as 20, not {text!r}")
    return int(text)


async def undo(session: Session, invocation: Invocation) -> Any:
    """Plan to restore what a change replaced."""
    from rapyer_cli.change.past import done_at
    from rapyer_cli.change.undo import plan_undo, plan_undo_of

    if session.transaction is not None:
        raise CliError("changes are being queued: 'discard' drops them all")
    text = invocation.text("entry")
    if text is None and session.in_repl:
        return await plan_undo(session)
    if text is not None and not text.isdigit():
        raise UsageError(f"undo takes the number of an entry, as 'history' shows it, not {text!r}")
    return await plan_undo_of(session, done_at(session, None if text is None else int(text)))


VERBS = (
    Verb(
        "history",
        "show what was changed, by every process of yours",
        "look",
        history,
        arguments=(
            Argument(
                "target", Kind.TARGET, "a model, document or place; without one, everything", False
            ),
        ),
        options=(Option("limit", ("--limit",), "show the last so many (20)", Kind.NUMBER),),
        examples=("history BlogPost:42", "history BlogPost:42/views", "history --limit 50"),
        connects=False,
        details="The journal is local: it has the changes that this user made from this machine, each with the "
        "number that 'undo' takes. In the REPL, history without a target shows the lines that were typed, and "
        "'history /' the journal.",
    ),
    Verb(
        "undo",
        "restore what a change replaced, if nobody changed it since",
        "change",
        undo,
        arguments=(
            Argument(
                "entry", Kind.WORD, "the number of an entry of 'history'; else the last", False
            ),
        ),
        examples=("undo", "undo 17 --dry-run"),
        effect="write",
        exits=(Exit.NOT_FOUND, *CHANGE_EXITS[1:]),
        details="Any change in the journal of this server can be undone, also one of another process. In the "
        "REPL, undo without a number takes back the last change of the sitting. Of a change of many documents, "
        "those that somebody changed since are left as they are, and counted.",
    ),
)
