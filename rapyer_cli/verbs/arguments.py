"""Arguments and options that several verbs share."""

from __future__ import annotations

from rapyer_cli.exits import Exit
from rapyer_cli.language.grammar import Argument, Kind, Option

TARGET = Argument("target", Kind.TARGET, "a document, or a place inside one")
ANY_TARGET = Argument(
    "target", Kind.TARGET, "a model, a document, or a place inside one", required=False
)
MODEL = Argument("model", Kind.MODEL, "a model")
ASSIGNMENTS = Argument(
    "assignments", Kind.ASSIGNMENT, "field=value as text, or field:=JSON", required=False, many=True
)
LIMIT = Option("limit", ("--limit",), "show at most so many", Kind.NUMBER)

LOOK_EXITS = (Exit.NOT_FOUND, Exit.MODELS)
CHANGE_EXITS = (Exit.NOT_FOUND, Exit.INVALID, Exit.REFUSED, Exit.MODELS)

ANEW = Option("anew", ("--anew",), "begin a change of many anew that was interrupted")
MANY_DETAILS = (
    "MODEL where EXPRESSION changes every document that fulfils the condition: a sample and the number are "
    "shown and you are asked (--yes where nobody can be). Each is compared and set in one step; what others "
    "change meanwhile is skipped and counted. Interrupted, the same line again goes on; one undo takes all of "
    "it back. where True means every document."
)
