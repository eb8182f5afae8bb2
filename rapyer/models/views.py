"""Nested models: what a model has inside another one, and live views of plain Pydantic models.

A model that is not an ``AtomicRedisModel`` itself is shown through a *view class*: a subclass made on the
fly, without a schema of its own, whose fields are live. It counts as the plain class everywhere: it
is equal to plain instances, copies and pickles as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self
from weakref import WeakValueDictionary

from pydantic import BaseModel

from rapyer.batch.batch import apply_now
from rapyer.batch.change import Queued
from rapyer.batch.perform import perform
from rapyer.models.assignment import assign_extra, assign_field, delete_field, set_fields
from rapyer.models.live_fields import LiveField
from rapyer.models.node import ModelNode, hand_out
from rapyer.schema.of_models import model_spec, native_class
from rapyer.state.node import (
    STATE,
    find,
    is_held_elsewhere,
    link,
    locate,
    parent_of,
    set_state,
    state_of,
)
from rapyer.state.wrapping import copy_natively, native, register_family
from rapyer.types.location import Located
from rapyer.types.placed import PlaceLoaded, PlaceSaved, current


class Embedded(ModelNode, Located):
    """What every model offers as part of a document."""

    __slots__ = ()

    @property
    def field_name(self) -> str:
        """The last step of :attr:`field_path`; empty for a whole document."""
        path = locate(self)[1]
        return str(path[-1]) if path else ""

    def is_inner_model(self) -> bool:
        """Whether this model is part of another one's document."""
        return parent_of(self) is not None and bool(locate(self)[1])

    def clone(self) -> Any:
        """A deep copy without any Redis type in it: a plain model where the class is one."""
        return native(self)

    async def aupdate(self, **changes: Any) -> None:
        """Set several fields, locally and on the server, in one atomic step.

        All values are validated before anything is sent. Sends one EVALSHA (JSON.SET for each field).
        """
        return await perform(set_fields(self, changes, "aupdate"))  # type: ignore[no-any-return]

    def update(self, **changes: Any) -> None:
        """Assign several fields: local outside a pipeline, queued inside one."""
        apply_now(set_fields(self, changes))


class View(Embedded):
    """The behaviour that a view class adds to a plain Pydantic model."""

    __slots__ = ()

    if TYPE_CHECKING:
        __dict__: dict[str, Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # a view is made behind the user's back: hooks of the plain class are not for it
        pass

    def __setattr__(self, name: str, value: Any) -> None:
        model: Any = self
        field = type(model).__pydantic_fields__.get(name)
        if field is not None:
            assign_field(self, field, name, value)
        elif model.__pydantic_extra__ is not None and not name.startswith("_"):
            assign_extra(self, name, value)
        else:
            super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        delete_field(self, name)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, View):
            other = other.__rapyer_plain__()
        return bool(self.__rapyer_plain__() == other)

    def __hash__(self) -> int:
        return hash(self.__rapyer_plain__())

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name != STATE:
                return read_extra(self, name, super().__getattr__(name))
            set_state(self, name, None)  # the slot is asked directly from now on
            return None

    def __rapyer_plain__(self) -> BaseModel:
        """The plain model with the same state."""
        cls = type(self).__rapyer_native__  # type: ignore[attr-defined]
        plain: BaseModel = cls.__new__(cls)
        for name in _PYDANTIC_STATE:
            set_state(plain, name, getattr(self, name))
        return plain

    def __rapyer_native_copy__(self) -> Any:
        return copy_natively(self.__rapyer_plain__())

    def model_copy(self, *, update: Any = None, deep: bool = False) -> Any:
        """A copy as plain model."""
        plain = copy_natively(self.__rapyer_plain__())
        return plain.model_copy(update=update) if update else plain

    def __copy__(self) -> Any:
        return copy_natively(self.__rapyer_plain__())

    def __deepcopy__(self, memo: Any = None) -> Any:
        return copy_natively(self.__rapyer_plain__())

    def __reduce_ex__(self, protocol: Any) -> Any:
        # not the plain model's own answer: pickle wants that to be of this very class
        return _itself, (copy_natively(self.__rapyer_plain__()),)

    def __repr_name__(self) -> str:
        return str(type(self).__rapyer_native__.__name__)  # type: ignore[attr-defined]

    async def save(self) -> Self:
        """Write this model to its place in the stored document. Sends one EVALSHA (JSON.SET)."""
        await perform(PlaceSaved(self))
        return self

    async def load(self) -> Self:
        """Read the stored value of this model's place into it. Sends one EVALSHA (JSON.GET)."""
        queued = await perform(PlaceLoaded(self))
        return queued if isinstance(queued, Queued) else current(self)  # type: ignore[return-value]

    asave, aload = save, load


_PYDANTIC_STATE = (
    "__dict__",
    "__pydantic_fields_set__",
    "__pydantic_extra__",
    "__pydantic_private__",
)


def _itself(value: Any) -> Any:
    return value


def read_extra(model: Any, name: str, value: Any) -> Any:
    """An extra field's value as it is; its reader may change it in place."""
    return value if name.startswith("_") else hand_out(value, model, name)


def make_view_class(cls: type[BaseModel]) -> type[BaseModel]:
    """The view class of plain model ``cls``.

    It bypasses Pydantic's metaclass on purpose: fields, validators and schema are those of ``cls``.
    """
    namespace: dict[str, Any] = {
        "__slots__": (STATE,) if cls.__weakrefoffset__ else (STATE, "__weakref__"),
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__rapyer_native__": cls,
        "__doc__": cls.__doc__,
        **{name: LiveField(name) for name in cls.__pydantic_fields__},
    }
    model_spec(cls)  # which the view inherits
    mine, theirs = View.__mro__[:-1], cls.__mro__

    class Hidden(type(cls)):  # type: ignore[misc]
        """The metaclass of ``cls`` for a class that is not among its bases' subclasses."""

        def mro(self) -> list[type]:
            return [self, *mine, *(base for base in theirs if base not in mine)]

    new: Any = type.__new__
    made: type[BaseModel] = new(Hidden, cls.__name__, (View, cls), namespace)
    made.__bases__ = (View, _layout_of(cls))
    return made


def _layout_of(cls: type[BaseModel]) -> type[BaseModel]:
    """A class of nobody's whose instances are laid out as those of ``cls``.

    A view class has it for a base, so that ``cls.__subclasses__()`` knows of no view.
    """
    new: Any = type.__new__
    made: type[BaseModel] = BaseModel
    for layer in reversed(cls.__mro__):
        if issubclass(layer, BaseModel) and layer is not BaseModel:
            slots = layer.__dict__.get("__slots__")
            namespace = {"__rapyer_native__": BaseModel, "__module__": __name__}
            if slots is not None:
                namespace["__slots__"] = slots
            made = new(type(BaseModel), "_Layout", (made,), namespace)
    return made


_views: dict[type[BaseModel], type[BaseModel]] = {}


def view_class(cls: type[BaseModel]) -> type[BaseModel]:
    """A subclass of plain model ``cls`` whose instances are live; made once for each class."""
    view = _views.get(cls)
    if view is None:
        view = _views[cls] = make_view_class(cls)
    return view


_shown: WeakValueDictionary[int, Any] = WeakValueDictionary()
"""The live views by the identity of the state that they share with a plain model."""


def _is_stored(model: Any) -> bool:
    """Whether ``model`` is a document of its own, which it stays when it is put into another one."""
    state = state_of(model)
    return state is not None and state.parent is None and state.known is not None


def _wrap_model(value: Any, parent: Any, place: Any) -> Any:
    if isinstance(value, ModelNode):
        state = state_of(value)
        if state is not None and state.parent is parent and state.place == place:
            return value
        if is_held_elsewhere(value, parent, place) or _is_stored(value):
            return _wrap_model(native(value), parent, place)
        link(value, parent, place)
        return value
    if native_class(type(value)).__pydantic_root_model__:
        return hand_out(value, parent, place)
    shown = _shown.get(id(value.__dict__))
    held = value
    if shown is not None and is_held_elsewhere(shown, parent, place):
        value = copy_natively(value)
    view = view_class(type(value))
    made = view.__new__(view)
    # the view shows the very object it stands for: both share their state
    for name in _PYDANTIC_STATE:
        set_state(made, name, getattr(value, name))
    link(made, parent, place)
    _shown[id(made.__dict__)] = made
    if parent.__rapyer_node__.holds(parent, place, held):
        _replaced_in_work(parent, held, made)
    return made


def _replaced_in_work(parent: Any, held: Any, made: Any) -> None:
    """Let what open blocks may have to put back be the view, too."""
    found = find(parent)
    state = None if found is None else state_of(found[0])
    if state is not None and state.work is not None:
        state.work.wrapped(held, made)


register_family(BaseModel, _wrap_model)
register_family(object, hand_out)
