"""RawDocument: a stored document without a model, its values typed by the JSON found in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Self

from rapyer.batch.batch import current_batch, perform
from rapyer.batch.change import ComposedChange
from rapyer.batch.commit import session_of
from rapyer.config import AsyncClient, RedisConfig, client_of
from rapyer.errors import DetachedError, InvalidValueError
from rapyer.paths import Path
from rapyer.schema.spec import ValueSpec, any_spec
from rapyer.script.call import Primitive
from rapyer.state.links import PARENT, Document
from rapyer.state.wrapping import live, native
from rapyer.types.loading import read_text
from rapyer.types.scalars import Scalar

_SPEC = any_spec()


class RawDocument(Document):
    """A document as it is stored: ``value`` is a live dict, list or scalar.

    Used for keys without a model, and to look at and repair documents that fail their model's
    validation.
    """

    def __init__(self, key: str, value: Any = None, client: AsyncClient | None = None) -> None:
        object.__setattr__(self, PARENT, None)
        self.key = key
        self._client = client
        self._value = native(value)

    @classmethod
    async def get(cls, key: str, client: AsyncClient | None = None) -> Self:
        """The document at ``key``. Sends JSON.GET.

        Raises :class:`~rapyer.errors.KeyNotFound`, and :class:`~rapyer.errors.WrongTypeError` for a key
        of another Redis type.
        """
        document = cls(key, client=client)
        await document.load()
        return document

    @property
    def value(self) -> Any:
        """The live content."""
        made = self._value = live(self._value, self, None)
        return made

    def __rapyer_key__(self) -> str:
        return self.key

    def __rapyer_client__(self) -> AsyncClient:
        return client_of(RedisConfig(redis=self._client), f"the document {self.key}")

    def __rapyer_segment__(self, child: Any) -> None:
        if self._value is not child and not isinstance(child, Scalar):
            raise DetachedError(f"the value is no longer the content of {self.key}")

    def __rapyer_holds__(self, place: Any, child: Any) -> bool:
        return self._value is child

    def __rapyer_child_spec__(self, place: Any) -> ValueSpec:
        return _SPEC

    def __rapyer_current__(self, child: Any) -> Any:
        return self._value

    def __rapyer_store__(self, child: Any, value: Any) -> Any:
        self._value = native(value) if isinstance(value, Scalar) else value
        return self.value

    def __rapyer_settle_scalar__(self, child: Any, value: Any, stamp: int) -> None:
        self.__rapyer_store__(child, value)

    def __rapyer_text__(self) -> bytes:
        return self.to_json()

    def __rapyer_snapshot__(self) -> Any:
        return self._value

    def __rapyer_restore__(self, snapshot: Any, names: set[str] | None = None) -> None:
        self._value = snapshot

    def to_json(self) -> bytes:
        """The local content as JSON text."""
        return _SPEC.to_json(self._value)

    async def load(self) -> Self:
        """Read the stored content again. Sends JSON.GET."""
        self._value = json.loads(await read_text(self, ()))
        return self

    async def save(self, *, nx: bool = False, xx: bool = False) -> Self:
        """Write the whole document; conditions as in ``AtomicRedisModel.save``. Sends one EVALSHA."""
        text = self.to_json()
        mode = b"nx" if nx else b"xx" if xx else b""

        def primitives(path: Path) -> list[Primitive]:
            return [Primitive("save", (), (text, mode, b""))]

        await perform(ComposedChange("save", self, None, primitives))
        return self

    async def delete(self) -> bool:
        """Delete the document; whether it was there. Sends DEL."""
        if current_batch() is None:
            return bool(await session_of(self).execute(b"DEL", self.key, write=True))

        def primitives(path: Path) -> Sequence[Primitive]:
            return [Primitive("drop", ())]

        change = ComposedChange(
            "delete", self, None, primitives, decode=lambda a: True, effect="destructive"
        )
        return await perform(change)  # type: ignore[no-any-return]

    async def set_ttl(self, seconds: float | None) -> None:
        """Let the document expire in ``seconds``, or never (None). Sends one EVALSHA."""
        await set_ttl(self, seconds)

    asave, aload, adelete, aset_ttl, aget = save, load, delete, set_ttl, get


async def set_ttl(document: Document, seconds: float | None) -> None:
    """Let ``document`` expire in ``seconds``, or never (None). Sends one EVALSHA (PEXPIRE, PERSIST)."""
    if seconds is not None and seconds <= 0:
        raise InvalidValueError(f"a time to live must be positive, not {seconds}")
    text = b"-1" if seconds is None else b"%d" % int(seconds * 1000)

    def primitives(path: Path) -> list[Primitive]:
        return [Primitive("expire", (), (text,))]

    await perform(ComposedChange("set_ttl", document, None, primitives))
