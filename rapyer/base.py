"""AtomicRedisModel: Pydantic models that are stored as Redis JSON documents."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast, dataclass_transform

import redis.exceptions
from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, PrivateAttr
from pydantic._internal._model_construction import build_lenient_weakvaluedict
from pydantic._internal._typing_extra import parent_frame_namespace
from pydantic_core import CoreSchema

from rapyer import baseline, jsontree, links, registry
from rapyer.baseline import BASELINE, SYNCED
from rapyer.batch import Pipeline, current_batch, perform, pipeline
from rapyer.binding import copy_natively
from rapyer.changes import Change
from rapyer.collection import Collection
from rapyer.committing import session_of
from rapyer.config import AsyncClient, RedisConfig, as_config, client_of, refresh_of
from rapyer.connections import Session
from rapyer.documents import FAILED, PK, load_document
from rapyer.errors import (
    ConfigurationError,
    ConflictError,
    InvalidValueError,
    KeyExistsError,
    KeyNotFound,
    WrongModelError,
    WrongTypeError,
)
from rapyer.fields import KeyMark, RapyerKey, has_mark
from rapyer.live import SLOTS, adopted, building_class, install_fields
from rapyer.locks import DEFAULT_EXPIRY, Lock, lock_key
from rapyer.nested import Embedded
from rapyer.numbers import is_fragile
from rapyer.paths import Path
from rapyer.raw import set_ttl as set_document_ttl
from rapyer.schema import model_spec
from rapyer.script import Primitive
from rapyer.storable import check_storable
from rapyer.stored import map_schemas, nullable_by_default

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
        return cls


_ALL_SLOTS = (*SLOTS, PK, BASELINE, SYNCED, FAILED)


class AtomicRedisModel(Collection, Embedded, links.Document, BaseModel, metaclass=ModelMeta):
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
        marked = [
            name for name, field in cls.__pydantic_fields__.items() if has_mark(field, KeyMark)
        ]
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
                return {**schema, "schema": nullable_by_default(schema["schema"])}
            if schema["type"] in ("model", "model-fields") or schema["type"].startswith(
                "function-"
            ):
                return map_schemas(schema, accept_none)
            return schema

        schema = cast(dict[str, Any], handler(source))
        return cast(CoreSchema, accept_none(schema))

    @classmethod
    def class_key_initials(cls) -> str:
        """What the keys of this model begin with, before the colon; the class name unless overridden."""
        return cls.__name__

    # -- identity --------------------------------------------------------------------------------

    @property
    def pk(self) -> str:
        """What identifies the document: the ``Key`` field's value as text, or a uuid4."""
        return _pk_of(self)

    @property
    def key(self) -> RapyerKey:
        """The Redis key: ``ClassName:pk``; that of the outer document for a nested model."""
        return RapyerKey(links.locate(self)[0].__rapyer_key__())

    @property
    def failed_fields(self) -> tuple[str, ...]:
        """The ``SafeLoad`` fields whose stored value failed validation when this was loaded."""
        return getattr(self, FAILED, None) or ()

    def __rapyer_key__(self) -> str:
        return f"{type(self).class_key_initials()}:{_pk_of(self)}"

    def __rapyer_client__(self) -> AsyncClient:
        return client_of(type(self).Meta, type(self).__name__)

    def __rapyer_refuse_key_change__(
        self, verb: str, path: Path, texts: Mapping[str, bytes] | None
    ) -> None:
        field = type(self).__rapyer_key_field__
        if field is None:
            return
        stored = getattr(self, PK, None)
        if texts is not None and not path and field in texts:
            if stored is not None and stored != _key_text(texts[field]):
                raise _key_change(self, stored, _key_text(texts[field]))
        elif path[:1] == (field,) and not (verb == "save" and stored in (None, _pk_of(self))):
            raise _key_change(self, stored or _pk_of(self), "another value")

    def __rapyer_refresh__(self) -> int | None:
        return refresh_of(type(self).Meta)

    def __rapyer_native_copy__(self) -> Any:
        copy = copy_natively(self)
        object.__setattr__(copy, PK, getattr(self, PK, None))
        return copy

    # -- attributes ------------------------------------------------------------------------------

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name not in _ALL_SLOTS:
                return super().__getattr__(name)
            object.__setattr__(self, name, None)  # the slot is asked directly from now on
            return None

        def __setattr__(self, name: str, value: Any) -> None:
            cls = type(self)
            if name in cls.__pydantic_fields__:
                self.__rapyer_assign__(name, value)
            elif (
                self.__pydantic_extra__ is not None
                and current_batch() is not None
                and not hasattr(cls, name)
                and not name.startswith("_")
            ):
                self.__rapyer_assign_extra__(name, value)
            else:
                if self.__pydantic_extra__ is not None and not name.startswith("_"):
                    baseline.capture(self)
                super().__setattr__(name, value)

        def __delattr__(self, name: str) -> None:
            self.__rapyer_refuse_delattr__(name)
            super().__delattr__(name)

    # -- copies ----------------------------------------------------------------------------------

    def __copy__(self) -> Self:
        copy = super().__copy__()
        object.__setattr__(copy, PK, getattr(self, PK, None))
        return copy

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        copy = super().__deepcopy__(memo)
        object.__setattr__(copy, PK, getattr(self, PK, None))
        return copy

    def __getstate__(self) -> dict[Any, Any]:
        return {**super().__getstate__(), PK: getattr(self, PK, None)}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        state = dict(state)
        object.__setattr__(self, PK, state.pop(PK, None))
        super().__setstate__(state)

    # -- storing ---------------------------------------------------------------------------------

    async def save(self, *, nx: bool = False, xx: bool = False) -> Self:
        """Write the whole document and set its TTL, in one atomic step; a nested model writes its place.

        ``nx`` only creates (:class:`~rapyer.errors.KeyExistsError` when the key is there), ``xx`` only
        replaces (:class:`~rapyer.errors.KeyNotFound`). Raises
        :class:`~rapyer.errors.InvalidValueError` for values that JSON cannot hold. Sends JSON.SET, or
        one EVALSHA where there is a TTL or a condition.
        """
        if nx and xx:
            raise InvalidValueError("save(nx=True, xx=True) can never write anything")
        if links.parent_of(self) is not None:
            await self.__rapyer_save_inner__()
            return self
        self.__rapyer_link_children__()
        text = self.__rapyer_text__()
        _check_key_unchanged(self)
        ttl = type(self).Meta.ttl
        if current_batch() is None and ttl is None and not nx and not xx and not is_fragile(text):
            key = self.__rapyer_key__()
            try:
                await session_of(self).execute(b"JSON.SET", key, b"$", text, write=True)
            except redis.exceptions.ResponseError as error:
                raise _write_refused(key, error) from error
            _written(self, text)
            return self
        mode = b"nx" if nx else b"xx" if xx else b""
        milliseconds = b"" if ttl is None else b"%d" % (ttl * 1000)

        def primitives(path: Path) -> list[Primitive]:
            return [Primitive("save", (), (text, mode, milliseconds))]

        def settle(answers: Sequence[Any], stamp: int) -> None:
            _written(self, text)

        await perform(Change("save", self, None, primitives, lambda: None, settle=settle))
        return self

    async def save_changes(self) -> Self:
        """Write only the fields that differ from what was last read or written, in one atomic step.

        A stale copy thus does not undo what others did to the other fields. The whole document is saved
        when this instance was never read or written. Sends one EVALSHA (JSON.SET for each field).
        """
        if links.parent_of(self) is not None:
            return await self.save()
        _check_key_unchanged(self)
        text = self.__rapyer_text__()
        now = json.loads(text)
        before = baseline.tree(self, now)
        if before is None:
            return await self.save()
        changed = baseline.differing(before, now)
        if not changed:
            return self
        texts = {name: jsontree.dumps(now[name]) for name in now if name in changed}
        gone = [name for name in before if name in changed and name not in now]

        def primitives(path: Path) -> list[Primitive]:
            return [
                *(Primitive("set", (name,), (value, b"")) for name, value in texts.items()),
                *(
                    Primitive("remove", (name,))
                    for name in gone
                    if name in type(self).__pydantic_fields__
                ),
            ]

        await perform(Change("save_changes", self, None, primitives, lambda: None, texts=texts))
        return self

    def __rapyer_catch_up__(self, text: bytes) -> None:
        key = self.__rapyer_key__()
        local = json.loads(self.__rapyer_text__())
        before = baseline.tree(self, local)
        if before is None or not text:
            return
        stored = json.loads(text)
        theirs, ours = baseline.differing(before, stored), baseline.differing(before, local)
        clashes = sorted(theirs & ours & baseline.differing(local, stored))
        if clashes:
            raise ConflictError(
                f"{key}: {', '.join(clashes)} was changed here and by somebody else"
            )
        if theirs:
            fresh = load_document(type(self), key, text)
            for name in theirs - ours:
                if name in fresh.__dict__:
                    self.__dict__[name] = adopted(self.__dict__.get(name), fresh.__dict__[name])
        baseline.remember(self, text)

    async def load(self) -> Self:
        """Read the stored document (a nested model: its place) into this instance, in place.

        Raises :class:`~rapyer.errors.KeyNotFound` and :class:`~rapyer.errors.DocumentError`. Sends
        JSON.GET.
        """
        if links.parent_of(self) is not None:
            from rapyer.reading import load_value

            return await load_value(self)  # type: ignore[no-any-return]
        key = self.__rapyer_key__()
        if current_batch() is not None:

            def primitives(path: Path) -> list[Primitive]:
                return [Primitive("read", (), (b"strict",))]

            def settle(answers: Sequence[Any], stamp: int) -> None:
                _take_over(self, load_document(type(self), key, answers[0]))

            await perform(
                Change("load", self, None, primitives, lambda: None, settle=settle, effect="read")
            )
            return self
        _take_over(self, await type(self)._read(key))
        return self

    @classmethod
    async def get(cls, key: str) -> Self:
        """The document with this key (``User:42``) or pk (``42``).

        Raises :class:`~rapyer.errors.KeyNotFound` when it is not there,
        :class:`~rapyer.errors.WrongModelError` for a key of another model,
        :class:`~rapyer.errors.DocumentError` when it does not validate. Sends JSON.GET.
        """
        return await cls._read(cls._own_key(key))

    @classmethod
    async def aget(cls, key: str) -> Self:
        """The same as :meth:`get`."""
        return await cls.get(key)

    @classmethod
    def _own_key(cls, key: str) -> str:
        """``key`` as a key of this model: as it is, or completed from a pk."""
        prefix = cls.class_key_initials() + ":"
        if key.startswith(prefix):
            return str(key)
        others = [m for m in registry.models() if key.startswith(m.class_key_initials() + ":")]
        if isinstance(key, RapyerKey) or others:
            raise WrongModelError(
                f"{key!r} is not a key of {cls.__name__}: those begin with {prefix!r}"
            )
        return prefix + key

    @classmethod
    def _session(cls) -> Session:
        return Session.of(client_of(cls.Meta, cls.__name__))

    @classmethod
    async def _read(cls, key: str) -> Self:
        session = cls._session()
        refresh = refresh_of(cls.Meta)
        try:
            if refresh is not None:
                commands = [(b"JSON.GET", key), (b"PEXPIRE", key, refresh)]
                text = (await session.execute_many(commands, write=False))[0]
                if isinstance(text, Exception):
                    raise text
            else:
                text = await session.execute(b"JSON.GET", key, write=False)
        except redis.exceptions.ResponseError as error:
            raise _write_refused(key, error) from error
        if text is None:
            raise KeyNotFound(f"{key} does not exist", key=key)
        return load_document(cls, key, text)

    async def delete(self) -> bool:
        """Delete the document; whether it was there. Sends DEL. Not for nested models."""
        if links.parent_of(self) is not None:
            raise InvalidValueError(
                "a nested model is not deleted by itself; change its document instead"
            )
        if current_batch() is not None:

            def primitives(path: Path) -> list[Primitive]:
                return [Primitive("drop", ())]

            change = Change(
                "delete", self, None, primitives, lambda: None, lambda a: True, effect="destructive"
            )
            return await perform(change)  # type: ignore[no-any-return]
        reply = await session_of(self).execute(b"DEL", self.__rapyer_key__(), write=True)
        return bool(reply)

    @classmethod
    async def delete_by_key(cls, key: str) -> bool:
        """Delete the document with this key or pk; whether it was there. Sends DEL.

        Raises :class:`~rapyer.errors.WrongModelError` for a key of another model.
        """
        return bool(await cls._session().execute(b"DEL", cls._own_key(key), write=True))

    @classmethod
    async def adelete_by_key(cls, key: str) -> bool:
        """The same as :meth:`delete_by_key`."""
        return await cls.delete_by_key(key)

    async def duplicate(self, **changes: Any) -> Self:
        """Save a copy under a new pk, with ``changes`` to its fields, and return it.

        A model with a ``Key`` field needs a new value for it; KeyExistsError when that is taken.
        """
        (copy,) = await self.duplicate_many(1, **changes)
        return copy

    async def duplicate_many(self, count: int, **changes: Any) -> list[Self]:
        """Save ``count`` copies under new pks and return them. Sends one EVALSHA for each."""
        key_field = type(self).__rapyer_key_field__
        if key_field is not None and (key_field not in changes or count > 1):
            raise KeyExistsError(
                f"{self.__rapyer_key__()}: a copy needs its own {key_field}: duplicate({key_field}=…)"
            )
        copies = []
        for _ in range(count):
            copy = copy_natively(self)
            for name, value in changes.items():
                setattr(copy, name, value)
            copies.append(copy)
        for copy in copies:
            await copy.save(nx=True)
        return copies

    async def set_ttl(self, seconds: float | None) -> None:
        """Let the document expire in ``seconds``, or never (None). Sends one EVALSHA (PEXPIRE, PERSIST).

        Raises :class:`~rapyer.errors.KeyNotFound` when it is not there.
        """
        await set_document_ttl(links.locate(self)[0], seconds)

    def pipeline(self, *, watch: bool = False) -> Pipeline:
        """Collect the changes made in an ``async with`` block and apply all of them, or none.

        See :func:`rapyer.pipeline`.
        """
        return pipeline(links.locate(self)[0], watch=watch)

    def lock(
        self, *, timeout: float | None = None, expiry: float = DEFAULT_EXPIRY
    ) -> AbstractAsyncContextManager[Lock]:
        """Hold the document's lock for the length of an ``async with`` block.

        ``timeout`` seconds are waited for it (None: as long as it takes), it ends by itself ``expiry``
        seconds after its holder died. Raises :class:`~rapyer.errors.LockError`.
        """
        document, _ = links.locate(self)
        return lock_key(
            session_of(document), document.__rapyer_key__(), timeout=timeout, expiry=expiry
        )

    @classmethod
    def lock_from_key(
        cls, key: str, *, timeout: float | None = None, expiry: float = DEFAULT_EXPIRY
    ) -> AbstractAsyncContextManager[Lock]:
        """Like :meth:`lock`, for the document with this key or pk, which need not exist."""
        return lock_key(cls._session(), cls._own_key(key), timeout=timeout, expiry=expiry)

    @classmethod
    def alock_from_key(
        cls, key: str, *, timeout: float | None = None, expiry: float = DEFAULT_EXPIRY
    ) -> AbstractAsyncContextManager[Lock]:
        """The same as :meth:`lock_from_key`."""
        return cls.lock_from_key(key, timeout=timeout, expiry=expiry)

    alock = lock
    asave = save
    asave_changes = save_changes
    aload = load
    adelete = delete
    aduplicate = duplicate
    aduplicate_many = duplicate_many
    aset_ttl = set_ttl
    apipeline = pipeline


def _pk_of(model: AtomicRedisModel) -> str:
    field = type(model).__rapyer_key_field__
    if field is not None:
        value = model.__dict__[field]
        if value is None:
            raise InvalidValueError(
                f"{type(model).__name__}.{field} is the document's key and must not be None"
            )
        if type(value) is str or (isinstance(value, str) and not hasattr(value, "value")):
            return str(value)
        return _key_text(model_spec(type(model)).field(field).to_json(value))
    pk = getattr(model, PK, None)
    if pk is None:
        pk = str(uuid.uuid4())
        object.__setattr__(model, PK, pk)
    return cast(str, pk)


def _key_text(text: bytes) -> str:
    """The pk that a ``Key`` field with the stored form ``text`` gives."""
    written = json.loads(text)
    return written if isinstance(written, str) else text.decode()


def _key_change(model: AtomicRedisModel, stored: str, new: str) -> InvalidValueError:
    name = f"{type(model).class_key_initials()}:{stored}"
    return InvalidValueError(
        f"the key field of {name} cannot become {new!r}: that would leave the old document behind; use "
        "duplicate() for a copy, or delete the old document and save a new one"
    )


def _written(model: AtomicRedisModel, text: bytes) -> None:
    baseline.remember(model, text)
    if type(model).__rapyer_key_field__ is not None:
        object.__setattr__(model, PK, _pk_of(model))


def _check_key_unchanged(model: AtomicRedisModel) -> None:
    if type(model).__rapyer_key_field__ is None:
        return
    stored = getattr(model, PK, None)
    if stored is not None and stored != _pk_of(model):
        raise _key_change(model, stored, _pk_of(model))


def _take_over(model: AtomicRedisModel, fresh: AtomicRedisModel) -> None:
    model.__rapyer_adopt__(fresh)
    for name in (PK, BASELINE, SYNCED, FAILED):
        object.__setattr__(model, name, getattr(fresh, name, None))


def _write_refused(key: str, error: redis.exceptions.ResponseError) -> Exception:
    if "wrong Redis type" in str(error) or "WRONGTYPE" in str(error):
        return WrongTypeError(f"{key} is not a JSON document but another Redis type")
    return InvalidValueError(f"{key}: the server refused the document: {error}")
