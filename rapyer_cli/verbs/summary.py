"""Names and help of all verbs, for the overview, without importing the library's types each time.

What the registry holds is kept in the cache directory, and read anew when a file of the types changed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from rapyer_cli.environment import Environment
from rapyer_cli.knowledge.cache_file import keep
from rapyer_cli.language.grammar import Verb, Verbs
from rapyer_cli.verbs import all_verbs, named_verbs


def summarised_verbs(environment: Environment) -> Verbs:
    """All verbs, the operations with nothing but their name and help. They cannot be run."""
    path = environment.cache_directory / "operations.json"
    stamp = _stamp()
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        rows = (
            [(str(name), str(text)) for name, text in kept["rows"]]
            if kept["stamp"] == stamp
            else []
        )
    except (OSError, ValueError, KeyError, TypeError):
        rows = []
    if not rows:
        rows = [(verb.name, verb.help) for verb in all_verbs() if verb.group == "operation"]
        keep(path, {"stamp": stamp, "rows": rows})
    operations = (Verb(name, text, "operation", _never) for name, text in rows)
    return Verbs((*named_verbs(), *operations))


async def _never(*_: object) -> None:
    raise RuntimeError("a summary cannot be run")


def _stamp() -> list[list[object]]:
    import rapyer

    types = Path(next(iter(rapyer.__path__))) / "types"
    entries = sorted(os.scandir(types), key=lambda entry: entry.name)
    return [
        [entry.path, entry.stat().st_mtime_ns, entry.stat().st_size]
        for entry in entries
        if entry.name.endswith(".py")
    ]
