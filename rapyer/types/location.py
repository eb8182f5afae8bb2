"""Where a live value or model is stored, as properties: its client, key and path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapyer.batch.batch import current_batch
from rapyer.paths import field_path, json_path
from rapyer.state.node import key_of, locate

if TYPE_CHECKING:
    from rapyer.config import AsyncClient


class Located:
    """What is part of a document. Its properties raise ``DetachedError`` outside of one."""

    __slots__ = ()

    @property
    def redis(self) -> AsyncClient:
        """The Redis client of the document's model."""
        document = locate(self)[0]
        return document.__rapyer_node__.client(document)  # type: ignore[no-any-return]

    @property
    def client(self) -> Any:
        """The batch that collects changes inside a pipeline, otherwise the Redis client."""
        batch = current_batch()
        return batch if batch is not None else self.redis

    @property
    def key(self) -> str:
        """The Redis key of the document."""
        return key_of(locate(self)[0])

    @property
    def field_path(self) -> str:
        """The path inside the document, for people: ``settings.theme``; empty for a whole document."""
        return field_path(locate(self)[1])

    @property
    def json_path(self) -> str:
        """The path inside the document, for RedisJSON: ``$.settings.theme``; ``$`` for a whole one."""
        return json_path(locate(self)[1])
