"""Nested models: what a model has inside another one, and live views of plain Pydantic models.

A model that is not an ``AtomicRedisModel`` itself is shown through a *view class*: a subclass made on the
fly, without a schema of its own, whose fields are live. It counts as the plain class everywhere: it
is equal to plain instances, copies and pickles as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel

from rapyer.batch.batch import current_batch, perform
from rapyer.batch.change import ComposedChange
from rapyer.models.node import SLOTS, LiveField, ModelNode
from rapyer.paths import Path
from rapyer.schema.of_models import model_spec
from rapyer.script.call import Primitive
from rapyer.state import links
from rapyer.state.last_known import capture
from rapyer.state.wrapping import copy_natively, native
from rapyer.types.location import Located

if TYPE_CHECKING:
    pass


class Embedded(ModelNode, Located):
    """What every model offers as part of a document."""

    __slots__ = ()

    @property
    def field_name(self) -> str:
        """The last step of :attr:`field_path`; empty for a whole document."""
        path = links.locate(self)[1]
        return str(path[-1]) if path else ""

    def is_inner_model(self) -> bool:
        """Whether this model is part of another one's document."""
        return links.parent_of(self) is not None and bool(links.locate(self)[1])

    def clone(self) -> Any:
        """A deep copy without any Redis type in it: a plain model where the class is one."""
        return native(self)

    async def __rapyer_save_inner__(self) -> None:
        parent: Any = links.parent_of(self)
        # the spec of the place knows which class is declared there, and marks a subclass
        text = parent.__rapyer_child_spec__(self.__rapyer_place__).to_json(self)  # type: ignore[attr-defined]

        def primitives(path: Path) -> list[Primitive]:
            return [Primitive("set", path, (text, b""))]

        await perform(ComposedChange("save", self, None, primitives))

    async def aupdate(self, **changes: Any) -> None:
        """Set several fields, locally and on the server, in one atomic step.

        All values are validated before anything is sent. Sends one EVALSHA (JSON.SET for each field).
        """
        from rapyer.types.loading import set_fields

        return await perform(set_fields(self, changes))  # type: ignore[no-any-return]

    def update(self, **changes: Any) -> None:
        """Assign several fields: local outside a pipeline, queued inside one."""
        from rapyer.batch.batch import apply_now
        from rapyer.types.loading import set_fields

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
            self.__rapyer_assign_field__(field, name, value)
        elif (
            model.__pydantic_extra__ is not None
            and current_batch() is not None
            and not name.startswith("_")
        ):
            self.__rapyer_assign_extra__(name, value)
        else:
            super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        self.__rapyer_refuse_delattr__(name)
        capture(self)
        super().__delattr__(name)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, View):
            other = other.__rapyer_plain__()
        return bool(self.__rapyer_plain__() == other)

    def __hash__(self) -> int:
        return hash(self.__rapyer_plain__())

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name not in SLOTS:
                return self.__rapyer_hand_out_extra__(name, super().__getattr__(name))
            object.__setattr__(self, name, None)  # the slot is asked directly from now on
            return None

    def __rapyer_plain__(self) -> BaseModel:
        """The plain model with the same state."""
        cls = type(self).__rapyer_native__  # type: ignore[attr-defined]
        plain: BaseModel = cls.__new__(cls)
        for name in (
            "__dict__",
            "__pydantic_fields_set__",
            "__pydantic_extra__",
            "__pydantic_private__",
        ):
            object.__setattr__(plain, name, getattr(self, name))
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
        await self.__rapyer_save_inner__()
        return self

    async def load(self) -> Self:
        """Read the stored value of this model's place into it. Sends JSON.GET."""
        from rapyer.types.loading import load_value

        return await load_value(self)  # type: ignore[no-any-return]

    asave, aload = save, load


def _itself(value: Any) -> Any:
    return value


def make_view_class(cls: type[BaseModel]) -> type[BaseModel]:
    """The view class of plain model ``cls``.

    It bypasses Pydantic's metaclass on purpose: fields, validators and schema are those of ``cls``.
    """
    namespace: dict[str, Any] = {
        "__slots__": SLOTS if cls.__weakrefoffset__ else (*SLOTS, "__weakref__"),
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
