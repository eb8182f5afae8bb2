"""Pytest fixtures for the tests of applications that use rapyer: a real server, started in
milliseconds, private to the run and empty before each test.

Installing ``rapyer[embedded]`` is all there is to do; pytest finds the fixtures by itself.

============================  ========  ==========================================================
``rapyer_server``             session   the server, :class:`~rapyer.embedded.EmbeddedServer`
``rapyer_url``                session   its URL, for settings and for programs that a test starts
``rapyer_redis``              function  an asynchronous client of it; the server was emptied before
============================  ========  ==========================================================

For example, with pytest-asyncio or anyio alike::

    @pytest.fixture(autouse=True)
    def redis(rapyer_redis):
        User.Meta.redis = rapyer_redis

    async def test_signing_up_stores_the_user():
        user = await sign_up("Ada")
        assert await User.get(user.key) == user

Under pytest-xdist every worker has a server of its own. The server ends with the run; should the
run be killed, it ends by itself soon after. Without the wheels and without a ``redis-server`` with
JSON in PATH, tests that use the fixtures fail with a line that says what to install.

What lives here: the fixtures. Starting servers is the business of :mod:`rapyer.embedded`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from rapyer.embedded import EmbeddedServer

# Loaded into every test run of an environment that has rapyer: the imports below wait for a use.
# How long the server outlives a run that was killed; it starts again when a pause was longer.
_IDLE_SECONDS = 60.0


@pytest.fixture(scope="session")
def rapyer_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A private server in a temporary directory, running until the end of the session."""
    from rapyer.embedded import EmbeddedServer
    from rapyer.errors import RapyerError

    server = EmbeddedServer(tmp_path_factory.mktemp("rapyer"), idle=_IDLE_SECONDS)
    try:
        server.ensure_running()
    except RapyerError as error:
        pytest.fail(f"rapyer_server: {error}", pytrace=False)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def rapyer_url(rapyer_server: EmbeddedServer) -> str:
    """The URL of the server of this session, as ``rapyer --url`` and ``RAPYER_URL`` take it."""
    return rapyer_server.url


@pytest.fixture
def rapyer_redis(rapyer_server: EmbeddedServer) -> Iterator[Redis]:
    """A client of the server, which was emptied before the test; closed after it.

    Sends ``FLUSHALL``.
    """
    from rapyer.connections import Session, client_from_url

    rapyer_server.flush()
    client: Any = client_from_url(rapyer_server.url)
    yield client
    Session.of(client).close_soon()
