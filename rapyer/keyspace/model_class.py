"""What keyspace, search and bulk know of a model class: its name, its prefix, its configuration."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from rapyer.config import RedisConfig


class ModelClass(Protocol):
    """An instance of a stored model; ``type[ModelClass]`` is a model class."""

    Meta: ClassVar[RedisConfig]
    __rapyer_key_field__: ClassVar[str | None]
    __pydantic_fields__: ClassVar[dict[str, Any]]

    @classmethod
    def class_key_initials(cls) -> str: ...
