"""What could come here: a pure function from words and knowledge to candidates.

No terminal, no database, no user code. The REPL, the shells' completion and the tests call it alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rapyer.paths import escape_pointer
from rapyer_cli.failures import UsageError
from rapyer_cli.knowledge.knowledge import Knowledge, TypeInfo, Want
from rapyer_cli.language.addresses import ROOT, Address, escape_key
from rapyer_cli.language.grammar import CONNECTION_OPTIONS, Argument, Kind, Option, Verb, Verbs
from rapyer_cli.language.quoting import left_open, quoted, scan

_FEW_INDICES = 20
MOST_OFFERED = 500
"""So many entries are offered; the last one says how many more there are."""


class Candidate(NamedTuple):
    """One possible word. ``final`` when a blank may follow; otherwise the word goes on."""

    text: str
    meta: str = ""
    final: bool = True
    display: str = ""


@dataclass(slots=True)
class Completion:
    """The candidates for the word at the cursor, which begins at ``start``, and what was not known."""

    candidates: list[Candidate] = field(default_factory=list)
    start: int = 0
    wants: list[Want] = field(default_factory=list)


def complete_line(line: str, cursor: int, verbs: Verbs, knowledge: Knowledge) -> Completion:
    """Complete a line of the REPL at ``cursor``. Candidates are quoted as the line needs it."""
    words = scan(line[:cursor])
    partial, start, quote = "", cursor, ""
    if words and words[-1].end == cursor:
        last = words.pop()
        partial, start = last.text, last.start
        quote = last.open if last.source.startswith(last.open) else ""
    elif "#" in line[:cursor] and line[:cursor].lstrip().startswith("#"):
        return Completion(start=cursor)
    found = complete_words([word.text for word in words], partial, verbs, knowledge)
    found.start = start
    # The connection is chosen when the REPL is opened, and by 'use'.
    hidden = {flag for option in CONNECTION_OPTIONS for flag in option.flags}
    found.candidates = [c for c in found.candidates if c.text not in hidden]
    found.candidates = [
        Candidate(
            left_open(c.text, quote) if quote and not c.final else quoted(c.text),
            c.meta,
            c.final,
            c.display or c.text,
        )
        for c in found.candidates
    ]
    return found


def complete_words(
    words: Sequence[str], partial: str, verbs: Verbs, knowledge: Knowledge
) -> Completion:
    """Complete ``partial``, the word after ``words``; the first word of a line is its verb."""
    engine = _Engine(verbs, knowledge)
    engine.run(list(words), partial)
    return engine.found


class _Engine:
    def __init__(self, verbs: Verbs, knowledge: Knowledge) -> None:
        self.verbs = verbs
        self.knowledge = knowledge
        self.found = Completion()

    def run(self, words: list[str], partial: str) -> None:
        verb, positional, pending, literal = self._read(words)
        if verb is None:
            if pending is not None:
                self._offer_kind(pending.kind, partial, pending.choices, verb, positional)
            elif partial.startswith("-"):
                self._offer_options(None, partial)
            else:
                self._offer_verbs(partial)
        elif pending is not None:
            self._offer_kind(pending.kind, partial, pending.choices, verb, positional)
        elif (partial.startswith("-") and not literal and len(partial) > 1) or partial == "--":
            self._offer_options(verb, partial)
        elif not self._offer_clause(verb, positional, partial):
            argument = _argument_at(verb, len(positional))
            if argument is not None:
                self._offer_kind(argument.kind, partial, argument.choices, verb, positional)

    def _offer_clause(self, verb: Verb, positional: Sequence[str], partial: str) -> bool:
        """Offer what goes on after ``MODEL where …``; whether nothing else can stand here."""
        if not verb.clauses or not positional or positional[0] not in self.knowledge.models:
            return False
        if len(positional) == 1:
            self._offer(("where",), partial, "a condition follows")
            return bool(self.found.candidates) or "condition" in {a.name for a in verb.arguments}
        if positional[1] != "where":
            return False
        if "set" in verb.clauses and "set" in positional[3:]:
            self._offer_assignments(positional[0], partial)
            return True
        if "set" in verb.clauses and len(positional) > 2:
            self._offer(("set",), partial, "field=value follows")
        self._offer_expression(positional[0], partial)
        return True

    def _read(self, words: list[str]) -> tuple[Verb | None, list[str], Option | None, bool]:
        verb: Verb | None = None
        positional: list[str] = []
        pending: Option | None = None
        literal = False
        for word in words:
            if pending is not None:
                pending = None
            elif word == "--" and not literal:
                literal = True
            elif word.startswith("-") and len(word) > 1 and not literal:
                option = _option(verb, word)
                pending = option if option is not None and option.kind is not None else None
            elif verb is None:
                verb = self.verbs.get(word) or _NO_VERB
            else:
                positional.append(word)
        return verb, positional, pending, literal

    def _offer(
        self, texts: Iterable[str], partial: str, meta: str = "", *, final: bool = True
    ) -> None:
        for text in texts:
            if text.startswith(partial):
                self.found.candidates.append(Candidate(text, meta, final))

    def _offer_verbs(self, partial: str) -> None:
        here = self.knowledge.type_at(self.knowledge.here)
        fitting: set[str] | None = None
        if here is not None and here.kind not in ("model", "object"):
            fitting = {operation.verb for operation in self.knowledge.fitting(here.kind)}
        for verb in self.verbs:
            misfit = fitting is not None and verb.group == "operation" and verb.name not in fitting
            if verb.name.startswith(partial) and not misfit:
                self.found.candidates.append(Candidate(verb.name, verb.help))
        if not self.found.candidates and partial:
            self._offer(self.verbs.spellings(), partial)

    def _offer_options(self, verb: Verb | None, partial: str) -> None:
        options = verb.all_options() if verb is not None else _common_options()
        for option in options:
            for flag in option.flags:
                if flag.startswith("--") and flag.startswith(partial):
                    self.found.candidates.append(Candidate(flag, option.help))

    def _offer_kind(
        self,
        kind: Kind | None,
        partial: str,
        choices: Sequence[str],
        verb: Verb | None,
        positional: Sequence[str],
    ) -> None:
        if choices:
            self._offer(choices, partial)
        elif kind is Kind.MODEL:
            self._offer(self.knowledge.models, partial, "model")
        elif kind is Kind.TARGET:
            self._offer_targets(partial, verb)
        elif kind is Kind.VERB:
            self._offer_verbs(partial)
        elif kind is Kind.PROFILE:
            self._offer(self.knowledge.profiles, partial, "profile")
        elif kind is Kind.FILE:
            self._offer_files(partial)
        elif kind is Kind.FIELD and positional:
            head, comma, tail = partial.rpartition(",")
            sign = "-" if tail.startswith("-") else ""
            self._offer_fields(positional[0], tail[len(sign) :], head + comma + sign, "")
        elif kind is Kind.ASSIGNMENT and positional:
            self._offer_assignments(positional[0], partial)
        elif kind is Kind.EXPRESSION and positional:
            self._offer_expression(positional[0], partial)
        elif kind is Kind.VALUE and positional:
            type_ = self._type_of_target(positional[0])
            if type_ is not None:
                self._offer(type_.choices, partial, type_.label)
        elif kind is Kind.OPERAND and positional and verb is not None:
            self._offer_operand(verb, positional, partial)

    # targets

    def _offer_targets(self, partial: str, verb: Verb | None) -> None:
        head, slash, tail = partial.rpartition("/")
        here = self.knowledge.here
        if (not slash and here.is_root) or (partial.startswith("/") and head == ""):
            self._offer_documents(partial.lstrip("/"), "/" if slash else "")
            return
        try:
            base = self.knowledge.address(head or "/") if slash else here
        except UsageError:
            return
        if not slash and (":" in tail or here.is_model):
            self._offer_documents(tail, "")
        if base.is_model:
            self._offer_keys(base.name, tail, f"{head}{slash}", bare=True)
        elif base.key is not None:
            self._offer_children(base, tail, f"{head}{slash}", verb)

    def _offer_documents(self, partial: str, prefix: str) -> None:
        for name in self.knowledge.models:
            if partial.startswith(f"{name}:"):
                self._offer_keys(name, partial[len(name) + 1 :], f"{prefix}{name}:", bare=True)
                return
        for name in self.knowledge.models:
            if name.startswith(partial):
                self.found.candidates.append(Candidate(f"{prefix}{name}:", "model", final=False))

    def _offer_keys(self, name: str, partial: str, prefix: str, *, bare: bool) -> None:
        keys = self.knowledge.keys.get(name)
        if keys is None or partial:
            self.found.wants.append(Want("keys", Address(name), partial))
        for key in keys or ():
            text = escape_key(key, name)
            if bare and text.startswith(f"{name}:"):
                text = text[len(name) + 1 :]
            if text.startswith(partial):
                self.found.candidates.append(Candidate(prefix + text, name, final=False))

    def _offer_children(self, base: Address, partial: str, prefix: str, verb: Verb | None) -> None:
        left = 0
        for text, type_ in self._children(base):
            if text.startswith(partial) and self._leads_to(verb, type_):
                if len(self.found.candidates) >= MOST_OFFERED:
                    left += 1
                    continue
                label = type_.label if type_ is not None else ""
                final = type_ is None or type_.kind not in ("model", "list", "dict")
                self.found.candidates.append(Candidate(prefix + text, label, final))
        if left:
            last = self.found.candidates[-1]
            self.found.candidates[-1] = last._replace(meta=f"and {left} more: type on")

    def _children(self, base: Address) -> Iterator[tuple[str, TypeInfo | None]]:
        type_ = self.knowledge.type_at(base)
        if type_ is not None and type_.model:
            for name, field_type in self.knowledge.types.get(type_.model, {}).items():
                yield escape_pointer(name), field_type
            return
        if type_ is not None and type_.kind not in ("list", "dict", "object"):
            return
        item = type_.item if type_ is not None else None
        children = self.knowledge.children.get(base)
        if children is None:
            self.found.wants.append(Want("children", base))
        elif isinstance(children, int):
            for index in range(min(children, _FEW_INDICES)):
                yield str(index), item
            if children:
                yield "-1", item
        else:
            for name in children:
                yield escape_pointer(name), item

    def _leads_to(self, verb: Verb | None, type_: TypeInfo | None) -> bool:
        # An operation is offered the fields that have it, and what may contain such fields.
        if verb is None or verb.group != "operation" or type_ is None:
            return True
        kinds = {o.kind for o in self.knowledge.operations if o.verb == verb.name}
        return (
            type_.kind in kinds
            or type_.kind in ("model", "object")
            or (type_.item is not None and self._leads_to(verb, type_.item))
        )

    def _type_of_target(self, target: str) -> TypeInfo | None:
        try:
            address = self.knowledge.address(target)
        except UsageError:
            return None
        if address.is_model and address.name in self.knowledge.types:
            return TypeInfo("model", address.name, address.name)
        return self.knowledge.type_at(address)

    # fields, values

    def _offer_fields(self, target: str, partial: str, prefix: str, suffix: str) -> None:
        type_ = self._type_of_target(target)
        head, dot, tail = partial.rpartition(".")
        for segment in head.split(".") if dot else ():
            if type_ is None:
                return
            type_ = (
                self.knowledge.types.get(type_.model, {}).get(segment)
                if type_.model
                else type_.item
            )
        if type_ is None or not type_.model:
            return
        for name, field_type in self.knowledge.types.get(type_.model, {}).items():
            if name.startswith(tail):
                text = f"{prefix}{head}{dot}{name}{suffix}"
                self.found.candidates.append(Candidate(text, field_type.label, final=not suffix))

    def _offer_assignments(self, target: str, partial: str) -> None:
        name, equals, _ = partial.partition("=")
        if not equals:
            self._offer_fields(target, name, "", "=")
            return
        type_ = self._type_of_target(target)
        field_type = (
            self.knowledge.types.get(type_.model, {}).get(name) if type_ is not None else None
        )
        if field_type is not None:
            texts = [f"{name}={choice}" for choice in field_type.choices]
            self._offer(texts, partial, field_type.label)

    def _offer_expression(self, target: str, partial: str) -> None:
        head_length = max((partial.rfind(c) for c in " (<>=!"), default=-1) + 1
        before = len(self.found.candidates)
        self._offer_fields(target, partial[head_length:], partial[:head_length], "")
        self.found.candidates[before:] = [
            candidate._replace(final=False) for candidate in self.found.candidates[before:]
        ]

    def _offer_operand(self, verb: Verb, positional: Sequence[str], partial: str) -> None:
        type_ = self._type_of_target(positional[0])
        if type_ is None:
            return
        for operation in self.knowledge.operations:
            if operation.verb != verb.name or operation.kind != type_.kind or not operation.roles:
                continue
            role = operation.roles[min(len(positional) - 1, len(operation.roles) - 1)]
            if role in ("item", "items", "value") and type_.item is not None:
                self._offer(type_.item.choices, partial, type_.item.label)
            elif role in ("key", "index", "entries"):
                self._offer_inside(positional[0], partial, role)

    def _offer_inside(self, target: str, partial: str, role: str) -> None:
        address = self.knowledge.address(target)
        children = self.knowledge.children.get(address)
        if children is None:
            self.found.wants.append(Want("children", address))
        elif isinstance(children, int):
            self._offer([str(i) for i in range(min(children, _FEW_INDICES))] + ["-1"], partial)
        else:
            suffix = "=" if role == "entries" else ""
            self._offer([name + suffix for name in children], partial, final=not suffix)

    def _offer_files(self, partial: str) -> None:
        names = self.knowledge.files.get(partial)
        if names is None:
            self.found.wants.append(Want("files", ROOT, partial))
        for name in names or ():
            self.found.candidates.append(Candidate(name, "", final=not name.endswith("/")))


async def _nothing(*_: object) -> None:
    return None


_NO_VERB = Verb("", "", "look", _nothing)


def _argument_at(verb: Verb, position: int) -> Argument | None:
    if position < len(verb.arguments):
        return verb.arguments[position]
    if verb.arguments and verb.arguments[-1].many:
        return verb.arguments[-1]
    return None


def _option(verb: Verb | None, flag: str) -> Option | None:
    options = verb.all_options() if verb is not None else _common_options()
    return next((option for option in options if flag in option.flags), None)


def _common_options() -> tuple[Option, ...]:
    from rapyer_cli.language.grammar import CONNECTION_OPTIONS, OUTPUT_OPTIONS

    return CONNECTION_OPTIONS + OUTPUT_OPTIONS
