"""The verbs: one file per group. Typed operations become verbs from the library's registry."""

from __future__ import annotations

from functools import lru_cache

from rapyer_cli.grammar import Verbs


@lru_cache(maxsize=1)
def named_verbs() -> Verbs:
    """The verbs that are no typed operations. Needs neither Pydantic nor redis."""
    from rapyer_cli.verbs import (
        change,
        checking,
        comparing,
        completing,
        configuring,
        doctor,
        editing,
        embedded,
        exporting,
        finding,
        importing,
        lifetime,
        look,
        models,
        navigate,
        running,
        sessions,
        watching,
    )

    look_groups = (look, finding, models, comparing, watching, lifetime)
    change_groups = (change, editing, checking, exporting, importing, running)
    session_groups = (sessions, doctor, embedded, configuring, completing, navigate)
    groups = (*look_groups, *change_groups, *session_groups)
    return Verbs(verb for group in groups for verb in group.VERBS)


@lru_cache(maxsize=1)
def all_verbs() -> Verbs:
    """Every verb of the shell and the REPL. Imports the library's types."""
    from rapyer_cli.verbs.operations import operation_verbs

    named = named_verbs()
    return Verbs((*named, *operation_verbs(named)))
