"""``trust``: directories of others whose models are loaded all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rapyer_cli.language.grammar import Argument, Invocation, Kind, Option, Verb
from rapyer_cli.render.shapes import Lines

if TYPE_CHECKING:
    from rapyer_cli.session.session import Session


async def trust(session: Session, invocation: Invocation) -> Lines:
    """Trust a directory, or list those that are trusted."""
    from rapyer_cli.trust import set_trusted, trusted_directories

    environment = session.environment
    given = invocation.text("directory")
    if given is None:
        kept = [str(directory) for directory in trusted_directories(environment)]
        return Lines(tuple(kept or ("no directory of others is trusted",)), data=kept)
    revoked = invocation.flag("revoke")
    directory = (environment.cwd / given).resolve()
    is_new = set_trusted(environment, directory, trusted=not revoked)
    state = "not trusted any more" if revoked else "trusted, whatever it will hold"
    if not is_new:
        state = "not among the trusted ones" if revoked else "trusted already"
    return Lines((f"{directory} is {state}",), data={"directory": str(directory), "new": is_new})


VERBS = (
    Verb(
        "trust",
        "use the models and the server that a directory of others names",
        "session",
        trust,
        arguments=(Argument("directory", Kind.FILE, "the directory", required=False),),
        options=(Option("revoke", ("--revoke",), "trust it no more"),),
        examples=("trust", "trust /srv/shop", "trust /srv/shop --revoke"),
        details=(
            "What pyproject.toml names is used only where the file, its directory and the modules belong to you or root "
            "and nobody else may write them. Here you say that you trust a directory whoever else writes there."
        ),
        connects=False,
    ),
)
