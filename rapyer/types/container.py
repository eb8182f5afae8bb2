"""What lists and dicts share: their place in the tree, and the changes that both build alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel

from rapyer.batch.batch import current_batch
from rapyer.batch.change import Change, ComposedChange
from rapyer.errors import ConstraintError
from rapyer.paths import Path
from rapyer.schema.of_models import SCALARS, native_class
from rapyer.schema.spec import ValueSpec, any_spec
from rapyer.script.call import Primitive
from rapyer.script.steps import Rewriting
from rapyer.state.node import Node, NodeKind, is_held_elsewhere, link, state_of
from rapyer.state.wrapping import handed_out, live, native, register_wrap
from rapyer.types.base import RedisType

_ANYTHING = any_spec()


class ContainerKind(NodeKind):
    """What lists and dicts have in common as nodes."""

    __slots__ = ()
    echoes = True

    def spec_of(self, node: Any) -> ValueSpec:
        state = state_of(node)
        return _ANYTHING if state is None or state.spec is None else state.spec

    def holds_nodes(self, node: Any) -> bool:
        """Whether there can be models, lists or dicts in ``node``."""
        spec = self.spec_of(node)
        inside = spec.item if isinstance(node, list) else spec.value
        return spec.core["type"] == "typed-dict" or inside.core["type"] not in SCALARS

    def raws(self, node: Any) -> Iterable[tuple[Any, Any]]:
        """The places with what they hold, as it is held."""
        raise NotImplementedError

    def nodes(self, node: Any) -> Iterator[Any]:
        if self.holds_nodes(node):
            yield from (value for _, value in self.raws(node) if isinstance(value, Node))

    def link_below(self, node: Any) -> None:
        if not self.holds_nodes(node):
            return
        for place, value in list(self.raws(node)):
            if isinstance(value, BaseModel | list | dict):
                child = self.live_at(node, place)
                if isinstance(child, Node):
                    child.__rapyer_node__.link_below(child)

    def live_at(self, node: Any, place: Any) -> Any:
        """The live value at ``place``."""
        raise NotImplementedError


class Container(RedisType, Node):
    """Base of the mutable types."""

    __slots__ = ()
    __rapyer_node__: ClassVar[ContainerKind]


# -- changes that all containers build alike -----------------------------------------------------------


def spec_of(node: Any) -> ValueSpec:
    """What the annotation says of a live list or dict."""
    return node.__rapyer_node__.spec_of(node)  # type: ignore[no-any-return]


def check_length(node: Any, length: int) -> None:
    """Raise when ``node`` may not have ``length`` items."""
    spec = spec_of(node)
    if spec.max_length is not None and length > spec.max_length:
        raise ConstraintError(
            f"at most {spec.max_length} items are allowed, this would make {length}"
        )
    if spec.min_length is not None and length < spec.min_length:
        raise ConstraintError(
            f"at least {spec.min_length} items are needed, this would leave {length}"
        )


class _Transformed(Rewriting):
    """A function of the user's side of a container, on the stored one."""

    def __init__(self, spec: ValueSpec, function: Callable[[Any], Any]) -> None:
        self.form, self._function = spec, function

    def read(self, text: bytes) -> Any:
        return self.form.validate_json(text)

    def change(self, value: Any) -> tuple[Any, Any]:
        answer = self._function(value)
        return value, answer

    def write(self, value: Any) -> bytes:
        return self.form.to_json(self.form.validate_python(value))  # type: ignore[no-any-return]


def transform(
    node: Any, verb: str, function: Callable[[Any], Any], local: Callable[[], Any]
) -> Change:
    """The change that applies ``function`` to the stored value in Python, compared and set.

    ``function`` changes the native container it is given; what it returns is the result.
    """
    spec, batch = spec_of(node), current_batch()
    rewrite = _Transformed(spec, function)
    guess = None
    if state_of(node) is not None and (batch is None or id(node) not in batch.containers):
        guess = spec.to_json(node)

    def primitives(path: Path) -> list[Primitive]:
        return [Primitive("cas", path, (), rewrite, guess)]

    return ComposedChange(verb, node, primitives, local, lambda answers: answers[0])


def clear_change(
    node: Any, verb: str, empty: bytes, kind: bytes, local: Callable[[], None]
) -> Change:
    """The change that leaves an empty container."""
    check_length(node, 0)

    def primitives(path: Path) -> Sequence[Primitive]:
        return [Primitive("set", path, (empty, kind))]

    return ComposedChange(verb, node, primitives, local, effect="destructive")


def decode_item(spec: ValueSpec, text: bytes) -> Any:
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
    state = state_of(value)
    made_by = None if state is None else state.made_by
    return made_by[1] if made_by and made_by[0] is current else None


def alive(value: Any, parent: Any, place: Any) -> Any:
    """``value``, made live now if somebody may change it in place: it can be put in again as itself."""
    if isinstance(value, list | dict | BaseModel):
        return live(value, parent, place)
    return value


def register_container(native_type: type, live_type: type[Any]) -> None:
    """Make ``native_type`` become ``live_type`` when it is taken out of its container."""

    def wrap(value: Any, parent: Any, place: Any) -> Any:
        made = live_type(value)
        kind = parent.__rapyer_node__
        link(made, parent, place, kind.child_spec(parent, place).of(value))
        if kind.holds(parent, place, value):
            handed_out(parent, place, value, made)
            batch = current_batch()
            if batch is not None:
                kind.hold(parent, place, made)
                batch.watch_container(made)
        return made

    def rewrap(value: Any, parent: Any, place: Any) -> Any:
        state = state_of(value)
        if state is not None and state.parent is parent and state.place == place:
            return value
        if is_held_elsewhere(value, parent, place):
            return wrap(value, parent, place)
        spec = parent.__rapyer_node__.child_spec(parent, place).of(value)
        link(value, parent, place, spec)
        return value

    register_wrap(native_type, wrap)
    register_wrap(live_type, rewrap)


def natively(items: Any) -> list[Any]:
    """The items as native values."""
    return [native(item) for item in items]
