"""Which documents match: their keys, given, named, told by an index or scanned for, and their texts.

Every document is read and the expression evaluated on it, so that the results are the same wherever the
keys come from. Nothing is ordered, cut or shaped here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, cast

from rapyer.errors import DocumentError, WrongModelError
from rapyer.expressions.conditions import And, Expression
from rapyer.keyspace import registry
from rapyer.keyspace.model_class import ModelClass
from rapyer.keyspace.scan import scanned_keys
from rapyer.keyspace.texts import (
    CHUNK,
    Entry,
    entries_of,
    in_groups,
    read_overlapping,
    regrouped,
)
from rapyer.models.loading import loader
from rapyer.search.index_answers import candidate_keys, explain
from rapyer.search.key_field import keys_named_by
from rapyer.search.results import Found, Problems

Condition: TypeAlias = Any
"""A key, a pk as text or as its type, or an expression, which type checkers take for a bool."""


@dataclass(frozen=True, eq=False)
class Search:
    """Documents that are looked for: by keys, by an expression, by both, or all of a model."""

    model: type[ModelClass] | None
    given: tuple[Entry, ...] | None = None
    expression: Expression | None = None
    missing_ok: bool = False
    subclasses: bool = False
    """Whether the documents of the model's subclasses are found, too."""

    async def explain(self) -> str:
        """How the search gets its keys: the given ones, the index's query, or a scan and why."""
        if self.given is not None:
            return f"keys: {len(self.given)} given"
        plans = []
        for model in self.models():
            named = keys_named_by(model, self.expression)
            plan = await explain(model, self.expression)
            if named is not None:
                plan = f"keys: {len(named)} named by {model.__rapyer_key_field__}"
            plans.append(plan if model is self.model else f"{model.__name__}: {plan}")
        return "; ".join(plans)

    def models(self) -> list[type[ModelClass]]:
        """The models whose documents it may find."""
        if self.model is None:
            return list(dict.fromkeys(model for model, _ in self.given or ()))
        return registry.family(self.model) if self.subclasses else [self.model]

    async def _all_keys(self) -> AsyncGenerator[list[str], None]:
        for model in self.models():
            async with aclosing(self._keys(model)) as groups:
                async for group in groups:
                    yield group

    async def matching(self, problems: Problems) -> AsyncGenerator[Found, None]:
        """The documents that match, as they were read."""
        groups = regrouped(self._entries(), self._chunk_size())
        async with aclosing(read_overlapping(groups)) as chunks:
            async for chunk, texts in chunks:
                yield self._found(chunk, texts, problems)

    def _chunk_size(self) -> int:
        """How many documents are read at once."""
        return CHUNK

    def _found(
        self, chunk: list[Entry], texts: Sequence[bytes | None], problems: Problems
    ) -> Found:
        """The documents of ``chunk`` that match."""
        loaders: dict[Any, Any] = {
            model: loader(cast(Any, model)) for model in {model for model, _ in chunk}
        }
        matches = None
        if self.expression is not None:
            matches = partial(self.expression.matches, strict=True)
        found = Found([], [], [])
        for entry, text in zip(chunk, texts, strict=True):
            model, key = entry
            if text is None:
                if self.given is not None:
                    problems.missing(key)
                continue
            try:
                document = loaders[model](key, text)
            except DocumentError as error:
                problems.failures[key] = error
                continue
            if matches is None or matches(document):
                found.entries.append(entry)
                found.documents.append(document)
                found.texts.append(text)
        return found

    async def _entries(self) -> AsyncGenerator[list[Entry], None]:
        if self.given is not None:
            sources = [in_groups(self.given)]
        else:
            sources = [entries_of(model, self._keys(model)) for model in self.models()]
        for source in sources:
            async with aclosing(source):
                async for group in source:
                    yield group

    def _keys(self, model: type[ModelClass]) -> AsyncGenerator[list[str], None]:
        if self.expression is None:
            return scanned_keys(model)
        named = keys_named_by(model, self.expression)
        return candidate_keys(model, self.expression) if named is None else _at_once(named)


async def _at_once(keys: list[str]) -> AsyncGenerator[list[str], None]:
    yield keys


def all_of(
    model: type[ModelClass] | None,
    expression: Expression | None,
    conditions: tuple[Any, ...],
) -> Expression | None:
    parts = [] if expression is None else [expression]
    for condition in conditions:
        if not isinstance(condition, Expression):
            raise TypeError(f"find takes keys and expressions such as User.age > 30: {condition!r}")
        for owner in condition.models():
            if model is not None and not issubclass(model, owner):
                raise WrongModelError(
                    f"{condition} is about {owner.__name__}, not {model.__name__}"
                )
        parts.append(condition)
    if len(parts) > 1:
        return And(tuple(parts))
    return parts[0] if parts else None
