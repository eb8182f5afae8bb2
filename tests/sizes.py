"""``python -m tests.sizes``: names every module and function too long to read in one sitting.

Exits with 1 when there is one. A function is counted with its docstring and without its decorators. The Lua is
not looked at: a script is sent as one text.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("rapyer", "rapyer_cli")
MODULE_LINES = 400
FUNCTION_LINES = 60


def too_long(name: str, text: str) -> Iterator[str]:
    """A line for the module ``name`` with this ``text`` if it is too long, and for each such function in it."""
    lines = len(text.splitlines())
    if lines > MODULE_LINES:
        yield f"{name}: {lines} lines, more than {MODULE_LINES}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{name}:{node.lineno}: {node.name} has {length} lines, more than {FUNCTION_LINES}"


def main() -> int:
    """Print what is too long; returns the exit code."""
    found = [
        line
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for line in too_long(str(path.relative_to(ROOT)), path.read_text())
    ]
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
