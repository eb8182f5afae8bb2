"""Expressions as RediSearch queries that match at least the documents that the expression matches.

Every document that a query gives is read and the expression evaluated on it, so a query may match too
much and never too little. What it cannot narrow down is left out of it; values travel as parameters and
can never become part of the query's text.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, cast
from uuid import UUID

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from rapyer.expressions.conditions import And, AnyOf, Comparison, Expression, Length, Not, Or
from rapyer.expressions.operands import Operator
from rapyer.expressions.place import Place
from rapyer.fields import SafeLoadMark, has_mark
from rapyer.keyspace.model_class import ModelClass
from rapyer.schema.of_models import model_spec
from rapyer.search.index_fields import IndexedField, IndexSchema

_MAX_OPTIONS = 500
_MAX_TEXT = 1000
_NEGATED: dict[Operator, Operator] = {
    "==": "!=",
    "!=": "==",
    "<": ">=",
    "<=": ">",
    ">": "<=",
    ">=": "<",
}
_TIMESTAMP_SLACK = 0.01
_MILLISECONDS_FROM = 2e10
"""Pydantic takes timestamps beyond this for milliseconds."""


class Query:
    """The text of a query and its parameters."""

    def __init__(self, model: type[ModelClass], schema: IndexSchema) -> None:
        self.model, self.schema = model, schema
        self.parameters: list[bytes] = []

    @classmethod
    def of(
        cls, model: type[ModelClass], schema: IndexSchema, expression: Expression
    ) -> tuple[str, list[bytes]] | None:
        """The query for ``expression`` and its parameters; None where it would match every document."""
        query = cls(model, schema)
        text = query._text(expression)
        return None if text is None else (text, query._named())

    def _named(self) -> list[bytes]:
        named: list[bytes] = []
        for number, value in enumerate(self.parameters):
            named += (b"p%d" % number, value)
        return named

    def _parameter(self, value: str | bytes) -> str:
        self.parameters.append(value.encode() if isinstance(value, str) else value)
        return f"$p{len(self.parameters) - 1}"

    # -- structure -------------------------------------------------------------------------------

    def _text(self, expression: Expression, negated: bool = False) -> str | None:
        if isinstance(expression, Not):
            return self._text(expression.part, not negated)
        if isinstance(expression, Comparison):
            return self._comparison(expression, negated)
        if isinstance(expression, AnyOf | Length):
            return None
        assert isinstance(expression, And | Or)
        parts = [self._text(part, negated) for part in expression.parts]
        known = [part for part in parts if part is not None]
        if isinstance(expression, And) != negated:
            return _joined(" ", known) if known else None
        return _joined(" | ", known) if len(known) == len(parts) else None

    def _comparison(self, comparison: Comparison, negated: bool) -> str | None:
        field = self.schema.fields.get(comparison.place.path)
        if field is None or field.filtered or isinstance(comparison.operand, Place):
            return None
        if negated and comparison.operator in ("==", "!="):
            return self._comparison(
                replace(comparison, operator=_NEGATED[comparison.operator]), False
            )
        if field.kind == "flag":
            return None if negated else self._flag(field, comparison)
        matching: Callable[[Any], bool]
        if negated:

            def matching(value: Any) -> bool:
                return not comparison.holds(value, comparison.operand)
        else:

            def matching(value: Any) -> bool:
                return comparison.holds(value, comparison.operand)

        numeric = field.kind in ("number", "timestamp")
        if matching(None) and (not numeric or field.many or _loads_safely(self.model, field)):
            return None  # a TAG field knows nothing of null, and none of what only loads as None
        stored = (
            self._numbers(field, comparison, negated)
            if numeric
            else self._texts(field, comparison, negated)
        )
        if stored is None:
            return None
        alternatives = [stored]
        if matching(None):
            alternatives.append(f"-@{field.alias}:[-inf +inf]")
        elif _may_match_where_missing(cast(Any, self.model), field, matching):
            alternatives.append(f"ismissing(@{field.alias})")
        return _joined(" | ", alternatives)

    # -- values ----------------------------------------------------------------------------------

    def _flag(self, field: IndexedField, comparison: Comparison) -> str | None:
        options = comparison.operand if comparison.operator == "in" else (comparison.operand,)
        wanted = {True, False} & set(options)
        if comparison.operator == "!=":
            wanted = {True, False} - wanted
        elif comparison.operator not in ("==", "in") or None in options:
            return None
        if comparison.operator == "!=" and None in options:
            return None
        if len(wanted) != 1:
            return None
        # what may load as True is spelled in many ways; surely it is not spelled "false"
        return f"(-@{field.alias}:{{{'false' if True in wanted else 'true'}}})"

    def _texts(self, field: IndexedField, comparison: Comparison, negated: bool) -> str | None:
        wanted_operator = "contains" if field.many else "=="
        if negated:
            return None
        if comparison.operator == wanted_operator:
            options: tuple[Any, ...] = (comparison.operand,)
        elif comparison.operator == "in" and not field.many:
            options = comparison.operand
        else:
            return None
        if not options or len(options) > _MAX_OPTIONS:
            return None
        names = []
        for option in options:
            for text in _spellings(option):
                if len(text) > _MAX_TEXT or "\0" in text:
                    return None  # cut off at the NUL, or never tried at such a length
                names.append(self._parameter(text.encode("utf-8", "surrogatepass")))
        if not names:
            return None
        return f"@{field.alias}:{{{' | '.join(names)}}}"

    def _numbers(self, field: IndexedField, comparison: Comparison, negated: bool) -> str | None:
        operator, operand = comparison.operator, comparison.operand
        if operator == "in" and not field.many:
            if negated or not operand or len(operand) > _MAX_OPTIONS:
                return None
            ranges = [self._range(field, "==", option) for option in operand]
            known = [found for found in ranges if found is not None]
            return _joined(" | ", known) if len(known) == len(ranges) else None
        if field.many:
            usable = operator == "contains" and not negated
            return self._range(field, "==", operand) if usable else None
        if operator not in _NEGATED or operator == "!=":
            return None
        return self._range(field, _NEGATED[operator] if negated else operator, operand)

    def _range(self, field: IndexedField, operator: Operator, operand: Any) -> str | None:
        """The numbers that compare so with ``operand``, both ends included: doubles are rounded."""
        number = _as_double(field, operand)
        if number is None:
            return None
        slack = _TIMESTAMP_SLACK if field.kind == "timestamp" else 0.0
        low = high = ""
        if operator in ("==", ">", ">="):
            low = self._parameter(_number(number - slack))
        if operator in ("==", "<", "<="):
            high = self._parameter(_number(number + slack))
        text = f"@{field.alias}:[{low or '-inf'} {high or '+inf'}]"
        if field.kind != "timestamp":
            return text
        large = _number(_MILLISECONDS_FROM)
        beyond = (f"@{field.alias}:[{large} +inf]", f"@{field.alias}:[-inf -{large}]")
        return _joined(" | ", [text, *beyond])


def _joined(separator: str, parts: list[str]) -> str:
    return f"({separator.join(parts)})"


def _number(value: float) -> str:
    if math.isinf(value):
        return "+inf" if value > 0 else "-inf"
    return repr(float(value))


def _as_double(field: IndexedField, operand: Any) -> float | None:
    """The double nearest to a number or point in time; None for what has no place among them."""
    if isinstance(operand, Enum):
        operand = operand.value
    if field.kind == "timestamp":
        if not isinstance(operand, datetime) or operand.tzinfo is None:
            return None
        return operand.timestamp()
    if isinstance(operand, bool) or not isinstance(operand, int | float | Decimal):
        return None
    try:
        number = float(operand)
    except OverflowError:
        return math.inf if operand > 0 else -math.inf
    return None if math.isnan(number) else number


def _spellings(option: Any) -> list[str]:
    """The ways in which a text or UUID may be stored."""
    if isinstance(option, Enum):
        option = option.value
    if isinstance(option, UUID):
        return [str(option), option.hex, option.urn, f"{{{option}}}"]
    return [str(option)] if isinstance(option, str) else []


def _may_match_where_missing(
    model: type[BaseModel], field: IndexedField, matching: Callable[[Any], bool]
) -> bool:
    """Whether a document that lacks the field, or the model it is in, may load with a matching value."""
    if field.many and matching([]):
        return True
    owner: Any = model
    for position, name in enumerate(field.path):
        info = owner.__pydantic_fields__[name]
        rest = Place(field.path[position + 1 :])
        default = info.default
        if info.default_factory is not None:
            if info.default_factory not in (list, set, dict, frozenset):
                return True
            default = info.default_factory()
        if default is not PydanticUndefined:
            if info.validate_default or owner.model_config.get("validate_default"):
                return True
            if matching(rest.read(default)):
                return True
        if position + 1 < len(field.path):
            found = _model_below(owner, name)
            if found is None:
                return True
            owner = found
    return False


def _model_below(owner: type[BaseModel], name: str) -> type[BaseModel] | None:
    """The model class of a field."""
    return model_spec(owner).field(name).model


def _loads_safely(model: type[ModelClass], field: IndexedField) -> bool:
    """Whether a stored value that does not validate loads as None."""
    if model.Meta.safe_load_all:
        return True
    return has_mark(model.__pydantic_fields__[field.path[0]], SafeLoadMark)
