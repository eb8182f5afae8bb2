"""What is known of the models between calls, in a file of the cache directory.

It is written whenever a command has loaded models that it describes otherwise, so that the shells' completion runs no
user code. Completion takes it as it is.
"""

from __future__ import annotations

import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapyer_cli.environment import Environment
from rapyer_cli.knowledge.cache_file import keep
from rapyer_cli.settings import ModelSources

if TYPE_CHECKING:
    from rapyer_cli.knowledge.knowledge import Knowledge
    from rapyer_cli.modules import Models

_FORMAT = 3


def cache_path(environment: Environment, sources: ModelSources) -> Path:
    """The cache file for these modules."""
    named = "\n".join((str(sources.base.absolute()), *sources.modules))
    return environment.cache_directory / f"models-{sha256(named.encode()).hexdigest()[:16]}.json"


def store(environment: Environment, sources: ModelSources, models: Models) -> None:
    """Keep what is to be known of ``models``, if it changed. Failing to is no failure."""
    if not sources.modules or not models:
        return
    path = cache_path(environment, sources)
    kept, files = read(path), _files_of(models)
    if kept.get("files") == files:
        return
    from rapyer_cli.knowledge.gathering import operation_infos, types_of

    data: dict[str, Any] = {
        "format": _FORMAT,
        "files": files,
        "models": models.names(),
        "types": {
            name: {field: info.to_json() for field, info in fields.items()}
            for name, fields in types_of(models).items()
        },
        "operations": [[o.verb, o.kind, o.signature, list(o.roles)] for o in operation_infos()],
    }
    keep(path, data)


def _files_of(models: Models) -> dict[str, int]:
    """The files that define the models, and when they were written. Completion can be wrong about others."""
    modules = {base.__module__ for model in models for base in model.__mro__}
    named = (getattr(sys.modules.get(module), "__file__", None) for module in modules)
    return {file: Path(file).stat().st_mtime_ns for file in named if file and Path(file).exists()}


def read(path: Path) -> dict[str, Any]:
    """The content of a cache file; empty when there is none that can be used."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) and data.get("format") == _FORMAT else {}


def knowledge_from(data: dict[str, Any], profiles: tuple[str, ...]) -> Knowledge:
    """What a cache file says."""
    from rapyer_cli.knowledge.knowledge import Knowledge, OperationInfo, TypeInfo

    return Knowledge(
        models=tuple(data.get("models", ())),
        types={
            name: {field: TypeInfo.from_json(info) for field, info in fields.items()}
            for name, fields in data.get("types", {}).items()
        },
        operations=tuple(
            OperationInfo(verb, kind, signature, tuple(roles))
            for verb, kind, signature, roles in data.get("operations", ())
        ),
        profiles=profiles,
    )
