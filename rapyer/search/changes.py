"""``User.changes()``: the documents of a model as they are created, changed and deleted, by whoever it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar, cast

from rapyer.config import client_of
from rapyer.errors import DocumentError, InvalidValueError
from rapyer.expressions.conditions import Expression
from rapyer.keyspace.changes import Keys, TextChange, text_changes
from rapyer.keyspace.model_class import ModelClass
from rapyer.keyspace.registry import Ownership
from rapyer.keyspace.scan import scanned_keys
from rapyer.models.loading import loader
from rapyer.search.matching import Condition, all_of

T = TypeVar("T")
Kind: TypeAlias = Literal["created", "changed", "deleted"]


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """One change of a document.

    :ivar key: its key.
    :ivar kind: ``created changed deleted``.
    :ivar document: the document as it is now; None when it was deleted, or does not fit its model.
    :ivar before: its JSON before; None when there was none, or it was not kept (``before_is_known``).
    :ivar after: its JSON now; None when it was deleted.
    :ivar matches: whether it fulfils the conditions now; a document that did and no longer does is reported once.
    :ivar error: why ``document`` could not be loaded.
    """

    key: str
    kind: Kind
    document: T | None
    before: Any
    after: Any
    matches: bool = True
    error: DocumentError | None = None
    before_is_known: bool = True

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields whose stored value differs; all of them for a document that came or went."""
        before = self.before if isinstance(self.before, dict) else {}
        after = self.after if isinstance(self.after, dict) else {}
        names = dict.fromkeys((*before, *after))
        return tuple(name for name in names if _differ(before, after, name))


def _differ(before: dict[str, Any], after: dict[str, Any], name: str) -> bool:
    if (name in before) != (name in after):
        return True
    return json.dumps(before[name], sort_keys=True) != json.dumps(after[name], sort_keys=True)


async def changes_in(
    model: type[ModelClass],
    conditions: tuple[Condition, ...],
    *,
    interval: float,
    notifications: bool | None,
    ready: asyncio.Event | None,
) -> AsyncGenerator[Change[Any], None]:
    """The changes of one model's documents; see :meth:`rapyer.base.AtomicRedisModel.changes`."""
    if not 0 < interval <= 3600:
        raise InvalidValueError(f"interval is seconds between 0 and 3600, not {interval!r}")
    expression = all_of(model, None, conditions)
    owned = Ownership(model)
    keys = Keys(owned.prefix, lambda: scanned_keys(model), owned.among)
    client = client_of(model.Meta, model.__name__)
    source = text_changes(client, keys, interval=interval, notifications=notifications, ready=ready)
    async with aclosing(source) as found:
        async for text in found:
            change = _change(model, expression, text)
            if change is not None:
                yield change


def _change(
    model: type[ModelClass], expression: Expression | None, text: TextChange
) -> Change[Any] | None:
    document, error = _loaded(model, text.key, text.after)
    matches = text.after is not None and _fulfils(expression, document)
    if not matches and expression is not None and error is None:
        before, unreadable = _loaded(model, text.key, text.before)
        did = text.before is None and not text.was_kept
        if not did and not unreadable and not (text.before and _fulfils(expression, before)):
            return None
    kind: Kind = "changed"
    if text.after is None:
        kind = "deleted"
    elif text.before is None and text.was_kept:
        kind = "created"
    return Change(
        text.key,
        kind,
        document,
        None if text.before is None else json.loads(text.before),
        None if text.after is None else json.loads(text.after),
        matches or (expression is None and text.after is not None),
        error,
        text.was_kept,
    )


def _loaded(
    model: type[ModelClass], key: str, text: bytes | None
) -> tuple[Any, DocumentError | None]:
    if text is None:
        return None, None
    try:
        return loader(cast(Any, model))(key, text), None
    except DocumentError as error:
        return None, error


def _fulfils(expression: Expression | None, document: Any) -> bool:
    if document is None:
        return False
    return expression is None or expression.matches(document)
