"""Models that the tests of the command line load, as a user would load theirs."""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Literal

from pydantic import BaseModel, Field

from rapyer import AtomicRedisModel, Index, Key


class Mood(Enum):
    CALM = "calm"
    LOUD = "loud"


class Address(BaseModel):
    city: str = "Rome"
    zip_code: str = "00100"


class BlogPost(AtomicRedisModel):
    """A post of the blog."""

    title: str
    views: int = 0
    rating: float = 0.0
    published: bool = False
    status: Literal["draft", "live"] = "draft"
    mood: Mood = Mood.CALM
    tags: list[str] = []
    scores: list[int] = []
    settings: dict[str, str] = {}
    counts: dict[str, int] = {}
    by_number: dict[int, str] = {}
    address: Address = Address()
    places: list[Address] = []
    born: datetime | None = None
    price: Decimal = Decimal("1.5")
    token: uuid.UUID | None = None
    data: bytes = b""


class Product(AtomicRedisModel):
    name: Key[str]
    stock: int = Field(default=0, ge=0)


class Book(AtomicRedisModel):
    isbn: str
    shelf: Index[int] = 0


class Short(AtomicRedisModel):
    n: int = 0

    class Meta:
        ttl = 1000
        refresh_ttl = True
