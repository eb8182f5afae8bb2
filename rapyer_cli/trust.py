"""Whose files are: what a directory's own ``pyproject.toml`` names is used only where nobody else could have written it.

A file is one's own if it and every directory above it belong to the user or to root, and nobody else may write
there. Directories that the user trusts all the same are kept in a file of the state directory. Where the
platform knows no owners (Windows) every file is one's own.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from rapyer_cli.environment import Environment
from rapyer_cli.failures import UsageError


def why_not_own(paths: Iterable[Path], environment: Environment) -> str:
    """Why ``paths`` are not all the user's own, in words; empty where they are, or are trusted.

    Symbolic links are followed: what they lead to has to be one's own, too.
    """
    if not hasattr(os, "getuid"):
        return ""
    trusted: list[Path] | None = None
    owners = _own_uids(environment)
    for path in paths:
        resolved = path.resolve()
        reason = next(
            (why for part in (resolved, *resolved.parents) if (why := _why_not(part, owners))), ""
        )
        if not reason:
            continue
        if trusted is None:
            trusted = trusted_directories(environment)
        if not any(resolved.is_relative_to(directory) for directory in trusted):
            return reason
    return ""


def _own_uids(environment: Environment) -> frozenset[int]:
    user = os.getuid()
    caller = environment.environ.get("SUDO_UID", "")
    # Who may become root by sudo may let root run anything anyway.
    return frozenset({user, 0, int(caller)} if user == 0 and caller.isdecimal() else {user, 0})


def _why_not(path: Path, owners: frozenset[int]) -> str:
    try:
        found = path.stat()
    except OSError:
        return ""  # nothing is there that could be used
    if found.st_uid not in owners:
        return f"{path} belongs to {_user_name(found.st_uid)}"
    if stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX:
        return ""  # others may add files there, and not replace one's own
    if found.st_mode & stat.S_IWOTH:
        return f"everybody may write {path}"
    if found.st_mode & stat.S_IWGRP and not _is_alone(found.st_gid, owners):
        return f"{_group_name(found.st_gid)} may write {path}"
    return ""


def _user_name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _group_name(gid: int) -> str:
    import grp

    try:
        return f"group {grp.getgrgid(gid).gr_name}"
    except KeyError:
        return f"group {gid}"


def _is_alone(gid: int, owners: frozenset[int]) -> bool:
    """Whether a group is one user's own, as many systems make for each user with a umask of 002."""
    import grp
    import pwd

    if gid == 0:
        return True
    try:
        group = grp.getgrgid(gid)
        names = {pwd.getpwuid(uid).pw_name for uid in owners}
    except KeyError:
        return False
    return group.gr_name in names and names.issuperset(group.gr_mem)


# -- directories that are trusted all the same -----------------------------------------------------------


def trust_path(environment: Environment) -> Path:
    """The file that lists them, one a line."""
    return environment.state_directory / "trusted"


def trusted_directories(environment: Environment) -> list[Path]:
    """The directories that :func:`set_trusted` was told of."""
    path = trust_path(environment)
    try:
        if path.stat().st_uid != os.getuid():
            return []
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return []
    return [Path(line) for line in text.split("\n") if line.startswith("/")]


def set_trusted(environment: Environment, directory: Path, *, trusted: bool) -> bool:
    """Trust ``directory`` and all that is in it from now on, or no more; whether that is new.

    Raises :class:`UsageError` for what is no directory.
    """
    directory = directory.resolve()
    if trusted and not directory.is_dir():
        raise UsageError(f"{directory} is not a directory")
    if "\n" in str(directory):
        raise UsageError(f"{str(directory)!r} has a line break in its name and cannot be kept")
    kept = trusted_directories(environment)
    if (directory in kept) == trusted:
        return False
    wanted = [*kept, directory] if trusted else [one for one in kept if one != directory]
    path = trust_path(environment)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.writelines(f"{one}\n" for one in wanted)
    draft.replace(path)
    return True
