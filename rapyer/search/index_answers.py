"""Asking a model's index which documents may match an expression, and scanning wherever it cannot tell.

An index is asked only when it is the one that the model defines, complete, and holds every document;
what it answers is a snapshot, so that writes in the meantime cut nothing off. The query itself is made in
:mod:`rapyer.search.index_query`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from rapyer import connections
from rapyer.errors import MissingModuleError
from rapyer.expressions.conditions import Expression
from rapyer.keyspace.model_class import ModelClass
from rapyer.keyspace.registry import Ownership
from rapyer.keyspace.scan import scanned_keys, session_of_model, unseen
from rapyer.keyspace.spelling import as_keys
from rapyer.search.index import (
    as_mapping,
    differences,
    index_name,
    index_state,
    obstacle_to_indexes,
)
from rapyer.search.index_fields import index_schema
from rapyer.search.index_filter import filter_of
from rapyer.search.index_query import Query

_BATCH = b"1000"


@dataclass(frozen=True, slots=True)
class _Plan:
    """A query that is known to be answered in full."""

    text: str
    parameters: list[bytes]
    filter: str | None = None
    loaded: tuple[str, ...] = ()
    """The names of the fields that the filter looks at."""

    def __str__(self) -> str:
        return self.text if self.filter is None else f"{self.text} filtered by {self.filter}"


async def candidate_keys(
    model: type[ModelClass], expression: Expression
) -> AsyncGenerator[list[str], None]:
    """The keys of all documents that may match, in lists, each key once.

    Sends FT.INFO, FT.AGGREGATE and FT.CURSOR where the index can tell, SCAN where it cannot.
    """
    seen: set[bytes] = set()
    plan = await _plan(model, expression)
    if isinstance(plan, _Plan):
        complete, owned = _Completeness(), Ownership(model)
        async with aclosing(_asked(model, plan, complete)) as pages:
            async for page in pages:
                keys = owned.among(as_keys(unseen(page, seen)))
                if keys:
                    yield keys
        if complete.reached:
            return
    async with aclosing(scanned_keys(model, seen)) as groups:
        async for group in groups:
            yield group


async def explain(model: type[ModelClass], expression: Expression | None) -> str:
    """``index: <query>``, or ``scan: <why>``."""
    if expression is None:
        return "scan: all documents are wanted"
    plan = await _plan(model, expression)
    return f"index: {plan}" if isinstance(plan, _Plan) else f"scan: {plan}"


async def _plan(model: type[ModelClass], expression: Expression) -> _Plan | str:
    """How to ask the index, or why it cannot be asked."""
    schema = index_schema(model)
    if not schema.fields:
        for path, reason in schema.left_out.items():
            return f"{'.'.join(path)} is not in an index: {reason}"
        return f"{model.__name__} has no Index fields"
    query = Query.of(model, schema, expression)
    filtering = filter_of(schema, expression)
    if query is None and filtering is None:
        return "no indexed field narrows it down"
    session = session_of_model(model)
    obstacle = obstacle_to_indexes(session)
    if obstacle is not None:
        return obstacle
    name = index_name(model)
    try:
        state = await index_state(session, model)
    except MissingModuleError:
        return "the server has no search module"
    except connections.ResponseError as error:
        return f"the index {name} cannot be asked: {error}"
    if state is None:
        return f"there is no index {name}; {model.__name__}.create_index() creates it"
    if differences(model, schema, state):
        return f"the index {name} has another definition than {model.__name__}"
    if state.building:
        return f"the index {name} is being built"
    if state.failures:
        return (
            f"the index {name} could not hold {state.failures} documents; repair those and build it "
            f"anew with {model.__name__}.create_index(rebuild=True)"
        )
    text, parameters = query or ("*", [])
    if filtering is None:
        return _Plan(text, parameters)
    return _Plan(text, parameters, filtering[0], tuple(sorted(filtering[1])))


class _Completeness:
    """Whether an index has given everything."""

    reached = False


async def _asked(
    model: type[ModelClass], plan: _Plan, complete: _Completeness
) -> AsyncGenerator[list[bytes], None]:
    session, name = session_of_model(model), index_name(model)
    # Grouping makes the server finish the search before it answers; a cursor over a search that is
    # still going on loses documents when others write.
    command: list[bytes | str | int]
    loaded: list[bytes | str] = [b"@__key", *(f"@{alias}" for alias in plan.loaded)]
    command = [b"FT.AGGREGATE", name, plan.text, b"LOAD", len(loaded), *loaded]
    command += [] if plan.filter is None else [b"FILTER", plan.filter]
    command += [b"GROUPBY", 1, b"@__key"]
    command += [b"WITHCURSOR", b"COUNT", _BATCH, b"TIMEOUT", 0]
    command += [b"PARAMS", len(plan.parameters), *plan.parameters] if plan.parameters else []
    command += [b"DIALECT", 2]
    cursor = 0
    try:
        while True:
            try:
                reply, cursor = await session.execute(*command, write=False)
            except connections.ResponseError:
                cursor = 0  # the index or the cursor is gone
                return
            page = _keys_in(reply)
            if page is None:
                return
            yield page
            if cursor == 0:
                complete.reached = True
                return
            command = [b"FT.CURSOR", b"READ", name, cursor, b"COUNT", _BATCH]
    finally:
        if cursor:
            # an error reply says that it is gone already
            await session.execute_many([(b"FT.CURSOR", b"DEL", name, cursor)], write=False)


def _keys_in(reply: Any) -> list[bytes] | None:
    """The keys in one page, of RESP3 or RESP2; None when the server warns that there should be more.

    Documents that have expired but are not removed yet come without a key.
    """
    if isinstance(reply, dict):
        page = as_mapping(reply)
        if page.get("warning"):
            return None
        rows = [as_mapping(as_mapping(row)["extra_attributes"]) for row in page["results"]]
    else:
        rows = [as_mapping(row) for row in reply[1:]]
    return [row["__key"] for row in rows if row.get("__key") is not None]
