"""What is known of the models between calls, in a file of the cache directory.

It is written whenever a command has loaded models, so that neither the shells' completion nor a plain read
(:mod:`rapyer_cli.shortcut`) needs user code. Completion takes it as it is; a read asks whether it is still true.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapyer_cli.environment import Environment
from rapyer_cli.knowledge.cache_file import keep
from rapyer_cli.knowledge.freshness import is_fresh, joined, stamp_of_loaded
from rapyer_cli.settings import ModelSources

if TYPE_CHECKING:
    from rapyer_cli.knowledge.knowledge import Knowledge
    from rapyer_cli.modules import Models

_FORMAT = 2


def cache_path(environment: Environment, sources: ModelSources) -> Path:
    """The cache file for these modules."""
    named = "\n".join((str(sources.base.absolute()), *sources.modules))
    return environment.cache_directory / f"models-{sha256(named.encode()).hexdigest()[:16]}.json"


def store(environment: Environment, sources: ModelSources, models: Models, began: float) -> None:
    """Keep what is to be known of ``models``, if it changed. Failing to is no failure.

    :param began: the time when loading them began.
    """
    if not sources.modules or not models:
        return
    path = cache_path(environment, sources)
    kept = read(path)
    if is_fresh(kept.get("stamp"), environment):
        return
    from rapyer.schema.of_models import model_spec
    from rapyer_cli.knowledge.fitting import shape_of
    from rapyer_cli.knowledge.gathering import operation_infos, types_of

    base = sources.base.absolute()
    # Path.expanduser raises for an unknown user; the import has said so already.
    named = [str(base / os.path.expanduser(module)) for module in sources.modules]  # noqa: PTH111
    stamp = stamp_of_loaded(environment, began, named)
    data: dict[str, Any] = {
        "format": _FORMAT,
        "quiet": models.quiet,
        "shapes": {model.class_key_initials(): shape_of(model_spec(model)) for model in models},
        "models": models.names(),
        "types": {
            name: {field: info.to_json() for field, info in fields.items()}
            for name, fields in types_of(models).items()
        },
        "operations": [[o.verb, o.kind, o.signature, list(o.roles)] for o in operation_infos()],
    }
    data = json.loads(json.dumps(data))  # comparable with what was kept
    is_same = data == {name: value for name, value in kept.items() if name != "stamp"}
    data["stamp"] = joined(stamp, kept.get("stamp")) if stamp is not None and is_same else stamp
    keep(path, data)


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
