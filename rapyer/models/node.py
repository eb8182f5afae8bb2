"""Models as nodes: field access that makes values live, and assignment that queues inside a pipeline.

:class:`LiveField` is the descriptor that the metaclass puts in the place of each field;
:class:`ModelNode` is what documents and nested models share. How documents are stored is in ``base``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, cast
from uuid import UUID
from weakref import WeakValueDictionary

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rapyer.batch.batch import apply_now, current_batch
from rapyer.batch.change import Change, ComposedChange
from rapyer.errors import DetachedError, RapyerError
from rapyer.paths import Path
from rapyer.schema.of_models import field_spec, fields_with_models, model_spec, native_class
from rapyer.schema.spec import ValueSpec, any_spec
from rapyer.script.call import Primitive
from rapyer.state import links
from rapyer.state.last_known import BASELINE, capture
from rapyer.state.wrapping import (
    WRAPS,
    copy_natively,
    is_held_elsewhere,
    link,
    live,
    native,
    register_family,
)
from rapyer.types.base import RedisType
from rapyer.types.container import Container, pending_steps
from rapyer.types.inplace import FROM_SERVER, PENDING, Increment, change_of_step
from rapyer.types.scalars import Scalar

STAMPS = "__rapyer_stamps__"
SLOTS = (links.PARENT, links.PLACE, STAMPS)

building_class: ContextVar[bool] = ContextVar("rapyer_building_class", default=False)
"""True while Pydantic collects the fields of a new class: it must not take a descriptor for a default."""


class LiveField:
    """A model's field: a live value on an instance, a search expression on the class."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        name = self.name
        if instance is None:
            if building_class.get():
                raise AttributeError(name)
            from rapyer.expressions.expression import FieldReference

            return FieldReference.of_model(owner, name)
        values = instance.__dict__
        try:
            value = values[name]
        except KeyError:
            raise AttributeError(
                f"{type(instance).__name__!r} object has no attribute {name!r}"
            ) from None
        wrap = WRAPS[type(value)]
        if wrap is None:
            return value
        made = wrap(value, instance, name)
        if made is not value:
            values[name] = made
        return made

    def __set__(self, instance: Any, value: Any) -> None:
        setattr(instance, self.name, value)


def install_fields(cls: type[BaseModel]) -> None:
    """Put a :class:`LiveField` in the place of each field of ``cls``."""
    for name in cls.__pydantic_fields__:
        type.__setattr__(cls, name, LiveField(name))


class ModelNode(links.Node):
    """What a model does as part of a document, whether it is the whole document or nested in it."""

    __slots__ = ()

    # -- links -----------------------------------------------------------------------------------

    def __rapyer_segment__(self, child: Any) -> str:
        place = child.__rapyer_place__
        held = self.__dict__.get(place, self)
        if held is child or (isinstance(child, Scalar) and held is not self):
            return place  # type: ignore[no-any-return]
        raise DetachedError(f"the value is no longer the field {place!r} of its model")

    def __rapyer_holds__(self, place: Any, child: Any) -> bool:
        values, extra = self.__dict__, self.__pydantic_extra__  # type: ignore[attr-defined]
        if extra and place not in values:
            return extra.get(place, self) is child
        return values.get(place, self) is child

    def __rapyer_child_spec__(self, place: Any) -> ValueSpec:
        return field_spec(type(self), place)  # type: ignore[arg-type]

    def __rapyer_text__(self) -> bytes:
        return model_spec(type(self)).to_json(self)  # type: ignore[arg-type]

    def __rapyer_current__(self, child: Any) -> Any:
        return self.__dict__[child.__rapyer_place__]

    def __rapyer_store__(self, child: Any, value: Any) -> Any:
        return self.__rapyer_put__(child.__rapyer_place__, value)

    def __rapyer_put__(self, name: str, value: Any) -> Any:
        made = value
        if not isinstance(value, Scalar):
            made = live(value, self, name)
        elif links.parent_of(value) is None:
            link(value, self, name)
        else:
            made = live(native(value), self, name)
        self.__dict__[name] = made
        return made

    def _is_news(self, name: str, stamp: int) -> bool:
        """Whether nothing later than ``stamp`` is known of the field ``name``; from now on that is known."""
        stamps = getattr(self, STAMPS, None)
        if stamps is None:
            stamps = {}
            object.__setattr__(self, STAMPS, stamps)
        if stamps.get(name, 0) > stamp:
            return False
        stamps[name] = stamp
        return True

    def __rapyer_settle_scalar__(self, child: Any, value: Any, stamp: int) -> None:
        name = child.__rapyer_place__
        if not self._is_news(name, stamp):
            return
        if not _is_live_already(self.__dict__.get(name), value):
            same_kind = type(value) is child.python_type
            made = self.__rapyer_put__(name, type(child)(value) if same_kind else value)
            if isinstance(made, Scalar):
                setattr(made, PENDING, FROM_SERVER)

    def __rapyer_snapshot__(self) -> Any:
        extra = self.__pydantic_extra__  # type: ignore[attr-defined]
        return (
            dict(self.__dict__),
            set(self.__pydantic_fields_set__),  # type: ignore[attr-defined]
            None if extra is None else dict(extra),
        )

    def __rapyer_hold__(self, place: Any, value: Any) -> None:
        extra = self.__pydantic_extra__  # type: ignore[attr-defined]
        (extra if extra and place not in self.__dict__ else self.__dict__)[place] = value

    def __rapyer_hand_out_extra__(self, name: str, value: Any) -> Any:
        """An extra field's value as it is; its reader may change it in place."""
        if not name.startswith("_"):
            _hand_out(value, self, name, any_spec())
        return value

    def __rapyer_restore__(self, snapshot: Any, names: set[str] | None = None) -> None:
        values, fields_set, extra = snapshot
        if names is not None:
            present = self.__pydantic_extra__  # type: ignore[attr-defined]
            for name in names:
                if name in values:
                    self.__dict__[name] = values[name]
                elif extra and name in extra:
                    present[name] = extra[name]
                elif present and name in present:
                    del present[name]
                else:
                    self.__dict__.pop(name, None)
            current = self.__pydantic_fields_set__  # type: ignore[attr-defined]
            restored = (current - names) | (fields_set & names)
            object.__setattr__(self, "__pydantic_fields_set__", restored)
            return
        self.__dict__.clear()
        self.__dict__.update(values)
        object.__setattr__(self, "__pydantic_fields_set__", fields_set)
        object.__setattr__(self, "__pydantic_extra__", extra)

    def __rapyer_adopt__(self, fresh: Any) -> None:
        """Take over all field values of ``fresh``, keeping live containers and nested models."""
        values = self.__dict__
        for name, new in fresh.__dict__.items():
            values[name] = adopted(values.get(name), new)
        for name in [name for name in values if name not in fresh.__dict__]:
            del values[name]
        object.__setattr__(self, "__pydantic_fields_set__", set(fresh.__pydantic_fields_set__))
        object.__setattr__(self, "__pydantic_extra__", fresh.__pydantic_extra__)

    def __rapyer_link_children__(self) -> None:
        """Link nested models that were never read, so that changing them directly is noticed."""
        for name in fields_with_models(type(self)):  # type: ignore[arg-type]
            value = self.__dict__.get(name)
            if _may_hold_models(value):
                child = self.__dict__[name] = live(value, self, name)
                _link_below(child)

    # -- assignment ------------------------------------------------------------------------------

    def __rapyer_assign__(self, name: str, value: Any) -> None:
        """Validate and assign one field; inside a pipeline the assignment is queued."""
        field = type(self).__pydantic_fields__.get(name)  # type: ignore[attr-defined]
        if field is None:
            self.__rapyer_assign_extra__(name, value)
        else:
            self.__rapyer_assign_field__(field, name, value)

    def __rapyer_assign_field__(self, field: FieldInfo, name: str, value: Any) -> None:
        cls: Any = type(self)
        current = self.__dict__.get(name, _ABSENT)
        if value is current and isinstance(value, links.Node):
            # what an in-place operator of a container assigns back
            if name not in self.__pydantic_fields_set__:  # type: ignore[attr-defined]
                batch = current_batch()
                if batch is not None:
                    batch.keep(self, (name,))
                self.__pydantic_fields_set__.add(name)  # type: ignore[attr-defined]
            return
        config = cls.model_config
        if field.frozen or config.get("frozen"):
            refuse_frozen(cls, name, value)
        batch = current_batch()
        place = None if batch is None else links.find(self)
        if batch is not None and place is not None:
            steps = pending_steps(value, current)
            if steps is not None:
                document, path = place
                spec = field_spec(cls, name)
                for step in steps:
                    change = change_of_step(current, step, spec)
                    if len(steps) == 1 and type(change) is Increment:
                        change.take(value)
                    batch.queue(change, (document, (*path, name)))
                self.__pydantic_fields_set__.add(name)  # type: ignore[attr-defined]
                return
        spec = field_spec(cls, name)
        validated = spec.validate_python(_unwrapped(value))
        if config.get("validate_assignment"):
            changed = self.__rapyer_revalidated__({name: validated})
            self._assign_validated(changed, place is not None)
        elif batch is None or place is None:
            if batch is not None:
                batch.keep(self, (name,))
            capture(self)
            self.__rapyer_set__(name, validated)
        else:
            batch.queue(Assignment(self, name, validated, spec.to_json(validated)), place)

    def __rapyer_set__(self, name: str, value: Any) -> None:
        """Let the field ``name`` have a native ``value``, without queueing anything."""
        self.__dict__[name] = value
        if type(value) not in _PLAIN and isinstance(value, BaseModel):
            self.__dict__[name] = live(value, self, name)  # nobody else can have it now
        self.__pydantic_fields_set__.add(name)  # type: ignore[attr-defined]

    def __rapyer_revalidated__(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What setting ``values`` together sets, after all validators of the model."""
        before = dict(self.__dict__)
        *others, last = values
        trial = self.__class__.model_construct()  # type: ignore[attr-defined]
        object.__setattr__(trial, "__dict__", before | {name: values[name] for name in others})
        object.__setattr__(trial, "__pydantic_fields_set__", set(self.__pydantic_fields_set__))  # type: ignore[attr-defined]
        object.__setattr__(trial, "__pydantic_extra__", self.__pydantic_extra__)  # type: ignore[attr-defined]
        self.__pydantic_validator__.validate_assignment(trial, last, values[last])  # type: ignore[attr-defined]
        return {
            field: new
            for field, new in trial.__dict__.items()
            if field in values
            or (new is not before.get(field, _ABSENT) and new != before.get(field, _ABSENT))
        }

    def _assign_validated(self, changed: dict[str, Any], in_batch: bool) -> None:
        def local() -> None:
            self.__dict__.update(changed)
            self.__pydantic_fields_set__.update(changed)  # type: ignore[attr-defined]

        if not in_batch:
            batch = current_batch()
            if batch is not None:
                batch.keep(self, changed)
            capture(self)
            local()
            return
        texts = {
            field: self.__rapyer_child_spec__(field).to_json(new) for field, new in changed.items()
        }
        apply_now(self._set_change("__setattr__", texts, local))

    def _set_change(self, verb: str, texts: dict[str, bytes], local: Any) -> Change:
        def primitives(path: Path) -> Sequence[Primitive]:
            return [Primitive("set", (*path, name), (text, b"")) for name, text in texts.items()]

        return ComposedChange(verb, self, self, primitives, local, texts=texts)

    def __rapyer_assign_extra__(self, name: str, value: Any) -> None:
        """Assign an extra field (``extra="allow"``) inside a pipeline."""
        spec = any_spec()
        plain = native(value)

        def local() -> None:
            self.__pydantic_extra__[name] = plain  # type: ignore[attr-defined]

        text = spec.to_json(plain)

        def primitives(path: Path) -> Sequence[Primitive]:
            return [Primitive("set", (*path, name), (text, b""))]

        apply_now(ComposedChange("__setattr__", self, self, primitives, local, texts={name: text}))

    def __rapyer_refuse_delattr__(self, name: str) -> None:
        if name in type(self).__pydantic_fields__ and current_batch() is not None:  # type: ignore[attr-defined]
            raise RapyerError(
                f"a field cannot be deleted inside a pipeline: {name}; assign None or a default"
            )


class Assignment(Change):
    """A field of a model gets another value. Sends JSON.SET."""

    __slots__ = ("_name", "_text", "_value", "owner", "texts", "touched")
    verb = "__setattr__"
    settles = True

    def __init__(self, model: ModelNode, name: str, value: Any, text: bytes) -> None:
        self.owner = self.touched = model
        self.texts = {name: text}
        self._name, self._value, self._text = name, value, text

    def primitives(self, path: Path) -> Sequence[Primitive]:
        return (Primitive("set", (*path, self._name), (self._text, b"")),)

    def local(self) -> None:
        self.owner.__rapyer_set__(self._name, self._value)

    def settle(self, answers: Sequence[Any], stamp: int) -> None:
        model, name, value = self.owner, self._name, self._value
        if model._is_news(name, stamp):
            current = model.__dict__.get(name)
            if current is not value and getattr(current, PENDING, None) == FROM_SERVER:
                model.__rapyer_set__(name, value)  # another task was told an older value since


_ABSENT: Any = object()
_PLAIN = frozenset({str, int, float, bool, bytes, datetime, type(None)})
_MAY_HOLD_MODELS = (BaseModel, list, dict)  # a union would be made anew each time


def _is_live_already(current: Any, value: Any) -> bool:
    """Whether ``current`` is the live value of ``value``. Equal zeros and datetimes need not be the same."""
    kind = type(value)
    return (
        kind in (str, int, float)
        and getattr(type(current), "python_type", None) is kind
        and bool(value)
        and bool(current == value)
    )


def refuse_frozen(cls: type[BaseModel], name: str, value: Any) -> None:
    """Raise as Pydantic does where field ``name`` of ``cls`` must not be assigned."""
    if cls.model_config.get("frozen") or cls.__pydantic_fields__[name].frozen:
        from pydantic_core import ValidationError

        kind = "frozen_instance" if cls.model_config.get("frozen") else "frozen_field"
        raise ValidationError.from_exception_data(
            cls.__name__, [{"type": kind, "loc": (name,), "input": value}]
        )


def _unwrapped(value: Any) -> Any:
    """Containers and scalars as native values; models as they are."""
    return value.clone() if isinstance(value, RedisType) else value


def adopted(old: Any, new: Any) -> Any:
    """What to hold where ``old`` stood and the server now has native ``new``: a live ``old`` made equal.

    Keeping the object keeps the handles that user code may have on it.
    """
    if isinstance(old, Container) and isinstance(new, old.python_type):
        old.__rapyer_adopt__(new)
        return old
    if isinstance(old, ModelNode) and isinstance(new, BaseModel):
        old_class = native_class(cast("type[BaseModel]", type(old)))
        if native_class(type(new)) is old_class:
            old.__rapyer_adopt__(new)
            return old
    return new


def _may_hold_models(value: Any) -> bool:
    return isinstance(value, _MAY_HOLD_MODELS)


def _link_below(node: Any) -> None:
    if isinstance(node, ModelNode):
        node.__rapyer_link_children__()
    elif isinstance(node, Container):
        places = range(len(node)) if isinstance(node, list) else list(node)  # type: ignore[call-overload]
        for place in places:
            if _may_hold_models(node.__rapyer_raw__(place)):
                _link_below(node._live_at(place))  # type: ignore[attr-defined]


# -- nested models that are plain Pydantic models ----------------------------------------------------

_views: dict[type[BaseModel], type[BaseModel]] = {}


def view_class(cls: type[BaseModel]) -> type[BaseModel]:
    """A subclass of plain model ``cls`` whose instances are live; made once for each class."""
    view = _views.get(cls)
    if view is None:
        from rapyer.models.views import make_view_class

        view = _views[cls] = make_view_class(cls)
    return view


_shown: WeakValueDictionary[int, Any] = WeakValueDictionary()
"""The live views by the identity of the state that they share with a plain model."""


def _is_stored(model: Any) -> bool:
    """Whether ``model`` is a document of its own, which it stays when it is put into another one."""
    return model.__rapyer_parent__ is None and getattr(model, BASELINE, None) is not None


def _wrap_model(value: Any, parent: Any, place: Any) -> Any:
    if isinstance(value, ModelNode):
        if value.__rapyer_parent__ is parent and value.__rapyer_place__ == place:  # type: ignore[attr-defined]
            return value
        if is_held_elsewhere(value, parent, place) or _is_stored(value):
            return _wrap_model(native(value), parent, place)
        link(value, parent, place)
        return value
    if native_class(type(value)).__pydantic_root_model__:
        return _hand_out(value, parent, place)
    shown = _shown.get(id(value.__dict__))
    if shown is not None and is_held_elsewhere(shown, parent, place):
        value = copy_natively(value)
    view = view_class(type(value))
    made = view.__new__(view)
    # the view shows the very object it stands for: both share their state
    object.__setattr__(made, "__dict__", value.__dict__)
    object.__setattr__(made, "__pydantic_fields_set__", value.__pydantic_fields_set__)
    object.__setattr__(made, "__pydantic_extra__", value.__pydantic_extra__)
    object.__setattr__(made, "__pydantic_private__", value.__pydantic_private__)
    link(made, parent, place)
    _shown[id(made.__dict__)] = made
    return made


_IMMUTABLE = (type(None), bool, Enum, Decimal, UUID, date, time, timedelta)


def _hand_out(value: Any, parent: Any, place: Any, spec: ValueSpec | None = None) -> Any:
    """``value`` as it is: a set, a dataclass … that its reader may change without anybody noticing."""
    if not isinstance(value, _IMMUTABLE):
        capture(parent)
        batch = current_batch()
        if batch is not None and links.find(parent) is not None:
            batch.lend(parent, place, value, spec or parent.__rapyer_child_spec__(place))
    return value


register_family(BaseModel, _wrap_model)
register_family(object, _hand_out)
