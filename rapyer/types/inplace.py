"""How immutable values change: another value takes their place, here and on the server.

What an in-place operator does is kept as a :data:`Step`; :func:`change_of_step` says how it is carried
out on the stored value: as an increment, as appended text, or computed here and compared-and-set.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from rapyer.batch.change import Change
from rapyer.errors import DetachedError, InvalidValueError
from rapyer.paths import Path
from rapyer.schema.numbers import INT64_MAX, INT64_MIN
from rapyer.schema.spec import ValueSpec
from rapyer.script.call import Primitive
from rapyer.state import links
from rapyer.types.base import RedisType

PENDING = "__rapyer_pending__"
FROM_SERVER: Any = ()
"""What :data:`PENDING` holds of a value that was put in place because the server said so."""
NOT_MADE: Any = object()
_NUMBERS = (int, float)
_ADDING = ("+=", "-=")


Step: TypeAlias = tuple[str, Any]
"""One in-place operator and its operand: ``("+=", 1)``."""

Pending: TypeAlias = tuple[Any, tuple[Step, ...]]
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

    __slots__ = ("made", "overtaken", "owner", "spec", "touched", "verb")
    settles = True

    def __init__(self, verb: str, owner: Any, spec: ValueSpec) -> None:
        self.verb, self.owner, self.spec = verb, owner, spec
        self.touched = links.parent_of(owner)
        self.made, self.overtaken = NOT_MADE, None

    def compute(self, value: Any) -> Any:
        """What the local ``value`` becomes, or a value that was read."""
        raise NotImplementedError

    def local(self) -> Any:
        parent: Any = self.touched
        owner = self.owner
        if self.made is not NOT_MADE:  # by the operator itself
            setattr(self.made, PENDING, None)
            parent.__rapyer_hold__(getattr(owner, links.PLACE), self.made)
            return self.made
        value = self.compute(parent.__rapyer_current__(owner))
        if type(value) is owner.python_type:
            value = type(owner)(value)
        made = self.made = parent.__rapyer_store__(owner, value)
        return made

    def settle(self, answers: Sequence[Any], stamp: int) -> None:
        parent: Any = self.touched
        if self.made is not NOT_MADE:
            try:
                current = parent.__rapyer_current__(self.owner)
                if current is not self.made and getattr(current, PENDING, None) != FROM_SERVER:
                    # what another task was told, though, may be older than the answer
                    self.overtaken = (self.decode(answers),)
                    return
            except (DetachedError, LookupError):
                return
        parent.__rapyer_settle_scalar__(self.owner, self.decode(answers), stamp)


class Increment(ScalarChange):
    """Adds ``amount`` to the stored number. Sends JSON.NUMINCRBY.

    Raises ``TypeError`` and :class:`~rapyer.errors.InvalidValueError` for amounts that cannot be added exactly.
    """

    __slots__ = ("_amount",)

    def __init__(self, verb: str, owner: Any, spec: ValueSpec, amount: Any) -> None:
        super().__init__(verb, owner, spec)
        self._amount = amount

    def take(self, value: Any) -> None:
        """Let ``value``, which the operator made, be what stands in the owner's place from now on."""
        if type(value) is type(self.owner):
            self.made = value

    def primitives(self, path: Path) -> Sequence[Primitive]:
        kind = b"integer" if self.owner.python_type is int else b"number"
        arguments = (repr(self._amount).encode(), kind, *self.spec.encoded_bounds)
        return (Primitive("incr", path, arguments),)

    def compute(self, value: Any) -> Any:
        return self.owner.python_type(value + self._amount)

    def decode(self, answers: Sequence[Any]) -> Any:
        return self.owner.python_type(answers[0])


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
        self._steps = steps
        self._guess = spec.to_json(parent.__rapyer_current__(owner))

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


def increment(verb: str, owner: Any, amount: Any, spec: ValueSpec) -> Change:
    """The change that adds ``amount`` (a native number) to the stored one."""
    amount = exact_amount(owner.python_type, amount)
    if spec.bounds is None:
        return Computed(verb, owner, spec, [("+=", amount)])
    return Increment(verb, owner, spec, amount)


def exact_amount(kind: type, amount: Any) -> Any:
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


def change_of_step(owner: Any, step: Step, spec: ValueSpec | None = None) -> Change:
    """The change that carries out ``owner <symbol>= operand`` on the stored value.

    ``spec`` is that of the owner's place, if it is at hand.
    """
    spec = owner.__rapyer_spec_of__() if spec is None else spec.of(owner)
    kind, (symbol, operand) = owner.python_type, step
    if (kind is int or kind is float) and symbol in _ADDING and not isinstance(operand, complex):
        if kind is float and isinstance(operand, int):
            operand = float(operand)  # there is no integer -0
        amount = +operand if symbol == "+=" else -operand
        if amount != INT64_MAX + 1:  # what is left of ``-= INT64_MIN`` is no 64-bit amount
            return increment(symbol, owner, amount, spec)
    if kind is str and symbol == "+=" and not spec.constrained:
        return AppendedText(symbol, owner, spec, operand)
    return Computed(symbol, owner, spec, [step])
