"""``find count``: the documents that fulfil a condition, written as in Python."""

from __future__ import annotations

import functools
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from rapyer_cli.failures import UsageError, one_line
from rapyer_cli.language.addresses import escape_key
from rapyer_cli.language.grammar import Argument, Invocation, Kind, Option, Verb
from rapyer_cli.render.shapes import Column, Shape, Shown, Table
from rapyer_cli.session.resolve import require_known
from rapyer_cli.verbs.arguments import LIMIT, LOOK_EXITS, MODEL
from rapyer_cli.verbs.listing import columns_of, usual_columns
from rapyer_cli.verbs.look import goes_to_a_pipe, number_of

if TYPE_CHECKING:
    from rapyer.expressions.expression import Expression, FieldReference
    from rapyer_cli.session.session import Session

_LISTED = 100
_NAMED_MISFITS = 5

Found = tuple[str, Any, Any]
"""Key, stored JSON, and what the condition and the sort look at: a model, or the JSON again."""


async def find(session: Session, invocation: Invocation) -> Shape:
    """Show the documents of a model that fulfil a condition."""
    name, model = await _model_of(session, invocation)
    fields = _references(model, invocation.text("fields"))
    order = _references(model, invocation.text("sort"))
    limit = number_of(invocation, "limit", 0)
    in_pipe = goes_to_a_pipe(session, invocation)
    shown = limit or (0 if in_pipe or invocation.flag("all") else _LISTED)
    matches = _matches(session, invocation, name, model)
    if order:
        matches = _sorted(matches, order)
    rows = _rows(matches, name, fields, shown, in_pipe=in_pipe)
    if in_pipe and not fields:
        return Table((Column("key", "document"), Column("document", "")), rows, raw="key")
    columns = [_column(reference) for _, reference in fields] or usual_columns(model)
    note = (
        ""
        if limit or invocation.flag("all")
        else f"at most {_LISTED}; --all or --limit N shows more"
    )
    found = rows if in_pipe else [row async for row in rows]
    if isinstance(found, list) and len(found) < _LISTED:
        note = ""
    if isinstance(found, list) and not columns:
        columns = columns_of(found)
    return Table(
        (Column("key", "document"), *columns),
        found,
        empty=f"no document of {name} fulfils it"
        if invocation.text("expression")
        else f"no documents of {name}",
        raw="key",
        note=note,
    )


async def count(session: Session, invocation: Invocation) -> Shape:
    """Count the documents of a model that fulfil a condition."""
    name, model = await _model_of(session, invocation)
    number = 0
    if invocation.text("expression") is None:
        from rapyer_cli.reading.many import unique_keys_of

        async for _ in unique_keys_of(await session.client(), name):
            number += 1
    else:
        async for _ in _matches(session, invocation, name, model):
            number += 1
    return Shown(name, number)


async def _model_of(session: Session, invocation: Invocation) -> tuple[str, Any]:
    address = session.model_address(invocation.text("model"))
    if not address.is_model:
        raise UsageError(f"{invocation.verb.name} takes a model, such as BlogPost, not {address}")
    await require_known(session, address.name)
    return address.name, session.models.named(address.name)


def _references(model: Any, text: str | None) -> list[tuple[bool, FieldReference]]:
    """The fields in a comma-separated list, each with whether it is to be descending."""
    if text is None:
        return []
    from rapyer.expressions.parsing import parse_reference

    found = []
    for part in text.split(","):
        name = part.strip()
        found.append((name.startswith("-"), parse_reference(model, name.removeprefix("-"))))
    return found


async def _matches(
    session: Session, invocation: Invocation, name: str, model: Any
) -> AsyncGenerator[Found, None]:
    """The documents that fulfil the condition, as they are read; an index is asked where there is one."""
    from rapyer.expressions.parsing import parse_expression

    text = invocation.text("expression")
    condition: Expression | None = parse_expression(model, text) if text is not None else None
    if model is not None:
        async for found in _typed_matches(session, name, model, condition):
            yield found
        return
    from rapyer_cli.reading.many import stored_texts

    async for key, stored in stored_texts(await session.client(), name):
        data = json.loads(stored)
        if condition is None or condition.matches(data):
            yield key, data, data


async def _typed_matches(
    session: Session, name: str, model: Any, condition: Expression | None
) -> AsyncGenerator[Found, None]:
    from rapyer.search.results import Problems
    from rapyer.search.start import find_in

    problems = Problems(missing_ok=True)
    search = find_in(model, () if condition is None else (condition,))
    async with aclosing(search.matching(problems)) as pages:
        async for page in pages:
            rows = zip(page.entries, page.documents, page.texts, strict=True)
            for (_, key), document, text in rows:
                yield key, json.loads(text), document
    for error in list(problems.failures.values())[:_NAMED_MISFITS]:
        session.environment.note(f"rapyer: left out: {one_line(str(error))}")
    if len(problems.failures) > _NAMED_MISFITS:
        session.environment.note(
            f"rapyer: {len(problems.failures):,} documents do not fit {name} and were left out; "
            f"'check {name}' lists them"
        )


async def _sorted(
    matches: AsyncGenerator[Found, None], order: Sequence[tuple[bool, FieldReference]]
) -> AsyncGenerator[Found, None]:
    def compare(one: Found, other: Found) -> int:
        for descending, reference in order:
            place = reference.__rapyer_parts__()[1]
            sign = _compare(place.read(one[2]), place.read(other[2]))
            if sign:
                return -sign if descending else sign
        return 0

    for found in sorted([match async for match in matches], key=functools.cmp_to_key(compare)):
        yield found


def _compare(one: Any, other: Any) -> int:
    # None comes last, and so does what cannot be compared.
    if one is None or other is None:
        return (one is None) - (other is None)
    try:
        return int(one > other) - int(one < other)
    except TypeError:
        return _compare(str(one), str(other))


async def _rows(
    matches: AsyncGenerator[Found, None],
    name: str,
    fields: Sequence[tuple[bool, FieldReference]],
    limit: int,
    *,
    in_pipe: bool,
) -> AsyncGenerator[dict[str, Any], None]:
    number = 0
    async with aclosing(matches):
        async for key, data, _ in matches:
            row: dict[str, Any] = {"key": escape_key(key, name)}
            if fields:
                for _, reference in fields:
                    place = reference.__rapyer_parts__()[1]
                    row[str(place)] = place.read(data)
            elif in_pipe:
                row["document"] = data
            elif isinstance(data, dict):
                row.update({field: value for field, value in data.items() if field != "key"})
            yield row
            number += 1
            if number == limit:
                break


def _column(reference: FieldReference) -> Column:
    text = str(reference.__rapyer_parts__()[1])
    return Column(text, text)


_EXPRESSION = Argument(
    "expression",
    Kind.EXPRESSION,
    "a condition as in Python: views >= 10 and 'even' in tags",
    required=False,
)
_DETAILS = (
    "Conditions are read, never executed: == != < <= > >=, and or not in, field.startswith('x'), "
    "len(tags) > 3, any(items, n > 3) ('item' is the item itself), seen > now() - days(7) (in UTC), nested fields as address.city and settings['theme'], None, True, False, numbers, texts in quotes."
)

VERBS = (
    Verb(
        "find",
        "show the documents of a model that fulfil a condition",
        "look",
        find,
        arguments=(MODEL, _EXPRESSION),
        options=(
            Option(
                "sort",
                ("--sort",),
                "sort by these fields; -field is descending",
                Kind.FIELD,
                metavar="FIELDS",
            ),
            Option("fields", ("--fields",), "show only these fields", Kind.FIELD, metavar="FIELDS"),
            LIMIT,
        ),
        examples=(
            "find BlogPost \"views >= 10 and 'python' in tags\"",
            "find BlogPost --sort=-views --limit 10 --fields title,views",
        ),
        exits=LOOK_EXITS,
        details=_DETAILS,
    ),
    Verb(
        "count",
        "count the documents of a model that fulfil a condition",
        "look",
        count,
        arguments=(MODEL, _EXPRESSION),
        examples=("count BlogPost", "count BlogPost \"status == 'live'\""),
        exits=LOOK_EXITS,
        details=_DETAILS,
    ),
)
