"""What lists and dicts share: linking of their content, snapshots, and agreeing with the server's answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from rapyer.batch.change import Change, ComposedChange
from rapyer.errors import ConstraintError, DetachedError
from rapyer.paths import Path
from rapyer.schema.of_models import native_class
from rapyer.schema.spec import ValueSpec, any_spec
from rapyer.script.call import Primitive
from rapyer.state import links
from rapyer.state.wrapping import is_held_elsewhere, link, native, register_wrap
from rapyer.types.base import RedisType
from rapyer.types.inplace import FROM_SERVER, PENDING

SPEC = "__rapyer_spec__"
STAMP = "__rapyer_stamp__"
SCALAR_STAMPS = "__rapyer_scalar_stamps__"

_ANYTHING = any_spec()


class Container(RedisType, links.EchoedNode):
    """Base of the mutable types."""

    __slots__ = ()

    # -- the links -------------------------------------------------------------------------------

    def __rapyer_spec_of__(self) -> ValueSpec:
        return getattr(self, SPEC, _ANYTHING)

    def __rapyer_place_of__(self, child: Any) -> Any:
        """Where ``child`` stands today, as an index or key; raises ``DetachedError``."""
        raise NotImplementedError

    def __rapyer_raw__(self, place: Any) -> Any:
        """The value at ``place`` as it is held, without making it live."""
        raise NotImplementedError

    def __rapyer_put__(self, place: Any, value: Any) -> Any:
        """Hold ``value`` at ``place``, without queueing anything; returns what now stands there."""
        raise NotImplementedError

    def __rapyer_text__(self) -> bytes:
        return self.__rapyer_spec_of__().to_json(self)

    def __rapyer_current__(self, child: Any) -> Any:
        return self.__rapyer_raw__(self.__rapyer_place_of__(child))

    def __rapyer_store__(self, child: Any, value: Any) -> Any:
        return self.__rapyer_put__(self.__rapyer_place_of__(child), value)

    def __rapyer_settle_scalar__(self, child: Any, value: Any, stamp: int) -> None:
        if self.__rapyer_outdated__(stamp):
            return
        try:
            place = self.__rapyer_place_of__(child)
            current = self.__rapyer_raw__(place)
        except (DetachedError, LookupError):
            return
        if not isinstance(current, links.Node):
            known = getattr(current, STAMP, 0) if isinstance(current, RedisType) else 0
            if known <= stamp:
                made = self.__rapyer_put__(place, value)
                if isinstance(made, RedisType) and not isinstance(made, links.Node):
                    setattr(made, PENDING, FROM_SERVER)

    # -- agreeing with the server ----------------------------------------------------------------

    def __rapyer_outdated__(self, stamp: int) -> bool:
        return bool(stamp < getattr(self, STAMP, 0))

    def __rapyer_settle__(self, text: bytes | None, stamp: int) -> None:
        if self.__rapyer_outdated__(stamp):
            return
        object.__setattr__(self, STAMP, stamp)
        if text is None:
            return
        spec = self.__rapyer_spec_of__()
        if spec.is_written(self, text):
            return
        try:
            value = spec.validate_json(text)
        except ValueError:
            return  # somebody stored what this model does not accept; the next load will say so
        self.__rapyer_adopt__(value)

    def __rapyer_adopt__(self, value: Any) -> None:
        """Make the content equal to native ``value``, keeping the items that are equal already."""
        raise NotImplementedError

    # -- changes that all containers build alike --------------------------------------------------

    def _check_length(self, length: int) -> None:
        spec = self.__rapyer_spec_of__()
        if spec.max_length is not None and length > spec.max_length:
            raise ConstraintError(
                f"at most {spec.max_length} items are allowed, this would make {length}"
            )
        if spec.min_length is not None and length < spec.min_length:
            raise ConstraintError(
                f"at least {spec.min_length} items are needed, this would leave {length}"
            )

    def _limit(self) -> bytes:
        limit = self.__rapyer_spec_of__().max_length
        return b"" if limit is None else b"%d" % limit

    def _transform(
        self, verb: str, function: Callable[[Any], Any], local: Callable[[], Any]
    ) -> Change:
        """The change that applies ``function`` to the stored value in Python, compared and set.

        ``function`` changes the native container it is given; what it returns is the result.
        """
        spec = self.__rapyer_spec_of__()

        def rewrite(text: bytes) -> tuple[bytes, Any]:
            value = spec.validate_json(text)
            result = function(value)
            return spec.to_json(spec.validate_python(value)), result

        guess = spec.to_json(self) if links.parent_of(self) is not None else None

        def primitives(path: Path) -> list[Primitive]:
            return [Primitive("cas", path, (), rewrite, guess)]

        return ComposedChange(verb, self, self, primitives, local, lambda answers: answers[0])

    def _clear_change(
        self, verb: str, empty: bytes, kind: bytes, local: Callable[[], None]
    ) -> Change:
        self._check_length(0)

        def primitives(path: Path) -> list[Primitive]:
            return [Primitive("set", path, (empty, kind))]

        return ComposedChange(
            verb, self, self, primitives, local, growth=-len(self), effect="destructive"
        )

    def _decode_item(self, spec: ValueSpec, text: bytes) -> Any:
        """The value of a popped item; one that does not fit the annotation is returned as plain JSON."""
        try:
            return spec.validate_json(text)
        except ValueError:
            return json.loads(text)


def is_same(held: Any, new: Any) -> bool:
    """Whether ``held`` is exactly what native ``new`` is: 1, 1.0 and True differ, as do two zones."""
    if isinstance(held, BaseModel):
        return (
            isinstance(new, BaseModel)
            and native_class(type(held)) is native_class(type(new))
            and is_same(held.__dict__, new.__dict__)
            and is_same(held.__pydantic_extra__, new.__pydantic_extra__)
        )
    if isinstance(held, list):
        return isinstance(new, list) and len(held) == len(new) and all(map(is_same, raw(held), new))
    if isinstance(held, dict):
        return (
            isinstance(new, dict)
            and dict.keys(held) == new.keys()
            and all(is_same(value, new[key]) for key, value in dict.items(held))
        )
    if isinstance(held, datetime):
        return isinstance(new, datetime) and held.isoformat() == new.isoformat()
    return bool(held == new) and repr(held) == repr(new)


def raw(items: list[Any]) -> Iterator[Any]:
    """The items as they are held, without making them live."""
    return list.__iter__(items)


def pending_steps(value: Any, current: Any) -> Sequence[Any] | None:
    """The in-place steps that made ``value`` out of ``current``; None for any other value."""
    pending = getattr(value, PENDING, None)
    return pending[1] if pending and pending[0] is current else None


def register_container(native_type: type, live_type: type[Any]) -> None:
    """Make ``native_type`` become ``live_type`` when it is taken out of its container."""

    def wrap(value: Any, parent: Any, place: Any) -> Any:
        made = live_type(value)
        link(made, parent, place)
        setattr(made, SPEC, parent.__rapyer_child_spec__(place).of(value))
        return made

    def rewrap(value: Any, parent: Any, place: Any) -> Any:
        if value.__rapyer_parent__ is parent and value.__rapyer_place__ == place:
            return value
        if is_held_elsewhere(value, parent, place):
            return wrap(value, parent, place)
        link(value, parent, place)
        setattr(value, SPEC, parent.__rapyer_child_spec__(place).of(value))
        return value

    register_wrap(native_type, wrap)
    register_wrap(live_type, rewrap)


def natively(items: Any) -> list[Any]:
    """The items as native values."""
    return [native(item) for item in items]
