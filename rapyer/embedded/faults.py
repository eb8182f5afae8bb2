"""The library's errors for code that must not import them before one is raised.

Those of connections are redis-py's as well, which takes longer to import than a server to start.
"""

from __future__ import annotations


def configuration_error(message: str) -> Exception:
    """A :class:`rapyer.errors.ConfigurationError`, to be raised."""
    from rapyer.errors import ConfigurationError

    return ConfigurationError(message)


def connection_error(message: str) -> Exception:
    """A :class:`rapyer.errors.ConnectionError`, to be raised."""
    from rapyer.errors import ConnectionError

    return ConnectionError(message)


def is_fault(error: BaseException) -> bool:
    """Whether an error is one of those, which may look like an ``OSError`` of the file system."""
    return type(error).__module__ == "rapyer.errors"
