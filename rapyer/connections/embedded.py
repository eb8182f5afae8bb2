"""Connections to an embedded server, which start it when it is not there.

The server may stop whenever nobody is connected; connecting is where that is noticed and mended,
before any command was sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import redis.exceptions
from redis.asyncio.connection import UnixDomainSocketConnection

from rapyer.connections.exchange import is_login_refusal
from rapyer.embedded import EmbeddedServer

# A server that stops just after it answered is started again; one that stops over and over is ill.
_ATTEMPTS = 5


class EmbeddedConnection(UnixDomainSocketConnection):
    """A connection to the socket of an embedded server.

    :param server: the server, started on connecting unless it runs.
    """

    def __init__(self, *, server: EmbeddedServer, **settings: Any) -> None:
        self._server = server
        super().__init__(**settings)

    async def connect(self) -> None:
        """Connect, starting the server if need be. Sends ``PING`` after the login.

        :raises ConfigurationError: there is no server to start, or it does not start.
        :raises redis.exceptions.ConnectionError: it started and could not be connected to.
        """
        if self._writer is not None:
            return
        self.path = self._server.address
        connect: Callable[[], Awaitable[None]] = super().connect
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                await connect()
                # A server that somebody else has just started takes connections while it loads.
                await self.send_command("PING", check_health=False)
                await self.read_response()
            except redis.exceptions.ConnectionError as error:
                if attempt == _ATTEMPTS or is_login_refusal(error):
                    raise
            else:
                return
            self.path = await asyncio.to_thread(self._server.ensure_running)
