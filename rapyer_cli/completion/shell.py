"""Completion for bash, zsh and fish: the words of their command line through the same engine.

Types come from the cache of the last command that loaded the models; keys and dict entries from the
server, within a short time. Nothing is ever complained about: no candidates is the worst that happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rapyer_cli.completion.engine import Completion, complete_words
from rapyer_cli.environment import Environment
from rapyer_cli.failures import CliError
from rapyer_cli.knowledge.cache import cache_path, knowledge_from, read
from rapyer_cli.knowledge.knowledge import Knowledge, Want
from rapyer_cli.language.grammar import Verbs
from rapyer_cli.language.parser import find_verb

_PATIENCE_SECONDS = 1.0


async def candidates(
    words: Sequence[str], partial: str, verbs: Verbs, environment: Environment
) -> list[tuple[str, str, bool]]:
    """Text, meaning and finality of each word that could complete ``partial`` after ``words``."""
    from rapyer_cli.session.session import Choices, session_for

    given = _options(words, verbs)
    choices = Choices(
        url=given.get("--url", [None])[-1],
        profile=given.get("--profile", [None])[-1],
        models=tuple(name for name in given.get("--models", []) if name is not None),
        read_only=True,
    )
    async with session_for(environment, lambda: verbs, choices) as session:
        try:
            sources = session.settings.models(choices.models)
            profiles = tuple(session.settings.profile_names())
        except CliError:
            return []
        knowledge = knowledge_from(read(cache_path(environment, sources)), profiles)
        found = complete_words(words, partial, verbs, knowledge)
        if found.wants:
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await _learn(knowledge, found.wants, session)
            except Exception:
                return _listed(found)
            found = complete_words(words, partial, verbs, knowledge)
        return _listed(found)


def _listed(found: Completion) -> list[tuple[str, str, bool]]:
    return [(c.text, c.meta, c.final) for c in found.candidates]


async def _learn(knowledge: Knowledge, wants: Sequence[Want], session: object) -> None:
    from rapyer_cli.knowledge.gathering import children_at, files_like, keys_for
    from rapyer_cli.session.session import Session

    assert isinstance(session, Session)
    for want in wants:
        if want.what == "files":
            knowledge.files = {want.text: files_like(want.text, session.environment.cwd)}
        elif session.server.is_default:
            return  # completing must not start a server
        elif want.what == "keys":
            name = want.address.name
            knowledge.keys = {name: await keys_for(await session.client(), name, want.text)}
        elif want.what == "children":
            children = await children_at(await session.client(), want.address)
            knowledge.children = {want.address: () if children is None else children}


def _options(words: Sequence[str], verbs: Verbs) -> dict[str, list[str | None]]:
    """The connection options among ``words``, by their long flag."""
    from rapyer_cli.language.grammar import CONNECTION_OPTIONS

    try:
        find_verb(words, verbs)
    except CliError:
        return {}
    found: dict[str, list[str | None]] = {}
    for option in CONNECTION_OPTIONS:
        for position, word in enumerate(words[:-1]):
            if option.kind is not None and word in option.flags:
                found.setdefault(option.flags[0], []).append(words[position + 1])
    return found


SCRIPTS = {
    "bash": """\
_rapyer() {
    # Words are split here by blanks alone: for bash colons and equal signs would end them, too.
    local line="${COMP_LINE:0:COMP_POINT}" cur="" reply prefix
    local -a words
    read -r -a words <<< "$line"
    if [[ "$line" != *[[:space:]] ]]; then
        cur="${words[${#words[@]}-1]}"
        unset "words[${#words[@]}-1]"
    fi
    prefix="${cur%"${cur##*[:=]}"}"
    [[ "$COMP_WORDBREAKS" == *:* ]] || prefix=""
    COMPREPLY=()
    while IFS= read -r reply; do COMPREPLY+=("${reply#"$prefix"}"); done \\
        < <(rapyer __complete bash "${words[@]:1}" -- "$cur" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" == *[:/=] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -F _rapyer rapyer
""",
    "zsh": """\
#compdef rapyer
_rapyer() {
    local -a finished open
    local line
    while IFS= read -r line; do
        if [[ $line == *[:/=] ]]; then open+=("$line"); else finished+=("$line"); fi
    done < <(rapyer __complete zsh "${(@)words[2,CURRENT-1]}" -- "${words[CURRENT]}" 2>/dev/null)
    (( ${#finished} )) && compadd -a finished
    (( ${#open} )) && compadd -S '' -a open
}
if [[ $funcstack[1] == _rapyer ]]; then _rapyer "$@"; else compdef _rapyer rapyer; fi
""",
    "fish": """\
function __rapyer_complete
    set -l words (commandline -opc)
    rapyer __complete fish $words[2..-1] -- (commandline -ct) 2>/dev/null
end
complete -c rapyer -f -a '(__rapyer_complete)'
""",
}
