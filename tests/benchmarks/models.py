"""The models of the benchmark, as a user's module of models looks: nothing else is here, since commands load it."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from rapyer import AtomicRedisModel


class Nested(BaseModel):
    name: str = "nested"
    value: int = 1


class Document(AtomicRedisModel):
    title: str
    body: str
    views: int
    score: float
    data: bytes
    at: datetime
    tags: list[str]
    counts: dict[str, int]
    nested: Nested
    likes: int


class Plain(BaseModel):
    """The same without Redis."""

    title: str
    body: str
    views: int
    score: float
    data: bytes
    at: datetime
    tags: list[str]
    counts: dict[str, int]
    nested: Nested
    likes: int
