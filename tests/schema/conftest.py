"""The tests of the stored form look at the server as those of the library do."""

from __future__ import annotations

from tests.library.conftest import redis, stored, stored_text

__all__ = ["redis", "stored", "stored_text"]
