"""The verbs: one file per group. Typed operations become verbs from the library's registry.

Which file has a verb is written down here, so that a command imports only its own; a test compares.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib import import_module

from rapyer_cli.language.grammar import Verb, Verbs

# In the order in which help lists them.
HOMES: dict[str, tuple[str, ...]] = {
    "look": ("get", "ls", "tree"),
    "finding": ("find", "count"),
    "models": ("models", "schema", "ops"),
    "comparing": ("diff",),
    "watching": ("watch",),
    "lifetime": ("ttl",),
    "change": ("new", "set", "update", "aupdate", "del", "delete", "adelete", "toggle"),
    "editing": ("edit",),
    "looking_back": ("history", "undo"),
    "checking": ("check",),
    "repairing": ("repair", "migrate"),
    "copying": ("copy",),
    "inferring": ("infer",),
    "exporting": ("export",),
    "importing": ("import",),
    "running": ("run",),
    "raw": ("raw",),
    "sessions": ("repl",),
    "pythoning": ("python",),
    "doctor": ("doctor",),
    "embedded": ("server",),
    "configuring": ("config",),
    "trusting": ("trust",),
    "completing": ("completion",),
    "navigate": (
        *("cd", "pwd", "use", "begin", "commit", "discard", "help"),
        *("writable", "reload", "time", "exit", "quit"),
    ),
}


@lru_cache(maxsize=1)
def named_verbs() -> Verbs:
    """The verbs that are no typed operations. Needs neither Pydantic nor redis."""
    return Verbs(verb for home in HOMES for verb in _verbs_in(home))


@lru_cache(maxsize=1)
def all_verbs() -> Verbs:
    """Every verb of the shell and the REPL. Imports the library's types."""
    return Verbs((*named_verbs(), *typed_operations()))


@lru_cache(maxsize=1)
def typed_operations() -> Verbs:
    """The verbs that are typed operations. Imports the library's types, and not the other verbs."""
    from rapyer_cli.verbs.operations import operation_verbs

    named = {spelling for spellings in HOMES.values() for spelling in spellings}
    return Verbs(operation_verbs(named))


def verbs_with(words: Iterable[str]) -> Verbs | None:
    """The verbs of the files that have one of ``words``, without importing the others."""
    homes = {home for home, spellings in HOMES.items() for word in words if word in spellings}
    return Verbs(verb for home in homes for verb in _verbs_in(home)) if homes else None


def _verbs_in(home: str) -> tuple[Verb, ...]:
    verbs: tuple[Verb, ...] = import_module(f"rapyer_cli.verbs.{home}").VERBS
    return verbs
