"""From exceptions to (exit code, one line): the one place where errors become what a user reads.

::

    CliError
    ├── UsageError        2  the command line could not be understood
    ├── NotFound          3  no such key, path, profile, file
    ├── ValueRefused      4  a value fails validation
    ├── Refused           6  a safety rule says no; nothing was sent
    └── ModelsError       7  the models could not be loaded

Errors of the library, of redis-py and of Pydantic are recognised without importing them: a class that
is not loaded cannot have been raised.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from rapyer_cli.environment import Environment
from rapyer_cli.exits import Exit

if TYPE_CHECKING:
    from pydantic import ValidationError


class CliError(Exception):
    """An error of the command line's own; ``str(error)`` is the line for the user."""

    code = Exit.FAILED


class UsageError(CliError):
    """The command line could not be understood."""

    code = Exit.USAGE


class NotFound(CliError):  # noqa: N818 - the name says it
    """Something that was named does not exist."""

    code = Exit.NOT_FOUND


class ValueRefused(CliError):  # noqa: N818 - the name says it
    """A value fails validation; nothing was sent."""

    code = Exit.INVALID


class ConnectionRefused(CliError):  # noqa: N818 - the name says it
    """There is no way to the server: bad URL, no password, no embedded server."""

    code = Exit.CONNECTION


class Refused(CliError):  # noqa: N818 - the name says it
    """A safety rule forbids it; nothing was sent."""

    code = Exit.REFUSED


class ModelsError(CliError):
    """The models could not be loaded."""

    code = Exit.MODELS


class Failure(NamedTuple):
    """How a command ends: its exit code and one line that says what, where and what to do."""

    code: Exit
    message: str


# From the most specific to the most general; the first class that is loaded and matches decides.
_CODES: tuple[tuple[str, str, Exit], ...] = (
    ("rapyer.errors", "MissingModuleError", Exit.FAILED),
    ("rapyer.errors", "ModelDefinitionError", Exit.MODELS),
    ("rapyer.errors", "AmbiguousModelError", Exit.MODELS),
    ("rapyer.errors", "ConfigurationError", Exit.CONNECTION),
    ("rapyer.errors.connection", "ConnectionError", Exit.CONNECTION),
    ("rapyer.errors", "KeyNotFound", Exit.NOT_FOUND),
    ("rapyer.errors", "InvalidValueError", Exit.INVALID),
    ("rapyer.errors", "ConstraintError", Exit.INVALID),
    ("rapyer.errors", "IntegerOverflowError", Exit.INVALID),
    ("rapyer.errors", "RapyerError", Exit.FAILED),
    ("redis.exceptions", "AuthenticationError", Exit.CONNECTION),
    ("redis.exceptions", "NoPermissionError", Exit.CONNECTION),
    ("redis.exceptions", "ConnectionError", Exit.CONNECTION),
    ("redis.exceptions", "TimeoutError", Exit.CONNECTION),
    ("redis.exceptions", "RedisError", Exit.FAILED),
    ("pydantic", "ValidationError", Exit.INVALID),
)


def failure_of(error: BaseException) -> Failure:
    """What to tell the user about ``error`` and the exit code that goes with it."""
    if isinstance(error, CliError):
        return Failure(error.code, one_line(str(error)))
    if isinstance(error, KeyboardInterrupt) or type(error).__name__ == "CancelledError":
        return Failure(Exit.INTERRUPTED, "interrupted")
    for module, name, code in _CODES:
        loaded = sys.modules.get(module)
        kind = (loaded and vars(loaded).get(name)) or _lazily_exported(module, name)
        if isinstance(kind, type) and isinstance(error, kind):
            return Failure(_refine(error, code), _message(error, name))
    if isinstance(error, OSError):
        return Failure(Exit.FAILED, one_line(f"{error.strerror or error}: {error.filename or ''}"))
    return Failure(
        Exit.FAILED, one_line(f"{type(error).__name__}: {error} (--debug shows the traceback)")
    )


def validation_lines(error: ValidationError) -> list[str]:
    """Each problem of a Pydantic error as ``field: message``."""
    lines = []
    for problem in error.errors(include_url=False, include_context=False):
        where = "/".join(str(part) for part in problem["loc"])
        lines.append(f"{where}: {problem['msg']}" if where else problem["msg"])
    return lines


def one_line(text: str) -> str:
    """``text`` without line breaks, control characters and doubled blanks."""
    printable = "".join(
        character if character.isprintable() or character.isspace() else f"\\x{ord(character):02x}"
        for character in text
    )
    return " ".join(printable.split()).rstrip(" :")


def report(error: BaseException, environment: Environment, *, debug: bool = False) -> int:
    """Write the one line for ``error`` (and its traceback with ``debug``); returns its exit code."""
    failure = failure_of(error)
    if debug:
        environment.note(redacted_traceback(error).rstrip("\n"))
    environment.note(f"rapyer: {failure.message}")
    if environment.stderr_is_terminal:
        for line in marked(error):
            environment.note(f"  {line}")
    return failure.code


def marked(error: BaseException) -> list[str]:
    """The text of a condition that is wrong, with a caret under what is meant: two lines, mostly none."""
    text = getattr(error, "marked", "")
    return text.split("\n") if isinstance(text, str) and text else []


def redacted_traceback(error: BaseException) -> str:
    """The traceback of ``error`` without passwords of URLs."""
    import traceback

    text = "".join(traceback.format_exception(error))
    if "://" in text and "rapyer.connections" in sys.modules:
        from rapyer.connections import redact_url

        words = [redact_url(word) if "://" in word else word for word in text.split(" ")]
        text = " ".join(words)
    return text


def _lazily_exported(module: str, name: str) -> Any:
    # Pydantic's package exports its names on demand; pydantic_core has the real class.
    core = sys.modules.get("pydantic_core")
    return vars(core).get(name) if module == "pydantic" and core is not None else None


def _refine(error: BaseException, code: Exit) -> Exit:
    # A refused batch is as good or bad as the operation that was refused.
    cause = error.__cause__
    if type(error).__name__ == "PipelineError" and cause is not None:
        return failure_of(cause).code
    if "NOAUTH" in str(error) or "WRONGPASS" in str(error) or "NOPERM" in str(error):
        return Exit.CONNECTION
    return code


def _message(error: BaseException, name: str) -> str:
    if name == "ValidationError":
        return one_line("; ".join(validation_lines(error)))  # type: ignore[arg-type]
    text = str(error) or type(error).__name__
    if name in ("AuthenticationError", "NoPermissionError") or "NOAUTH" in text:
        return one_line(
            f"the server refused: {text}. Check user and password of the profile or URL"
        )
    if type(error).__name__ == "ConnectionError" and name == "ConnectionError":
        return one_line(
            f"{text.rstrip('.')}; is it running? --url, --profile and RAPYER_URL name another"
        )
    if type(error).__name__ == "ResponseError":
        return one_line(f"the server answered: {text}")
    return one_line(text)
