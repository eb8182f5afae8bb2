"""The errors of connections: rapyer's, redis-py's and Python's at once. :mod:`rapyer.errors` hands them out.

Apart from the rest of the tree, because redis-py takes long to import and models are defined without it.
"""

from __future__ import annotations

import builtins

import redis.exceptions

from rapyer.errors.tree import RapyerError


class ConnectionError(RapyerError, redis.exceptions.ConnectionError, builtins.ConnectionError):
    """The server could not be reached. Nothing was written."""

    # Where it is public: what a traceback names, and what is looked up to unpickle it.
    __module__ = "rapyer.errors"


class OutcomeUnknownError(ConnectionError):
    """The connection broke after a write was sent and before its reply came.

    The write was applied exactly once or not at all; only reading the document can tell.
    """

    __module__ = "rapyer.errors"
