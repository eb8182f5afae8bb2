"""The metaclass of models: Pydantic's, plus live fields and ``Meta``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, dataclass_transform

from pydantic import BaseModel, Field, PrivateAttr
from pydantic._internal._model_construction import build_lenient_weakvaluedict
from pydantic._internal._typing_extra import parent_frame_namespace

from rapyer.config import as_config
from rapyer.errors import UnknownFieldError
from rapyer.models.live_fields import building_class, install_fields
from rapyer.schema.spec import SPEC_ATTRIBUTE

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass as _PydanticMeta
else:
    _PydanticMeta = type(BaseModel)


@dataclass_transform(kw_only_default=True, field_specifiers=(Field, PrivateAttr))
class ModelMeta(_PydanticMeta):
    """Pydantic's metaclass, plus live fields and the registry."""

    def __new__(
        mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any
    ) -> Any:
        # Meta is configuration, not a field: Pydantic does not see it
        meta = namespace.pop("Meta", None)
        if kwargs.get("__pydantic_reset_parent_namespace__", True):
            # Pydantic would take this frame for the one that the class is defined in
            surroundings = build_lenient_weakvaluedict(parent_frame_namespace())
            namespace["__pydantic_parent_namespace__"] = surroundings
            kwargs["__pydantic_reset_parent_namespace__"] = False
        namespace.get("__annotations__", {}).pop("Meta", None)
        token = building_class.set(True)
        try:
            cls: Any = super().__new__(mcs, name, bases, namespace, **kwargs)
        finally:
            building_class.reset(token)
        if meta is not None:
            type.__setattr__(cls, "Meta", as_config(meta, name))
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
