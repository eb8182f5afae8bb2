"""What verbs give back: a document, a table, a tree, a diff, lines. Plain data, no rendering.

Each shape knows its records: what a pipe gets as JSON.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from rapyer_cli.exits import Exit
from rapyer_cli.render.differences import Difference


class FieldRow(NamedTuple):
    """One entry of a shown document: name, JSON value, its type in words, and what does not fit in it."""

    name: str
    value: Any
    type: str = ""
    problem: str = ""


class Shown(NamedTuple):
    """One JSON value. ``rows`` say how a terminal shows its entries; without them it is a scalar."""

    title: str
    data: Any
    type: str = ""
    rows: tuple[FieldRow, ...] = ()
    note: str = ""


class Column(NamedTuple):
    """One column of a table; ``key`` is its name in the records. An ``optional`` one may be left out."""

    key: str
    heading: str
    numeric: bool = False
    optional: bool = False


@dataclass(slots=True)
class Table:
    """Records, perhaps streamed. ``empty`` is what a terminal says when there are none."""

    columns: tuple[Column, ...]
    rows: Iterable[dict[str, Any]] | AsyncGenerator[dict[str, Any], None]
    title: str = ""
    empty: str = "nothing"
    raw: str = ""
    note: str = ""


@dataclass(slots=True)
class Node:
    """One node of a tree: a label, an optional value beside it, the nodes below."""

    label: str
    value: Any = None
    type: str = ""
    children: list[Node] = field(default_factory=list)
    has_value: bool = False
    omitted: int = 0


@dataclass(slots=True)
class Tree:
    """A tree for people; ``data`` is the same as JSON."""

    root: Node
    data: Any


class Compared(NamedTuple):
    """Two values side by side, as their differences."""

    left: str
    right: str
    differences: tuple[Difference, ...]


class ChangedDocument(NamedTuple):
    """What a plan did, or would do, to one document."""

    key: str
    differences: tuple[Difference, ...]


class Changed(NamedTuple):
    """A plan that was carried out, queued or only tried.

    ``result`` is what the operation returned, if it returns anything; ``commands`` are the exact Redis
    commands of a dry run.
    """

    documents: tuple[ChangedDocument, ...]
    result: Any = None
    has_result: bool = False
    commands: tuple[str, ...] = ()
    state: str = "done"


class Lines(NamedTuple):
    """Plain lines of text."""

    lines: tuple[str, ...]
    data: Any = None


Shape: TypeAlias = Shown | Table | Tree | Compared | Changed | Lines


class Ended(NamedTuple):
    """``shape`` is shown, then the command ends with ``code``."""

    shape: Shape | None
    code: Exit
