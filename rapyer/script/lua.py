"""The Lua scripts as they are sent: their text, and the SHA-1 by which the server knows them."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import NamedTuple


class Script(NamedTuple):
    """A script, and the SHA-1 of its text in hexadecimal digits."""

    source: str
    sha: str


def read_script(name: str) -> Script:
    """The script ``lua/<name>.lua``."""
    source = (files("rapyer") / "script" / "lua" / f"{name}.lua").read_text(encoding="utf-8")
    return Script(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())
