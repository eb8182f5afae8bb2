"""From a URL to a client, and from a client to replies.

``urls`` makes clients, ``session`` is what the rest of the library sends its commands through;
``exchange`` knows what became of a command, ``lanes`` keeps event loops apart, ``cluster`` routes.
Nothing here knows about models, and connecting never writes.
"""

from __future__ import annotations

from rapyer.connections.exchange import Command
from rapyer.connections.session import AsyncClient, Session, check_server
from rapyer.connections.urls import client_from_url, redact_url

__all__ = ["AsyncClient", "Command", "Session", "check_server", "client_from_url", "redact_url"]
