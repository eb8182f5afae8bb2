"""The version, without importing anything but the metadata of the installation."""

from __future__ import annotations


def version() -> str:
    """The installed version of rapyer."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("rapyer")
    except PackageNotFoundError:
        return "unknown (not installed)"
