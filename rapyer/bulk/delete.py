"""Deleting many documents: by key in bounded chunks, by expression only what still matches."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

from rapyer import errors
from rapyer.base import AtomicRedisModel
from rapyer.batch.batch import current_batch
from rapyer.errors import BulkError, RapyerError, WrongModelError
from rapyer.expressions.expression import Expression
from rapyer.keyspace import registry
from rapyer.keyspace.texts import Entry, as_sent, session_of_model, slot_groups
from rapyer.search.find import Condition, Find, Found, Problems, find_in

if TYPE_CHECKING:
    from rapyer.connections import Session

Deletable: TypeAlias = "Condition | AtomicRedisModel"

_ATTEMPTS = 100
"""How often a document that others keep changing is read again before that is an error."""

_SOURCE = (files("rapyer") / "script" / "lua" / "delete.lua").read_text(encoding="utf-8")
_SHA = hashlib.sha1(_SOURCE.encode(), usedforsecurity=False).hexdigest()


async def delete_many(*conditions: Deletable) -> int:
    """Delete documents of whatever models: those of keys and model instances, those that match expressions.

    Each model is asked through its own client. See :func:`delete_in` for what is returned, raised and
    sent; also raises :class:`~rapyer.errors.WrongModelError` or
    :class:`~rapyer.errors.AmbiguousModelError` for a key that belongs to no model or to more than one.
    """
    keys: dict[type[AtomicRedisModel], list[Deletable]] = {}
    for condition in conditions:
        if isinstance(condition, str):
            keys.setdefault(registry.of_key(condition), []).append(condition)
        elif isinstance(condition, AtomicRedisModel):
            keys.setdefault(type(condition), []).append(condition)
    expressions = [condition for condition in conditions if isinstance(condition, Expression)]
    if expressions and keys:
        raise WrongModelError("delete either by keys or by expressions, or call Model.delete_many")
    if expressions:
        owners = {owner for expression in expressions for owner in expression.models()}
        if len(owners) != 1:
            names = ", ".join(sorted(owner.__name__ for owner in owners)) or "none"
            raise WrongModelError(f"the expressions must be about one model, not {names}")
        return await delete_in(cast("type[AtomicRedisModel]", owners.pop()), *expressions)
    _refuse_others(conditions)
    progress = _Progress()
    for model, wanted in keys.items():
        await _delete_keys(_entries(model, wanted), progress)
    return progress.result()


async def delete_in(model: type[AtomicRedisModel], *conditions: Deletable) -> int:
    """Delete documents of one model; how many were deleted.

    By keys, pks and instances: those that are there. By expressions: those that match all of them, and
    still do when they are deleted; one that somebody changes meanwhile is read again. With both: those of
    the keys that match. Nothing without conditions.

    Raises :class:`~rapyer.errors.WrongModelError` for a key of another model, before anything is sent;
    :class:`~rapyer.errors.BulkError` when something failed: ``failures`` maps the keys of what was not
    (or, after ``OutcomeUnknownError``, not surely) deleted to the errors. Documents that fail validation
    match no expression and are reported so.

    Sends UNLINK with at most ``Meta.max_delete_per_transaction`` keys; for expressions what finding
    sends and one EVALSHA for as many documents.
    """
    _refuse_others(conditions)
    expressions = tuple(c for c in conditions if isinstance(c, Expression))
    entries = _entries(model, [c for c in conditions if not isinstance(c, Expression)])
    progress = _Progress()
    if not expressions:
        await _delete_keys(entries, progress)
        return progress.result()
    search = find_in(model, (*(key for _, key in entries), *expressions), missing_ok=True)
    await _delete_found(search, progress)
    return progress.result()


def _refuse_others(conditions: Sequence[Any]) -> None:
    for condition in conditions:
        if not isinstance(condition, str | Expression | AtomicRedisModel):
            raise TypeError(
                f"delete_many takes keys, models and expressions such as User.age > 30: {condition!r}"
            )
    if current_batch() is not None:
        raise RapyerError(
            "delete_many cannot be part of a pipeline: call delete() of each document instead"
        )


def _entries(model: type[AtomicRedisModel], wanted: Sequence[Any]) -> list[Entry]:
    keys: list[str] = []
    for item in wanted:
        if isinstance(item, AtomicRedisModel):
            if not isinstance(item, model):
                raise WrongModelError(
                    f"{item.key} is a {type(item).__name__}, not a {model.__name__}"
                )
            item = item.key
        keys.append(item)
    return [(model, key) for key in model._own_keys(keys)]


class _Progress:
    """What was deleted and what was not."""

    def __init__(self) -> None:
        self.deleted = 0
        self.problems = Problems(missing_ok=True)
        self.failures = self.problems.failures
        self.lost = False

    def result(self) -> int:
        if not self.failures:
            return self.deleted
        first_key, first = next(iter(self.failures.items()))
        raise BulkError(
            f"{self.deleted} documents were deleted, {len(self.failures)} failed, {first_key} first: {first}",
            failures=self.failures,
        ) from first


def _chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


async def _delete_keys(entries: list[Entry], progress: _Progress) -> None:
    if not entries:
        return
    model = entries[0][0]
    session = session_of_model(model)
    keys = list(dict.fromkeys(key for _, key in entries))
    chunks = _chunks(keys, max(1, model.Meta.max_delete_per_transaction))
    for chunk in chunks:
        groups = slot_groups(session, chunk)
        commands = [(b"UNLINK", *(as_sent(chunk[at]) for at in group)) for group in groups]
        try:
            replies = await session.execute_many(commands, write=True)
        except errors.ConnectionError as error:
            progress.failures |= dict.fromkeys(chunk, error)
            unsent = errors.ConnectionError(f"nothing more was sent: {error}")
            for rest in chunks:
                progress.failures |= dict.fromkeys(rest, unsent)
            return
        for group, reply in zip(groups, replies, strict=True):
            if isinstance(reply, Exception):
                progress.failures |= {chunk[at]: reply for at in group}
            else:
                progress.deleted += reply


async def _delete_found(search: Find[AtomicRedisModel], progress: _Progress) -> None:
    assert search.model is not None
    size = max(1, search.model.Meta.max_delete_per_transaction)
    waiting: list[_Read] = []
    try:
        async with aclosing(search.matching(progress.problems)) as groups:
            async for group in groups:
                waiting += _Read.all_of(group)
                while len(waiting) >= size and not progress.lost:
                    await _delete_unchanged(search, waiting[:size], progress)
                    del waiting[:size]
                if progress.lost:
                    return
    except errors.ConnectionError as error:
        if not progress.deleted:
            raise
        raise BulkError(
            f"{progress.deleted} documents were deleted, then the search failed: {error}",
            failures=progress.failures,
        ) from error
    await _delete_unchanged(search, waiting, progress)


async def _delete_unchanged(
    search: Find[AtomicRedisModel], documents: list[_Read], progress: _Progress
) -> None:
    """Delete what is still as it was read; read the rest again, and delete it if it still matches."""
    assert search.model is not None
    session = session_of_model(search.model)
    for _ in range(_ATTEMPTS):
        if not documents:
            return
        try:
            answers = await _compare_and_delete(session, documents)
        except errors.ConnectionError as error:
            progress.lost = True
            progress.failures |= {document.key: error for document in documents}
            return
        progress.deleted += answers.count(1)
        changed = tuple(
            (search.model, document.key)
            for document, answer in zip(documents, answers, strict=True)
            if answer == 0
        )
        again = replace(search, given=changed)
        documents = [
            read
            async for found in again.matching(progress.problems)
            for read in _Read.all_of(found)
        ]
    problem = RapyerError(f"others keep changing it: given up after {_ATTEMPTS} attempts")
    progress.failures |= {document.key: problem for document in documents}


async def _compare_and_delete(session: Session, documents: list[_Read]) -> list[int]:
    answers = [0] * len(documents)

    async def send(group: list[int]) -> None:
        keys = [as_sent(documents[at].key) for at in group]
        replies = await session.evalsha(_SHA, _SOURCE, keys, [documents[at].sha for at in group])
        for at, reply in zip(group, replies, strict=True):
            answers[at] = reply

    groups = slot_groups(session, [document.key for document in documents])
    for outcome in await asyncio.gather(*map(send, groups), return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
    return answers


class _Read(NamedTuple):
    """A document that was read: its key, and the SHA-1 of its text."""

    key: str
    sha: bytes

    @classmethod
    def all_of(cls, found: Found) -> list[_Read]:
        return [
            cls(key, hashlib.sha1(text, usedforsecurity=False).hexdigest().encode())
            for (_, key), text in zip(found.entries, found.texts, strict=True)
        ]
