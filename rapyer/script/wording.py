"""Script steps in words: the Redis commands that they amount to, for dry runs."""

from __future__ import annotations

from rapyer.paths import addressable_prefix, is_addressable, json_path
from rapyer.script.primitives import PRIMITIVES
from rapyer.script.steps import Primitive

_MOST_SHOWN = 2000


def _shown(argument: bytes) -> str:
    text = argument.decode(errors="replace")
    if len(text) > _MOST_SHOWN:
        text = f"{text[:_MOST_SHOWN]}… ({len(argument)} bytes)"
    if text and not any(character in text for character in " \t\r\n'\"\\"):
        return text
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def _shown_path(path: tuple[str | int, ...]) -> str:
    return _shown(json_path(path).encode())


def describe_step(key: str, step: Primitive) -> str:
    """The Redis command that a step of a batch, on the document ``key``, amounts to."""
    reach = addressable_prefix(step.path)
    names_odd_entry = step.code == "take" and not is_addressable(step.args[0].decode())
    instruction = PRIMITIVES[step.code]
    if step.rewrite is not None or reach < len(step.path) or names_odd_entry:
        instruction = PRIMITIVES["cas"]
    if step.code == "expire" and step.args[0] == b"-1":
        return f"PERSIST {_shown(key.encode())}"
    words = {"key": _shown(key.encode()), "path": _shown_path(step.path[:reach])}
    empty = set()
    for position, argument in enumerate(instruction.arguments):
        texts = step.args[position:] if argument.many else step.args[position : position + 1]
        words[argument.name] = " ".join(_shown(text) for text in texts)
        if texts in ((), (b"",)):
            empty.add(f"{{{argument.name}}}")
    if instruction is PRIMITIVES["take"]:
        words["entry"] = _shown_path((*step.path, step.args[0].decode()))
    if instruction is PRIMITIVES["setat"]:
        words["item"] = _shown_path((*step.path, int(step.args[0])))
    words["mode"] = words.get("mode", "").upper()  # as Redis writes its options
    first, *rest = instruction.words
    parts = [first, *(part for part in rest if not any(name in part for name in empty))]
    return "".join(parts).format(**words)
