"""Documents as rows for people: their key, a few telling fields, how long they live and how large they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rapyer_cli.language.addresses import escape_key
from rapyer_cli.render.shapes import Column, Table
from rapyer_cli.render.text import lifetime_in_words

if TYPE_CHECKING:
    from rapyer_cli.session.session import Session

_SCALARS = ("str", "int", "float", "bool", "datetime", "other")
_MOST_COLUMNS = 8
_LOOKED_AT = 20
_TTL, _SIZE = "\0ttl", "\0size"


async def documents_table(session: Session, name: str, keys: Sequence[str], note: str) -> Table:
    """The documents ``keys`` of the model ``name``, in the order of their keys. Sends JSON.GET and PTTL of each."""
    from rapyer_cli.reading.many import texts_of, ttls_of

    client = await session.client()
    rows: list[dict[str, Any]] = []
    lives = await ttls_of(client, keys)
    texts = {key: text async for key, text in texts_of(client, keys)}
    for key in keys:
        row: dict[str, Any] = {"key": escape_key(key, name)}
        text = texts.get(key)
        data = None if text is None else json.loads(text)
        if isinstance(data, dict):
            row.update({field: value for field, value in data.items() if field != "key"})
        life = lives.get(key)
        row[_TTL] = None if life is None else lifetime_in_words(life)
        row[_SIZE] = None if text is None else size_in_words(len(text))
        rows.append(row)
    fields = usual_columns(session.models.named(name)) or columns_of(rows)
    columns = (
        *(Column("key", "document"), *fields),
        *(Column(_TTL, "expires in", optional=True), Column(_SIZE, "size", optional=True)),
    )
    order = "in the order of keys"
    return Table(columns, rows, raw="key", note=f"{order}; {note}" if note else "")


def size_in_words(count: int) -> str:
    """``1.2 KB``."""
    size, unit = float(count), "B"
    for larger in ("KB", "MB", "GB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"


def usual_columns(model: Any) -> list[Column]:
    """The columns of a model's table: its first scalar fields."""
    if model is None:
        return []
    from rapyer.schema.of_models import model_spec
    from rapyer_cli.knowledge.gathering import kind_of

    spec = model_spec(model)
    kinds = {name: kind_of(spec.child(name)) for name in spec.field_names()}
    names = [name for name, kind in kinds.items() if kind in _SCALARS and name != "key"][
        :_MOST_COLUMNS
    ]
    return [Column(n, n, numeric=kinds[n] in ("int", "float"), optional=True) for n in names]


def columns_of(rows: Sequence[dict[str, Any]]) -> list[Column]:
    """The columns of documents without a model: the first scalar fields of the first documents."""
    numeric: dict[str, bool] = {}
    for row in rows[:_LOOKED_AT]:
        for name, value in row.items():
            if name not in ("key", _TTL, _SIZE) and not isinstance(value, (dict, list)):
                number = isinstance(value, (int, float)) and not isinstance(value, bool)
                numeric[name] = numeric.get(name, True) and number
    names = list(numeric)[:_MOST_COLUMNS]
    return [Column(name, name, numeric=numeric[name], optional=True) for name in names]
