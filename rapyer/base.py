"""AtomicRedisModel: Pydantic models that are stored as Redis JSON documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from rapyer.collection import Collection
from rapyer.config import RedisConfig
from rapyer.errors import ConfigurationError
from rapyer.fields import KeyMark, RapyerKey, has_mark, refuse_misplaced_marks
from rapyer.keyspace import registry
from rapyer.models.assignment import assign_extra, assign_field, delete_field
from rapyer.models.document_node import (
    DOCUMENT,
    AtomicModelKind,
    identity,
    set_identity,
    with_identity,
)
from rapyer.models.dumping import plain, with_pk
from rapyer.models.keys import assign_pk, document_pk
from rapyer.models.loading import unread_fields
from rapyer.models.metaclass import ModelMeta
from rapyer.models.storage import Storage
from rapyer.models.views import read_extra
from rapyer.schema.refused import check_storable
from rapyer.schema.stored_form import with_fitting_default
from rapyer.schema.walking import map_schemas
from rapyer.state.node import STATE, document_key, locate, set_state
from rapyer.state.wrapping import copy_natively
from rapyer.types.scalars import Scalar


class AtomicRedisModel(Collection, Storage, BaseModel, metaclass=ModelMeta):
    """A Pydantic model that is stored as one Redis JSON document under ``ClassName:pk``.

    Fields are live values (see :mod:`rapyer.types`). Configure a model through ``Meta``. Every
    asynchronous method also exists with an ``a`` in front (``save`` and ``asave``).
    """

    __slots__ = (STATE,)
    __rapyer_node__: ClassVar[AtomicModelKind] = DOCUMENT

    model_config = ConfigDict(allow_inf_nan=False)
    Meta: ClassVar[RedisConfig] = RedisConfig()
    __rapyer_key_field__: ClassVar[str | None] = None

    # -- the class -------------------------------------------------------------------------------

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        refuse_misplaced_marks(cls)
        marked = _key_fields(cls)
        if len(marked) > 1:
            raise ConfigurationError(
                f"{cls.__name__} has more than one Key field: {', '.join(marked)}"
            )
        cls.__rapyer_key_field__ = marked[0] if marked else None
        if cls.__pydantic_complete__:
            check_storable(cls)
        registry.register(cls)

    @classmethod
    def model_rebuild(cls, **kwargs: Any) -> bool | None:
        """Pydantic's ``model_rebuild``; a field that cannot be stored is refused here too."""
        kwargs.setdefault("_parent_namespace_depth", 3)
        rebuilt = super().model_rebuild(**kwargs)
        if rebuilt and cls.__pydantic_complete__:
            refuse_misplaced_marks(cls)
            check_storable(cls)
        return rebuilt

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def accept_none(schema: dict[str, Any]) -> dict[str, Any]:
            if schema["type"] == "model-field":
                return {**schema, "schema": with_fitting_default(schema["schema"])}
            if schema["type"] in ("model", "model-fields") or schema["type"].startswith(
                "function-"
            ):
                return map_schemas(schema, accept_none)
            return schema

        schema = accept_none(cast(dict[str, Any], handler(source)))
        if hasattr(cls, "Meta") and cls.Meta.dump_pk and not _key_fields(cls):
            schema = with_pk(schema, cls)
        return cast(CoreSchema, schema)

    @classmethod
    def class_key_initials(cls) -> str:
        """What the keys of this model begin with, before the colon; the class name unless overridden."""
        return cls.__name__

    # -- identity --------------------------------------------------------------------------------

    @property
    def pk(self) -> str:
        """What identifies the document: the ``Key`` field's value as text, or a uuid4.

        Of a document that was read or written it is what its key says, whatever the field says. Assigned, it
        names the document that a new instance becomes; that of a stored one cannot change
        (:class:`~rapyer.errors.InvalidValueError`: :meth:`duplicate` makes a copy under another pk).
        """
        return document_pk(self)

    @pk.setter
    def pk(self, value: Any) -> None:
        assign_pk(self, value)

    @property
    def key(self) -> RapyerKey:
        """The Redis key: ``ClassName:pk``; that of the outer document for a nested model."""
        return RapyerKey(document_key(locate(self)[0]))

    @property
    def failed_fields(self) -> tuple[str, ...]:
        """The ``SafeLoad`` fields whose stored value failed validation, and that were not assigned since."""
        return tuple(unread_fields(self))

    # -- attributes ------------------------------------------------------------------------------

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name != STATE:
                return read_extra(self, name, super().__getattr__(name))
            set_state(self, name, None)  # the slot is asked directly from now on
            return None

        def __setattr__(self, name: str, value: Any) -> None:
            cls = type(self)
            field = cls.__pydantic_fields__.get(name)
            if field is not None:
                assign_field(self, field, name, value)
            elif (
                self.__pydantic_extra__ is not None
                and not hasattr(cls, name)
                and not name.startswith("_")
            ):
                assign_extra(self, name, value)
            else:
                super().__setattr__(name, value)

        def __delattr__(self, name: str) -> None:
            delete_field(self, name)

        def __iter__(self) -> Iterator[tuple[str, Any]]:
            """Pairs of field names and values; mutable ones live, so that changing them is noticed."""
            for name in (*self.__dict__, *(self.__pydantic_extra__ or ())):
                if not name.startswith("_"):
                    value = getattr(self, name)
                    yield name, value.clone() if isinstance(value, Scalar) else value

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        pk = identity(self)[0]
        if pk is not None and type(self).__rapyer_key_field__ is None:
            yield "pk", pk
        yield from super().__repr_args__()

    # -- dumps -----------------------------------------------------------------------------------

    def model_dump(self, **options: Any) -> dict[str, Any]:
        """Pydantic's ``model_dump``: plain Python values, whatever was read of the model before.

        With ``RedisConfig(dump_pk=True)`` the pk of a model without a ``Key`` field is among them.
        """
        return plain(super().model_dump(**options))  # type: ignore[no-any-return]

    # -- copies ----------------------------------------------------------------------------------

    def __rapyer_native_copy__(self) -> Any:
        return with_identity(self, copy_natively(self))

    def __copy__(self) -> Self:
        return with_identity(self, super().__copy__())

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return with_identity(self, super().__deepcopy__(memo))

    def __getstate__(self) -> dict[Any, Any]:
        return {**super().__getstate__(), STATE: identity(self)}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        state = dict(state)
        pk, unread = state.pop(STATE)
        super().__setstate__(state)
        set_identity(self, pk, unread)


def _key_fields(cls: type[BaseModel]) -> list[str]:
    return [name for name, field in cls.__pydantic_fields__.items() if has_mark(field, KeyMark)]
