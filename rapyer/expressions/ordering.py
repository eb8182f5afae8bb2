"""The order of found documents: by fields, each ascending or descending, documents without a value last.

Values of one field that Python cannot compare with each other (text and numbers, datetimes with and
without a zone) are ordered by kind first. Equal documents are in the order of their keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from rapyer.errors import ExpressionError
from rapyer.expressions.expression import Descending, FieldReference, Model
from rapyer.expressions.parsing import parse_reference
from rapyer.expressions.place import Place, unwrapped

T = TypeVar("T")
SortField: TypeAlias = "str | FieldReference | Descending | Any"
Order: TypeAlias = tuple[tuple[Place, bool], ...]
"""Places, and whether descending."""


def as_order(model: Model, fields: Sequence[SortField]) -> Order:
    """``"-age"``, ``"address.city"``, ``User.age`` or ``-User.age`` as an order.

    Raises :class:`~rapyer.expressions.expression.ExpressionError` for anything else, and for unknown fields.
    """
    return tuple(_sort_key(model, field) for field in fields)


def _sort_key(model: Model, field: SortField) -> tuple[Place, bool]:
    descending = isinstance(field, Descending)
    if isinstance(field, Descending):
        field = field.reference
    elif isinstance(field, str):
        descending = field.startswith("-")
        field = parse_reference(model, field[1:] if descending else field)
    if not isinstance(field, FieldReference):
        raise ExpressionError(f"sort takes fields such as 'age', '-age' or User.age, not {field!r}")
    return field.__rapyer_parts__()[1], descending


def values_of(document: Any, order: Order) -> tuple[Any, ...]:
    """What ``document`` is ordered by; None where it has no value."""
    return tuple(comparable(place.read(document), place) for place, _ in order)


def comparable(value: Any, place: Place) -> tuple[str, Any] | None:
    """``value`` in a form that compares with those of all other documents."""
    value = unwrapped(value)
    if isinstance(value, Enum):
        value = value.value
    if value is None:
        return None
    if isinstance(value, bool | int | float | Decimal):
        return "a number", value
    if isinstance(value, str):
        return "text", str(value)
    if isinstance(value, datetime):
        return ("a datetime", value) if value.tzinfo is None else ("b datetime", value)
    if isinstance(value, time):
        return ("a time", value) if value.tzinfo is None else ("b time", value)
    for kind in (bytes, date, timedelta, UUID):
        if isinstance(value, kind):
            return kind.__name__, value
    if isinstance(value, list | tuple):
        return "list", [(comparable(item, place) or ("",)) for item in value]
    raise ExpressionError(f"cannot sort by {place}: {type(value).__name__} has no order")


def put_in_order(rows: list[T], order: Order, values: Any, key: Any) -> None:
    """Sort ``rows`` in place; ``values(row)`` are its :func:`values_of`, ``key(row)`` its key."""
    rows.sort(key=key)
    for position, (_, descending) in reversed(list(enumerate(order))):
        rows.sort(key=lambda row: values(row)[position] or ("",), reverse=descending)
        rows.sort(key=lambda row: values(row)[position] is None)
