"""Help: every verb has an example and its exit codes; operations come from the library's registry."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

import rapyer.types  # noqa: F401 - fills the registry
from rapyer.operations import REGISTRY, Operation, operation, register_operations
from rapyer.types import RedisInt
from rapyer_cli.language.grammar import Verb, Verbs
from rapyer_cli.language.help import page
from rapyer_cli.language.parser import parse
from rapyer_cli.language.quoting import split
from rapyer_cli.verbs import HOMES, all_verbs, named_verbs, verbs_with
from rapyer_cli.verbs.operations import operation_verbs
from tests.cli.conftest import Cli

VERBS = list(all_verbs())


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verb_has_help_examples_that_parse_and_exit_codes(verb: Verb) -> None:
    text = page(verb, 80)
    assert verb.help
    assert verb.help[0].islower()
    assert verb.examples
    assert not verb.in_shell or "Exit codes:" in text
    assert max(map(len, text.splitlines())) <= 110
    for example in verb.examples:
        words = [word.text for word in split(example.partition(" > ")[0].partition(" < ")[0])]
        if words[0] == "eval":
            continue
        invocation = parse(words, all_verbs())
        assert invocation is not None
        assert invocation.verb is verb


@pytest.mark.parametrize(
    "entry", list(REGISTRY), ids=lambda entry: f"{entry.python_type.__name__}.{entry.name}"
)
def test_every_operation_of_the_registry_is_a_verb_with_help_and_example(entry: Operation) -> None:
    assert entry.help.strip()
    assert entry.example.startswith("rapyer ")
    assert re.match(rf"rapyer {entry.name}\b", entry.example)
    verb = all_verbs().get(entry.name)
    assert verb is not None
    for spelling in (entry.method, *entry.aliases):
        assert all_verbs().get(spelling) is verb, spelling


@pytest.fixture
def doubled() -> Iterator[None]:
    """An operation that somebody adds to a type."""

    class Doubling(RedisInt):
        @operation(
            "double", effect="write", help="Double the number.", example="rapyer double A:1/n"
        )
        async def double(self) -> int:
            return await self.increase(int(self))

    register_operations(Doubling, int)
    yield
    REGISTRY._by_name.pop("double")
    REGISTRY._canonical.pop("double")


@pytest.mark.usefixtures("doubled")
def test_an_operation_added_to_a_type_is_a_verb_at_once() -> None:
    verb = Verbs(operation_verbs(named_verbs())).get("double")
    assert verb is not None
    assert (verb.help, verb.examples) == ("double the number", ("double A:1/n",))


def test_every_verb_is_found_without_importing_the_others() -> None:
    written = {spelling for spellings in HOMES.values() for spelling in spellings}
    assert written == set(named_verbs().spellings())
    for home, spellings in HOMES.items():
        for spelling in spellings:
            some = verbs_with([spelling])
            assert some is not None, home
            assert some.get(spelling) == named_verbs().get(spelling)


def test_the_overview_lists_every_verb_and_the_exit_codes(cli: Cli) -> None:
    for words in ((), ("--help",), ("-h",)):
        ran = cli(*words)
        assert ran.code == 0
        for verb in VERBS:
            assert not verb.in_shell or re.search(rf"^  {verb.name}\b", ran.out, re.MULTILINE), (
                verb.name
            )
        assert "130  interrupted" in ran.out


def test_help_is_shown_whatever_else_is_missing_or_wrong(cli: Cli) -> None:
    assert cli("set", "--help").out.startswith("Usage: rapyer set TARGET VALUE")
    assert cli("get", "--nonsense", "-h").code == 0


def test_the_verbs_of_the_repl_are_refused_in_the_shell(cli: Cli) -> None:
    ran = cli("cd", "BlogPost:1")
    assert (ran.code, "rapyer repl" in ran.err) == (2, True)


def test_version_is_said(cli: Cli) -> None:
    assert re.match(r"rapyer \d+\.\d+", cli("--version").out)


def test_help_is_also_a_word(cli: Cli) -> None:
    assert cli("help").out == cli("--help").out
    assert cli("help", "get").out == cli("get", "--help").out
    assert cli("help", "nope").code == 2
