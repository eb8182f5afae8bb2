"""Expressions as filters over stored texts, for kinds that no query of RediSearch can narrow down.

Datetimes, dates and Decimals are stored as text, of which equal values have many spellings and which no query
compares. A filter of FT.AGGREGATE does, on the server, document by document. Like a query
(:mod:`rapyer.search.index_query`) it may let too much through and never too little: whatever does not look as
rapyer writes it, what is missing and what is null always passes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from rapyer.expressions.conditions import And, Comparison, Expression, Not, Or
from rapyer.expressions.operands import Operator
from rapyer.expressions.place import Place
from rapyer.search.index_fields import IndexedField, IndexSchema

_MAX_OPTIONS = 20
_NEGATED: dict[Operator, Operator] = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "!=": "=="}
_DAY = timedelta(days=1)


def filter_of(
    schema: IndexSchema, expression: Expression, negated: bool = False
) -> tuple[str, frozenset[str]] | None:
    """The filter and the names of the fields it looks at; None where it would let everything through."""
    if isinstance(expression, Not):
        return filter_of(schema, expression.part, not negated)
    if isinstance(expression, Comparison):
        return _of_comparison(schema, expression, negated)
    if not isinstance(expression, And | Or):
        return None
    parts = [filter_of(schema, part, negated) for part in expression.parts]
    known = [part for part in parts if part is not None]
    conjunction = isinstance(expression, And) != negated
    if not known or (not conjunction and len(known) < len(parts)):
        return None
    sign = " && " if conjunction else " || "
    names = frozenset(name for _, used in known for name in used)
    return f"({sign.join(text for text, _ in known)})", names


def _of_comparison(
    schema: IndexSchema, comparison: Comparison, negated: bool
) -> tuple[str, frozenset[str]] | None:
    field = schema.fields.get(comparison.place.path)
    if field is None or not field.filtered or isinstance(comparison.operand, Place):
        return None
    operator = comparison.operator
    if negated:
        if operator not in _NEGATED:
            return None
        operator = _NEGATED[operator]
    if operator == "in":
        options = comparison.operand
        if not options or len(options) > _MAX_OPTIONS:
            return None
        each = [replace(comparison, operator="==", operand=option) for option in options]
        return filter_of(schema, Or(tuple(each)))
    if operator not in ("==", "<", "<=", ">", ">="):
        return None
    operand = comparison.operand
    if field.kind == "decimal":
        test = _decimals(field, operator, operand)
    elif isinstance(operand, datetime):
        test = _datetimes(field, operator, operand, comparison.zoneless_is_utc)
    elif isinstance(operand, date) and field.kind == "date":
        test = _days(field, operator, operand, operand)
    else:
        test = None
    if test is None:
        return None
    name = f"@{field.alias}"
    return f"(!exists({name}) || !({name} > '') || {test})", frozenset({field.alias})


def _decimals(field: IndexedField, operator: Operator, operand: Any) -> str | None:
    if isinstance(operand, bool) or not isinstance(operand, int | float | Decimal):
        return None
    try:
        number = float(operand)
    except OverflowError:
        return None
    if number - number != 0:  # infinite, or not a number
        return None
    # both ends included: two numbers that differ may be one double
    value, bound = f"to_number(@{field.alias})", f"to_number('{number!r}')"
    tests = [f"{value} >= {bound}"] if operator in ("==", ">", ">=") else []
    tests += [f"{value} <= {bound}"] if operator in ("==", "<", "<=") else []
    return f"({' && '.join(tests)})"


def _datetimes(
    field: IndexedField, operator: Operator, operand: datetime, zoneless_is_utc: bool
) -> str | None:
    """By day; a time with a zone may be written as of the day before or after."""
    zoned = operand.utcoffset() is not None
    try:
        if zoned or zoneless_is_utc:
            at = operand.astimezone(UTC) if zoned else operand
            days = _days(field, operator, (at - _DAY).date(), (at + _DAY).date())
        else:
            days = _days(field, operator, operand.date(), operand.date())
    except OverflowError:
        return None
    if days is None or (zoneless_is_utc and not zoned):
        return days
    # where only one of the two has a zone, the search has to fail, as it does without an index
    name = f"@{field.alias}"
    marks = [f"contains({name}, '{mark}') > 0" for mark in "+Zz"]
    marks.append(f"contains(substr({name}, 10, -1), '-') > 0")
    has_zone = f"({' || '.join(marks)})"
    return f"({days} || {'!' if zoned else ''}{has_zone})"


def _days(field: IndexedField, operator: Operator, first: date, last: date) -> str | None:
    """Texts of days from ``first`` on, or until ``last``, and those that do not begin with a day."""
    name = f"@{field.alias}"
    tests = [f"{name} >= '{first.isoformat()}'"] if operator in ("==", ">", ">=") else []
    if operator in ("==", "<", "<="):
        tests.append(f"{name} < '{(last + _DAY).isoformat()}'")
    shape = f"substr({name}, 4, 1) == '-' && substr({name}, 7, 1) == '-'"
    return f"({' && '.join(tests)} || !({shape}))"
