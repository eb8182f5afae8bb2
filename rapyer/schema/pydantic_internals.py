"""Every use of what Pydantic does not document: a new version that moves something fails here, by name.

``tests/schema/test_pydantic_internals.py`` asks each of these what it is for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic._internal._model_construction import build_lenient_weakvaluedict
from pydantic._internal._typing_extra import parent_frame_namespace

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass as ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)
    """The metaclass of Pydantic's models."""

_HIDDEN_POST_INITS = ("init_private_attributes", "BaseModel.model_post_init")
_MODULE_OF_SECRETS = "pydantic.types"


def resolve_where_defined(namespace: dict[str, Any], arguments: dict[str, Any]) -> None:
    """For ``__new__`` of a metaclass: annotations mean what they mean where the class is defined.

    Pydantic would take the frame of the metaclass for that place.
    """
    if arguments.get("__pydantic_reset_parent_namespace__", True):
        surroundings = build_lenient_weakvaluedict(parent_frame_namespace(parent_depth=3))
        namespace["__pydantic_parent_namespace__"] = surroundings
        arguments["__pydantic_reset_parent_namespace__"] = False


def has_post_init(cls: type[BaseModel]) -> bool:
    """Whether ``cls`` has a ``model_post_init`` of the user's, not only private attributes."""
    hook: Callable[..., Any] = cls.model_post_init
    return hook.__qualname__ not in _HIDDEN_POST_INITS


def writes_a_mask(serializer: Any) -> bool:
    """Whether ``serializer`` is the one by which Pydantic hides secrets behind asterisks."""
    name = getattr(serializer, "__name__", "")
    return getattr(serializer, "__module__", "") == _MODULE_OF_SECRETS and "secret" in name


def core_schema_of(cls: type[Any]) -> dict[str, Any]:
    """The core schema that Pydantic made for a model class or a dataclass of its own."""
    schema: dict[str, Any] = cls.__pydantic_core_schema__
    return schema
