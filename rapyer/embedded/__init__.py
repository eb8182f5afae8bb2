"""The embedded server: a private Redis that starts when it is needed and stops when it is idle.

``EmbeddedServer`` is all that the rest of the library sees. Nothing here imports redis-py, Pydantic
or asyncio: a command line that only looks whether the server runs stays fast.
"""

from __future__ import annotations

from rapyer.embedded.server import EmbeddedServer, EmbeddedStatus

__all__ = ["EmbeddedServer", "EmbeddedStatus"]
