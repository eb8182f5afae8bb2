"""The models of these tests are stored: each test has an empty server of its own."""

import pytest
from redis.asyncio import Redis


@pytest.fixture(autouse=True)
def _models_are_stored(redis: Redis) -> None:
    """All models talk to the embedded server."""
