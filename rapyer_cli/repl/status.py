"""What the prompt and the toolbar say: pure functions from the session's state to styled fragments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rapyer_cli.failures import UsageError
from rapyer_cli.knowledge.knowledge import Knowledge
from rapyer_cli.language.grammar import Kind, Verb, Verbs
from rapyer_cli.language.quoting import scan
from rapyer_cli.render.text import cut, printable

Fragment = tuple[str, str]


class Status(NamedTuple):
    """The state that prompt and toolbar show. ``latency`` is that of the last line, in seconds."""

    server: str
    place: str
    prod: bool = False
    read_only: bool = False
    queued: int | None = None
    latency: float | None = None
    trouble: str = ""


def prompt_fragments(status: Status) -> list[Fragment]:
    """``PROD BlogPost:42/tags (2 queued)>``."""
    fragments: list[Fragment] = []
    if status.prod:
        fragments.append(("class:prod", " PROD "))
        fragments.append(("", " "))
    fragments.append(("class:place", printable(status.place)))
    if status.queued is not None:
        fragments.append(("class:queued", f" ({status.queued} queued)"))
    fragments.append(("class:sign", "> "))
    return fragments


def toolbar_fragments(
    status: Status, line: str, cursor: int, verbs: Verbs, knowledge: Knowledge, width: int
) -> list[Fragment]:
    """Connection, mode and latency; then what the line is about: operation, type under the cursor."""
    mode = "read-only" if status.read_only else "writable" if status.prod else ""
    if status.queued is not None:
        mode = f"{status.queued} queued, commit or discard"
    parts = [status.server]
    if mode:
        parts.append(mode)
    if status.latency is not None:
        parts.append(f"{status.latency * 1000:.0f} ms")
    left = " · ".join(parts)
    hint = status.trouble or hint_for(line, cursor, verbs, knowledge)
    fragments: list[Fragment] = [("class:toolbar.left", f" {left} ")]
    if hint:
        room = max(width - len(left) - 5, 10)
        style = "class:toolbar.trouble" if status.trouble else "class:toolbar.hint"
        fragments.append((style, f"│ {cut(printable(hint), room)}"))
    return fragments


def hint_for(line: str, cursor: int, verbs: Verbs, knowledge: Knowledge) -> str:
    """The signature of the verb being typed, and the type of the target under the cursor."""
    words = scan(line[:cursor])
    plain = [word.text for word in words if not word.text.startswith("-")]
    verb = verbs.get(plain[0]) if plain else None
    if verb is None or (len(words) == 1 and words[0].end == cursor):
        return verb.help if verb is not None else ""
    target = _target_of(verb, plain[1:], knowledge)
    kind = type_of_target(target, knowledge) if target is not None else None
    signature = _signature(verb, kind, knowledge)
    label = f"{target}: {kind[1]}" if target and kind is not None and kind[1] else ""
    return "   ".join(part for part in (f"{verb.name} {signature}".strip(), label) if part)


def type_of_target(target: str, knowledge: Knowledge) -> tuple[str, str] | None:
    """The kind and the label of the type of a target, as far as the models say."""
    try:
        address = knowledge.address(target)
    except UsageError:
        return None
    found = knowledge.type_at(address)
    return (found.kind, found.label) if found is not None else None


def _target_of(verb: Verb, words: Sequence[str], knowledge: Knowledge) -> str | None:
    if not verb.arguments or verb.arguments[0].kind is not Kind.TARGET:
        return None
    return words[0] if words else ("." if knowledge.here.key is not None else None)


def _signature(verb: Verb, kind: tuple[str, str] | None, knowledge: Knowledge) -> str:
    if verb.group == "operation" and kind is not None:
        for operation in knowledge.operations:
            if operation.verb == verb.name and operation.kind == kind[0]:
                return operation.signature
    return verb.signature
