"""The text of a condition: parsed into Python's own syntax tree, and errors that say where in it something is wrong.

What the tree means is for :mod:`rapyer.expressions.parsing`.
"""

from __future__ import annotations

import ast
import re
import warnings

from rapyer.errors import ExpressionError

_MAX_LENGTH = 100_000
MAX_DEPTH = 100
TOO_DEEP = f"the condition is nested too deeply (more than {MAX_DEPTH} levels)"
_LINE_END = re.compile(r"\r\n|\r|\n")
"""Where Python ends a line, and nowhere else."""
_LONE_EQUALS = re.compile(r"(?<![=!<>])=(?!=)")
_UNFINISHED = ("=", "<", ">", " and", " or", " not", " in", "(", "[", ",")


class ConditionText:
    """A text, its lines as the tree counts them, and errors with columns."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines: list[bytes] = []

    def _tree(self) -> ast.expr:
        if len(self.text) > _MAX_LENGTH:
            raise ExpressionError(f"the condition is longer than {_MAX_LENGTH} characters")
        self.text = self.text.strip()
        self.lines = [line.encode("utf-8", "surrogatepass") for line in _LINE_END.split(self.text)]
        if not self.text:
            raise ExpressionError(
                "the condition is empty; an example: views >= 10 and 'new' in tags"
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            raise self._syntax_problem(error) from None
        except (RecursionError, MemoryError):
            raise ExpressionError(TOO_DEEP) from None
        except ValueError as error:
            raise ExpressionError(f"the condition cannot be read: {error}") from None

    def _syntax_problem(self, error: SyntaxError) -> ExpressionError:
        number = error.lineno or 1
        if error.msg == "too many nested parentheses":
            return self._at(number, error.offset or 1, f"{error.msg}: {TOO_DEEP}")
        if number > len(self.lines) or self.text.endswith(_UNFINISHED):
            last = self._line(len(self.lines))
            found = self._at(len(self.lines), len(last) + 1, "")
            found.args = (f"column {len(self.text) + 1}: the condition ends too early",)
            return found
        hint = "; compare with ==" if _LONE_EQUALS.search(self.text) else ""
        return self._at(number, error.offset or 1, f"{error.msg}{hint}")

    def _line(self, number: int) -> str:
        return self.lines[number - 1].decode("utf-8", "replace")

    def _at(
        self, line: int, column: int, problem: str, kind: type[ExpressionError] = ExpressionError
    ) -> ExpressionError:
        """The error for what is wrong at a column of a line."""
        error = kind(f"column {column}: {problem}")
        error.source, error.column = self._line(line), column
        return error

    def _refusal(
        self, node: ast.AST, problem: str, kind: type[ExpressionError] = ExpressionError
    ) -> ExpressionError:
        # the offset counts the bytes of the line
        line = getattr(node, "lineno", 1)
        start = self.lines[line - 1][: getattr(node, "col_offset", 0)]
        return self._at(line, len(start.decode("utf-8", "replace")) + 1, problem, kind)

    def _source(self, node: ast.expr) -> str:
        """The text of ``node``; ast.get_source_segment splits all of the text each time."""
        first, last = node.lineno, node.end_lineno or node.lineno
        parts = self.lines[first - 1 : last]
        parts[-1] = parts[-1][: node.end_col_offset]
        parts[0] = parts[0][node.col_offset :]
        return b"\n".join(parts).decode("utf-8", "replace")
