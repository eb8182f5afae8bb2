"""``_``: what the last line of a sitting gave, as far as the next one can name it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

from rapyer_cli.render.shapes import Changed, Shape, Shown, Table
from rapyer_cli.session.session import Last, Session


def remember(session: Session, shape: Shape | None) -> None:
    """Let ``_`` be what ``shape`` shows: a value, or the key of the one document that it is about.

    A table is known once its rows were shown: of one row its key, of several nothing.
    """
    if isinstance(shape, Shown):
        session.last = Last(shape.title or None, _text(shape.data))
    elif isinstance(shape, Changed):
        keys = [document.key for document in shape.documents]
        value = _text(shape.result) if shape.has_result else None
        session.last = Last(keys[0] if len(keys) == 1 else None, value)
    elif isinstance(shape, Table):
        session.last = Last()
        shape.rows = _remembered(session, shape.rows)


async def _remembered(session: Session, rows: Any) -> AsyncGenerator[dict[str, Any], None]:
    first: dict[str, Any] = {}
    count = 0
    if isinstance(rows, AsyncGenerator):
        async for row in rows:
            first, count = first or row, count + 1
            yield row
    else:
        for row in rows:
            first, count = first or row, count + 1
            yield row
    key = first.get("key")
    if count == 1 and isinstance(key, str):
        session.last = Last(key, _text(first.get("document", key)))


def _text(data: Any) -> str:
    return data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
