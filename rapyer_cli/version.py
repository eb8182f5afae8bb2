"""The version, without importing anything that takes time."""

from __future__ import annotations


def version() -> str:
    """The version of rapyer."""
    from rapyer import __version__

    return __version__
