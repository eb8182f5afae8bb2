"""Conditions out of text, in Python's spelling: ``views >= 10 and 'even' in tags``.

The text is parsed, never executed: a whitelist of syntax is walked and everything else refused with its
column. Fields and values are checked as in expressions that are written in Python
(:mod:`rapyer.expressions.expression`); a time without a zone also stands for that time in UTC.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from rapyer.errors import ExpressionError
from rapyer.expressions.conditions import And, Expression, Not, Or
from rapyer.expressions.expression import FieldReference, LengthReference, Model
from rapyer.expressions.moments import MOMENTS, moment
from rapyer.expressions.navigating import OPEN, kinds
from rapyer.expressions.operands import Operator
from rapyer.expressions.text import MAX_DEPTH, TOO_DEEP, ConditionText
from rapyer.schema.of_models import model_spec

T = TypeVar("T")

_OPERATORS: dict[type[ast.cmpop], Operator] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_MIRRORED: dict[Operator, Operator] = {
    "==": "==",
    "!=": "!=",
    "<": ">",
    "<=": ">=",
    ">": "<",
    ">=": "<=",
}
_METHODS: tuple[Operator, ...] = ("startswith", "contains")


def parse_expression(model: Model, text: str) -> Expression:
    """The condition that ``text`` is.

    Comparisons (also chained), ``and or not in``, ``is None``, ``name.startswith('x')``, ``len(tags) > 3``,
    ``any(homes, city == 'Rome')``, ``seen > now() - days(7)`` (in UTC, at the time of the call), a boolean field by
    itself; texts, numbers, lists, None, True and False as values; ``address.city``,
    ``settings['theme']`` and ``tags[0]`` as fields. Without ``model`` nothing is known of the fields,
    and the documents are plain JSON.

    Raises :class:`~rapyer.expressions.expression.ExpressionError`: one line with the column, and for a field that is
    not there those that are; ``error.marked`` has the text with a caret. Takes time in proportion to the text, and
    refuses more than 100 levels of nesting.
    """
    return _Reader(model, text).expression()


def parse_reference(model: Model, text: str) -> FieldReference:
    """The field that ``text`` names, such as ``address.city``; raises like :func:`parse_expression`."""
    return _Reader(model, text).reference()


@dataclass(frozen=True, slots=True)
class _Constant:
    value: Any
    source: str


class _Reader(ConditionText):
    def __init__(self, model: Model, text: str) -> None:
        super().__init__(text)
        self.model = model
        self.items: dict[str, FieldReference] | None = None
        """Inside of ``any``: what its name stands for, and no other field can be named."""
        self.inside: FieldReference | None = None
        """Inside of ``any(items, …)``: the item, whose fields are named by themselves."""
        self.depth = 0

    # -- syntax ----------------------------------------------------------------------------------

    def expression(self) -> Expression:
        return self._guarded(self._condition)

    def reference(self) -> FieldReference:
        return self._guarded(self._field)

    def _guarded(self, read: Callable[[ast.expr], T]) -> T:
        try:
            return read(self._tree())
        except RecursionError:
            raise ExpressionError(TOO_DEEP) from None

    # -- conditions ------------------------------------------------------------------------------

    def _condition(self, node: ast.expr) -> Expression:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self._refusal(node, TOO_DEEP)
        try:
            return self._condition_of(node)
        finally:
            self.depth -= 1

    def _condition_of(self, node: ast.expr) -> Expression:
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
        if isinstance(left, LengthReference) or isinstance(right, LengthReference):
            return self._of_length(operator, left, right, node)
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

    def _of_length(self, operator: ast.cmpop, left: Any, right: Any, node: ast.expr) -> Expression:
        """``len(field) > 3``, with the length on either side."""
        if isinstance(left, LengthReference):
            length, other = left, right
        else:
            length, other = right, left
        wanted: Operator | None
        if isinstance(operator, ast.In | ast.NotIn):
            wanted = "in" if length is left else None
        else:
            wanted = _OPERATORS.get(type(operator))
            wanted = wanted if length is left or wanted is None else _MIRRORED[wanted]
        if wanted is None or not isinstance(other, _Constant):
            raise self._refusal(node, f"{length!r} is compared with a whole number")
        try:
            found = length.__rapyer_compare__(wanted, other.value)
        except ExpressionError as error:
            raise self._refusal(node, str(error), type(error)) from None
        return Not(found) if isinstance(operator, ast.NotIn) else found

    def _compared(
        self, field: FieldReference, operator: Operator, operand: Any, node: ast.expr
    ) -> Expression:
        if isinstance(operand, _Constant):
            operand = self._exact(field, operand)
        try:
            return field.__rapyer_compare__(operator, operand, zoneless_is_utc=True)
        except ExpressionError as error:
            raise self._refusal(node, str(error), type(error)) from None

    def _exact(self, field: FieldReference, constant: _Constant) -> Any:
        """The constant's value; a number for a decimal field with all the digits it was written with."""
        value = constant.value
        if isinstance(value, float) and "decimal" in kinds(field.__rapyer_parts__()[2]):
            return Decimal(constant.source.replace("_", "").replace(" ", ""))
        return value

    def _call(self, node: ast.Call) -> Expression:
        function = node.func
        if isinstance(function, ast.Name) and function.id == "any":
            return self._any(node)
        if (
            not isinstance(function, ast.Attribute)
            or function.attr not in _METHODS
            or len(node.args) != 1
            or node.keywords
        ):
            raise self._refusal(
                node,
                "no functions here, but field.startswith('…'), field.contains('…'), len(field), "
                "any(field, name == '…'), any(item.name == '…' for item in field), now() and days(7)",
            )
        field = self._field(function.value)
        operator: Operator = "startswith" if function.attr == "startswith" else "contains"
        return self._compared(field, operator, self._operand(node.args[0]), node)

    def _any(self, node: ast.Call) -> Expression:
        """``any(home.city == 'Rome' for home in homes if home.zip > 5)``, or ``any(homes, city == 'Rome')``."""
        match node:
            case ast.Call(args=[items, wanted], keywords=[]):
                return self._any_inside(node, self._field(items), wanted)
            case ast.Call(
                args=[
                    ast.GeneratorExp(
                        elt=wanted,
                        generators=[
                            ast.comprehension(
                                target=ast.Name(id=name), iter=items, ifs=conditions, is_async=0
                            )
                        ],
                    )
                ],
                keywords=[],
            ):
                field = self._field(items)
            case _:
                raise self._refusal(
                    node,
                    "any is written as any(field, name == '…'), where item is the item itself, or as "
                    "any(item.name == '…' for item in field)",
                )

        def condition(item: FieldReference) -> Expression:
            outer = self.items
            self.items = {name: item}
            try:
                parts = tuple(self._condition(part) for part in (*conditions, wanted))
            finally:
                self.items = outer
            return parts[0] if len(parts) == 1 else And(parts)

        return self._any_of(node, field, condition)

    def _any_inside(self, node: ast.Call, field: FieldReference, wanted: ast.expr) -> Expression:
        def condition(item: FieldReference) -> Expression:
            outer = self.inside, self.items
            self.inside, self.items = item, None
            try:
                return self._condition(wanted)
            finally:
                self.inside, self.items = outer

        return self._any_of(node, field, condition)

    def _any_of(
        self,
        node: ast.Call,
        field: FieldReference,
        condition: Callable[[FieldReference], Expression],
    ) -> Expression:
        try:
            return FieldReference.any(field, condition)
        except ExpressionError as error:
            if error.column is not None:
                raise
            raise self._refusal(node, str(error), type(error)) from None

    def _flag(self, node: ast.expr) -> Expression:
        field = self._field(node)
        specs = field.__rapyer_parts__()[2]
        if specs and "bool" not in kinds(specs):
            raise self._refusal(node, f"{self._source(node)} is no condition by itself: compare it")
        return self._compared(field, "==", True, node)

    # -- operands --------------------------------------------------------------------------------

    def _operand(self, node: ast.expr) -> FieldReference | LengthReference | _Constant:
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            return self._field(node)
        match node:
            case ast.Call(func=ast.Name(id="len"), args=[inner], keywords=[]):
                try:
                    return FieldReference.len(self._field(inner))
                except ExpressionError as error:
                    if error.column is not None:
                        raise
                    raise self._refusal(node, str(error), type(error)) from None
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
            case ast.Call() | ast.BinOp():
                found = moment(node)
                if found is None:
                    problem = f"{self._source(node)!r} is neither a field nor a value; {MOMENTS}"
                    raise self._refusal(node, problem)
                return found
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
        if self.inside is not None and (self.items is None or name not in self.items):
            return self._root_inside(node, name, self.inside)
        if self.items is not None:
            if name not in self.items:
                raise self._refusal(
                    node, f"inside of any only {next(iter(self.items))} can be compared"
                )
            return self.items[name]
        if self.model is None:
            return FieldReference.untyped(name)
        start = FieldReference(self.model, (), (model_spec(self.model),))
        return self._below(node, start, name)

    def _root_inside(self, node: ast.expr, name: str, item: FieldReference) -> FieldReference:
        """A field of the item by its name; ``item`` is the item itself, unless it is known to have such a field."""
        if name == "item" and kinds(item.__rapyer_parts__()[2]) <= {*OPEN}:
            return item
        try:
            return item[name]
        except ExpressionError as error:
            if name == "item":
                return item
            raise self._refusal(node, str(error), type(error)) from None

    def _below(self, node: ast.expr, field: FieldReference, segment: Any) -> FieldReference:
        try:
            return field[segment]
        except ExpressionError as error:
            raise self._refusal(node, str(error), type(error)) from None
