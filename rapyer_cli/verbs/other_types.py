"""``get`` and ``ls`` of keys that hold no JSON: shown as they are, changed by their own commands alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapyer_cli.failures import ModelsError, NotFound
from rapyer_cli.language.addresses import Address, escape_key
from rapyer_cli.language.grammar import Invocation
from rapyer_cli.render.shapes import Column, FieldRow, Shape, Shown, Table
from rapyer_cli.session.resolve import address_at

if TYPE_CHECKING:
    from rapyer_cli.reading.other_types import Other
    from rapyer_cli.session.session import Session

_SHOWN = 100
_SHOWN_BYTES = 4000


async def shown_instead(
    session: Session, invocation: Invocation, error: Exception, *, whole: bool
) -> Shape:
    """What is at the target when it is no JSON document, which ``error`` was about; raises it when that is not why.

    ``whole`` shows all of it, however much.
    """
    address = await address_at(session, invocation.text("target"))
    key = address.key or address.name
    if not key or not _may_be(error):
        raise error
    from rapyer_cli.reading.other_types import KINDS, kind_at, read_inside, read_other

    client = await session.client()
    kind = await kind_at(client, key)
    if kind not in KINDS:
        listed = await keys_below(session, invocation, address) if kind == "none" else None
        if listed is None:
            raise error
        return listed
    shown = escape_key(key, address.name)
    if address.pointer:
        name = address.pointer[0]
        value = await read_inside(client, key, kind, name) if len(address.pointer) == 1 else None
        if value is None:
            raise NotFound(f"{shown} is a {kind}: it has no {'/'.join(address.pointer)!r}")
        return Shown(str(address), value, type=kind)
    limit = 0 if whole else _SHOWN_BYTES if kind == "string" else _SHOWN
    found = await read_other(client, key, kind, limit)
    if invocation.verb.name == "ls":
        return _table(found)
    return Shown(shown, found.data, kind, _rows(found), _note(found))


def _may_be(error: Exception) -> bool:
    """Whether the error may come of another type: the key holds one, or there is no document of the name."""
    from redis.exceptions import ResponseError

    from rapyer.errors import KeyNotFound, WrongTypeError

    return isinstance(error, (WrongTypeError, NotFound, ModelsError, KeyNotFound, ResponseError))


def _length(found: Other) -> int:
    return len(found.data)


def _note(found: Other) -> str:
    kind = "sorted set" if found.kind == "zset" else found.kind
    note = f"a Redis {kind}, which only its own commands change ('raw')"
    if _length(found) < found.length:
        note += f"; {found.length:,} in all, --all shows everything"
    return note


def _rows(found: Other) -> tuple[FieldRow, ...]:
    if isinstance(found.data, dict):
        return tuple(FieldRow(name, value) for name, value in found.data.items())
    if isinstance(found.data, list):
        return tuple(FieldRow(str(index), value) for index, value in enumerate(found.data))
    return ()


def _table(found: Other) -> Table:
    rows: list[dict[str, Any]] = [{"name": row.name, "value": row.value} for row in _rows(found)]
    rows = rows or [{"name": "", "value": found.data}]
    columns = (Column("name", "name"), Column("value", "value"))
    return Table(columns, rows, empty="(empty)", raw="name", note=_note(found))


async def keys_below(session: Session, invocation: Invocation, address: Address) -> Table | None:
    """The keys of other types under a prefix that no document has."""
    if invocation.verb.name != "ls" or address.key is not None:
        return None
    from rapyer_cli.reading.other_types import keys_with_kinds

    rows = []
    limit = 10**9 if invocation.flag("all") else _SHOWN + 1
    async for key, kind in keys_with_kinds(await session.client(), f"{address.name}:", limit):
        rows.append({"key": escape_key(key, address.name), "type": kind})
    if not rows:
        return None
    more = len(rows) == limit
    columns = (Column("key", "key"), Column("type", "type"))
    note = "… there may be more; --all shows every one" if more else ""
    return Table(columns, rows[:_SHOWN] if more else rows, raw="key", note=note)
