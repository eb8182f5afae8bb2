"""Shapes of documents as the source of a module of models: valid Python, whatever the stored names are."""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from rapyer_cli.reading.inferring import Shape

FINEST = 0
"""Levels of a field: with choices and texts that are something else, without those, without classes, ``Any``."""
COARSEST = 3
_NAMES = (
    "Any",
    "AtomicRedisModel",
    "BaseModel",
    "Enum",
    "Field",
    "Index",
    "Key",
    "Literal",
    "UUID",
)
_MODULES = {
    "Any": "typing",
    "Literal": "typing",
    "Enum": "enum",
    "UUID": "uuid",
    "date": "datetime",
    "datetime": "datetime",
    "BaseModel": "pydantic",
    "Field": "pydantic",
    "AtomicRedisModel": "rapyer",
    "Key": "rapyer",
}
_KEPT_BY_PYDANTIC = ("_", "model_dump", "model_validate")
_WORDS = re.compile(r"[^0-9A-Za-z]+")


class Root(NamedTuple):
    """Documents of one prefix: their shape, the field that is their pk, and how fine each field is to be."""

    prefix: str
    shape: Shape
    key_field: str | None = None
    levels: dict[str, int] = {}  # noqa: RUF012 - never changed


@dataclass(slots=True)
class _Module:
    """The classes written so far, and which names are taken."""

    blocks: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=lambda: {*_MODULES, *_NAMES, *dir(builtins)})

    def name(self, *parts: str) -> str:
        """A class name that is not taken, made of ``parts``."""
        words = [word for part in parts for word in _WORDS.split(_ascii(part)) if word]
        text = "".join(word[:1].upper() + word[1:] for word in words) or "Model"
        if text[0].isdigit() or keyword.iskeyword(text):
            text = f"Model{text}"
        name, number = text, 2
        while name in self.taken:
            name, number = f"{text}{number}", number + 1
        self.taken.add(name)
        return name

    def use(self, name: str) -> str:
        """A name that has to be imported."""
        self.used.add(name)
        return name


def source_of(roots: Sequence[Root], said: Iterable[str] = ()) -> tuple[str, dict[str, str]]:
    """The module, and the class of each prefix. ``said`` are lines for its docstring."""
    module = _Module()
    classes = {root.prefix: module.name(root.prefix) for root in roots}
    for root in roots:
        _write_root(module, root, classes[root.prefix])
    module.use("AtomicRedisModel")
    imports: dict[str, list[str]] = {}
    for name in sorted(module.used):
        imports.setdefault(_MODULES[name], []).append(name)
    own = ("pydantic", "rapyer")
    lines = ['"""Models inferred from stored documents.', "", *said, '"""', ""]
    groups = (
        [name for name in sorted(imports) if name not in own],
        [name for name in sorted(imports) if name == "pydantic"],
        [name for name in sorted(imports) if name == "rapyer"],
    )
    for group in groups:
        lines += [f"from {name} import {', '.join(imports[name])}" for name in group]
        lines += [""] if group else []
    return "\n".join([*lines, "", "\n\n\n".join(module.blocks)]) + "\n", classes


def _write_root(module: _Module, root: Root, name: str) -> None:
    lines = _fields(module, root.shape, name, root.levels, root.key_field)
    if name != root.prefix:
        lines += [] if not lines else [""]
        lines += ["    @classmethod", "    def class_key_initials(cls) -> str:"]
        lines += [f"        return {root.prefix!r}"]
    body = "\n".join(lines or ["    pass"])
    module.blocks.append(f"class {name}({module.use('AtomicRedisModel')}):\n{body}")


def _fields(
    module: _Module, shape: Shape, owner: str, levels: dict[str, int], key: str | None = None
) -> list[str]:
    names: set[str] = set()
    lines: list[str] = []
    for stored, inner in shape.names.items():
        level = levels.get(stored, levels.get("", FINEST))
        name = _identifier(stored, names)
        names.add(name)
        annotation = _annotation(module, inner, (owner, stored), level)
        if stored == key:
            annotation = f"{module.use('Key')}[{annotation}]"
        optional = inner.is_optional_in(shape.objects)
        if optional and annotation != "Any":
            annotation += " | None"
        facts = ["default=None"] if optional else []
        if name != stored:
            facts.append(f"validation_alias={stored!r}")
            default = f" = {module.use('Field')}({', '.join(facts)})"
        else:
            default = " = None" if optional else ""
        hint = _index_hint(inner, level) if stored != key else ""
        lines.append(f"    {name}: {annotation}{default}{hint}")
    return lines


def _index_hint(shape: Shape, level: int) -> str:
    """A comment where an index would be of use: few different texts, points in time."""
    told = level == FINEST and (shape.choices() or (shape.strings and "datetime" in shape.texts))
    plain = not (shape.objects or shape.lists or shape.scalars)
    return "  # Index[...] would make finding by it fast" if told and plain else ""


def _annotation(module: _Module, shape: Shape, where: tuple[str, str], level: int) -> str:
    """The type of a place, without None."""
    if level >= COARSEST:
        return module.use("Any")
    parts = [kind.__name__ for kind in (bool, int, float) if kind in shape.scalars]
    if shape.strings:
        parts.append(_text(module, shape, where, level))
    if shape.lists and shape.item is not None:
        item = _annotation_in(module, shape.item, where, level, f"{where[1]} item")
        parts.append("list" if level == COARSEST - 1 else f"list[{item}]")
    if shape.objects:
        parts.append(_object(module, shape, where, level))
    return " | ".join(dict.fromkeys(parts)) or module.use("Any")


def _annotation_in(
    module: _Module, shape: Shape, where: tuple[str, str], level: int, name: str
) -> str:
    """The type of what is inside a list or dict, None included."""
    inner = _annotation(module, shape, (where[0], name), level)
    return f"{inner} | None" if shape.nulls and inner != "Any" else inner


def _text(module: _Module, shape: Shape, where: tuple[str, str], level: int) -> str:
    if level == FINEST:
        if shape.texts:
            return module.use(shape.texts[0])
        choices = shape.choices()
        if choices:
            return _choice(module, choices, where)
    return "str"


def _choice(module: _Module, choices: list[str], where: tuple[str, str]) -> str:
    members = [_ascii(text).replace("-", "_").replace(" ", "_").upper() for text in choices]
    fine = all(member.isidentifier() and not member.startswith("_") for member in members)
    if not fine or len(set(members)) != len(members) or any(map(keyword.iskeyword, members)):
        return f"{module.use('Literal')}[{', '.join(map(repr, choices))}]"
    name = module.name(*where)
    lines = [f"    {member} = {text!r}" for member, text in zip(members, choices, strict=True)]
    module.blocks.append("\n".join([f"class {name}({module.use('Enum')}):", *lines]))
    return name


def _object(module: _Module, shape: Shape, where: tuple[str, str], level: int) -> str:
    if level == COARSEST - 1:
        return "dict"
    if shape.is_mapping():
        if not shape.names:
            return f"dict[str, {module.use('Any')}]"
        entries = shape.of_entries()
        return f"dict[str, {_annotation_in(module, entries, where, level, f'{where[1]} value')}]"
    name = module.name(*where)
    lines = _fields(module, shape, name, {"": level})
    module.blocks.append(
        "\n".join([f"class {name}({module.use('BaseModel')}):", *(lines or ["    pass"])])
    )
    return name


def _identifier(stored: str, taken: set[str]) -> str:
    """The field's name: the stored one, or one much like it where Python or a model could not have that."""
    if _is_fine(stored) and stored not in taken:
        return stored
    text = re.sub(r"\W", "_", _ascii(stored)).strip("_") or "field"
    if text[0].isdigit():
        text = f"n{text}"
    candidates = (text, f"{text}_", f"field_{text}")
    name = next((one for one in candidates if _is_fine(one) and one not in taken), "")
    number = 2
    while not name or name in taken:
        name, number = f"field_{text}_{number}", number + 1
    return name


def _is_fine(name: str) -> bool:
    return (
        name.isidentifier()
        and unicodedata.normalize("NFKC", name) == name
        and not name.startswith(_KEPT_BY_PYDANTIC)
        and not keyword.iskeyword(name)
        and name not in _MODULES
        and name not in _inherited()
    )


@lru_cache(maxsize=1)
def _inherited() -> frozenset[str]:
    from rapyer import AtomicRedisModel

    # A field called as a type would be taken for that type by the annotations after it.
    return frozenset(
        {*dir(AtomicRedisModel), "Meta", "bool", "int", "float", "str", "list", "dict"}
    )


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
