"""How immutable values change: another value takes their place, here and on the server.

What an in-place operator does is kept as a :data:`Step`; :func:`change_of_step` says how it is carried
out on the stored value: as an increment, as appended text, or computed here and compared-and-set.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from rapyer.batch.arrival import Arrival
from rapyer.batch.change import Change
from rapyer.errors import InvalidValueError
from rapyer.paths import Path
from rapyer.schema.numbers import INT64_MAX, INT64_MIN
from rapyer.schema.spec import ValueSpec
from rapyer.script.call import Primitive
from rapyer.state.node import locate, parent_of, state_of
from rapyer.types.base import RedisType

_NUMBERS = (int, float)
_ADDING = ("+=", "-=")
_NOTHING: Any = object()

Step: TypeAlias = tuple[str, Any]
"""One in-place operator and its operand: ``("+=", 1)``."""

MadeBy: TypeAlias = tuple[Any, tuple[Step, ...]]
"""How a value was made: the live value it started from, and the in-place steps."""

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+=": operator.add,
    "-=": operator.sub,
    "*=": operator.mul,
    "/=": operator.truediv,
    "//=": operator.floordiv,
    "%=": operator.mod,
    "**=": operator.pow,
    "<<=": operator.lshift,
    ">>=": operator.rshift,
    "&=": operator.and_,
    "|=": operator.or_,
    "^=": operator.xor,
}


class ScalarChange(Change):
    """A change that puts another value in the place of immutable ``owner``."""

    __slots__ = ("_left", "_taken", "owner", "spec", "touched", "verb")

    def __init__(self, verb: str, owner: Any, spec: ValueSpec) -> None:
        self.verb, self.owner, self.spec = verb, owner, spec
        self.touched = parent_of(owner)
        self._taken = self._left = _NOTHING

    def take(self, value: Any) -> None:
        """Let ``value``, which the operator made, be what stands in the owner's place from now on."""
        if type(value) is type(self.owner):
            self._taken = value

    def compute(self, value: Any) -> Any:
        """What the local ``value`` becomes, or a value that was read."""
        raise NotImplementedError

    def depart(self) -> None:
        parent: Any = self.touched
        kind = parent.__rapyer_node__
        self._left = kind.raw(parent, kind.place_of(parent, self.owner))

    def local(self) -> Any:
        parent: Any = self.touched
        owner, kind = self.owner, parent.__rapyer_node__
        place = kind.place_of(parent, owner)
        made, self._taken = self._taken, _NOTHING
        if made is not _NOTHING:
            state_of(made).made_by = None
            kind.hold(parent, place, made)
        else:
            value = self.compute(kind.raw(parent, place))
            if type(value) is owner.python_type:
                value = type(owner)(value)
            made = kind.put(parent, place, value)
        self._left = made
        return made

    def settle(self, arrival: Arrival) -> None:
        value = self.decode(arrival.answers)
        text = self.stored(arrival.answers, value)
        arrival.settle_value(self.touched, self.owner, value, text, self._left)

    def stored(self, answers: Sequence[Any], value: Any) -> bytes:
        """What is stored now."""
        return answers[0]  # type: ignore[no-any-return]


class Increment(ScalarChange):
    """Adds ``amount`` to the stored number. Sends JSON.NUMINCRBY.

    Raises ``TypeError`` and :class:`~rapyer.errors.InvalidValueError` for amounts that cannot be added exactly.
    """

    __slots__ = ("_amount",)

    def __init__(self, verb: str, owner: Any, spec: ValueSpec, amount: Any) -> None:
        super().__init__(verb, owner, spec)
        self._amount = amount

    def primitives(self, path: Path) -> Sequence[Primitive]:
        kind = b"integer" if self.owner.python_type is int else b"number"
        arguments = (repr(self._amount).encode(), kind, *self.spec.encoded_bounds)
        return (Primitive("incr", path, arguments),)

    def compute(self, value: Any) -> Any:
        return self.owner.python_type(value + self._amount)

    def decode(self, answers: Sequence[Any]) -> Any:
        return self.owner.python_type(answers[0])

    def is_as_foreseen(self, answers: Sequence[Any]) -> bool:
        owner, left = self.owner, self._left
        if owner.python_type is not int or type(left) is not type(owner):
            return False
        return bool(answers[0] == b"%d" % left)


class AppendedText(ScalarChange):
    """Adds text at the end of the stored one. Sends JSON.STRAPPEND."""

    __slots__ = ("_addition", "_text")

    def __init__(self, verb: str, owner: Any, spec: ValueSpec, text: str) -> None:
        super().__init__(verb, owner, spec)
        self._text = text
        self._addition = spec.to_json(text)

    def primitives(self, path: Path) -> Sequence[Primitive]:
        return (Primitive("strapp", path, (self._addition,)),)

    def compute(self, value: Any) -> Any:
        return str(value) + self._text

    def decode(self, answers: Sequence[Any]) -> Any:
        return self.spec.validate_json(answers[0])


class Computed(ScalarChange):
    """Computes the new value from the stored one in Python, compared and set."""

    __slots__ = ("_guess", "_steps")

    def __init__(self, verb: str, owner: Any, spec: ValueSpec, steps: Sequence[Step]) -> None:
        super().__init__(verb, owner, spec)
        parent: Any = self.touched
        kind = parent.__rapyer_node__
        self._steps = steps
        self._guess = spec.to_json(kind.raw(parent, kind.place_of(parent, owner)))

    def primitives(self, path: Path) -> Sequence[Primitive]:
        return (Primitive("cas", path, (), self._rewrite, self._guess),)

    def compute(self, value: Any) -> Any:
        if isinstance(value, RedisType):
            value = value.clone()
        for symbol, operand in self._steps:
            value = OPERATORS[symbol](value, operand)
        return self.spec.validate_python(value)

    def _rewrite(self, text: bytes) -> tuple[bytes, Any]:
        new = self.compute(self.spec.validate_json(text))
        return self.spec.to_json(new), new

    def decode(self, answers: Sequence[Any]) -> Any:
        return answers[0]

    def stored(self, answers: Sequence[Any], value: Any) -> bytes:
        return self.spec.to_json(value)


def spec_at(owner: Any) -> ValueSpec:
    """What the annotation says of the place of immutable ``owner``."""
    parent = parent_of(owner)
    if parent is None:
        locate(owner)  # which says so
    kind = parent.__rapyer_node__
    spec: ValueSpec = kind.child_spec(parent, state_of(owner).place)
    return spec.of(owner)


def increment(verb: str, owner: Any, amount: Any, spec: ValueSpec) -> Change:
    """The change that adds ``amount`` (a native number) to the stored one."""
    amount = exact_amount(owner.python_type, amount)
    if spec.bounds is None:
        return Computed(verb, owner, spec, [("+=", amount)])
    return Increment(verb, owner, spec, amount)


def exact_amount(kind: type, amount: Any) -> Any:
    """``amount`` as a native number that can be added to a ``kind`` without losing anything."""
    if type(amount) is int is kind and INT64_MIN <= amount <= INT64_MAX:
        return amount
    if isinstance(amount, bool) or not isinstance(amount, _NUMBERS):
        raise TypeError(f"an amount must be a number, not {type(amount).__name__}")
    if kind is int:
        if isinstance(amount, float):
            if not amount.is_integer():
                raise InvalidValueError(
                    f"cannot add {amount!r} to an integer field without losing its fraction"
                )
            amount = int(amount)
        if not INT64_MIN <= amount <= INT64_MAX:
            raise InvalidValueError(f"{amount} does not fit into a signed 64-bit integer")
        return int(amount)
    amount = float(amount)
    if amount - amount != 0:
        raise InvalidValueError(f"{amount!r} cannot be stored: JSON knows only finite numbers")
    return amount


def change_of_step(owner: Any, step: Step, spec: ValueSpec | None = None) -> ScalarChange:
    """The change that carries out ``owner <symbol>= operand`` on the stored value.

    ``spec`` is that of the owner's place, if it is at hand.
    """
    spec = spec_at(owner) if spec is None else spec.of(owner)
    kind, (symbol, operand) = owner.python_type, step
    if (kind is int or kind is float) and symbol in _ADDING and not isinstance(operand, complex):
        if kind is float and isinstance(operand, int):
            operand = float(operand)  # there is no integer -0
        amount = +operand if symbol == "+=" else -operand
        if amount != INT64_MAX + 1:  # what is left of ``-= INT64_MIN`` is no 64-bit amount
            return increment(symbol, owner, amount, spec)  # type: ignore[return-value]
    if kind is str and symbol == "+=" and not spec.constrained:
        return AppendedText(symbol, owner, spec, operand)
    return Computed(symbol, owner, spec, [step])
