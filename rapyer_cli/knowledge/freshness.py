"""Whether user code, if it were imported now, would define the same models as when it was last imported.

A *stamp* is what importing depended on: every file of a module outside of the standard library, what else
could be imported from its directories, the environment, and the Python. What user code reads by itself while it is
imported (data files, the network) is not known here. Nothing is imported or kept here; see
:mod:`rapyer_cli.knowledge.cache`.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, TypeAlias

from rapyer_cli.environment import Environment

Stamp: TypeAlias = dict[str, Any]

_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
_INSTALLED = ("site-packages", "dist-packages")
# File systems count time in steps: what was written this shortly before may be what was read, or not.
_CLOCK_STEP_NS = 20_000_000
# Terminals, scripts and services of one user, each with variables of its own.
_MOST_PROCESSES = 20
# They differ from call to call, or from terminal to terminal, and say nothing to a program.
_VOLATILE = frozenset(
    [
        *("_", "SHLVL", "OLDPWD", "WINDOWID", "TERM_SESSION_ID", "TMUX", "TMUX_PANE", "GPG_TTY"),
        *("TERM", "COLORTERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "COLUMNS", "LINES"),
        *("SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY"),
        *("INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID"),
    ]
)


def stamp_of_loaded(
    environment: Environment, began: float, named: Iterable[str] = ()
) -> Stamp | None:
    """The stamp of all that is imported now; None when something changed since ``began``, a time.

    :param named: the paths by which the user called the modules; they may be, or lead through, symlinks.
    """
    files = {*_loaded_files(), *named}
    directories = {*(os.path.dirname(path) for path in files), *_package_directories()}
    directories.update(os.path.abspath(path) for path in sys.path)
    since = int(began * 1e9) - _CLOCK_STEP_NS
    marks = {}
    for path in sorted({*files, *directories}):
        marks[path] = mark = _mark(path)
        if isinstance(mark, list) and max(mark[2:]) >= since:
            return None
    return {"processes": [_process(environment)], "marks": marks}


def is_fresh(stamp: Any, environment: Environment) -> bool:
    """Whether everything is as it was when ``stamp`` was made."""
    if not _is_stamp(stamp) or _process(environment) not in stamp["processes"]:
        return False
    return _is_unchanged(stamp)


def joined(stamp: Stamp, other: Any) -> Stamp:
    """``stamp``, for the processes of ``other`` as well, which found the same models, if that is still true."""
    if not _is_stamp(other) or not _is_unchanged(other):
        return stamp
    processes = [one for one in other["processes"] if one not in stamp["processes"]]
    return {
        "processes": [*stamp["processes"], *processes][:_MOST_PROCESSES],
        "marks": {**other["marks"], **stamp["marks"]},
    }


def _is_stamp(found: Any) -> bool:
    """Whether what a file held is a stamp, and not what somebody else wrote."""
    return (
        isinstance(found, dict)
        and isinstance(found.get("processes"), list)
        and isinstance(found.get("marks"), dict)
    )


def _is_unchanged(stamp: Stamp) -> bool:
    return all(_mark(path) == mark for path, mark in stamp["marks"].items())


def _loaded_files() -> set[str]:
    # Not getattr: a module may import others when it is asked for an attribute.
    found = (getattr(module, "__dict__", {}).get("__file__") for module in [*sys.modules.values()])
    paths = {os.path.abspath(path) for path in found if isinstance(path, str)}
    return {path for path in paths if not _is_standard(path)}


def _package_directories() -> set[str]:
    """Where packages look for their modules: one without a file may have several such places."""
    found = (getattr(module, "__dict__", {}).get("__path__") for module in [*sys.modules.values()])
    paths = {os.path.abspath(path) for places in found for path in places or () if path}
    return {path for path in paths if not _is_standard(path + os.sep)}


def _is_standard(path: str) -> bool:
    return path.startswith(_STANDARD_LIBRARY) and not any(name in path for name in _INSTALLED)


def _process(environment: Environment) -> list[Any]:
    """What the process brings along: its Python, how and where it was started, and its variables, unreadable."""
    variables = environment.environ.items()
    kept = sorted((name, value) for name, value in variables if name not in _VOLATILE)
    digest = sha256(repr(kept).encode("utf-8", "surrogateescape")).hexdigest()
    started = [list(sys.flags), sys.warnoptions, sys.argv[0], str(environment.cwd.absolute())]
    return [sys.version, sys.executable, *started, digest]


def _mark(path: str) -> list[int] | str | None:
    """Something that changes when what is at ``path`` does; None when nothing is there."""
    try:
        found = os.stat(path)
        if not stat.S_ISDIR(found.st_mode) or _is_standard(path) or _is_installed(path):
            return [found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns]
        # Users keep more than code in a directory, and write there all the time.
        with os.scandir(path) as entries:
            return "/".join(sorted(_importable(entries)))
    except (OSError, ValueError):
        return None


def _importable(entries: Iterable[os.DirEntry[str]]) -> Iterable[str]:
    for entry in entries:
        name = entry.name
        if name.endswith((".py", ".pyc", ".so", ".pyd")) or (
            name.isidentifier() and name != "__pycache__" and entry.is_dir()
        ):
            yield name


def _is_installed(path: str) -> bool:
    return any(name in path for name in _INSTALLED)
