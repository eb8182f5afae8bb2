"""Answering expressions with a model's RediSearch index: which documents may match."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from rapyer.expressions import Expression
from rapyer.fetching import scanned_keys

if TYPE_CHECKING:
    from rapyer.base import AtomicRedisModel


def candidate_keys(model: type[AtomicRedisModel], expression: Expression) -> AsyncGenerator[list[str], None]:
    return scanned_keys(model)


async def explain(model: type[AtomicRedisModel], expression: Expression | None) -> str:
    return "scan"
