"""A blog: posts with counters, tags, comments and an author.

Used by ``blog_demo.py`` and, from the shell, by ``rapyer -m examples/blog.py …``.
"""

from datetime import datetime
from enum import Enum
from typing import Annotated

from pydantic import BaseModel, Field

from rapyer import AtomicRedisModel, Index, Key


class Status(str, Enum):
    DRAFT = "draft"
    PUBLISHED = "published"
    ARCHIVED = "archived"


class Author(BaseModel):
    """A plain Pydantic model: nested in a post, its fields are live as well."""

    name: str
    email: str = ""


class Comment(BaseModel):
    author: str
    text: str
    likes: int = 0


class BlogPost(AtomicRedisModel):
    """Stored as ``BlogPost:<uuid>``."""

    title: Index[str]
    author: Author = Author(name="anonymous")
    status: Index[Status] = Status.DRAFT
    views: Index[int] = Field(default=0, ge=0)
    rating: float = 0.0
    tags: Index[list[str]] = []
    comments: list[Comment] = []
    settings: dict[str, str] = {}
    cover: bytes = b""
    created_at: datetime = None
    published_at: datetime = None


class Product(AtomicRedisModel):
    """Stored as ``Product:<sku>``; the stock can never become negative, whoever buys at the same time."""

    sku: Key[str]
    name: str
    price: float = Field(default=0.0, ge=0)
    stock: Annotated[int, Field(ge=0)] = 0
