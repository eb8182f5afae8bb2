"""Breaking Python: every comparison, condition, constant and statement of a module in turn.

Left alone is what no test should look at: annotations, messages of errors, ``repr``, declarations for type
checkers, methods that only say that somebody else implements them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from tests.mutants.mutant import Mutant

_OTHER_COMPARISON: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
_OTHER_ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
}
_ORDERING = ("reversed", "sorted")
_SILENT = ("__repr__", "__str__", "__dir__")


class _Breaker(ast.NodeVisitor):
    """Collects the mutants of one module."""

    def __init__(self, room: str, file: str, source: bytes) -> None:
        self.room, self.file, self.source = room, file, source
        self.found: list[Mutant] = []
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    # -- writing down ----------------------------------------------------------------------------

    def _start(self, node: ast.expr | ast.stmt) -> int:
        return self._starts[node.lineno - 1] + node.col_offset

    def _end(self, node: ast.expr | ast.stmt) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._starts[node.end_lineno - 1] + node.end_col_offset

    def _code(self, node: ast.expr | ast.stmt) -> str:
        return self.source[self._start(node) : self._end(node)].decode()

    def _add(self, start: int, end: int, replacement: str, effect: str) -> None:
        line = self.source.count(b"\n", 0, start) + 1
        text = self.source.splitlines()[line - 1].decode().strip()
        self.found.append(Mutant(self.room, self.file, start, end, replacement, line, text, effect))

    def _replace(self, node: ast.expr | ast.stmt, replacement: str, effect: str) -> None:
        self._add(self._start(node), self._end(node), replacement, effect)

    def _between(self, left: ast.expr, right: ast.expr, old: str, new: str, effect: str) -> None:
        start = self._end(left)
        between = self.source[start : self._start(right)].decode()
        word = rf"\b{old}\b" if old[0].isalpha() else re.escape(old)
        match = re.search(word, between)
        if match is not None:
            at = start + len(between[: match.start()].encode())
            self._add(at, at + len(old), new, effect)

    def _negate(self, test: ast.expr) -> None:
        code = self._code(test)
        if isinstance(test, ast.Name | ast.Attribute | ast.Call | ast.BoolOp | ast.NamedExpr):
            self._replace(test, f"(not ({code}))", f"negates {code.splitlines()[0]}")

    # -- what can be broken ----------------------------------------------------------------------

    def visit_Compare(self, node: ast.Compare) -> None:
        sides = [node.left, *node.comparators]
        for left, operator, right in zip(sides, node.ops, node.comparators, strict=False):
            old, new = _OTHER_COMPARISON[type(operator)]
            self._between(left, right, old, new, f"{old} becomes {new}")
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._between(left, right, old, new, f"{old} becomes {new}")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            start = self._start(node)
            self._add(start, start + len("not "), "", "drops a not")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        pair = _OTHER_ARITHMETIC.get(type(node.op))
        texts = (ast.JoinedStr, ast.Constant, ast.List, ast.Tuple)
        if pair is not None and not (
            isinstance(node.left, texts) and not isinstance(getattr(node.left, "value", ""), int)
        ):
            self._between(node.left, node.right, *pair, f"{pair[0]} becomes {pair[1]}")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self._replace(node, str(not node.value), f"{node.value} becomes {not node.value}")
        elif isinstance(node.value, int):
            self._replace(node, str(node.value + 1), f"{node.value} becomes {node.value + 1}")

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in _ORDERING:
            self._replace(node.func, "list", f"drops {node.func.id}")
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self._negate(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._negate(test)
        self.generic_visit(node)

    # -- statements ------------------------------------------------------------------------------

    def _skip(self, node: ast.stmt) -> None:
        self._replace(node, "pass", "skips")

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call | ast.Await):
            self._skip(node)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        if all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets):
            self._skip(node)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._skip(node)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Delete(self, node: ast.Delete) -> None:
        self._skip(node)

    def visit_Continue(self, node: ast.Continue) -> None:
        self._skip(node)

    def visit_Break(self, node: ast.Break) -> None:
        self._skip(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._skip(node)  # and nothing inside: what the error says is wording

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None and not isinstance(node.value, ast.Constant):
            self._replace(node, "return None", "returns None")
        self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        return

    # -- functions and classes -------------------------------------------------------------------

    def _visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        last = node.body[-1]
        abstract = isinstance(last, ast.Raise) and "NotImplementedError" in self._code(last)
        if node.name in _SILENT or abstract:
            return
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self.visit(default)
        for statement in node.body:
            self.visit(statement)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_function(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if not any("Protocol" in self._code(base) for base in node.bases):
            for statement in node.body:
                self.visit(statement)


def broken_python(room: str, file: str, source: bytes) -> Iterable[Mutant]:
    """Every mutant of a module."""
    breaker = _Breaker(room, file, source)
    breaker.visit(ast.parse(source))
    return breaker.found
