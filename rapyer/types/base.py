"""What every Redis type has: the link to its document, ``save``, ``load`` and ``clone``."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema

from rapyer.batch.change import Queued
from rapyer.batch.perform import perform
from rapyer.operations import register_operations
from rapyer.types.location import Located
from rapyer.types.placed import PlaceLoaded, PlaceSaved, current


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

    async def save(self) -> Self:
        """Write the local value to its place in the stored document, and nothing else.

        Raises :class:`~rapyer.errors.KeyNotFound` when the document is not there. Sends one EVALSHA
        (JSON.SET).
        """
        queued = await perform(PlaceSaved(self))
        return self if queued is None else queued

    async def load(self) -> Self:
        """Read the stored value and make the local one equal to it; returns the live value.

        A mutable value is changed in place; of an immutable one the model gets a new one, which is
        returned. Raises :class:`~rapyer.errors.KeyNotFound` when the document or the path is not there,
        :class:`~rapyer.errors.DocumentError` when the stored value does not fit the annotation. Sends
        one EVALSHA (JSON.GET).
        """
        queued = await perform(PlaceLoaded(self))
        return queued if isinstance(queued, Queued) else current(self)  # type: ignore[return-value]

    asave = save
    aload = load
