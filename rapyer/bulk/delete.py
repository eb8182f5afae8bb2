"""Deleting many documents: by key in bounded chunks, by expression only what still matches."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeAlias, cast

from rapyer import connections, errors
from rapyer.batch.batch import current_batch
from rapyer.errors import BulkError, InvalidValueError, RapyerError, WrongModelError
from rapyer.expressions.conditions import Expression
from rapyer.expressions.expression import FieldReference
from rapyer.keyspace import registry
from rapyer.keyspace.keys import key_of, own_key
from rapyer.keyspace.model_class import ModelClass
from rapyer.keyspace.not_json import is_not_json, not_json
from rapyer.keyspace.spelling import as_sent
from rapyer.keyspace.texts import Entry, by_session, slot_groups
from rapyer.models.keys import document_pk
from rapyer.models.storage import Storage
from rapyer.search.matching import Condition, Search
from rapyer.search.results import Found, Problems
from rapyer.search.start import find_in
from rapyer.state.node import parent_of

if TYPE_CHECKING:
    from rapyer.connections import Session

Deletable: TypeAlias = "Condition | Storage"

_ATTEMPTS = 100
"""How often a document that others keep changing is read again before that is an error."""

_SOURCE = (files("rapyer") / "script" / "lua" / "delete.lua").read_text(encoding="utf-8")
_SHA = hashlib.sha1(_SOURCE.encode(), usedforsecurity=False).hexdigest()


async def delete_many(*conditions: Deletable) -> Deleted:
    """Delete documents of whatever models: those of keys and model instances, those that match expressions.

    Each model is asked through its own client. See :func:`delete_in` for what is returned, raised and
    sent; also raises :class:`~rapyer.errors.WrongModelError` or
    :class:`~rapyer.errors.AmbiguousModelError` for a key that belongs to no model or to more than one.
    """
    _refuse_pipeline()
    keys: dict[type[ModelClass], list[Deletable]] = {}
    for condition in conditions:
        if isinstance(condition, str):
            keys.setdefault(registry.of_key(condition), []).append(condition)
        elif isinstance(condition, Storage):
            keys.setdefault(cast("type[ModelClass]", type(condition)), []).append(condition)
        elif not isinstance(condition, Expression):
            raise TypeError(f"delete_many takes whole keys, models and expressions: {condition!r}")
    expressions = [condition for condition in conditions if isinstance(condition, Expression)]
    if expressions and keys:
        raise WrongModelError("delete either by keys or by expressions, or call Model.delete_many")
    if expressions:
        owners = {owner for expression in expressions for owner in expression.models()}
        if len(owners) != 1:
            names = ", ".join(sorted(owner.__name__ for owner in owners)) or "none"
            raise WrongModelError(f"the expressions must be about one model, not {names}")
        return await delete_in(cast("type[ModelClass]", owners.pop()), *expressions)
    chunks = [_entries(model, wanted) for model, wanted in keys.items()]
    progress = _Progress()
    for entries in chunks:
        await _delete_keys(entries, progress)
    return progress.result()


async def delete_in(model: type[ModelClass], *conditions: Deletable) -> Deleted:
    """Delete documents of one model; how many were deleted.

    By keys, pks and instances: those that are there; an instance stands for the document that it was read
    from or written to. By expressions: those that match all of them, and
    still do when they are deleted; one that somebody changes meanwhile is read again. With both: those of
    the keys that match. Nothing without conditions.

    Raises :class:`~rapyer.errors.WrongModelError` for a key of another model, before anything is sent;
    :class:`~rapyer.errors.BulkError` when something failed: ``failures`` maps the keys of what was not
    (or, after ``OutcomeUnknownError``, not surely) deleted to the errors. Documents that fail validation
    match no expression and are reported so, and so are keys of other Redis types.

    Sends one EVALSHA for at most ``Meta.max_delete_per_transaction`` documents; for expressions also what
    finding sends; JSON.DEL for each where the user may not run scripts.
    """
    _refuse_pipeline()
    expressions = tuple(c for c in conditions if isinstance(c, Expression))
    entries = _entries(model, [c for c in conditions if not isinstance(c, Expression)])
    progress = _Progress()
    if not expressions:
        await _delete_keys(entries, progress)
        return progress.result()
    search = find_in(
        model, (*(key for _, key in entries), *expressions), missing_ok=True, subclasses=True
    )
    await _delete_found(search, progress)
    return progress.result()


def _refuse_pipeline() -> None:
    if current_batch() is not None:
        raise RapyerError(
            "delete_many cannot be part of a pipeline: call delete() of each document instead"
        )


def _entries(model: type[ModelClass], wanted: Sequence[Any]) -> list[Entry]:
    return [
        _of_instance(model, item) if isinstance(item, Storage) else (model, _key(model, item))
        for item in wanted
    ]


def _key(model: type[ModelClass], item: Any) -> str:
    if item is None or isinstance(item, bool | FieldReference):
        raise TypeError(
            f"delete_many takes keys, models and expressions such as User.age > 30: {item!r}"
        )
    return key_of(model, item)


def _of_instance(model: type[ModelClass], instance: Any) -> Entry:
    """The document that ``instance`` was read from or written to, whatever its fields say now."""
    cls = type(instance)
    if not issubclass(cls, model):
        raise WrongModelError(f"a {cls.__name__} is not a {model.__name__}")
    if parent_of(instance) is not None:
        raise InvalidValueError(
            f"this {cls.__name__} is part of another document and not deleted by itself; change that document instead"
        )
    return cls, own_key(cls, document_pk(instance))


class Deleted(int):
    """How many documents were deleted; ``by_model`` says how many of each model class."""

    by_model: Mapping[type[Any], int]

    def __new__(cls, by_model: Mapping[type[Any], int]) -> Self:
        made = super().__new__(cls, sum(by_model.values()))
        made.by_model = dict(by_model)
        return made

    @property
    def count(self) -> int:
        """The number itself."""
        return int(self)


class _Progress:
    """What was deleted and what was not."""

    def __init__(self) -> None:
        self.by_model: dict[type[Any], int] = {}
        self.problems = Problems(missing_ok=True)
        self.failures = self.problems.failures
        self.lost = False

    @property
    def deleted(self) -> int:
        return sum(self.by_model.values())

    def count(self, model: type[Any], deleted: int) -> None:
        if deleted:
            self.by_model[model] = self.by_model.get(model, 0) + deleted

    def result(self) -> Deleted:
        self.problems.report_done(self.deleted, "deleted")
        return Deleted(self.by_model)


def _chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


async def _delete_keys(entries: list[Entry], progress: _Progress) -> None:
    for session, positions in by_session(entries).items():
        owners = {entries[at][1]: entries[at][0] for at in reversed(positions)}
        chunks = _chunks_by_model(owners, [entries[at][1] for at in positions])
        for model, chunk in chunks:
            try:
                await _delete_whatever(session, model, chunk, progress)
            except errors.ConnectionError as error:
                progress.failures |= dict.fromkeys(chunk, error)
                unsent = errors.ConnectionError(f"nothing more was sent: {error}")
                for _, rest in chunks:
                    progress.failures |= dict.fromkeys(rest, unsent)
                return


def _chunks_by_model(
    owners: Mapping[str, type[ModelClass]], keys: Iterable[str]
) -> Iterator[tuple[type[ModelClass], Sequence[str]]]:
    """Each key once, in pieces that are of one model, as large as that allows."""
    grouped: dict[type[ModelClass], list[str]] = {}
    for key in dict.fromkeys(keys):
        grouped.setdefault(owners[key], []).append(key)
    for model, some in grouped.items():
        for chunk in _chunks(some, max(1, model.Meta.max_delete_per_transaction)):
            yield model, chunk


async def _delete_whatever(
    session: Session, model: type[ModelClass], keys: Sequence[str], progress: _Progress
) -> None:
    """Delete the documents ``keys`` as they are, by one script for each slot."""

    async def delete(group: list[int]) -> None:
        words = [as_sent(keys[at]) for at in group]
        try:
            deleted, *others = await session.evalsha(_SHA, _SOURCE, words, [])
        except connections.NoPermissionError:  # nothing was executed: a command for each
            await _delete_singly(session, model, [keys[at] for at in group], progress)
        except connections.ResponseError as error:
            progress.failures |= {keys[at]: error for at in group}
        else:
            progress.count(model, deleted)
            progress.failures |= {keys[group[at]]: not_json(keys[group[at]]) for at in others}

    groups = slot_groups(session, keys)
    for outcome in await asyncio.gather(*map(delete, groups), return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def _delete_singly(
    session: Session, model: type[ModelClass], keys: Sequence[str], progress: _Progress
) -> None:
    commands = [(b"JSON.DEL", as_sent(key)) for key in keys]
    for key, reply in zip(keys, await session.execute_many(commands, write=True), strict=True):
        if isinstance(reply, Exception):
            progress.failures[key] = not_json(key) if is_not_json(reply) else reply
        else:
            progress.count(model, reply)


async def _delete_found(search: Search, progress: _Progress) -> None:
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


async def _delete_unchanged(search: Search, documents: list[_Read], progress: _Progress) -> None:
    """Delete what is still as it was read; read the rest again, and delete it if it still matches."""
    for _ in range(_ATTEMPTS):
        if not documents:
            return
        try:
            answers = await _compare_everywhere(documents)
        except errors.ConnectionError as error:
            progress.lost = True
            progress.failures |= {document.key: error for document in documents}
            return
        for document, answer in zip(documents, answers, strict=True):
            progress.count(document.model, answer == 1)
        changed = tuple(
            (document.model, document.key)
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


async def _compare_everywhere(documents: list[_Read]) -> list[int]:
    """:func:`_compare_and_delete` for documents of several models, which may have a client each."""
    answers = [0] * len(documents)
    entries = [(document.model, document.key) for document in documents]
    for session, positions in by_session(entries).items():
        some = await _compare_and_delete(session, [documents[at] for at in positions])
        for at, answer in zip(positions, some, strict=True):
            answers[at] = answer
    return answers


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
    model: Any = None

    @classmethod
    def all_of(cls, found: Found) -> list[_Read]:
        return [
            cls(key, hashlib.sha1(text, usedforsecurity=False).hexdigest().encode(), model)
            for (model, key), text in zip(found.entries, found.texts, strict=True)
        ]
