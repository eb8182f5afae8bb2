"""Conditions in Python: ``(User.age > 30) & User.tags.contains("vip")``.

``User.age`` on the class is a :class:`FieldReference`; comparing it gives an :class:`Expression`
(:mod:`rapyer.expressions.conditions`), which says of a loaded document whether it matches. What a value may be
compared with is decided by :mod:`rapyer.expressions.operands`. No expression is ever executed as code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

from pydantic import BaseModel

from rapyer.errors import ExpressionError
from rapyer.expressions.conditions import And, AnyOf, Comparison, Expression, Length, Not, Or
from rapyer.expressions.navigating import OPEN, SEQUENCES, below, elements, kinds, leaves
from rapyer.expressions.operands import Operator, described, operands
from rapyer.expressions.place import Place
from rapyer.schema.of_models import model_spec
from rapyer.schema.spec import ValueSpec

__all__ = [
    "And",
    "AnyOf",
    "Comparison",
    "Descending",
    "Expression",
    "FieldReference",
    "Length",
    "LengthReference",
    "Not",
    "Operator",
    "Or",
    "Place",
    "field",
]

_SIZED = {*SEQUENCES, *OPEN, "str", "bytes", "dict", "typed-dict", "deque"}
_ON_LENGTHS = ("==", "!=", "<", "<=", ">", ">=", "in")
Model: TypeAlias = "type[BaseModel] | None"


class FieldReference:
    """A field in an expression: ``User.age``, ``User.address.city``, ``User.settings["theme"]``.

    Compare it with ``== != < <= > >=``, or ask ``in_``, ``contains``, ``startswith``, ``any`` and ``len``. A nested field
    that is called like one of these methods is reached by item: ``User.address["contains"]``. Values are
    checked against the annotation at once: :class:`ExpressionError` names the field and what it takes,
    :class:`UnknownFieldError` the fields that there are.
    """

    __slots__ = ("__model", "__path", "__scope", "__specs")

    def __init__(
        self,
        model: Model,
        path: tuple[Any, ...],
        specs: tuple[ValueSpec, ...],
        scope: object = None,
    ) -> None:
        """``scope`` is what ``path`` begins at: None for the document, or one for each ``any``."""
        self.__model, self.__path, self.__specs, self.__scope = model, path, specs, scope

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
            return FieldReference(None, (*self.__path, segment), (), self.__scope)
        segment, specs = below(self.__specs, segment, self.__path, self.__model)
        return FieldReference(self.__model, (*self.__path, segment), specs, self.__scope)

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
        place = str(Place(self.__path)) or "each item"
        return place if self.__model is None else f"{self.__model.__name__}.{place}"

    def __rapyer_compare__(
        self, name: Operator, value: Any, *, zoneless_is_utc: bool = False
    ) -> Expression:
        """The comparison with ``value``; text may leave out the zone of a time."""
        if isinstance(value, FieldReference):
            if value.__model is not self.__model or value.__scope is not self.__scope:
                raise ExpressionError(f"{self!r} and {value!r} are not fields of one document")
            return Comparison(Place(self.__path), name, Place(value.__path), self.__model)
        found = [
            Comparison(Place(self.__path), name, operand, self.__model, utc)
            for operand, utc in operands(repr(self), self.__specs, name, value, zoneless_is_utc)
        ]
        if len(found) == 1:
            return found[0]
        return And(tuple(found)) if name == "!=" else Or(tuple(found))

    def __eq__(self, value: object) -> Expression:  # type: ignore[override]
        return self.__rapyer_compare__("==", value)

    def __ne__(self, value: object) -> Expression:  # type: ignore[override]
        return self.__rapyer_compare__("!=", value)

    def __lt__(self, value: Any) -> Expression:
        return self.__rapyer_compare__("<", value)

    def __le__(self, value: Any) -> Expression:
        return self.__rapyer_compare__("<=", value)

    def __gt__(self, value: Any) -> Expression:
        return self.__rapyer_compare__(">", value)

    def __ge__(self, value: Any) -> Expression:
        return self.__rapyer_compare__(">=", value)

    def __neg__(self) -> Descending:
        return Descending(self)

    def in_(self, options: Iterable[Any] | FieldReference) -> Expression:
        """The value is one of ``options``; or is in the list, dict or text of another field."""
        return self.__rapyer_compare__("in", options)

    def contains(self, part: Any) -> Expression:
        """The list, set or tuple has this item, the dict this key, the text this part."""
        return self.__rapyer_compare__("contains", part)

    def any(self, condition: Expression | Callable[[FieldReference], Expression]) -> Expression:
        """At least one item (of a dict: one value) fulfils a condition.

        ``User.homes.any(lambda home: (home.city == "Rome") & (home.zip > 100))``; the item itself is
        compared in the same way, ``User.scores.any(lambda score: score > 5)``. For items that are models
        of their own the condition may also name their class: ``Post.comments.any(Comment.stars > 3)``.
        """
        inner = elements(self.__specs)
        if self.__model is not None and not inner:
            raise ExpressionError(f"{self!r} is {described(self.__specs)}: it has no items")
        if not isinstance(condition, Expression):
            item = FieldReference(self.__model, (), inner, scope=object())
            condition = condition(item)
            if not isinstance(condition, Expression):
                raise ExpressionError(f"{self!r}.any: {condition!r} is no condition on its items")
        else:
            classes = [leaf.model for spec in inner for leaf in leaves(spec) if leaf.model]
            for owner in condition.models():
                if not any(issubclass(owner, cls) for cls in classes):
                    raise ExpressionError(
                        f"{self!r}.any: {owner.__name__} is not what its items are"
                    )
        return AnyOf(Place(self.__path), condition, self.__model)

    def len(self) -> LengthReference:
        """How many items, entries or characters it has: ``User.tags.len() > 3``. What is None has none.

        Raises :class:`ExpressionError` for a field that has no length.
        """
        if self.__model is not None and not kinds(self.__specs) & _SIZED:
            raise ExpressionError(f"{self!r} is {described(self.__specs)}: it has no length")
        return LengthReference(repr(self), Place(self.__path), self.__model)

    def startswith(self, start: str | bytes | FieldReference) -> Expression:
        """The text begins so."""
        return self.__rapyer_compare__("startswith", start)


class LengthReference:
    """The length of a field in an expression: compare it with ``== != < <= > >=`` and whole numbers, or ask ``in_``."""

    __slots__ = ("_model", "_name", "_place")

    def __init__(self, name: str, place: Place, model: Model) -> None:
        self._name, self._place, self._model = name, place, model

    def __rapyer_compare__(self, operator: Operator, value: Any) -> Expression:
        options = list(value) if operator == "in" and isinstance(value, Iterable) else [value]
        if operator not in _ON_LENGTHS or not all(type(one) is int for one in options):
            raise ExpressionError(f"{self!r} is compared with a whole number, not {value!r}")
        operand = tuple(options) if operator == "in" else value
        return Length(self._place, operator, operand, self._model)

    def __repr__(self) -> str:
        return f"len({self._name})"

    def __bool__(self) -> NoReturn:
        raise TypeError(f"{self!r} stands for a length in every document: compare it")

    def __hash__(self) -> int:
        return hash((self._model, self._place))

    def __eq__(self, value: object) -> Expression:  # type: ignore[override]
        return self.__rapyer_compare__("==", value)

    def __ne__(self, value: object) -> Expression:  # type: ignore[override]
        return self.__rapyer_compare__("!=", value)

    def __lt__(self, value: Any) -> Expression:
        return self.__rapyer_compare__("<", value)

    def __le__(self, value: Any) -> Expression:
        return self.__rapyer_compare__("<=", value)

    def __gt__(self, value: Any) -> Expression:
        return self.__rapyer_compare__(">", value)

    def __ge__(self, value: Any) -> Expression:
        return self.__rapyer_compare__(">=", value)

    def in_(self, options: Iterable[int]) -> Expression:
        """The length is one of ``options``."""
        return self.__rapyer_compare__("in", options)


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
