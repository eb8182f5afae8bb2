"""Conditions on documents: ``(User.age > 30) & User.tags.contains("vip")`` as immutable trees.

``User.age`` on the class is a :class:`FieldReference`; comparing it gives an :class:`Expression`, which
says of a loaded document whether it matches. What a value may be compared with is decided by
:mod:`rapyer.expressions.operands`, conditions out of text are read by :mod:`rapyer.expressions.parsing`, and how an index
answers them is the business of :mod:`rapyer.search.index_answers`. No expression is ever executed as code.

What is not there reads as None, everywhere: an absent dict key, a field of a nested model that is None.
Values that Python cannot order (``None``, another type) do not match ``<`` and the like; they do match
``!=``, and the negation (``~``) of whatever they do not match.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, is_dataclass
from typing import Any, Literal, NoReturn, TypeAlias

from pydantic import BaseModel

from rapyer.errors import ExpressionError
from rapyer.paths import Path, field_path
from rapyer.schema.of_models import model_spec
from rapyer.schema.spec import ValueSpec

Operator: TypeAlias = Literal["==", "!=", "<", "<=", ">", ">=", "in", "contains", "startswith"]
Model: TypeAlias = "type[BaseModel] | None"


# -- places in a document ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a document a value stands."""

    path: tuple[Any, ...]

    def read(self, document: Any) -> Any:
        """The native value at this place of a model or of plain JSON; None where there is none."""
        value = document
        for segment in self.path:
            value = _step(value, segment)
            if value is None:
                return None
        return value

    @property
    def stored_path(self) -> Path:
        """The path inside the stored document."""
        return tuple(part if isinstance(part, int | str) else str(part) for part in self.path)

    def __str__(self) -> str:
        return field_path(self.stored_path)


def _step(value: Any, segment: Any) -> Any:
    if isinstance(value, BaseModel):
        if type(value).__pydantic_root_model__:
            return _step(value.__dict__["root"], segment)
        # not getattr: nothing has to become a live value only to be compared
        values = value.__dict__
        if segment in values:
            return values[segment]
        return (value.__pydantic_extra__ or {}).get(segment)
    if isinstance(value, dict):
        found = dict.get(value, segment)
        return dict.get(value, str(segment)) if found is None else found
    if isinstance(value, list | tuple):
        if not isinstance(segment, int) or not -len(value) <= segment < len(value):
            return None
        return list.__getitem__(value, segment) if isinstance(value, list) else value[segment]
    if is_dataclass(value) and isinstance(segment, str):
        return getattr(value, segment, None)
    return None


# -- expressions -------------------------------------------------------------------------------------


class Expression:
    """A condition on a document. Combine with ``&``, ``|`` and ``~``; all instances are immutable."""

    __slots__ = ()

    def matches(self, document: Any) -> bool:
        """Whether a loaded model instance (or plain JSON, for an untyped expression) fulfils it."""
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


@dataclass(frozen=True, slots=True)
class And(Expression):
    """All parts match."""

    parts: tuple[Expression, ...]

    def matches(self, document: Any) -> bool:
        return all(part.matches(document) for part in self.parts)

    def models(self) -> Iterator[type[BaseModel]]:
        for part in self.parts:
            yield from part.models()

    def __str__(self) -> str:
        return " and ".join(f"({p})" if isinstance(p, Or) else str(p) for p in self.parts)


@dataclass(frozen=True, slots=True)
class Or(Expression):
    """At least one part matches."""

    parts: tuple[Expression, ...]

    def matches(self, document: Any) -> bool:
        return any(part.matches(document) for part in self.parts)

    def models(self) -> Iterator[type[BaseModel]]:
        for part in self.parts:
            yield from part.models()

    def __str__(self) -> str:
        return " or ".join(str(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Not(Expression):
    """The part does not match."""

    part: Expression

    def matches(self, document: Any) -> bool:
        return not self.part.matches(document)

    def models(self) -> Iterator[type[BaseModel]]:
        return self.part.models()

    def __str__(self) -> str:
        return f"not ({self.part})"


@dataclass(frozen=True, slots=True)
class Comparison(Expression):
    """A place compared with a value, or with another place of the same document."""

    place: Place
    operator: Operator
    operand: Any
    """A native value, a tuple of them for ``in``, or another :class:`Place`."""
    model: type[BaseModel] | None = None

    def matches(self, document: Any) -> bool:
        operand = self.operand
        if isinstance(operand, Place):
            operand = operand.read(document)
        return self.holds(self.place.read(document), operand)

    def holds(self, value: Any, operand: Any) -> bool:
        """Whether ``value`` at the place fulfils the comparison with ``operand``."""
        try:
            return bool(_TESTS[self.operator](value, operand))
        except TypeError:  # what Python cannot compare does not match
            return False

    def models(self) -> Iterator[type[BaseModel]]:
        if self.model is not None:
            yield self.model

    def __str__(self) -> str:
        operand = str(self.operand) if isinstance(self.operand, Place) else repr(self.operand)
        if self.operator == "contains":
            return f"{operand} in {self.place}"
        if self.operator == "startswith":
            return f"{self.place}.startswith({operand})"
        return f"{self.place} {self.operator} {operand}"


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


# -- references --------------------------------------------------------------------------------------


class FieldReference:
    """A field in an expression: ``User.age``, ``User.address.city``, ``User.settings["theme"]``.

    Compare it with ``== != < <= > >=``, or ask ``in_``, ``contains`` and ``startswith``. A nested field
    that is called like one of these methods is reached by item: ``User.address["contains"]``. Values are
    checked against the annotation at once: :class:`ExpressionError` names the field and what it takes,
    :class:`UnknownFieldError` the fields that there are.
    """

    __slots__ = ("__model", "__path", "__specs")

    def __init__(self, model: Model, path: tuple[Any, ...], specs: tuple[ValueSpec, ...]) -> None:
        self.__model, self.__path, self.__specs = model, path, specs

    @classmethod
    def of_model(cls, owner: type[BaseModel], name: str) -> FieldReference:
        """The reference to a field of a model class."""
        return cls(owner, (), (model_spec(owner),))[name]

    @classmethod
    def untyped(cls, *path: Any) -> FieldReference:
        """A reference into documents of which nothing is known."""
        return cls(None, path, ())

    def __rapyer_parts__(self) -> tuple[Model, Place, tuple[ValueSpec, ...]]:
        """The model, the place, and what is known of the value there (nothing when untyped)."""
        return self.__model, Place(self.__path), self.__specs

    def __getitem__(self, segment: Any) -> FieldReference:
        if self.__model is None:
            return FieldReference(None, (*self.__path, segment), ())
        from rapyer.expressions.operands import below

        segment, specs = below(self.__specs, segment, self.__path, self.__model)
        return FieldReference(self.__model, (*self.__path, segment), specs)

    def __getattr__(self, name: str) -> FieldReference:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __iter__(self) -> NoReturn:
        raise TypeError(f"{self!r} cannot be iterated: it stands for a field of every document")

    def __contains__(self, item: Any) -> NoReturn:
        raise TypeError(
            f"Python cannot make a condition of `in`: write {self!r}.contains({item!r})"
        )

    def __bool__(self) -> NoReturn:
        raise TypeError(f"{self!r} stands for a field of every document: compare it with something")

    def __hash__(self) -> int:
        return hash((self.__model, self.__path))

    def __repr__(self) -> str:
        place = str(Place(self.__path))
        return place if self.__model is None else f"{self.__model.__name__}.{place}"

    def __compare(self, name: Operator, value: Any) -> Expression:
        operand: Any
        if isinstance(value, FieldReference):
            if value.__model is not self.__model:
                raise ExpressionError(f"{self!r} and {value!r} are not fields of one document")
            operand = Place(value.__path)
        else:
            from rapyer.expressions.operands import checked_operand

            operand = checked_operand(repr(self), self.__specs, name, value)
        return Comparison(Place(self.__path), name, operand, self.__model)

    def __eq__(self, value: object) -> Expression:  # type: ignore[override]
        return self.__compare("==", value)

    def __ne__(self, value: object) -> Expression:  # type: ignore[override]
        return self.__compare("!=", value)

    def __lt__(self, value: Any) -> Expression:
        return self.__compare("<", value)

    def __le__(self, value: Any) -> Expression:
        return self.__compare("<=", value)

    def __gt__(self, value: Any) -> Expression:
        return self.__compare(">", value)

    def __ge__(self, value: Any) -> Expression:
        return self.__compare(">=", value)

    def __neg__(self) -> Descending:
        return Descending(self)

    def in_(self, options: Iterable[Any] | FieldReference) -> Expression:
        """The value is one of ``options``; or is in the list, dict or text of another field."""
        return self.__compare("in", options)

    def contains(self, part: Any) -> Expression:
        """The list, set or tuple has this item, the dict this key, the text this part."""
        return self.__compare("contains", part)

    def startswith(self, start: str | bytes | FieldReference) -> Expression:
        """The text begins so."""
        return self.__compare("startswith", start)


@dataclass(frozen=True, slots=True, eq=False)
class Descending:
    """``-User.age``: sort by this field, greatest first."""

    reference: FieldReference


def field(reference: Any) -> FieldReference:
    """``User.tags`` as what it is at run time, for type checkers, which see the field's annotation.

    ``field(User.tags).contains("vip")``. Raises ``TypeError`` for anything but a field of a model class.
    """
    if not isinstance(reference, FieldReference):
        raise TypeError(f"field() takes a field of a model class, such as User.age: {reference!r}")
    return reference


def parse_expression(model: Model, text: str) -> Expression:
    """The condition that ``text`` is, in Python's spelling; ``model`` None for documents without one.

    See :func:`rapyer.expressions.parsing.parse_expression`.
    """
    from rapyer.expressions.parsing import parse_expression

    return parse_expression(model, text)
