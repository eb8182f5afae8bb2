"""The documents of a model that fulfil a condition, as they are stored and as they load; what does not fit is named."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from rapyer.expressions.conditions import Expression


class Match(NamedTuple):
    """A document that fulfils the condition; ``document`` is a model instance, or the JSON where there is no model."""

    key: str
    text: bytes
    document: Any
    model: Any


class Misfit(NamedTuple):
    """A document that does not load, so that its condition cannot be told."""

    key: str
    reason: str


async def matches_of(
    client: Any, name: str, model: Any, condition: Expression | None
) -> AsyncIterator[Match | Misfit]:
    """The documents of ``name`` that fulfil the condition; an index is asked where there is one.

    Sends SCAN or FT.AGGREGATE, and JSON.GETs. Memory does not grow with their number, but for the keys.
    """
    if model is None:
        from rapyer_cli.reading.many import stored_texts

        async for key, text in stored_texts(client, name):
            data = json.loads(text)
            if condition is None or condition.matches(data):
                yield Match(key, text, data, None)
        return
    from rapyer.search.results import Problems
    from rapyer.search.start import find_in

    problems = Problems(missing_ok=True)
    search = find_in(model, () if condition is None else (condition,))
    async with aclosing(search.matching(problems)) as pages:
        async for page in pages:
            for key, error in problems.failures.items():
                yield Misfit(key, str(error))
            problems.failures.clear()
            rows = zip(page.entries, page.documents, page.texts, strict=True)
            for (owner, key), document, text in rows:
                yield Match(key, text, document, owner)
    for key, error in problems.failures.items():
        yield Misfit(key, str(error))


def condition_from(model: Any, text: str | None) -> Expression | None:
    """The condition that ``text`` is; none without a text, and for ``True``: every document."""
    if text is None or text.strip() == "True":
        return None
    from rapyer.expressions.parsing import parse_expression

    return parse_expression(model, text)
