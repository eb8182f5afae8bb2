"""What every Redis type has: the link to its document, ``save``, ``load`` and ``clone``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema

from rapyer.batch.batch import perform
from rapyer.batch.change import ComposedChange
from rapyer.operations import register_operations
from rapyer.paths import Path
from rapyer.script.call import Primitive
from rapyer.state import links
from rapyer.types.location import Located

if TYPE_CHECKING:
    from rapyer.schema.spec import ValueSpec


class RedisType(Located):
    """Base of the field types. Each is also a true subclass of the builtin it stands for."""

    __slots__ = ()
    python_type: ClassVar[type]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        python_type = cls.__dict__.get("python_type")
        if python_type is not None:
            register_operations(cls, python_type)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        arguments = getattr(source, "__args__", ())
        return handler(cls.python_type[arguments] if arguments else cls.python_type)  # type: ignore[index]

    def clone(self) -> Any:
        """A deep copy as native Python value, without any Redis type in it."""
        raise NotImplementedError

    def __rapyer_native_copy__(self) -> Any:
        return self.clone()

    def __rapyer_spec_of__(self) -> ValueSpec:
        parent = links.parent_of(self)
        if parent is None:
            links.locate(self)
        spec: ValueSpec = parent.__rapyer_child_spec__(getattr(self, links.PLACE))
        return spec.of(self)

    async def save(self) -> Self:
        """Write the local value to its place in the stored document, and nothing else.

        Raises :class:`~rapyer.errors.KeyNotFound` when the document is not there. Sends one EVALSHA
        (JSON.SET).
        """
        value = self
        parent = links.parent_of(self)
        if parent is not None and not isinstance(self, links.Node):
            value = parent.__rapyer_current__(self)
        text = self.__rapyer_spec_of__().to_json(value)

        def primitives(path: Path) -> list[Primitive]:
            return [Primitive("set", path, (text, b""))]

        queued = await perform(ComposedChange("save", self, None, primitives))
        return self if queued is None else queued

    async def load(self) -> Self:
        """Read the stored value and make the local one equal to it; returns the live value.

        A mutable value is changed in place; of an immutable one the model gets a new one, which is
        returned. Raises :class:`~rapyer.errors.KeyNotFound` when the document or the path is not there,
        :class:`~rapyer.errors.DocumentError` when the stored value does not fit the annotation. Sends
        JSON.GET.
        """
        from rapyer.types.loading import load_value

        return await load_value(self)  # type: ignore[no-any-return]

    asave = save
    aload = load
