"""The metaclass of models: Pydantic's, plus live fields and ``Meta``."""

from __future__ import annotations

from typing import Any, dataclass_transform

from pydantic import Field, PrivateAttr

from rapyer.config import as_config
from rapyer.errors import UnknownFieldError
from rapyer.models.live_fields import building_class, install_fields
from rapyer.schema.of_models import SPEC_ATTRIBUTE
from rapyer.schema.pydantic_internals import ModelMetaclass, resolve_where_defined


@dataclass_transform(kw_only_default=True, field_specifiers=(Field, PrivateAttr))
class ModelMeta(ModelMetaclass):
    """Pydantic's metaclass, plus live fields and the registry."""

    def __new__(
        mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any
    ) -> Any:
        # Meta is configuration, not a field: Pydantic does not see it
        meta = namespace.pop("Meta", None)
        resolve_where_defined(namespace, kwargs)
        namespace.get("__annotations__", {}).pop("Meta", None)
        token = building_class.set(True)
        try:
            cls: Any = super().__new__(mcs, name, bases, namespace, **kwargs)
        finally:
            building_class.reset(token)
        if meta is not None:
            type.__setattr__(cls, "Meta", as_config(meta, name))
            if cls.Meta.dump_pk:  # which the schema has a part in
                cls.model_rebuild(force=True, raise_errors=False, _types_namespace={})
        install_fields(cls)
        type.__setattr__(cls, SPEC_ATTRIBUTE, None)  # not that of its base
        return cls

    def __getattr__(cls, name: str) -> Any:
        try:
            return super().__getattr__(name)  # type: ignore[misc]
        except AttributeError:
            fields = cls.__dict__.get("__pydantic_fields__")
            if not fields or name.startswith("_") or building_class.get():
                raise
            known = ", ".join(fields)
            raise UnknownFieldError(
                f"{cls.__name__} has no field {name!r}; it has {known}"
            ) from None
