"""Inserting many new documents, in bounded chunks: each with its TTL in one step, or not at all."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from rapyer import connections, errors, links
from rapyer.base import AtomicRedisModel
from rapyer.batch import current_batch
from rapyer.config import ttl_of
from rapyer.errors import (
    BulkError,
    InvalidValueError,
    KeyExistsError,
    RapyerError,
    WrongModelError,
)
from rapyer.fetching import CHUNK, as_sent, session_of_model, slot_groups
from rapyer.fields import RapyerKey
from rapyer.keys import check_key_unchanged
from rapyer.numbers import is_fragile
from rapyer.storage import written

if TYPE_CHECKING:
    from rapyer.connections import Session

_MAX_BYTES = 4 * 1024 * 1024
"""How much text a chunk holds, unless a single document is longer."""

_NAMED = 5
_SOURCE = (files("rapyer") / "scripts" / "insert.lua").read_text(encoding="utf-8")
_SHA = hashlib.sha1(_SOURCE.encode(), usedforsecurity=False).hexdigest()


class _New(NamedTuple):
    model: AtomicRedisModel
    key: str
    text: bytes


class _Report:
    """What became of each document."""

    def __init__(self) -> None:
        self.written: list[RapyerKey] = []
        self.failures: dict[str, Exception] = {}
        self.lost: errors.ConnectionError | None = None

    def done(self, new: _New) -> None:
        written(new.model, new.text)
        self.written.append(RapyerKey(new.key))

    def taken(self, new: _New) -> None:
        self.failures[new.key] = KeyExistsError(f"{new.key} exists already")

    def refused(self, new: _New, reason: Any) -> None:
        text = reason.decode() if isinstance(reason, bytes) else str(reason)
        if "wrong Redis type" in text:
            self.taken(new)
        else:
            self.failures[new.key] = InvalidValueError(f"{new.key}: the server refused it: {text}")

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


async def insert(*models: AtomicRedisModel) -> list[RapyerKey]:
    """Store new documents, each through its own model's client, and return their keys.

    Nothing that exists is overwritten. All that can be inserted is; then
    :class:`~rapyer.errors.BulkError` is raised when something was not: ``failures`` maps the keys of
    exactly those documents to :class:`~rapyer.errors.KeyExistsError`,
    :class:`~rapyer.errors.InvalidValueError`, or :class:`~rapyer.errors.ConnectionError` once the
    connection was lost (``OutcomeUnknownError`` for those that were under way). Two models with one key are refused before anything is sent (``KeyExistsError``). Inside a
    pipeline the documents are queued with everything else.

    Sends JSON.SET NX for each document, 200 at a time; where there is a TTL one EVALSHA for 200.
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
    return report.written


def _keys_of_fit(models: Sequence[Any]) -> list[str]:
    """The keys of ``models``, all of which can be inserted."""
    keys: dict[str, None] = {}
    for model in models:
        if not isinstance(model, AtomicRedisModel):
            raise WrongModelError(f"insert takes models, not {model!r}")
        if links.parent_of(model) is not None:
            raise InvalidValueError(
                f"{model.key} holds this {type(model).__name__}: only whole documents are inserted"
            )
        check_key_unchanged(model)
        ttl_of(type(model).Meta, type(model).__name__)
        key = model.__rapyer_key__()
        if key in keys:
            raise KeyExistsError(f"{key} is to be inserted twice; nothing was sent")
        keys[key] = None
    return list(keys)


def _chunks(
    models: Sequence[AtomicRedisModel], keys: Sequence[str], report: _Report
) -> Iterator[list[_New]]:
    """The documents in chunks of one model class and bounded size; those without a JSON form fail."""
    chunk: list[_New] = []
    size = 0
    for model, key in zip(models, keys, strict=True):
        try:
            new = _New(model, key, model.__rapyer_text__())
        except RapyerError as error:
            report.failures[key] = error
            continue
        full = len(chunk) == CHUNK or size + len(new.text) > _MAX_BYTES
        if chunk and (full or type(chunk[0].model) is not type(model)):
            yield chunk
            chunk, size = [], 0
        chunk.append(new)
        size += len(new.text)
    if chunk:
        yield chunk


async def _send(chunk: list[_New], report: _Report) -> None:
    if report.lost is not None:
        for new in chunk:
            report.failures[new.key] = errors.ConnectionError(
                f"{new.key} was not sent: {report.lost}"
            )
        return
    session = session_of_model(type(chunk[0].model))
    ttl = ttl_of(type(chunk[0].model).Meta, type(chunk[0].model).__name__)
    fragile = [new for new in chunk if is_fragile(new.text)]
    exact = [new for new in chunk if new not in fragile] if fragile else chunk
    try:
        if ttl is None:
            await _send_plain(session, exact, report)
        else:
            await _send_expiring(session, exact, ttl, report)
        for new in fragile:
            await _send_carefully(new, report)
    except errors.ConnectionError as error:
        report.lost = error
        unknown = error
        if session.is_cluster and not isinstance(error, errors.OutcomeUnknownError):
            unknown = errors.OutcomeUnknownError(
                f"some nodes of the cluster may have done it: {error}"
            )
        settled = {*report.written, *report.failures}
        report.failures.update({new.key: unknown for new in chunk if new.key not in settled})


async def _send_plain(session: Session, chunk: list[_New], report: _Report) -> None:
    commands = [(b"JSON.SET", as_sent(new.key), b"$", new.text, b"NX") for new in chunk]
    replies = await session.execute_many(commands, write=True)
    for new, reply in zip(chunk, replies, strict=True):
        if isinstance(reply, Exception):
            report.refused(new, reply)
        elif reply is None:
            report.taken(new)
        else:
            report.done(new)


async def _send_expiring(session: Session, chunk: list[_New], ttl: int, report: _Report) -> None:
    async def send(group: list[_New]) -> None:
        texts = [new.text for new in group]
        keys = [as_sent(new.key) for new in group]
        try:
            replies = await session.evalsha(_SHA, _SOURCE, keys, [b"%d" % ttl, *texts])
        except connections.ResponseError as error:
            replies = [str(error)] * len(group)
        for new, reply in zip(group, replies, strict=True):
            if reply == 1:
                report.done(new)
            elif reply == 0:
                report.taken(new)
            else:
                report.refused(new, reply)

    groups = slot_groups(session, [new.key for new in chunk])
    outcomes = await asyncio.gather(
        *(send([chunk[at] for at in group]) for group in groups if group), return_exceptions=True
    )
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


async def _send_carefully(new: _New, report: _Report) -> None:
    """Numbers that the server would misread take the way of a single save."""
    try:
        await new.model.save(nx=True)
    except KeyExistsError:
        report.taken(new)
    except errors.ConnectionError:
        raise
    except (RapyerError, connections.ResponseError) as error:
        report.failures[new.key] = error
    else:
        report.done(new)
