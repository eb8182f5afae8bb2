"""A live model as a node: its fields are its places. How documents are stored is in ``storage``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from pydantic import BaseModel

from rapyer.batch.arrival import is_live_already
from rapyer.batch.batch import current_batch
from rapyer.errors import DetachedError
from rapyer.schema.of_models import (
    field_spec,
    fields_with_models,
    model_spec,
    native_class,
    plain_fields,
)
from rapyer.schema.spec import ValueSpec, any_spec
from rapyer.state.node import Node, NodeKind, adopted, find, link, parent_of, set_state, state_of
from rapyer.state.wrapping import handed_out, is_unchanging, live, native
from rapyer.types.scalars import Scalar

_ABSENT: Any = object()
_UNREAD = frozenset({list, dict, type(None)})
"""Types of values that nobody can have a handle on: reading makes a live value of them."""
_ANYTHING = any_spec()


class ModelKind(NodeKind):
    """Values stand at field names, those of extra fields included."""

    __slots__ = ()

    def place_of(self, node: Any, child: Any) -> str:
        place = child.__rapyer_state__.place
        held = node.__dict__.get(place, _ABSENT)
        if held is child or (isinstance(child, Scalar) and held is not _ABSENT):
            return place  # type: ignore[no-any-return]
        raise DetachedError(f"the value is no longer the field {place!r} of its model")

    def segment(self, node: Any, child: Any) -> str:
        return self.place_of(node, child)

    def holds(self, node: Any, place: Any, child: Any) -> bool:
        values, extra = node.__dict__, node.__pydantic_extra__
        if extra and place not in values:
            return extra.get(place, _ABSENT) is child
        return values.get(place, _ABSENT) is child

    def child_spec(self, node: Any, place: Any) -> ValueSpec:
        cls = type(node)
        return field_spec(cls, place) if place in cls.__pydantic_fields__ else extra_spec(cls)

    def spec_of(self, node: Any) -> ValueSpec:
        parent = parent_of(node)
        if parent is None:
            return model_spec(type(node))
        return parent.__rapyer_node__.child_spec(parent, state_of(node).place)  # type: ignore[no-any-return]

    def raw(self, node: Any, place: Any) -> Any:
        values = node.__dict__
        if place in values:
            return values[place]
        return (node.__pydantic_extra__ or {})[place]

    def hold(self, node: Any, place: Any, value: Any) -> None:
        extra = node.__pydantic_extra__
        if extra is not None and place not in type(node).__pydantic_fields__:
            extra[place] = value
        else:
            node.__dict__[place] = value

    def put(self, node: Any, place: Any, value: Any) -> Any:
        if place not in type(node).__pydantic_fields__:
            self.hold(node, place, value)
            return value
        made = value
        if not isinstance(value, Scalar):
            made = live(value, node, place)
        elif state_of(value) is None:
            link(value, node, place)
        elif parent_of(value) is not node or state_of(value).place != place:
            made = live(native(value), node, place)
        node.__dict__[place] = made
        return made

    def assign(self, node: Any, place: Any, value: Any) -> None:
        setattr(node, place, value)

    def snapshot(self, node: Any) -> Any:
        extra = node.__pydantic_extra__
        return (
            dict(node.__dict__),
            set(node.__pydantic_fields_set__),
            None if extra is None else dict(extra),
        )

    def restore(self, node: Any, content: Any) -> None:
        values, fields_set, extra = content
        node.__dict__.clear()
        node.__dict__.update(values)
        set_state(node, "__pydantic_fields_set__", set(fields_set))
        set_state(node, "__pydantic_extra__", None if extra is None else dict(extra))

    def replace(self, content: Any, old: Any, new: Any) -> None:
        for values in (content[0], content[2] or {}):
            for name, value in values.items():
                if value is old:
                    values[name] = new

    def fits(self, node: Any, fresh: Any) -> bool:
        return isinstance(fresh, BaseModel) and native_class(type(fresh)) is native_class(
            cast("type[BaseModel]", type(node))
        )

    def adopt(self, node: Any, fresh: Any) -> None:
        """Take over all field values of ``fresh``, keeping live containers and nested models."""
        values = node.__dict__
        for name, new in fresh.__dict__.items():
            held = values.get(name)
            if held is None or not is_live_already(held, new):
                values[name] = adopted(held, new)
        for name in [name for name in values if name not in fresh.__dict__]:
            del values[name]
        set_state(node, "__pydantic_fields_set__", set(fresh.__pydantic_fields_set__))
        set_state(node, "__pydantic_extra__", fresh.__pydantic_extra__)

    def forget(self, node: Any, name: str) -> None:
        """Hold nothing at ``name``."""
        node.__dict__.pop(name, None)
        if node.__pydantic_extra__ is not None:
            node.__pydantic_extra__.pop(name, None)

    def nodes(self, node: Any) -> Iterator[Any]:
        return (value for value in node.__dict__.values() if isinstance(value, Node))

    def link_below(self, node: Any) -> None:
        for name in fields_with_models(type(node)):
            value = node.__dict__.get(name)
            if isinstance(value, BaseModel | list | dict):
                child = node.__dict__[name] = live(value, node, name)
                if isinstance(child, Node):
                    child.__rapyer_node__.link_below(child)


MODEL = ModelKind()


def extra_spec(cls: type[BaseModel]) -> ValueSpec:
    """What is said of the extra fields of ``cls``."""
    return model_spec(cls).extras or _ANYTHING


class ModelNode(Node):
    """What a model does as part of a document, whether it is the whole document or nested in it."""

    __slots__ = ()
    __rapyer_node__ = MODEL


# -- what is handed out ---------------------------------------------------------------------------------


def hand_out(value: Any, parent: Any, place: Any) -> Any:
    """``value`` as it is: a set, a dataclass … that its reader may change without anybody noticing."""
    if not is_unchanging(value):
        handed_out(parent, place, value, value)
        batch = current_batch()
        if batch is not None and find(parent) is not None:
            batch.lend(parent, place, value, parent.__rapyer_node__.child_spec(parent, place))
    return value


def open_places(model: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The places of a document whose values somebody may have a handle on, and change unnoticed.

    Live lists and dicts, what has no live type, and plain models, which were handed in.
    """
    plain = plain_fields(type(model))
    for name, value in model.__dict__.items():
        if name in plain or type(value) in _UNREAD or is_unchanging(value):
            continue
        if isinstance(value, ModelNode) and not hasattr(type(value), "__rapyer_native__"):
            yield from open_places(value, (*path, name))
        else:
            yield (*path, name)
    for name, value in (model.__pydantic_extra__ or {}).items():
        if not is_unchanging(value):
            yield (*path, name)
