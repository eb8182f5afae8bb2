"""Writing a file of the cache directory: whole or not at all. What is kept there is not known here."""

from __future__ import annotations

import json
import os
from pathlib import Path


def keep(path: Path, data: object) -> None:
    """Write ``data`` as JSON to ``path``. Failing to is no failure: it is only kept to be quicker."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps(data), encoding="utf-8")
        temporary.replace(path)
    except OSError:
        return
