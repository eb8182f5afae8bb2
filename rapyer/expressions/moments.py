"""Points and spans of time in the text of a condition: ``now() - days(7)``. Computed when the text is read, in UTC."""

from __future__ import annotations

import ast
from datetime import UTC, date, datetime, timedelta
from typing import Any

_SPANS = ("weeks", "days", "hours", "minutes", "seconds")
MOMENTS = "values are constants, now(), today(), and these plus or minus weeks days hours minutes seconds, as days(7)"


def moment(node: ast.expr) -> datetime | date | timedelta | None:
    """The time that ``node`` means; None when it is no such value.

    It has no zone, and so stands for that time in UTC where values have one.
    """
    try:
        found = _moment(node)
        return found if isinstance(found, date | timedelta) else None
    except (OverflowError, ValueError, TypeError):
        return None


def _moment(node: ast.expr) -> Any:
    match node:
        case ast.Call(func=ast.Name(id="now"), args=[], keywords=[]):
            return datetime.now(UTC).replace(tzinfo=None)
        case ast.Call(func=ast.Name(id="today"), args=[], keywords=[]):
            return datetime.now(UTC).date()
        case ast.Call(
            func=ast.Name(id=name),
            args=[ast.Constant(value=int() | float() as number)],
            keywords=[],
        ) if name in _SPANS and not isinstance(number, bool):
            return timedelta(**{name: number})
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as sign, right=right):
            one, other = _moment(left), _moment(right)
            if one is None or other is None:
                return None
            return one + other if isinstance(sign, ast.Add) else one - other
    return None
