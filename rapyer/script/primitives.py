"""The table of the script's primitives: what each is called, takes, answers and refuses, and how a dry run words it.

What follows it and is held against it by tests: the encoder (:mod:`rapyer.script.call`), the header of
``lua/batch.lua``, the Python twin (:mod:`rapyer.script.in_python`), the wording (:mod:`rapyer.script.wording`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a primitive.

    :ivar meaning: empty where the name says it all.
    :ivar json: it is JSON text, in which the server may misread a number.
    :ivar many: there may be any number of them; the last argument.
    """

    name: str
    meaning: str = ""
    json: bool = False
    many: bool = False


@dataclass(frozen=True, slots=True)
class Instruction:
    """What can be known of a primitive without its place and arguments.

    :ivar part: the part of the script that has it; ``document`` for those of a document as a whole.
    :ivar wire: the arguments as the script gets them, where they are others; empty where they are the same.
    :ivar answer: what it answers; ``1`` where that says no more than that it was done.
    :ivar refusals: the reasons for which it may refuse, besides those in :data:`ALWAYS`.
    :ivar writes: whether it may change the document, its expiry included.
    :ivar twin: whether Python can carry it out on a parsed value; what needs the exact text cannot.
    :ivar words: the command that it amounts to, in parts; a part is left out with an argument that is empty.
        ``{key}``, ``{path}`` and the names of the arguments stand for themselves, ``{entry}`` and ``{item}``
        for the path of the entry or item that an argument names.
    """

    part: str
    arguments: tuple[Argument, ...] = ()
    wire: str = ""
    answer: str = "1"
    refusals: tuple[str, ...] = ()
    writes: bool = True
    twin: bool = True
    words: tuple[str, ...] = ("JSON.GET {key} {path}",)

    @property
    def json(self) -> slice | None:
        """Which of the arguments are JSON; None: none is."""
        for position, argument in enumerate(self.arguments):
            if argument.json:
                return slice(position, None if argument.many else position + 1)
        return None


REASONS: Mapping[str, str] = {
    "nokey": "there is no such document",
    "nopath": "the document has no such place",
    "type": "stored type, wanted type: the place holds another type",
    "key": "the key holds no JSON document",
    "index": "index, length: out of range",
    "empty": "the object has no entry",
    "bound": "new value, limit: the new value would break a bound",
    "length": "new length, limit: the length would break a bound",
    "overflow": "old value, amount: the sum does not fit",
    "retry": "text: what is stored is something else; compute again",
    "conflict": "the document was changed meanwhile",
    "exists": "the document is there already",
    "inexact": "name: a double below a key that no path names cannot be stored exactly",
    "checked": "everything before would apply",
    "server": "error: the server refused a command",
    "halfway": "error, error: the server refused a command, and undoing one as well",
}
"""Why a primitive refuses: the details that come with the reason, and what it means."""

ALWAYS = ("nokey", "key", "server", "halfway")
"""The reasons for which any primitive may refuse."""

_JSON = Argument("json", json=True)
_MAXLEN = Argument("maxlen", "the longest it may become, or ''")
_TTL = Argument("ttl", "in ms, or ''")

PRIMITIVES: Mapping[str, Instruction] = {
    "set": Instruction(
        "value",
        (_JSON, Argument("guard", "'' | present | absent (else answers 0) | the old JSON type")),
        refusals=("nopath", "type", "inexact"),
        words=("JSON.SET {key} {path} {json}",),
    ),
    "strapp": Instruction(
        "value",
        (Argument("json"),),
        answer="the new text",
        refusals=("nopath", "type"),
        words=("JSON.STRAPPEND {key} {path} {json}",),
    ),
    "cas": Instruction(
        "value",
        (Argument("sha1", "of the old text"), Argument("json", "'' leaves it as it is", json=True)),
        refusals=("nopath", "retry", "inexact"),
        twin=False,
        words=("JSON.SET {key} {path} <computed from the stored value, if unchanged>",),
    ),
    "incr": Instruction(
        "number",
        (
            Argument("amount"),
            Argument("kind", "integer | number"),
            *(Argument(name) for name in ("ge", "gt", "le")),
            Argument("lt", "'' does not bind"),
        ),
        answer="the new number",
        refusals=("nopath", "type", "overflow", "bound"),
        words=("JSON.NUMINCRBY {key} {path} {amount}",),
    ),
    "setat": Instruction(
        "list",
        (Argument("index", "negative: from the end"), _JSON),
        refusals=("nopath", "type", "index", "inexact"),
        words=("JSON.SET {key} {item} {json}",),
    ),
    "append": Instruction(
        "list",
        (_MAXLEN, Argument("json", json=True, many=True)),
        answer="the new length",
        refusals=("nopath", "type", "length", "inexact"),
        words=("JSON.ARRAPPEND {key} {path} {json}",),
    ),
    "insert": Instruction(
        "list",
        (
            Argument("index", "clamps as list.insert does"),
            _MAXLEN,
            Argument("json", json=True, many=True),
        ),
        answer="the new length",
        refusals=("nopath", "type", "length", "inexact"),
        words=("JSON.ARRINSERT {key} {path} {index} {json}",),
    ),
    "pop": Instruction(
        "list",
        (
            Argument("index", "negative: from the end"),
            Argument("mode", "lenient (an empty list answers nil) | strict"),
            Argument("minlen", "the shortest it may become, or ''"),
        ),
        answer="the item's text",
        refusals=("nopath", "type", "index", "length"),
        words=("JSON.ARRPOP {key} {path} {index}",),
    ),
    "take": Instruction(
        "object",
        (Argument("name"),),
        wire="path-of-entry",
        answer="the removed entry's text, or nil",
        refusals=("nopath", "type"),
        words=("JSON.DEL {key} {entry}",),
    ),
    "remove": Instruction(
        "object",
        wire="path-of-parent",
        refusals=("nopath",),
        words=("JSON.DEL {key} {path}",),
    ),
    "popitem": Instruction(
        "object",
        (Argument("name", "of the preferred entry, or none"),),
        wire="name path-of-entry, each '' for none",
        answer="{name, text}",
        refusals=("nopath", "type", "empty", "retry"),
        words=("JSON.DEL {key} {path}.<last entry>",),
    ),
    "read": Instruction(
        "reading",
        (Argument("mode", "strict | lenient (no document or place answers nil)"),),
        answer="the text",
        refusals=("nopath",),
        writes=False,
    ),
    "echo": Instruction(
        "reading",
        (Argument("limit", "of items; 0: always the sha1, '': never"),),
        answer="text of a list or object, its sha1 above the limit (not above 2 MiB); else nil",
        writes=False,
    ),
    "check": Instruction(
        "reading", answer="never", refusals=("checked",), writes=False, twin=False
    ),
    "watch": Instruction(
        "document",
        (Argument("sha1", "of the whole text; of '' for no document"),),
        refusals=("conflict",),
        writes=False,
        twin=False,
    ),
    "save": Instruction(
        "document",
        (_JSON, Argument("mode", "'' | nx | xx"), _TTL),
        refusals=("exists", "inexact"),
        words=("JSON.SET {key} $ {json}", " {mode}", " + PEXPIRE {key} {ttl}"),
    ),
    "drop": Instruction("document", words=("DEL {key}",)),
    "expire": Instruction(
        "document",
        (Argument("ttl", "in ms; -1 removes the expiry"),),
        words=("PEXPIRE {key} {ttl}",),
    ),
    "refresh": Instruction(
        "document",
        (Argument("ttl", "in ms"),),
        answer="whether it is there",
        words=("PEXPIRE {key} {ttl}",),
    ),
}
"""Every primitive by its code."""
