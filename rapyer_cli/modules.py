"""Loading the user's modules and finding the models in them.

A module that fails to import is reported and does not stop the others. What a module prints while it is
imported goes to standard error, so that standard output stays data.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rapyer_cli.environment import Environment
from rapyer_cli.failures import ModelsError, NotFound, one_line
from rapyer_cli.settings import ModelSources

if TYPE_CHECKING:
    from types import ModuleType

    from rapyer.base import AtomicRedisModel


class ImportFailure(NamedTuple):
    """A module that could not be imported: one line, and the traceback for ``doctor``."""

    module: str
    message: str
    traceback: str


@dataclass(slots=True)
class Models:
    """The loaded models, by class name and by key prefix."""

    classes: list[type[AtomicRedisModel]] = field(default_factory=list)
    failures: list[ImportFailure] = field(default_factory=list)
    asked: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[type[AtomicRedisModel]]:
        return iter(self.classes)

    def __bool__(self) -> bool:
        return bool(self.classes)

    def names(self) -> list[str]:
        """The key prefix of every model: the name by which targets call it."""
        return [model.class_key_initials() for model in self.classes]

    def named(self, name: str) -> type[AtomicRedisModel] | None:
        """The model with this key prefix or class name."""
        for model in self.classes:
            if model.class_key_initials() == name:
                return model
        for model in self.classes:
            if model.__name__ == name:
                return model
        return None

    def of_key(self, key: str) -> type[AtomicRedisModel] | None:
        """The model whose documents have keys like this one; the longest prefix decides."""
        if not self.classes:
            return None
        from rapyer.keyspace.registry import owners

        return next(iter(owners(key, self.classes)), None)

    def require(self, name: str) -> type[AtomicRedisModel]:
        """The model called ``name``.

        Raises :class:`ModelsError` when modules failed to load and :class:`NotFound` when none has it.
        """
        model = self.named(name)
        if model is not None:
            return model
        if self.failures:
            failed = ", ".join(failure.module for failure in self.failures)
            raise ModelsError(
                f"there is no model {name!r}, and {failed} could not be loaded; "
                "see the error above or 'rapyer doctor'"
            )
        if not self.classes:
            raise ModelsError(
                f"there is no model {name!r}: no models are loaded; name them with "
                "-m module, -m file.py, RAPYER_MODELS or [tool.rapyer] models"
            )
        close = get_close_matches(name, self.names(), n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(self.names())}"
        raise NotFound(f"there is no model {name!r}; {hint}")


def load_models(sources: ModelSources, environment: Environment) -> Models:
    """Import the modules of ``sources`` and collect every model that is then defined.

    Each failure is one line on standard error. Nothing is raised: what is missing is said when asked for.
    """
    models = Models(asked=sources.modules)
    for name, reason in sources.refused:
        models.failures.append(ImportFailure(name, f"not loaded: {reason}", ""))
        environment.note(f"rapyer: models {name} are not loaded: {reason}")
    if not sources.modules:
        return models
    from rapyer import find_redis_models

    known = set(find_redis_models())
    loaded: list[ModuleType] = []
    for name in sources.modules:
        try:
            with contextlib.redirect_stdout(environment.stderr):
                module = _import(name, sources)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a module may raise anything, SystemExit included
            failure = ImportFailure(name, _reason(error), _traceback(error))
            models.failures.append(failure)
            environment.note(f"rapyer: models {name} failed to import: {failure.message}")
            continue
        loaded.append(module)
    # Those that were registered just now, and those of modules that had been imported before.
    models.classes = [
        model
        for model in find_redis_models()
        if model not in known or any(_belongs_to(model, module) for module in loaded)
    ]
    return models


def reload_models(sources: ModelSources, before: Models, environment: Environment) -> Models | None:
    """Import the modules of ``sources`` again; None, with everything as it was ``before``, where one fails."""
    from rapyer.keyspace.registry import forget, register

    places = {str(sources.base.absolute()), *_directories(sources)}
    kept = {
        name: module
        for name, module in sys.modules.items()
        if (file := getattr(module, "__file__", None)) and str(Path(file).parent) in places
    } | {model.__module__: sys.modules[model.__module__] for model in before}
    for name in kept:
        del sys.modules[name]
    models = load_models(sources, environment)
    if not any(failure.traceback for failure in models.failures):
        for model in before:
            forget(model)
        return models
    for model in models:
        forget(model)
    sys.modules.update(kept)
    for model in before:
        register(model)
    return None


def _directories(sources: ModelSources) -> Iterator[str]:
    for name in sources.modules:
        path = sources.base.absolute() / Path(name).expanduser()
        if path.suffix == ".py":
            yield str(path.resolve().parent)


def _belongs_to(model: type, module: ModuleType) -> bool:
    inside = f"{model.__module__}.".startswith(f"{module.__name__}.")
    return inside or vars(module).get(model.__name__) is model


def _import(name: str, sources: ModelSources) -> ModuleType:
    base = sources.base.absolute()
    path = base / Path(name).expanduser()
    if name.endswith(".py") or path.is_file():
        return _import_file(path)
    if sources.is_base_own and str(base) not in sys.path:
        sys.path.insert(0, str(base))
    importlib.invalidate_caches()
    return importlib.import_module(name)


def _import_file(path: Path) -> ModuleType:
    path = path.resolve()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    name = path.stem
    loaded = sys.modules.get(name)
    if loaded is not None:
        if getattr(loaded, "__file__", None) == str(path):
            return loaded
        name = f"rapyer_models_{path.stem}_{abs(hash(str(path))):x}"
        if name in sys.modules:
            return sys.modules[name]
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _reason(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        frame
        for frame in frames
        if "importlib" not in frame.filename and frame.filename != __file__
    ]
    where = f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""
    if isinstance(error, SyntaxError) and error.filename:
        where = f" ({Path(error.filename).name}:{error.lineno})"
        return one_line(f"SyntaxError: {error.msg}{where}")
    return one_line(f"{type(error).__name__}: {error}{where}")


def _traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
