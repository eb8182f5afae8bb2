"""Setting fields of models: one by an assignment, several at once, with whatever validates them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rapyer.batch.arrival import Arrival, same_text
from rapyer.batch.batch import current_batch, edit
from rapyer.batch.change import Change
from rapyer.errors import RapyerError
from rapyer.paths import Path
from rapyer.schema.document_errors import located
from rapyer.schema.of_models import field_spec
from rapyer.schema.spec import ValueSpec
from rapyer.script.call import Primitive
from rapyer.state.document import capture
from rapyer.state.known import ABSENT
from rapyer.state.node import Node, find, parent_of, set_state
from rapyer.state.wrapping import copy_natively, is_unchanging, live, native
from rapyer.types.base import RedisType
from rapyer.types.container import pending_steps
from rapyer.types.inplace import Increment, change_of_step

_MISSING: Any = object()


class FieldsSet(Change):
    """Fields of a model get other values. Sends JSON.SET for each.

    :param values: validated native values.
    :param texts: their stored form.
    """

    __slots__ = ("_left", "_values", "owner", "texts", "touched", "verb")

    def __init__(
        self, verb: str, model: Any, values: dict[str, Any], texts: Mapping[str, bytes]
    ) -> None:
        self.verb, self.owner, self.touched = verb, model, model
        self._values, self.texts = values, texts
        self._left: dict[str, Any] | None = None

    def primitives(self, path: Path) -> Sequence[Primitive]:
        assert self.texts is not None
        return [Primitive("set", (*path, name), (text, b"")) for name, text in self.texts.items()]

    def depart(self) -> None:
        self._left = {name: _held(self.owner, name) for name in self._values}

    def local(self) -> None:
        for name, value in self._values.items():
            self._values[name] = hold_field(self.owner, name, value)

    def is_as_foreseen(self, answers: Sequence[Any]) -> bool:
        return self._left is None

    def settle(self, arrival: Arrival) -> None:
        assert self.texts is not None
        for name, text in self.texts.items():
            if self._left is not None and not self._was_edited(arrival, name):
                self._put(arrival, name)
            arrival.say((name,), text)

    def _put(self, arrival: Arrival, name: str) -> None:
        if arrival.state.work is None:
            self._values[name] = hold_field(self.owner, name, self._values[name])
        else:  # what open blocks did to the value that stands there is laid on that again
            kind = self.owner.__rapyer_node__
            self._values[name] = kind.take(self.owner, name, native(self._values[name]))

    def _was_edited(self, arrival: Arrival, name: str) -> bool:
        """Whether the field is not what it was when this was sent, nor what the server has said since."""
        assert self._left is not None
        now = _held(self.owner, name)
        if now is self._left[name]:
            return False
        known = arrival.state.known
        was = None if known is None else known.text((*arrival.path, name))
        if was is None:
            return False
        text = ABSENT if now is _MISSING else _spec(self.owner, name).to_json(now)
        return not same_text(text, was)


def _held(model: Any, name: str) -> Any:
    try:
        return model.__rapyer_node__.raw(model, name)
    except LookupError:
        return _MISSING


def _spec(model: Any, name: str) -> ValueSpec:
    return model.__rapyer_node__.child_spec(model, name)  # type: ignore[no-any-return]


def hold_field(model: Any, name: str, value: Any) -> Any:
    """Let the field ``name`` have a native ``value``; returns what now stands there.

    What can be changed in place is live at once: it can be put in again as itself, and nobody else gets it.
    """
    if name not in type(model).__pydantic_fields__:
        model.__pydantic_extra__[name] = value
        return value
    if isinstance(value, BaseModel | list | dict) and not is_unchanging(value):
        value = live(value, model, name)
    model.__dict__[name] = value
    model.__pydantic_fields_set__.add(name)
    return value


def assign_field(model: Any, field: FieldInfo, name: str, value: Any) -> None:
    """Validate and assign one field; inside a pipeline the assignment is queued."""
    cls: Any = type(model)
    current = model.__dict__.get(name, _MISSING)
    batch = current_batch()
    if value is current and isinstance(value, Node):
        # what an in-place operator of a container assigns back
        if name not in model.__pydantic_fields_set__:
            _mark_as_set(model, name)
        return
    config = cls.model_config
    if field.frozen or config.get("frozen"):
        refuse_frozen(cls, name, value)
    place = None if batch is None else find(model)
    if batch is not None and place is not None and _queue_steps(batch, place, name, value, current):
        if name not in model.__pydantic_fields_set__:
            _mark_as_set(model, name)
        return
    spec = field_spec(cls, name)
    with located(cls, name):
        values = {name: spec.accept(unwrapped(value))}
    if config.get("validate_assignment"):
        values = revalidated(model, values)
    for changed in values:
        _part(model, changed, in_block=place is not None)
    if batch is None:
        edit(FieldsSet("__setattr__", model, values, {}))
        return
    texts = {changed: field_spec(cls, changed).to_json(new) for changed, new in values.items()}
    change = FieldsSet("__setattr__", model, values, texts)
    if place is None:
        batch.apply_detached(change)
    else:
        batch.queue(change, place)


def _part(model: Any, name: str, *, in_block: bool) -> None:
    """Write down what the server has, where local and server may part now."""
    if not in_block or not is_unchanging(_held(model, name)):
        capture(model, name)


def _mark_as_set(model: Any, name: str) -> None:
    batch = current_batch()
    if batch is None:
        model.__pydantic_fields_set__.add(name)
        return
    place = find(model)
    work = batch.detached if place is None else batch.join(place[0])
    work.apply(batch.scopes[-1], model, lambda: model.__pydantic_fields_set__.add(name))


def _queue_steps(batch: Any, place: Any, name: str, value: Any, current: Any) -> bool:
    """Queue ``+=`` and its kin as what they are; whether ``value`` was made so."""
    steps = pending_steps(value, current)
    if steps is None:
        return False
    document, path = place
    place = document, (*path, name)
    spec = _spec(parent_of(current), name)
    for step in steps:
        change = change_of_step(current, step, spec)
        if len(steps) == 1 and type(change) is Increment:
            change.take(value)
        batch.queue(change, place)
    return True


def assign_extra(model: Any, name: str, value: Any) -> None:
    """Assign an extra field (``extra="allow"``)."""
    spec = _spec(model, name)
    plain = spec.accept(native(value))
    capture(model, name)
    batch = current_batch()
    if batch is None:
        edit(FieldsSet("__setattr__", model, {name: plain}, {}))
        return
    change = FieldsSet("__setattr__", model, {name: plain}, {name: spec.to_json(plain)})
    place = find(model)
    if place is None:
        batch.apply_detached(change)
    else:
        batch.queue(change, place)


class _FieldDeleted(Change):
    """A field or extra field is removed. Sends JSON.DEL."""

    __slots__ = ("_name", "owner", "touched")
    verb = "__delattr__"

    def __init__(self, model: Any, name: str) -> None:
        self.owner = self.touched = model
        self._name = name

    def primitives(self, path: Path) -> Sequence[Primitive]:
        return [Primitive("take", path, (self._name.encode(),))]

    def local(self) -> None:
        BaseModel.__delattr__(self.owner, self._name)

    def settle(self, arrival: Arrival) -> None:
        arrival.say((self._name,), ABSENT)


def delete_field(model: Any, name: str) -> None:
    """Delete an extra field; a declared one only outside a pipeline."""
    batch = current_batch()
    if name in type(model).__pydantic_fields__ and batch is not None:
        raise RapyerError(
            f"a field cannot be deleted inside a pipeline: {name}; assign None or a default"
        )
    if name.startswith("_"):
        BaseModel.__delattr__(model, name)
        return
    if _held(model, name) is _MISSING:
        raise AttributeError(f"{type(model).__name__!r} object has no attribute {name!r}")
    capture(model, name)
    change = _FieldDeleted(model, name)
    place = None if batch is None else find(model)
    if batch is not None and place is not None:
        batch.queue(change, place)
    else:
        edit(change)


def revalidated(model: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """What setting ``values`` together sets, after all validators of the model."""
    before = dict(model.__dict__)
    *others, last = values
    trial = model.__class__.model_construct()
    set_state(trial, "__dict__", before | {name: values[name] for name in others})
    set_state(trial, "__pydantic_fields_set__", set(model.__pydantic_fields_set__))
    set_state(trial, "__pydantic_extra__", model.__pydantic_extra__)
    model.__pydantic_validator__.validate_assignment(trial, last, values[last])
    return {
        field: new
        for field, new in trial.__dict__.items()
        if field in values
        or (new is not before.get(field, _MISSING) and new != before.get(field, _MISSING))
    }


def set_fields(model: Any, changes: Mapping[str, Any], verb: str = "update") -> Change:
    """The change that sets several fields of ``model`` in one step; all are validated first."""
    cls: Any = type(model)
    fields = cls.__pydantic_fields__
    for name in changes:
        if name not in fields and cls.model_config.get("extra") != "allow":
            known = ", ".join(fields)
            raise TypeError(f"{cls.__name__} has no field {name!r}; it has {known}")
    for name, value in changes.items():
        refuse_frozen(cls, name, value)
    valid = {}
    for name, value in changes.items():
        with located(cls, name):
            valid[name] = _spec(model, name).accept(unwrapped(value))
    if valid and cls.model_config.get("validate_assignment"):
        valid = revalidated(model, valid)
    texts = {name: _spec(model, name).to_json(value) for name, value in valid.items()}
    own = {name: own_copy(value) for name, value in valid.items()}
    for name in own:
        _part(model, name, in_block=False)
    return FieldsSet(verb, model, own, texts)


def changed_copy(model: Any, changes: Mapping[str, Any]) -> Any:
    """A copy of ``model`` on its own in which the fields ``changes`` have other values, frozen ones too."""
    copy = copy_natively(model)
    fields = type(model).__pydantic_fields__
    for name, value in changes.items():
        if name not in fields:
            known = ", ".join(fields)
            raise TypeError(f"{type(model).__name__} has no field {name!r}; it has {known}")
        with located(type(model), name):
            valid = _spec(copy, name).accept(unwrapped(value))
        copy.__dict__[name] = own_copy(valid)
        copy.__pydantic_fields_set__.add(name)
    if type(model).model_config.get("validate_assignment") and changes:
        type(model).model_validate(copy.__dict__)
    return copy


def own_copy(value: Any) -> Any:
    """``value``, of which this field is the only owner: a model may be given to several at once."""
    return native(value) if isinstance(value, BaseModel) else value


def refuse_frozen(cls: type[BaseModel], name: str, value: Any) -> None:
    """Raise as Pydantic does where field ``name`` of ``cls`` must not be assigned."""
    field = cls.__pydantic_fields__.get(name)  # none of an extra field
    if cls.model_config.get("frozen") or (field is not None and field.frozen):
        from pydantic_core import ValidationError

        kind = "frozen_instance" if cls.model_config.get("frozen") else "frozen_field"
        raise ValidationError.from_exception_data(
            cls.__name__, [{"type": kind, "loc": (name,), "input": value}]
        )


def unwrapped(value: Any) -> Any:
    """Containers and scalars as native values; models as they are."""
    return value.clone() if isinstance(value, RedisType) else value
