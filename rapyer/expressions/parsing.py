"""Conditions out of text, in Python's spelling: ``views >= 10 and 'even' in tags``.

The text is parsed, never executed: a whitelist of syntax is walked and everything else refused with its
column. Fields and values are checked as in expressions that are written in Python
(:mod:`rapyer.expressions.expression`); a datetime without a zone also stands for that time in UTC.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from rapyer.errors import ExpressionError
from rapyer.expressions.expression import (
    And,
    Comparison,
    Expression,
    FieldReference,
    Model,
    Not,
    Or,
)
from rapyer.expressions.operands import kinds
from rapyer.schema.of_models import model_spec

T = TypeVar("T")

_MAX_LENGTH = 100_000
_OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_METHODS = ("startswith", "contains")
_LONE_EQUALS = re.compile(r"(?<![=!<>])=(?!=)")
_UNFINISHED = ("=", "<", ">", " and", " or", " not", " in", "(", "[", ",")


def parse_expression(model: Model, text: str) -> Expression:
    """The condition that ``text`` is.

    Comparisons (also chained), ``and or not in``, ``is None``, ``name.startswith('x')``, a boolean field
    by itself; texts, numbers, lists, None, True and False as values; ``address.city``,
    ``settings['theme']`` and ``tags[0]`` as fields. Without ``model`` nothing is known of the fields,
    and the documents are plain JSON.

    Raises :class:`~rapyer.expressions.expression.ExpressionError`: one line with the column, and for a field that is
    not there those that are.
    """
    return _Reader(model, text).expression()


def parse_reference(model: Model, text: str) -> FieldReference:
    """The field that ``text`` names, such as ``address.city``; raises like :func:`parse_expression`."""
    return _Reader(model, text).reference()


@dataclass(frozen=True, slots=True)
class _Constant:
    value: Any
    source: str


class _Reader:
    def __init__(self, model: Model, text: str) -> None:
        self.model, self.text = model, text

    # -- syntax ----------------------------------------------------------------------------------

    def _tree(self) -> ast.expr:
        if len(self.text) > _MAX_LENGTH:
            raise ExpressionError(f"the condition is longer than {_MAX_LENGTH} characters")
        self.text = self.text.strip()
        if not self.text:
            raise ExpressionError(
                "the condition is empty; an example: views >= 10 and 'new' in tags"
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            raise ExpressionError(self._syntax_problem(error)) from None
        except (ValueError, RecursionError, MemoryError) as error:
            raise ExpressionError(f"the condition cannot be read: {error}") from None

    def _syntax_problem(self, error: SyntaxError) -> str:
        lines = self.text.splitlines()
        if (error.lineno or 1) > len(lines) or self.text.endswith(_UNFINISHED):
            return f"column {len(self.text) + 1}: the condition ends too early"
        hint = "; compare with ==" if _LONE_EQUALS.search(self.text) else ""
        return f"column {error.offset or 1}: {error.msg}{hint}"

    def expression(self) -> Expression:
        return self._guarded(self._condition)

    def reference(self) -> FieldReference:
        return self._guarded(self._field)

    def _guarded(self, read: Callable[[ast.expr], T]) -> T:
        try:
            return read(self._tree())
        except RecursionError:
            raise ExpressionError("the condition is nested too deeply") from None

    def _refusal(
        self, node: ast.AST, problem: str, kind: type[ExpressionError] = ExpressionError
    ) -> ExpressionError:
        # the offset counts the bytes of the line
        line = self.text.splitlines()[getattr(node, "lineno", 1) - 1].encode()
        column = len(line[: getattr(node, "col_offset", 0)].decode("utf-8", "replace")) + 1
        return kind(f"column {column}: {problem}")

    def _source(self, node: ast.AST) -> str:
        return ast.get_source_segment(self.text, node) or ast.unparse(node)

    # -- conditions ------------------------------------------------------------------------------

    def _condition(self, node: ast.expr) -> Expression:
        match node:
            case ast.BoolOp(op=ast.And(), values=values):
                return And(tuple(self._condition(value) for value in values))
            case ast.BoolOp(values=values):
                return Or(tuple(self._condition(value) for value in values))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self._condition(operand))
            case ast.Compare(left=left, ops=operators, comparators=comparators):
                return self._chain([left, *comparators], operators)
            case ast.Call():
                return self._call(node)
            case ast.Name() | ast.Attribute() | ast.Subscript():
                return self._flag(node)
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
                raise self._refusal(node, "combine conditions with and, or and not")
        raise self._refusal(
            node, f"{self._source(node)!r} is not a condition; compare a field with a value"
        )

    def _chain(self, sides: list[ast.expr], operators: list[ast.cmpop]) -> Expression:
        operands = [self._operand(side) for side in sides]
        links = tuple(
            self._link(operator, left, right, node)
            for operator, left, right, node in zip(
                operators, operands, operands[1:], sides, strict=False
            )
        )
        return links[0] if len(links) == 1 else And(links)

    def _link(self, operator: ast.cmpop, left: Any, right: Any, node: ast.expr) -> Expression:
        fields = isinstance(left, FieldReference), isinstance(right, FieldReference)
        if not any(fields):
            raise self._refusal(node, "a comparison needs a field on one of its sides")
        if isinstance(operator, ast.Is | ast.IsNot):
            constant = right if fields[0] else left
            if all(fields) or constant.value is not None:
                raise self._refusal(node, "is only asks for None; compare with ==")
            operator = ast.Eq() if isinstance(operator, ast.Is) else ast.NotEq()
        if isinstance(operator, ast.In | ast.NotIn):
            if fields[1]:
                found = self._compared(right, "contains", left, node)
            else:
                found = self._compared(left, "in", right, node)
            return found if isinstance(operator, ast.In) else Not(found)
        sign = _OPERATORS[type(operator)]
        if fields[0]:
            return self._compared(left, sign, right, node)
        return self._compared(right, _MIRRORED[sign], left, node)

    def _compared(
        self, field: FieldReference, operator: str, operand: Any, node: ast.expr
    ) -> Expression:
        if isinstance(operand, _Constant):
            operand = self._exact(field, operand)
        # by name, so that a nested field called like an operation is no obstacle
        name = {
            "==": "__eq__",
            "!=": "__ne__",
            "<": "__lt__",
            "<=": "__le__",
            ">": "__gt__",
            ">=": "__ge__",
            "in": "in_",
        }.get(operator, operator)
        try:
            made: Expression = getattr(FieldReference, name)(field, operand)
        except ExpressionError as error:
            raise self._refusal(node, str(error), type(error)) from None
        assert isinstance(made, Comparison)
        return _also_in_utc(made)

    def _exact(self, field: FieldReference, constant: _Constant) -> Any:
        """The constant's value; a number for a decimal field with all the digits it was written with."""
        value = constant.value
        if isinstance(value, float) and "decimal" in kinds(field.__rapyer_parts__()[2]):
            return Decimal(constant.source.replace("_", "").replace(" ", ""))
        return value

    def _call(self, node: ast.Call) -> Expression:
        function = node.func
        if (
            not isinstance(function, ast.Attribute)
            or function.attr not in _METHODS
            or len(node.args) != 1
            or node.keywords
        ):
            raise self._refusal(
                node, "no functions here, but field.startswith('…') and field.contains('…')"
            )
        field = self._field(function.value)
        return self._compared(field, function.attr, self._operand(node.args[0]), node)

    def _flag(self, node: ast.expr) -> Expression:
        field = self._field(node)
        specs = field.__rapyer_parts__()[2]
        if specs and "bool" not in kinds(specs):
            raise self._refusal(node, f"{self._source(node)} is no condition by itself: compare it")
        return self._compared(field, "==", True, node)

    # -- operands --------------------------------------------------------------------------------

    def _operand(self, node: ast.expr) -> FieldReference | _Constant:
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            return self._field(node)
        return _Constant(self._value(node), self._source(node))

    def _value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=None | bool() | int() | float() | str() | bytes() as value):
                return value
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
                value = self._value(operand)
                if isinstance(value, int | float) and not isinstance(value, bool):
                    return -value if isinstance(sign, ast.USub) else value
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
                return [self._value(item) for item in items]
            case ast.Dict(keys=keys, values=values) if None not in keys:
                names = [self._value(key) for key in keys if key is not None]
                if all(isinstance(name, str | int | float | None) for name in names):
                    return dict(zip(names, [self._value(value) for value in values], strict=True))
            case ast.Name(id=name):
                raise self._refusal(
                    node, f"{name!r} is a field, a value is needed here; quote text: '{name}'"
                )
        raise self._refusal(node, f"{self._source(node)!r} is neither a field nor a value")

    def _field(self, node: ast.expr) -> FieldReference:
        match node:
            case ast.Name(id=name):
                return self._root(node, name)
            case ast.Attribute(value=inner, attr=name):
                return self._below(node, self._field(inner), name)
            case ast.Subscript(value=inner, slice=index):
                segment = self._value(index)
                if isinstance(segment, bool) or not isinstance(segment, str | int):
                    raise self._refusal(index, "an index is a number or a text in quotes")
                return self._below(node, self._field(inner), segment)
        raise self._refusal(node, f"{self._source(node)!r} is not a field")

    def _root(self, node: ast.expr, name: str) -> FieldReference:
        if self.model is None:
            return FieldReference.untyped(name)
        start = FieldReference(self.model, (), (model_spec(self.model),))
        return self._below(node, start, name)

    def _below(self, node: ast.expr, field: FieldReference, segment: Any) -> FieldReference:
        try:
            return field[segment]
        except ExpressionError as error:
            raise self._refusal(node, str(error), type(error)) from None


def _also_in_utc(comparison: Comparison) -> Expression:
    """With a datetime that has no zone: also the comparison with that time in UTC.

    Python never compares datetimes with and without a zone, and text rarely carries one.
    """
    operand = comparison.operand
    if isinstance(operand, tuple) and comparison.operator == "in":
        zoned = tuple(_in_utc(item) for item in operand if _is_naive(item))
        return replace(comparison, operand=operand + zoned)
    if not _is_naive(operand):
        return comparison
    both = (comparison, replace(comparison, operand=_in_utc(operand)))
    return And(both) if comparison.operator == "!=" else Or(both)


def _is_naive(value: Any) -> bool:
    return isinstance(value, datetime) and value.tzinfo is None


def _in_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC)
