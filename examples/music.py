"""Playlists and user profiles, as in the API reference.

Used by ``music_demo.py`` and, from the shell, by ``rapyer -m examples/music.py …``.
"""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from rapyer import AtomicRedisModel, Key

Stars = Annotated[int, Field(ge=1, le=5)]


class Playlist(AtomicRedisModel):
    """Stored as ``Playlist:<uuid>``."""

    name: str
    songs: Annotated[list[str], Field(max_length=10_000)] = []
    ratings: list[Stars] = []
    plays: dict[str, int] = {}


class UserProfile(AtomicRedisModel):
    """Stored as ``UserProfile:<username>``."""

    username: Key[str]
    settings: dict[str, str] = {}
    scores: dict[str, int] = {}
    friends: list[str] = []
    last_seen: datetime = None
