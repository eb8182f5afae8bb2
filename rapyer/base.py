"""AtomicRedisModel: Pydantic models that are stored as Redis JSON documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from rapyer.batch.batch import current_batch
from rapyer.config import AsyncClient, RedisConfig, client_of, refresh_of
from rapyer.errors import ConfigurationError
from rapyer.fields import KeyMark, RapyerKey, has_mark
from rapyer.keyspace import registry
from rapyer.models.collection import Collection
from rapyer.models.dumping import plain, with_pk
from rapyer.models.keys import check_key_unchanged, key_change, key_text, pk_of
from rapyer.models.loading import FAILED, PK, share_identity, unread_fields
from rapyer.models.metaclass import ModelMeta
from rapyer.models.node import SLOTS
from rapyer.models.storage import Storage
from rapyer.paths import Path
from rapyer.schema.refused import check_storable
from rapyer.schema.stored_form import with_fitting_default
from rapyer.schema.walking import map_schemas
from rapyer.state import last_known, links
from rapyer.state.last_known import BASELINE, SYNCED
from rapyer.state.wrapping import copy_natively

_ALL_SLOTS = (*SLOTS, PK, BASELINE, SYNCED, FAILED)


class AtomicRedisModel(Collection, Storage, BaseModel, metaclass=ModelMeta):
    """A Pydantic model that is stored as one Redis JSON document under ``ClassName:pk``.

    Fields are live values (see :mod:`rapyer.types`). Configure a model through ``Meta``. Every
    asynchronous method also exists with an ``a`` in front (``save`` and ``asave``).
    """

    __slots__ = _ALL_SLOTS

    model_config = ConfigDict(allow_inf_nan=False)
    Meta: ClassVar[RedisConfig] = RedisConfig()
    __rapyer_key_field__: ClassVar[str | None] = None

    # -- the class -------------------------------------------------------------------------------

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
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
        """What identifies the document: the ``Key`` field's value as text, or a uuid4."""
        return pk_of(self)

    @property
    def key(self) -> RapyerKey:
        """The Redis key: ``ClassName:pk``; that of the outer document for a nested model."""
        return RapyerKey(links.locate(self)[0].__rapyer_key__())

    @property
    def failed_fields(self) -> tuple[str, ...]:
        """The ``SafeLoad`` fields whose stored value failed validation, and that were not assigned since."""
        return tuple(unread_fields(self))

    def __rapyer_key__(self) -> str:
        return f"{type(self).class_key_initials()}:{pk_of(self)}"

    def __rapyer_client__(self) -> AsyncClient:
        return client_of(type(self).Meta, type(self).__name__)

    def __rapyer_key_guard__(self) -> links.KeyGuard | None:
        return None if type(self).__rapyer_key_field__ is None else self._refuse_key_change

    def _refuse_key_change(self, verb: str, path: Path, texts: Mapping[str, bytes] | None) -> None:
        field = type(self).__rapyer_key_field__
        assert field is not None
        check_key_unchanged(self)
        stored = getattr(self, PK, None)
        if texts is not None and not path and field in texts:
            name = pk_of(self) if stored is None else stored
            if name != key_text(texts[field]):
                raise key_change(self, name, key_text(texts[field]))
        elif path[:1] == (field,) and not (verb == "save" and stored in (None, pk_of(self))):
            raise key_change(self, stored or pk_of(self), "another value")

    def __rapyer_refresh__(self) -> int | None:
        return refresh_of(type(self).Meta)

    def __rapyer_native_copy__(self) -> Any:
        copy = copy_natively(self)
        share_identity(self, copy)
        return copy

    # -- attributes ------------------------------------------------------------------------------

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name not in _ALL_SLOTS:
                return self.__rapyer_hand_out_extra__(name, super().__getattr__(name))
            object.__setattr__(self, name, None)  # the slot is asked directly from now on
            return None

        def __setattr__(self, name: str, value: Any) -> None:
            cls = type(self)
            field = cls.__pydantic_fields__.get(name)
            if field is not None:
                self.__rapyer_assign_field__(field, name, value)
            elif (
                self.__pydantic_extra__ is not None
                and current_batch() is not None
                and not hasattr(cls, name)
                and not name.startswith("_")
            ):
                self.__rapyer_assign_extra__(name, value)
            else:
                if self.__pydantic_extra__ is not None and not name.startswith("_"):
                    last_known.capture(self)
                super().__setattr__(name, value)

        def __delattr__(self, name: str) -> None:
            self.__rapyer_refuse_delattr__(name)
            last_known.capture(self)
            super().__delattr__(name)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        pk = getattr(self, PK, None)
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

    def __copy__(self) -> Self:
        copy = super().__copy__()
        share_identity(self, copy)
        return copy

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        copy = super().__deepcopy__(memo)
        share_identity(self, copy)
        return copy

    def __getstate__(self) -> dict[Any, Any]:
        kept = {name: getattr(self, name, None) for name in (PK, FAILED)}
        return {**super().__getstate__(), **kept}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        state = dict(state)
        for name in (PK, FAILED):
            object.__setattr__(self, name, state.pop(name, None))
        super().__setstate__(state)


def _key_fields(cls: type[BaseModel]) -> list[str]:
    return [name for name, field in cls.__pydantic_fields__.items() if has_mark(field, KeyMark)]
