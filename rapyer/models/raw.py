"""RawDocument: a stored document without a model, its values typed by the JSON found in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar, Self

from rapyer.batch.batch import current_batch
from rapyer.batch.commit import session_of
from rapyer.batch.perform import perform
from rapyer.config import AsyncClient, RedisConfig, client_of
from rapyer.errors import DetachedError
from rapyer.models.whole import DocumentDropped, DocumentLoaded, DocumentSaved, set_ttl
from rapyer.schema.spec import ValueSpec, any_spec
from rapyer.state.node import Document, DocumentKind, Node
from rapyer.state.wrapping import live, native
from rapyer.types.scalars import Scalar

_SPEC = any_spec()


class _RawKind(DocumentKind):
    """The content stands at the one place None, which no segment leads to."""

    __slots__ = ()

    def key(self, document: Any) -> str:
        return document.key  # type: ignore[no-any-return]

    def client(self, document: Any) -> AsyncClient:
        return client_of(RedisConfig(redis=document.own_client), f"the document {document.key}")

    def place_of(self, node: Any, child: Any) -> None:
        if node.content is not child and not isinstance(child, Scalar):
            raise DetachedError(f"the value is no longer the content of {node.key}")

    def segment(self, node: Any, child: Any) -> None:
        self.place_of(node, child)

    def holds(self, node: Any, place: Any, child: Any) -> bool:
        return node.content is child

    def child_spec(self, node: Any, place: Any) -> ValueSpec:
        return _SPEC

    def raw(self, node: Any, place: Any) -> Any:
        return node.content

    def hold(self, node: Any, place: Any, value: Any) -> None:
        node.content = value

    def put(self, node: Any, place: Any, value: Any) -> Any:
        node.content = native(value) if isinstance(value, Scalar) else value
        return node.value

    def assign(self, node: Any, place: Any, value: Any) -> None:
        node.content = native(value)

    def snapshot(self, node: Any) -> Any:
        return [node.content]

    def restore(self, node: Any, content: Any) -> None:
        node.content = content[0]

    def nodes(self, node: Any) -> Iterator[Any]:
        if isinstance(node.content, Node):
            yield node.content

    def link_below(self, node: Any) -> None:
        """There are no models in it."""

    def adopt_document(self, document: Any, text: bytes) -> None:
        document.content = json.loads(text)


_RAW = _RawKind()


class RawDocument(Document):
    """A document as it is stored: ``value`` is a live dict, list or scalar.

    Used for keys without a model, and to look at and repair documents that fail their model's
    validation.
    """

    __rapyer_node__: ClassVar[DocumentKind] = _RAW

    def __init__(self, key: str, value: Any = None, client: AsyncClient | None = None) -> None:
        self.__rapyer_state__ = None
        self.key = key
        self.own_client = client
        self.content = native(value)

    @classmethod
    async def get(cls, key: str, client: AsyncClient | None = None) -> Self:
        """The document at ``key``. Sends one EVALSHA (JSON.GET).

        Raises :class:`~rapyer.errors.KeyNotFound`, and :class:`~rapyer.errors.WrongTypeError` for a key
        of another Redis type.
        """
        document = cls(key, client=client)
        await document.load()
        return document

    @property
    def value(self) -> Any:
        """The live content."""
        made = self.content = live(self.content, self, None)
        return made

    def to_json(self) -> bytes:
        """The local content as JSON text."""
        return _SPEC.to_json(self.content)

    async def load(self) -> Self:
        """Read the stored content again. Sends one EVALSHA (JSON.GET)."""
        await perform(DocumentLoaded(self))
        return self

    async def save(self, *, nx: bool = False, xx: bool = False) -> Self:
        """Write the whole document; conditions as in ``AtomicRedisModel.save``. Sends one EVALSHA."""
        mode = b"nx" if nx else b"xx" if xx else b""
        await perform(DocumentSaved(self, self.to_json(), {}, mode, b""))
        return self

    async def delete(self) -> bool:
        """Delete the document; whether it was there. Sends DEL."""
        if current_batch() is None:
            return bool(await session_of(self).execute(b"DEL", self.key, write=True))
        return await perform(DocumentDropped(self))  # type: ignore[no-any-return]

    async def set_ttl(self, seconds: float | None) -> None:
        """Let the document expire in ``seconds``, or never (None). Sends one EVALSHA."""
        await set_ttl(self, seconds)

    asave, aload, adelete, aset_ttl, aget = save, load, delete, set_ttl, get
