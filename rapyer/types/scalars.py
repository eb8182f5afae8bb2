"""The immutable Redis types: str, int, float, bytes and datetime.

An immutable value cannot change itself. An in-place operator makes a new value that remembers from what
and how it was made (:data:`~rapyer.types.inplace.MadeBy`); when it is assigned back to its place inside
a pipeline, the parent queues that operation instead of an absolute value.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from rapyer.batch.batch import may_collect
from rapyer.batch.perform import perform
from rapyer.operations import operation
from rapyer.state.node import STATE, State, set_state
from rapyer.state.wrapping import register_wrap
from rapyer.types.base import RedisType
from rapyer.types.inplace import OPERATORS, MadeBy, increment, spec_at

LIVE_TYPE = "rapyer_live_type"
"""The key in a schema's metadata that names a live type other than that of the native type."""


def _in_place(symbol: str) -> Callable[[Any, Any], Any]:
    function = OPERATORS[symbol]

    def operate(self: Any, other: Any) -> Any:
        if isinstance(other, RedisType):
            other = other.clone()
        result = function(self.clone(), other)
        if not may_collect():
            return result
        state = getattr(self, STATE, None)
        if state is None:
            return result
        live_type = _LIVE_TYPES.get(type(result))
        if live_type is None:
            return result
        made = live_type(result)
        made_by: MadeBy = state.made_by or (self, ())
        base, steps = made_by
        origin = getattr(base, STATE)
        new = State(origin.parent, origin.place)
        new.made_by = (base, (*steps, (symbol, other)))
        set_state(made, STATE, new)
        return made

    operate.__name__ = f"__i{function.__name__.strip('_')}__"
    return operate


class Scalar(RedisType):
    """Base of the immutable types."""

    __slots__ = ()

    def __copy__(self) -> Self:
        return type(self)(self)  # type: ignore[call-arg]

    def __deepcopy__(self, memo: Any) -> Self:
        return type(self)(self)  # type: ignore[call-arg]

    def __reduce_ex__(self, protocol: Any) -> Any:
        return type(self), (self.clone(),)

    def __repr__(self) -> str:
        return repr(self.clone())


class RedisStr(Scalar, str):
    """A ``str`` field. ``+=`` and ``*=`` inside a pipeline are applied to the stored text."""

    __slots__ = (STATE,)
    python_type: ClassVar[type] = str

    __hash__ = str.__hash__
    __iadd__ = _in_place("+=")
    __imul__ = _in_place("*=")
    __imod__ = _in_place("%=")

    def clone(self) -> str:
        """The text as native ``str``."""
        return str.__str__(self)

    def __str__(self) -> str:
        return str.__str__(self)

    if TYPE_CHECKING:

        def __get__(self, instance: Any, owner: Any) -> RedisStr: ...
        def __set__(self, instance: Any, value: str) -> None: ...


class RedisInt(Scalar, int):
    """An ``int`` field with an atomic :meth:`increase`. Stored as a signed 64-bit integer."""

    python_type: ClassVar[type] = int

    __hash__ = int.__hash__
    __iadd__ = _in_place("+=")
    __isub__ = _in_place("-=")
    __imul__ = _in_place("*=")
    __itruediv__ = _in_place("/=")
    __ifloordiv__ = _in_place("//=")
    __imod__ = _in_place("%=")
    __ipow__ = _in_place("**=")
    __ilshift__ = _in_place("<<=")
    __irshift__ = _in_place(">>=")
    __iand__ = _in_place("&=")
    __ior__ = _in_place("|=")
    __ixor__ = _in_place("^=")

    def clone(self) -> int:
        """The number as native ``int``."""
        return int(self)

    @operation(
        "increase",
        effect="write",
        help="Add an amount to the number, atomically.",
        example="rapyer increase BlogPost:42/views 5",
        aliases=("aincrease", "incr"),
        amount="amount",
    )
    async def increase(self, amount: int = 1) -> int:
        """Add ``amount`` to the stored number, whoever else does; returns the new value.

        Inside a pipeline it is queued and a :class:`~rapyer.batch.batch.Queued` is returned. Raises
        :class:`~rapyer.errors.KeyNotFound`, :class:`~rapyer.errors.PathNotFound`,
        :class:`~rapyer.errors.WrongTypeError`, :class:`~rapyer.errors.IntegerOverflowError` and
        :class:`~rapyer.errors.ConstraintError`, all with the stored value unchanged. Sends one EVALSHA
        (JSON.NUMINCRBY).
        """
        return await perform(increment("increase", self, amount, spec_at(self)))  # type: ignore[no-any-return]

    aincrease = increase

    if TYPE_CHECKING:

        def __get__(self, instance: Any, owner: Any) -> RedisInt: ...
        def __set__(self, instance: Any, value: int) -> None: ...


class RedisFloat(Scalar, float):
    """A ``float`` field with an atomic :meth:`increase`. Always stored as a float: ``1.0`` stays ``1.0``."""

    __slots__ = (STATE,)
    python_type: ClassVar[type] = float

    __hash__ = float.__hash__
    __iadd__ = _in_place("+=")
    __isub__ = _in_place("-=")
    __imul__ = _in_place("*=")
    __itruediv__ = _in_place("/=")
    __ifloordiv__ = _in_place("//=")
    __imod__ = _in_place("%=")
    __ipow__ = _in_place("**=")

    def clone(self) -> float:
        """The number as native ``float``."""
        return float(self)

    @operation(
        "increase",
        effect="write",
        help="Add an amount to the number, atomically.",
        example="rapyer increase Account:7/balance 12.5",
        aliases=("aincrease", "incr"),
        amount="amount",
    )
    async def increase(self, amount: float = 1) -> float:
        """Like :meth:`RedisInt.increase`, with a float."""
        return await perform(increment("increase", self, amount, spec_at(self)))  # type: ignore[no-any-return]

    aincrease = increase

    if TYPE_CHECKING:

        def __get__(self, instance: Any, owner: Any) -> RedisFloat: ...
        def __set__(self, instance: Any, value: float) -> None: ...


class RedisBytes(Scalar, bytes):
    """A ``bytes`` field, stored as base64 text."""

    python_type: ClassVar[type] = bytes

    __hash__ = bytes.__hash__
    __iadd__ = _in_place("+=")
    __imul__ = _in_place("*=")
    __imod__ = _in_place("%=")

    def clone(self) -> bytes:
        """The content as native ``bytes``."""
        return bytes(memoryview(self))

    if TYPE_CHECKING:

        def __get__(self, instance: Any, owner: Any) -> RedisBytes: ...
        def __set__(self, instance: Any, value: bytes) -> None: ...


class RedisDatetime(Scalar, datetime):
    """A ``datetime`` field, stored as ``isoformat()`` text with its zone and microseconds."""

    __slots__ = (STATE,)
    python_type: ClassVar[type] = datetime

    def __new__(cls, year: Any, *args: Any, **kwargs: Any) -> Self:
        """A datetime from its parts, or from an existing datetime with zone, microseconds and fold."""
        if isinstance(year, datetime) and not args and not kwargs:
            value = year
            return super().__new__(
                cls,
                value.year,
                value.month,
                value.day,
                value.hour,
                value.minute,
                value.second,
                value.microsecond,
                value.tzinfo,
                fold=value.fold,
            )
        return super().__new__(cls, year, *args, **kwargs)

    __hash__ = datetime.__hash__

    def clone(self) -> datetime:
        """The point in time as native ``datetime``, in its zone."""
        return datetime(
            self.year,
            self.month,
            self.day,
            self.hour,
            self.minute,
            self.second,
            self.microsecond,
            self.tzinfo,
            fold=self.fold,
        )

    __iadd__ = _in_place("+=")
    __isub__ = _in_place("-=")

    if TYPE_CHECKING:

        def __get__(self, instance: Any, owner: Any) -> RedisDatetime: ...
        def __set__(self, instance: Any, value: datetime) -> None: ...


class RedisDatetimeTimestamp(RedisDatetime):
    """A ``datetime`` field that is stored as a number: the seconds since 1970 in UTC.

    It comes back in UTC, to the microsecond. A naive datetime is taken as local time, as
    ``datetime.timestamp`` does.
    """

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = cast(dict[str, Any], handler(datetime))
        written = core_schema.plain_serializer_function_ser_schema(
            datetime.timestamp, when_used="json", return_schema=core_schema.float_schema()
        )
        marked = {**schema.get("metadata", {}), LIVE_TYPE: cls}
        return cast(CoreSchema, {**schema, "serialization": written, "metadata": marked})

    if TYPE_CHECKING:

        def __get__(self, instance: Any, owner: Any) -> RedisDatetimeTimestamp: ...
        def __set__(self, instance: Any, value: datetime) -> None: ...


_LIVE_TYPES: dict[type, type[Any]] = {
    str: RedisStr,
    int: RedisInt,
    float: RedisFloat,
    bytes: RedisBytes,
    datetime: RedisDatetime,
}


class ListSlot:
    """The identity of a scalar's place in a list, shared by the values that succeed each other there."""

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index


def _register(native_type: type, live_type: type[Any]) -> None:
    def wrap(value: Any, parent: Any, place: Any) -> Any:
        made = live_type(value)
        set_state(made, STATE, State(parent, place))
        return made

    def rewrap(value: Any, parent: Any, place: Any) -> Any:
        state = getattr(value, STATE, None)
        if state is not None and state.parent is parent:
            known = state.place
            if known is place or known == place or isinstance(known, ListSlot):
                return value
        return wrap(value, parent, place)

    register_wrap(native_type, wrap)
    register_wrap(live_type, rewrap)


def _wrap_int(value: Any, parent: Any, place: Any) -> Any:
    # Pydantic leaves defaults as they are: ``price: float = 0`` holds an int until it is read
    made = (
        RedisFloat(value)
        if parent.__rapyer_node__.child_spec(parent, place).core["type"] == "float"
        else RedisInt(value)
    )
    set_state(made, STATE, State(parent, place))
    return made


def _wrap_datetime(value: Any, parent: Any, place: Any) -> Any:
    live_type = (
        parent.__rapyer_node__.child_spec(parent, place)
        .core.get("metadata", {})
        .get(LIVE_TYPE, RedisDatetime)
    )
    made = live_type(value)
    set_state(made, STATE, State(parent, place))
    return made


for _native_type, _live_type in _LIVE_TYPES.items():
    _register(_native_type, _live_type)
_register(datetime, RedisDatetimeTimestamp)
register_wrap(int, _wrap_int)
register_wrap(datetime, _wrap_datetime)
