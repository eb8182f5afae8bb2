"""The entries of the journal as changes that can be taken back: which there are, and which may be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rapyer_cli.change.describing import redacted
from rapyer_cli.failures import CliError, NotFound, Refused
from rapyer_cli.session.journal import Entry
from rapyer_cli.session.session import Session

if TYPE_CHECKING:
    from rapyer_cli.session.plan import Done


def entries_here(session: Session) -> list[Entry]:
    """The entries of this server, oldest first."""
    here = redacted(session)
    return [entry for entry in session.journal.entries() if entry.get("server") == here]


def undone(entries: list[Entry]) -> dict[int, int]:
    """The numbers of the entries that were taken back, each with that of its undo."""
    return {
        entry["undoes"]: entry["entry"]
        for entry in entries
        if isinstance(entry.get("undoes"), int) and entry.get("outcome") == "done"
    }


def done_at(session: Session, number: int | None) -> Done:
    """The change with this number; without one, the last one on this server that was not taken back.

    Raises :class:`NotFound`, :class:`Refused` and :class:`CliError` when it cannot be taken back.
    """
    entries = entries_here(session)
    taken_back = undone(entries)
    entry = _last(entries, taken_back) if number is None else _numbered(session, entries, number)
    number = int(entry["entry"])
    verb = str(entry["verb"])
    if number in taken_back:
        raise CliError(f"{verb} ({number}) was undone already, by {taken_back[number]}")
    if entry.get("irreversible"):
        raise CliError(f"{verb} ({number}) cannot be undone: {entry['irreversible']}")
    return _as_done(session, entry)


def _last(entries: list[Entry], taken_back: dict[int, int]) -> Entry:
    for entry in reversed(entries):
        was_sent = entry.get("outcome") == "done" or bool(entry.get("many"))
        was_sent = was_sent and entry.get("documents") != 0
        if was_sent and "undoes" not in entry and entry["entry"] not in taken_back:
            return entry
    raise CliError("there is nothing to undo: no change on this server is in the journal")


def _numbered(session: Session, entries: list[Entry], number: int) -> Entry:
    for entry in entries:
        if entry["entry"] == number:
            return entry
    for entry in session.journal.entries():
        if entry["entry"] == number:
            raise Refused(
                f"entry {number} was made on {entry.get('server')}; --url or --profile names that server"
            )
    raise NotFound(f"there is no entry {number} in the journal; 'history /' lists them")


def _as_done(session: Session, entry: Entry) -> Done:
    from rapyer_cli.session.plan import Done, Lifetime, Recorded

    number, verb = int(entry["entry"]), str(entry["verb"])
    if entry.get("many"):
        return Done(verb, [], number=number, many=True)
    if entry.get("outcome") != "done":
        raise CliError(f"{verb} ({number}) was not made: {entry.get('outcome')}")
    undo = session.journal.undo_of(entry)
    if undo is None:
        raise CliError(
            f"{verb} ({number}) cannot be undone: what it replaced is not in the journal"
        )
    lifetime = Lifetime(*entry["lifetime"]) if "lifetime" in entry else None
    return Done(verb, [Recorded.read(place) for place in undo], lifetime, number)


def touching(session: Session, key: str, path: tuple[str, ...]) -> Iterator[Entry]:
    """The entries of this server that concern a document, or a place in it."""
    for entry in entries_here(session):
        if entry.get("many"):
            if (not path and any(key == one for one in keys_of_many(session, entry))) or (
                path
                and any(
                    key == one and _meets(path, places)
                    for one, places in _places_of_many(session, entry)
                )
            ):
                yield entry
            continue
        places = [(place["key"], place["path"]) for place in entry.get("places", ())]
        places += [(one, []) for one in entry.get("keys", ())]
        lifetime = entry.get("lifetime")
        if any(key == one and _meet(path, inside) for one, inside in places) or (
            lifetime and lifetime[0] == key and not path
        ):
            yield entry


def keys_of_many(session: Session, entry: Entry) -> Iterator[str]:
    """The documents that a change of many was going to change."""
    for step in session.journal.steps(entry):
        for document in step.get("documents", ()):
            yield document[0]


def _places_of_many(session: Session, entry: Entry) -> Iterator[tuple[str, Any]]:
    for step in session.journal.steps(entry):
        for document in step.get("documents", ()):
            yield document[0], document[1]


def _meets(path: tuple[str, ...], change: Any) -> bool:
    """Whether a delta of a whole document changed something at ``path``, above or below it."""
    for segment in path:
        if not isinstance(change, dict) or "in" not in change:
            return bool(change)
        change = change["in"].get(segment)
    return bool(change)


def _meet(one: tuple[str, ...], other: list[Any]) -> bool:
    """Whether one of two places is inside the other."""
    return all(str(a) == str(b) for a, b in zip(one, other, strict=False))
