"""Conditions on documents as immutable trees: what each part says of a loaded document.

Values that Python cannot order (``None``, another type) do not match ``<`` and the like; they do match
``!=``, and the negation (``~``) of whatever they do not match. A datetime with a zone and one without
are never compared: that is an error.
"""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime, time
from typing import Any, NoReturn

from pydantic import BaseModel

from rapyer.errors import ExpressionError
from rapyer.expressions.operands import Operator
from rapyer.expressions.place import Place, unwrapped


class Expression:
    """A condition on a document. Combine with ``&``, ``|`` and ``~``; all instances are immutable."""

    __slots__ = ()

    def matches(self, document: Any, *, strict: bool = False) -> bool:
        """Whether a loaded model instance (or plain JSON, for an untyped expression) fulfils it.

        A time with a zone and one without cannot be compared and do not match; ``strict``, as in a search, raises
        :class:`~rapyer.errors.ExpressionError` instead.
        """
        raise NotImplementedError

    def models(self) -> Iterator[type[BaseModel]]:
        """The model classes whose fields it names."""
        raise NotImplementedError

    def __and__(self, other: Any) -> Expression:
        return And(_parts(And, self, other)) if isinstance(other, Expression) else NotImplemented

    def __or__(self, other: Any) -> Expression:
        return Or(_parts(Or, self, other)) if isinstance(other, Expression) else NotImplemented

    def __invert__(self) -> Expression:
        return Not(self)

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "an expression is neither true nor false by itself: combine with & | ~ instead of and, or, "
            "not, and write (a < x) & (x < b) instead of a < x < b"
        )


def _parts(kind: type[And] | type[Or], *expressions: Expression) -> tuple[Expression, ...]:
    parts: list[Expression] = []
    for expression in expressions:
        parts += expression.parts if isinstance(expression, kind) else (expression,)
    return tuple(parts)


def _decided(parts: tuple[Expression, ...], document: Any, decisive: bool) -> bool:
    """``decisive`` if one of the parts is; what cannot be compared is an error only where it matters."""
    undecided = None
    for part in parts:
        try:
            if part.matches(document, strict=True) is decisive:
                return decisive
        except ExpressionError as error:
            undecided = error
    if undecided is not None:
        raise undecided
    return not decisive


@dataclass(frozen=True, slots=True)
class And(Expression):
    """All parts match."""

    parts: tuple[Expression, ...]

    def matches(self, document: Any, *, strict: bool = False) -> bool:
        if not strict:
            return all(part.matches(document) for part in self.parts)
        return _decided(self.parts, document, False)

    def models(self) -> Iterator[type[BaseModel]]:
        for part in self.parts:
            yield from part.models()

    def __str__(self) -> str:
        return " and ".join(f"({p})" if isinstance(p, Or) else str(p) for p in self.parts)


@dataclass(frozen=True, slots=True)
class Or(Expression):
    """At least one part matches."""

    parts: tuple[Expression, ...]

    def matches(self, document: Any, *, strict: bool = False) -> bool:
        if not strict:
            return any(part.matches(document) for part in self.parts)
        return _decided(self.parts, document, True)

    def models(self) -> Iterator[type[BaseModel]]:
        for part in self.parts:
            yield from part.models()

    def __str__(self) -> str:
        return " or ".join(str(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Not(Expression):
    """The part does not match."""

    part: Expression

    def matches(self, document: Any, *, strict: bool = False) -> bool:
        return not self.part.matches(document, strict=strict)

    def models(self) -> Iterator[type[BaseModel]]:
        return self.part.models()

    def __invert__(self) -> Expression:
        return self.part

    def __str__(self) -> str:
        return f"not ({self.part})"


@dataclass(frozen=True, slots=True)
class AnyOf(Expression):
    """At least one item of a list, set or tuple (of a dict: one of its values) fulfils the condition."""

    place: Place
    part: Expression
    """The condition; its places are inside the item, the empty one is the item itself."""
    model: type[BaseModel] | None = None

    def matches(self, document: Any, *, strict: bool = False) -> bool:
        items = unwrapped(self.place.read(document))
        if isinstance(items, dict):
            items = dict.values(items)
        elif not isinstance(items, list | tuple | set | frozenset | deque):
            return False
        return any(self.part.matches(item, strict=strict) for item in items)

    def models(self) -> Iterator[type[BaseModel]]:
        if self.model is not None:
            yield self.model

    def __str__(self) -> str:
        return f"any({self.part} for each in {self.place})"


@dataclass(frozen=True, slots=True)
class Length(Expression):
    """How many items, entries or characters a place has, compared with a number; what has no length is None."""

    place: Place
    operator: Operator
    operand: Any
    """A number, or a tuple of them for ``in``."""
    model: type[BaseModel] | None = None

    def matches(self, document: Any, *, strict: bool = False) -> bool:
        value = unwrapped(self.place.read(document))
        length = len(value) if isinstance(value, _SIZED) else None
        try:
            return bool(_TESTS[self.operator](length, self.operand))
        except TypeError:
            return False

    def models(self) -> Iterator[type[BaseModel]]:
        if self.model is not None:
            yield self.model

    def __str__(self) -> str:
        return f"len({str(self.place) or 'each'}) {self.operator} {self.operand!r}"


@dataclass(frozen=True, slots=True)
class Comparison(Expression):
    """A place compared with a value, or with another place of the same document."""

    place: Place
    operator: Operator
    operand: Any
    """A native value, a tuple of them for ``in``, or another :class:`Place`."""
    model: type[BaseModel] | None = None
    zoneless_is_utc: bool = False
    """Whether an operand without a zone also stands for that time in UTC, as in text."""

    def matches(self, document: Any, *, strict: bool = False) -> bool:
        value, operand = self.place.read(document), self.operand
        if isinstance(operand, Place):
            operand = operand.read(document)
            if self.operator != "contains":  # what is in a list is compared as it is
                operand = unwrapped(operand)
        return self.holds(
            value if type(value) in _PLAIN else unwrapped(value), operand, strict=strict
        )

    def holds(self, value: Any, operand: Any, *, strict: bool = False) -> bool:
        """Whether ``value`` at the place fulfils the comparison with ``operand``; see :meth:`matches`."""
        if type(value) in _PLAIN:
            pass  # nothing of what follows concerns it
        elif isinstance(value, _WITH_OR_WITHOUT_ZONE):
            operand = self._in_zone_of(value, operand, strict)
        elif self.operator == "contains" and isinstance(operand, _WITH_OR_WITHOUT_ZONE):
            return isinstance(value, _COLLECTIONS) and any(
                item == self._in_zone_of(item, operand, strict) for item in value
            )
        elif strict and type(operand) not in _PLAIN:
            self._check_inside(value, operand)
        try:
            return bool(_TESTS[self.operator](value, operand))
        except TypeError:  # what Python cannot compare does not match
            return False

    def _in_zone_of(self, value: Any, operand: Any, strict: bool) -> Any:
        """``operand``, which may be a tuple of several, as it can be compared with ``value``."""
        if isinstance(operand, tuple):
            return tuple(self._in_zone_of(value, option, strict) for option in operand)
        if (
            not isinstance(operand, _WITH_OR_WITHOUT_ZONE)
            or not isinstance(value, type(operand))
            or (value.utcoffset() is None) == (operand.utcoffset() is None)
        ):
            return operand
        if self.zoneless_is_utc and operand.utcoffset() is None:
            return operand.replace(tzinfo=UTC)
        if not strict:
            return operand
        one, other = ("a", "none") if operand.utcoffset() is None else ("no", "one")
        raise ExpressionError(
            f"{self.place} is {value.isoformat()}, which has {one} zone, and is compared with "
            f"{operand.isoformat()}, which has {other}: they have no order and are never equal"
        )

    def _check_inside(self, value: Any, operand: Any) -> None:
        """Raise where times stand inside of what is compared at one place, and only one has a zone."""
        if self.operator == "in":
            for option in operand if isinstance(operand, _COLLECTIONS) else ():
                self._check_zones(value, option)
        elif self.operator == "contains":
            for item in value if isinstance(value, _COLLECTIONS) else ():
                self._check_zones(item, operand)
        else:
            self._check_zones(value, operand)

    def _check_zones(self, value: Any, operand: Any) -> None:
        if isinstance(value, _WITH_OR_WITHOUT_ZONE):
            self._in_zone_of(value, operand, strict=True)
        elif isinstance(value, list | tuple | deque) and isinstance(operand, list | tuple | deque):
            for one, other in zip(value, operand, strict=False):
                self._check_zones(one, other)
        elif isinstance(value, set | frozenset) and isinstance(operand, set | frozenset):
            for one in value:
                if type(one) not in _PLAIN:
                    for other in operand:
                        self._check_zones(one, other)
        elif isinstance(value, dict) and isinstance(operand, dict):
            for name in value.keys() & operand.keys():
                self._check_zones(dict.__getitem__(value, name), dict.__getitem__(operand, name))
        elif isinstance(value, BaseModel) and isinstance(operand, BaseModel):
            self._check_zones(value.__dict__, operand.__dict__)
        elif is_dataclass(value) and is_dataclass(operand):
            for field in fields(value):
                self._check_zones(
                    getattr(value, field.name, None), getattr(operand, field.name, None)
                )

    def models(self) -> Iterator[type[BaseModel]]:
        if self.model is not None:
            yield self.model

    def __str__(self) -> str:
        operand = str(self.operand) if isinstance(self.operand, Place) else repr(self.operand)
        place = str(self.place) or "each"
        if self.operator == "contains":
            return f"{operand} in {place}"
        if self.operator == "startswith":
            return f"{place}.startswith({operand})"
        return f"{place} {self.operator} {operand}"


_PLAIN = frozenset({str, int, float, bool, type(None)})
_WITH_OR_WITHOUT_ZONE = (datetime, time)
_COLLECTIONS = (list, tuple, set, frozenset, dict, deque)
_SIZED = (*_COLLECTIONS, str, bytes)


def _is_in(value: Any, options: Any) -> bool:
    return _contains(options, value)


def _contains(whole: Any, part: Any) -> bool:
    if isinstance(whole, str | bytes):
        return isinstance(part, str | bytes) and part in whole  # type: ignore[operator]
    return whole is not None and part in whole


def _starts_with(value: Any, start: Any) -> bool:
    return isinstance(value, str | bytes) and value.startswith(start)


_TESTS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": _is_in,
    "contains": _contains,
    "startswith": _starts_with,
}
