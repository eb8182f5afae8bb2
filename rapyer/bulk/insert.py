"""Inserting many new documents, in bounded chunks: each with its TTL in one step, or not at all."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from pydantic import ValidationError

from rapyer import connections, errors
from rapyer.batch.batch import current_batch
from rapyer.config import ttl_of
from rapyer.errors import (
    BulkError,
    InvalidValueError,
    KeyExistsError,
    MissingModuleError,
    RapyerError,
    WrongModelError,
)
from rapyer.fields import RapyerKey
from rapyer.keyspace import registry
from rapyer.keyspace.keys import own_key
from rapyer.keyspace.not_json import is_not_json
from rapyer.keyspace.scan import session_of_model
from rapyer.keyspace.spelling import as_sent
from rapyer.keyspace.texts import CHUNK, slot_groups
from rapyer.models.keys import check_key_unchanged, pk_of
from rapyer.models.loading import safe_fields, with_unread
from rapyer.models.readable import refuse_unreadable
from rapyer.models.storage import Storage
from rapyer.models.whole import noted_places, saved
from rapyer.paths import Path
from rapyer.schema.numbers import as_read_exactly, is_fragile
from rapyer.schema.of_models import model_spec
from rapyer.state.document import DocumentState, document_state
from rapyer.state.known import Noted
from rapyer.state.node import STATE, document_key, locate, set_state

if TYPE_CHECKING:
    from rapyer.connections import Session

_MAX_BYTES = 128 * 1024
"""How much text a chunk holds, unless a single document is longer.

What fits into a socket's buffer is on its way at once, so that the server works on it while the next chunk
is written out; and it keeps the server from others for no more than a millisecond or two.
"""

_NAMED = 5
_SOURCE = (files("rapyer") / "script" / "lua" / "insert.lua").read_text(encoding="utf-8")
_SHA = hashlib.sha1(_SOURCE.encode(), usedforsecurity=False).hexdigest()


class _New(NamedTuple):
    model: Storage
    key: str
    text: bytes


class _Chunk:
    """Documents of one class that are sent together, in columns: fewer objects where there are many."""

    def __init__(self, cls: type[Storage]) -> None:
        self.cls = cls
        self.models: list[Storage] = []
        self.keys: list[str] = []
        self.texts: list[bytes] = []
        self.places: list[dict[Path, Noted]] = []
        self.fragile: list[_New] = []

    def __len__(self) -> int:
        return len(self.keys) + len(self.fragile)


class _Report:
    """What became of each document."""

    def __init__(self) -> None:
        self.written: set[str] = set()
        self.failures: dict[str, Exception] = {}
        self.lost: errors.ConnectionError | None = None

    def settle(self, chunk: _Chunk, positions: Sequence[int], answers: Sequence[Any]) -> None:
        """Take down the script's ``answers`` for the documents at ``positions``."""
        for at, answer in zip(positions, answers, strict=True):
            key = chunk.keys[at]
            if answer == 1:
                saved(chunk.models[at], chunk.places[at])
                self.written.add(key)
            elif answer == 0:
                self.taken(key)
            else:
                self.refused(key, answer)

    def taken(self, key: str) -> None:
        self.failures[key] = KeyExistsError(f"{key} exists already")

    def refused(self, key: str, reason: Any) -> None:
        text = reason.decode() if isinstance(reason, bytes) else str(reason)
        text = text.removeprefix("ERR ")
        if is_not_json(text):
            self.taken(key)
        else:
            self.failures[key] = connections.server_error(text, key) or InvalidValueError(
                f"{key}: the server refused it: {text}"
            )

    def raise_failures(self) -> None:
        if not self.failures:
            return
        named = ", ".join(list(self.failures)[:_NAMED])
        more = f" and {len(self.failures) - _NAMED} more" if len(self.failures) > _NAMED else ""
        first = next(iter(self.failures.values()))
        raise BulkError(
            f"{len(self.written)} documents were inserted, {len(self.failures)} were not "
            f"({named}{more}): {first}",
            failures=self.failures,
        ) from first


async def insert(*models: Storage) -> list[RapyerKey]:
    """Store new documents, each through its own model's client, and return their keys.

    Nothing that exists is overwritten. All that can be inserted is; then
    :class:`~rapyer.errors.BulkError` is raised when something was not: ``failures`` maps the keys of
    exactly those documents to :class:`~rapyer.errors.KeyExistsError`,
    :class:`~rapyer.errors.InvalidValueError`, or :class:`~rapyer.errors.ConnectionError` once the
    connection was lost (``OutcomeUnknownError`` for those that were under way). Two models with one key
    are refused before anything is sent (``KeyExistsError``). Inside a pipeline the documents are queued
    with everything else.

    Sends one EVALSHA for up to 200 documents (JSON.SET NX, PEXPIRE where there is a TTL). In a cluster
    without a TTL, and where the user may not run a script or not use one of the keys: a command for each.
    """
    keys = _keys_of_fit(models)
    if current_batch() is not None:
        for model in models:
            await model.save(nx=True)
        return list(map(RapyerKey, keys))
    report, task = _Report(), None
    try:
        for chunk in _chunks(models, keys, report):
            if task is not None:
                await task
            task = asyncio.create_task(_send(chunk, report))
            await asyncio.sleep(0)  # it is sent now, while the next chunk is written out
        if task is not None:
            await task
    except BaseException:
        if task is not None:
            task.cancel()
        raise
    report.raise_failures()
    return list(map(RapyerKey, keys))


def _keys_of_fit(models: Sequence[Any]) -> list[str]:
    """The keys of ``models``, all of which can be inserted."""
    keys: dict[str, None] = {}
    known: dict[type, tuple[str, tuple[str, ...], Any]] = {}
    for model in models:
        cls = type(model)
        if cls not in known:
            if not isinstance(model, Storage):
                raise WrongModelError(f"insert takes models, not {model!r}")
            ttl_of(cls.Meta, cls.__name__)
            prefix = registry.prefix_of(cls)
            known[cls] = (
                prefix,
                registry.longer_prefixes(prefix),
                getattr(cls, STATE).__get__,
            )
        prefix, longer, state_in = known[cls]
        try:
            state = state_in(model)
        except AttributeError:  # a new model; asking it by name costs as much as writing half of it
            state = DocumentState()
            set_state(model, STATE, state)
        if state is not None and state.parent is not None:
            raise InvalidValueError(
                f"{document_key(locate(model)[0])} holds this {cls.__name__}: only whole documents are inserted"
            )
        check_key_unchanged(model)
        key = prefix + pk_of(model)
        if key.startswith(longer):
            own_key(cls, pk_of(model))  # raises
        if key in keys:
            raise KeyExistsError(f"{key} is to be inserted twice; nothing was sent")
        keys[key] = None
    return list(keys)


def _chunks(models: Sequence[Storage], keys: Sequence[str], report: _Report) -> Iterator[_Chunk]:
    """The documents in chunks of one model class and bounded size; those without a JSON form fail."""
    chunk, size = _Chunk(Storage), 0
    to_json: Any = None
    may_fail = False
    for model, key in zip(models, keys, strict=True):
        cls = type(model)
        if chunk.cls is not cls:
            if size:
                yield chunk
            chunk, size = _Chunk(cls), 0
            to_json, may_fail = model_spec(cast(Any, cls)).to_checked_json, bool(safe_fields(cls))
        try:
            refuse_unreadable(model, document_state(model).known)
            text, fragile = to_json(model)
            if may_fail and cast(Any, model).failed_fields:
                text = with_unread(model, text)
                fragile = is_fragile(text)
        except (RapyerError, ValidationError) as error:
            report.failures[key] = error
            continue
        if len(chunk) == CHUNK or (size and size + len(text) > _MAX_BYTES):
            yield chunk
            chunk, size = _Chunk(cls), 0
        size += len(text)
        sent = text
        if fragile:
            sent, fragile = as_read_exactly(text)
        if fragile:
            chunk.fragile.append(_New(model, key, text))
            continue
        chunk.models.append(model)
        chunk.keys.append(key)
        chunk.texts.append(sent)
        chunk.places.append(noted_places(model, text, None))
    if size:
        yield chunk


async def _send(chunk: _Chunk, report: _Report) -> None:
    keys = [*chunk.keys, *(new.key for new in chunk.fragile)]
    if report.lost is not None:
        for key in keys:
            report.failures[key] = errors.ConnectionError(f"{key} was not sent: {report.lost}")
        return
    session = session_of_model(chunk.cls)
    try:
        if chunk.keys:
            await _send_exact(session, chunk, report)
        for new in chunk.fragile:
            await _send_carefully(new, report)
    except errors.ConnectionError as error:
        report.lost = error
        unknown = error
        if session.is_cluster and not isinstance(error, errors.OutcomeUnknownError):
            unknown = errors.OutcomeUnknownError(
                f"some nodes of the cluster may have done it: {error}"
            )
        settled = {*report.written, *report.failures}
        report.failures.update({key: unknown for key in keys if key not in settled})


async def _send_exact(session: Session, chunk: _Chunk, report: _Report) -> None:
    ttl = ttl_of(chunk.cls.Meta, chunk.cls.__name__)
    if session.is_cluster and ttl is None:  # hardly two keys are in one slot
        await _send_each(session, chunk, range(len(chunk.keys)), ttl, report)
        return
    groups = slot_groups(session, chunk.keys)
    if len(groups) == 1:  # in this task, which has to send before insert() goes on
        await _send_together(session, chunk, groups[0], ttl, report)
        return
    tasks = (_send_together(session, chunk, group, ttl, report) for group in groups)
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def _send_together(
    session: Session, chunk: _Chunk, positions: Sequence[int], ttl: int | None, report: _Report
) -> None:
    """With one command for all of the documents at ``positions``."""
    keys = [as_sent(chunk.keys[at]) for at in positions]
    texts = [chunk.texts[at] for at in positions]
    try:
        answers = await session.evalsha(_SHA, _SOURCE, keys, [_argument(ttl), *texts])
    except (
        connections.NoPermissionError
    ):  # nothing was executed, though it may be for one of the keys only
        await _send_each(session, chunk, positions, ttl, report)
        return
    except (connections.ResponseError, MissingModuleError) as error:
        answers = [str(error)] * len(keys)
    report.settle(chunk, positions, answers)
    for at in positions[:1]:
        if (failure := report.failures.get(chunk.keys[at])) is not None:
            await session.heed(failure)


async def _send_each(
    session: Session, chunk: _Chunk, positions: Sequence[int], ttl: int | None, report: _Report
) -> None:
    """With a command for each of the documents at ``positions``."""
    commands: list[tuple[bytes | str, ...]]
    documents = [(as_sent(chunk.keys[at]), chunk.texts[at]) for at in positions]
    if ttl is None:
        commands = [(b"JSON.SET", key, b"$", text, b"NX") for key, text in documents]
    else:
        life = _argument(ttl)
        commands = [(b"EVAL", _SOURCE, b"1", key, life, text) for key, text in documents]
    answers: list[Any] = []
    for reply in await session.execute_many(commands, write=True):
        if isinstance(reply, Exception):
            answers.append(str(reply))
        elif ttl is None:
            answers.append(0 if reply is None else 1)
        else:
            answers += reply
    report.settle(chunk, positions, answers)


def _argument(ttl: int | None) -> bytes:
    return b"" if ttl is None else b"%d" % ttl


async def _send_carefully(new: _New, report: _Report) -> None:
    """Numbers that the server would misread take the way of a single save."""
    try:
        await new.model.save(nx=True)
    except KeyExistsError:
        report.taken(new.key)
    except errors.ConnectionError:
        raise
    except (RapyerError, connections.ResponseError) as error:
        report.failures[new.key] = error
    else:
        report.written.add(new.key)
