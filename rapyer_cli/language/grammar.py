"""What a command line consists of: verbs, their arguments and options, and one parsed line.

The declarations here are plain data. Typer's commands, the completion engine, the help pages and the
toolbar of the REPL are all derived from them; this module imports none of those. Records of the command line
are named tuples: a frozen dataclass takes ten times as long to define, in every process.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeAlias

from rapyer_cli.exits import Exit

Effect: TypeAlias = Literal["read", "write", "destructive"]
Group: TypeAlias = Literal["look", "change", "operation", "many", "session", "repl"]


class Kind(StrEnum):
    """What a word of the line stands for; completion and typing go by it."""

    TARGET = "target"
    MODEL = "model"
    VALUE = "value"
    ASSIGNMENT = "assignment"
    OPERAND = "operand"
    EXPRESSION = "expression"
    FIELD = "field"
    FILE = "file"
    PROFILE = "profile"
    VERB = "verb"
    WORD = "word"
    NUMBER = "number"


class Argument(NamedTuple):
    """A positional argument. ``many`` takes all remaining words; ``choices`` are its allowed words."""

    name: str
    kind: Kind
    help: str
    required: bool = True
    many: bool = False
    choices: tuple[str, ...] = ()


class Option(NamedTuple):
    """An option. Without ``kind`` it is a flag; ``many`` may be given several times."""

    name: str
    flags: tuple[str, ...]
    help: str
    kind: Kind | None = None
    many: bool = False
    choices: tuple[str, ...] = ()
    metavar: str = ""


Run: TypeAlias = "Callable[[Any, Invocation], Awaitable[Any]]"
"""What a verb does. It is handed the session of its line, which is of a room above: nothing here looks into it."""


class Verb(NamedTuple):
    """One verb. ``run`` resolves the line and returns what to show, or a plan of what to change."""

    name: str
    help: str
    group: Group
    run: Run
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    examples: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    effect: Effect = "read"
    exits: tuple[Exit, ...] = ()
    details: str = ""
    connects: bool = True
    only_looks: Callable[[Invocation], bool] | None = None
    clauses: tuple[str, ...] = ()
    """The words that may follow a model: ``where``, before a condition, and ``set``, before assignments."""

    def changes(self, invocation: Invocation) -> bool:
        """Whether this line could change something."""
        if self.only_looks is not None and self.only_looks(invocation):
            return False
        return self.effect != "read"

    @property
    def in_shell(self) -> bool:
        """Whether it can be run as ``rapyer VERB``."""
        return self.group != "repl"

    @property
    def signature(self) -> str:
        """``TARGET [VALUE…]``: the arguments as help shows them."""
        parts = []
        for argument in self.arguments:
            text = argument.name.upper() + ("…" if argument.many else "")
            parts.append(text if argument.required else f"[{text}]")
        return " ".join(parts)

    def all_options(self) -> tuple[Option, ...]:
        """Its own options, then those that every verb of its effect has."""
        if self.group == "repl":
            return self.options
        common = CONNECTION_OPTIONS + OUTPUT_OPTIONS
        return self.options + (CHANGE_OPTIONS if self.effect != "read" else ()) + common


CONNECTION_OPTIONS = (
    Option("url", ("--url",), "server to talk to", Kind.WORD, metavar="URL"),
    Option("profile", ("--profile", "-p"), "profile of config.toml to use", Kind.PROFILE),
    Option(
        "models",
        ("--models", "-m"),
        "module or file.py with models; repeatable",
        Kind.FILE,
        many=True,
        metavar="MODULE",
    ),
    Option("read_only", ("--read-only",), "let no command leave that could write"),
    Option("write", ("--write",), "allow changes on a profile whose environment is prod"),
)
OUTPUT_OPTIONS = (
    Option(
        "output",
        ("--output", "-o"),
        "form of the output",
        Kind.WORD,
        choices=("auto", "table", "tree", "json", "jsonl", "raw"),
        metavar="FORM",
    ),
    Option("all", ("--all",), "show everything, however large"),
    Option("debug", ("--debug",), "show the traceback of an error"),
    Option("help", ("--help", "-h"), "show help and leave"),
)
CHANGE_OPTIONS = (
    Option("dry_run", ("--dry-run", "-n"), "show commands and effect, change nothing"),
    Option("yes", ("--yes", "-y"), "do not ask"),
    Option("json", ("--json",), "arguments are JSON, whatever the field's type"),
)


class Invocation(NamedTuple):
    """One parsed line: the verb, and the text given for each argument and option."""

    verb: Verb
    values: Mapping[str, Any] = MappingProxyType({})

    def text(self, name: str) -> str | None:
        """The text of a single argument or option, or None when it was not given."""
        value = self.values.get(name)
        return value if isinstance(value, str) else None

    def texts(self, name: str) -> list[str]:
        """The texts of an argument or option that may be given several times."""
        value = self.values.get(name)
        return list(value) if isinstance(value, (list, tuple)) else []

    def flag(self, name: str) -> bool:
        """Whether a flag was given."""
        return self.values.get(name) is True


# Of these, plain reads are answered by rapyer_cli.shortcut.
QUICK = ("get", "ttl")


class Verbs:
    """All verbs by spelling, in the order in which help lists them."""

    def __init__(self, verbs: Iterable[Verb] = ()) -> None:
        self._verbs: dict[str, Verb] = {}
        self._spellings: dict[str, str] = {}
        for verb in verbs:
            self.add(verb)

    def add(self, verb: Verb) -> None:
        """Add a verb; a name that exists already is a programming error."""
        if verb.name in self._spellings:
            raise ValueError(f"two verbs are called {verb.name}")
        self._verbs[verb.name] = verb
        for spelling in (verb.name, *verb.aliases):
            self._spellings.setdefault(spelling, verb.name)

    def __iter__(self) -> Iterator[Verb]:
        return iter(self._verbs.values())

    def __contains__(self, spelling: str) -> bool:
        return spelling in self._spellings

    def get(self, spelling: str) -> Verb | None:
        """The verb with this name or alias."""
        name = self._spellings.get(spelling)
        return self._verbs[name] if name is not None else None

    def spellings(self) -> tuple[str, ...]:
        """Every accepted spelling."""
        return tuple(self._spellings)
