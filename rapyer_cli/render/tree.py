"""A document, or all models, as a tree on a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree as RichTree

from rapyer_cli.environment import Environment
from rapyer_cli.render.console import STYLES, value_text
from rapyer_cli.render.shapes import Node
from rapyer_cli.render.text import counted, printable

_FEW = 20


def render_tree(
    root: Node, console: Console, environment: Environment, *, everything: bool
) -> None:
    """Write a tree; of long lists and dicts only the first entries, unless ``everything``."""
    tree = RichTree(_label(root, environment, 0), guide_style="dim")
    _add(tree, root, environment, 1, everything=everything)
    console.print(tree)


def node_of(label: str, data: Any) -> Node:
    """The tree of a JSON value."""
    if isinstance(data, dict):
        return Node(label, children=[node_of(name, value) for name, value in data.items()])
    if isinstance(data, list):
        return Node(label, children=[node_of(str(i), value) for i, value in enumerate(data)])
    return Node(label, value=data, has_value=True)


def _add(
    tree: RichTree, node: Node, environment: Environment, depth: int, *, everything: bool
) -> None:
    shown = node.children if everything or len(node.children) <= _FEW else node.children[: _FEW - 1]
    for child in shown:
        branch = tree.add(_label(child, environment, depth))
        _add(branch, child, environment, depth + 1, everything=everything)
    hidden = len(node.children) - len(shown) + node.omitted
    if hidden:
        tree.add(Text(f"… {counted(hidden, 'more entry')}; --all shows everything", style="dim"))


def _label(node: Node, environment: Environment, depth: int) -> Text:
    text = Text.assemble((printable(node.label), STYLES["name"] if depth < 1 else ""))
    if node.has_value:
        room = environment.width - 4 * depth - len(node.label) - len(node.type) - 6
        text.append("  ")
        text.append_text(value_text(node.value, max(room, 10)))
    if node.type:
        text.append(f"  {node.type}", style=STYLES["type"])
    return text
