"""``rapyer VERB …``: one line from argv, run, shown, and its exit code.

Imports happen in the order of need: the words are parsed before user code is imported, and Rich is only
loaded for a terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from rapyer_cli.environment import Environment
from rapyer_cli.exits import Exit
from rapyer_cli.failures import UsageError, report
from rapyer_cli.language.grammar import QUICK, Invocation, Verbs


def run_words(words: Sequence[str], environment: Environment) -> int:
    """Run one command line and return its exit code. Errors are one line on standard error."""
    return _run(words, environment, quickly=not set(words).isdisjoint(QUICK))


def run_thoroughly(words: Sequence[str], environment: Environment) -> int:
    """As :func:`run_words`, always with the parser, the library and the models."""
    return _run(words, environment, quickly=False)


def _run(words: Sequence[str], environment: Environment, *, quickly: bool) -> int:
    try:
        if quickly:
            from rapyer_cli.shortcut import answer

            answered = answer(words, environment)
            if answered is not None:
                return answered
        prepared = _prepare(words, environment)
        if not isinstance(prepared, Invocation):
            return prepared
        import asyncio

        code = asyncio.run(_perform(prepared, environment))
        environment.stdout.flush()
        return code
    except KeyboardInterrupt:
        environment.note("rapyer: interrupted")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        environment.forget_stdout()
        return Exit.DONE
    except Exception as error:
        return report(error, environment, debug="--debug" in words)


def _prepare(words: Sequence[str], environment: Environment) -> Invocation | int:
    """The line that is to be run, or the exit code when showing help was all."""
    from rapyer_cli.language.parser import parse

    if words[:1] == ["__complete"] and len(words) > 1:
        import asyncio

        from rapyer_cli.verbs.completing import complete

        return asyncio.run(complete(words[1:], environment))
    if words[:1] == ["help"]:
        words = [*words[1:2], "--help"]  # as in the REPL
    verbs = _verbs_for(words)
    aliased = _aliased(words, verbs, environment)
    invocation = parse(words, verbs) if aliased is None else aliased
    if invocation is None:
        return _without_verb(words, environment)
    if invocation.flag("help"):
        from rapyer_cli.language.help import page

        environment.stdout.write(page(invocation.verb, min(environment.width, 100)))
        return Exit.DONE
    if not invocation.verb.in_shell:
        raise UsageError(f"{invocation.verb.name} is a verb of the REPL; 'rapyer repl' opens it")
    return invocation


def _aliased(words: Sequence[str], verbs: Verbs, environment: Environment) -> Invocation | None:
    """What an alias of the user's stands for with the words after it; None where the first word is none."""
    if not words or words[0].startswith("-") or words[0] in verbs:
        return None
    from rapyer_cli.language.lines import invocation_of
    from rapyer_cli.language.quoting import quoted
    from rapyer_cli.settings import Settings

    aliases = Settings.read(environment).aliases(verbs.spellings())
    if words[0] not in aliases:
        return None
    return invocation_of(" ".join([aliases[words[0]], *map(quoted, words[1:])]), verbs)


async def _perform(invocation: Invocation, environment: Environment) -> int:
    import asyncio

    from rapyer_cli.change.execute import run
    from rapyer_cli.session.session import session_for
    from rapyer_cli.verbs import all_verbs

    try:
        async with session_for(environment, all_verbs, choices_of(invocation)) as session:
            return await run(session, invocation)
    except asyncio.CancelledError as error:
        return report(error, environment, debug=invocation.flag("debug"))


def choices_of(invocation: Invocation) -> Any:
    """What the options of a line say about server, models and safety."""
    from rapyer_cli.session.session import Choices

    return Choices(
        url=invocation.text("url"),
        profile=invocation.text("profile"),
        models=tuple(invocation.texts("models")),
        read_only=invocation.flag("read_only"),
        write=invocation.flag("write"),
    )


def _verbs_for(words: Sequence[str]) -> Verbs:
    """The verbs needed to parse these words; the library's types only when an operation may be meant."""
    from rapyer_cli.language.parser import find_verb
    from rapyer_cli.verbs import all_verbs, typed_operations, verbs_with

    options_alone = all(word.startswith("-") for word in words)
    homes: tuple[Callable[[], Verbs | None], ...] = (
        partial(verbs_with, words),
        Verbs if options_alone else typed_operations,
    )
    for choose in homes:
        some = choose()
        try:
            if some is not None:
                find_verb(words, some)
                return some
        except UsageError:
            continue
    return all_verbs()


def _without_verb(words: Sequence[str], environment: Environment) -> int:
    from rapyer_cli.language.help import overview
    from rapyer_cli.verbs.summary import summarised_verbs

    if "--version" in words:
        from rapyer_cli.version import version

        environment.stdout.write(f"rapyer {version()}\n")
        return Exit.DONE
    unknown = [word for word in words if word not in ("--help", "-h", "--debug")]
    if unknown:
        raise UsageError(f"{unknown[0]!r} without a verb; 'rapyer --help' shows what there is")
    environment.stdout.write(overview(summarised_verbs(environment), min(environment.width, 100)))
    return Exit.DONE
