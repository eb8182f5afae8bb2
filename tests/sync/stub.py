"""``python -m tests.sync.stub`` writes ``rapyer/sync/__init__.pyi``: what type checkers see of the synchronous twins.

The signatures are those of the library's own source, without ``async``; a test says when the file is out of date.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rapyer.sync
from rapyer import types
from rapyer.sync.twin import GIVES_WHAT_IS_AWAITED, classes_with_twins

STUB = Path(rapyer.sync.__file__).with_suffix(".pyi")
_HEAD = '''"""rapyer without ``await``. Written by ``python -m tests.sync.stub``."""

# What is awaited there is waited for here: the twins are meant to differ from what they override.
# mypy: disable-error-code="override, assignment, misc, unused-ignore"
# pyright: reportIncompatibleMethodOverride=false, reportAssignmentType=false
'''
_FUNCTIONS = {
    "delete_many": "rapyer.bulk.delete",
    "find": "rapyer.search.start",
    "find_one": "rapyer.search.start",
    "get": "rapyer.search.start",
    "init_rapyer": "rapyer.setup",
    "insert": "rapyer.bulk.insert",
    "lock_from_key": "rapyer.models.lockable",
    "pipeline": "rapyer.batch.block",
    "teardown_rapyer": "rapyer.setup",
}
_LIVE = [name for name in types.__all__ if name != "RedisType"]


class _Waiting(ast.NodeTransformer):
    """Annotations of what is awaited, iterated over or entered, as those of what is waited for."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.value, ast.Name):
            if node.value.id in ("AbstractAsyncContextManager", "ModelPipeline"):
                node.value.id = "Block"
            elif node.value.id in ("AsyncGenerator", "AsyncIterator"):
                node.value.id = "Iterator"
                if isinstance(node.slice, ast.Tuple):
                    node.slice = node.slice.elts[0]
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id == "Pipeline":
            return ast.parse("Block[Batch]", mode="eval").body
        return node


class _Module:
    """One module of the library: its source, and where the names in it come from."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tree = ast.parse(inspect.getsource(importlib.import_module(name)))
        self.imports: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    self.imports[alias.asname or alias.name] = f"from {node.module} import " + (
                        f"{alias.name} as {alias.asname}" if alias.asname else alias.name
                    )
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    self.imports[alias.asname or alias.name] = f"import {alias.name}"

    def where(self, name: str) -> str:
        return self.imports.get(name, f"from {self.name} import {name}")

    def functions(self, parent: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node
            elif isinstance(node, ast.If):
                yield from self.functions(node)

    def class_named(self, name: str) -> ast.ClassDef:
        return next(n for n in self.tree.body if isinstance(n, ast.ClassDef) and n.name == name)


class _Stub:
    def __init__(self) -> None:
        self.imports: set[str] = set()
        self.done: set[str] = set()
        """The methods of the class at hand that are declared already, by a class before it."""

    def signature(self, module: _Module, node: Any) -> list[str]:
        """The lines that declare ``node``, without ``async``."""
        arguments = node.args
        for place, default in enumerate(arguments.defaults):
            arguments.defaults[place] = ast.Constant(...) if default else default
        arguments.kw_defaults = [
            None if default is None else ast.Constant(...) for default in arguments.kw_defaults
        ]
        waiting = _Waiting()
        for argument in (
            *(*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs),
            *filter(None, (arguments.vararg, arguments.kwarg)),
        ):
            if argument.annotation is not None:
                self._used(module, argument.annotation)
        returns = waiting.visit(node.returns)
        self._used(module, returns)
        wrappers = [ast.unparse(d) for d in node.decorator_list]
        kept = [f"@{w}" for w in wrappers if w in ("classmethod", "overload", "staticmethod")]
        if "overload" in wrappers:
            self.imports.add("from typing import overload")
        line = f"def {node.name}({ast.unparse(arguments)}) -> {ast.unparse(returns)}: ..."
        return [*kept, line]

    def _used(self, module: _Module, annotation: ast.AST) -> None:
        for node in ast.walk(annotation):
            if not isinstance(node, ast.Name) or node.id in dir(__builtins__) or node.id in "TKV":
                continue
            if node.id in rapyer.sync.__all__ and node.id not in ("Find", "Block"):
                continue
            if node.id in ("Find", "Block"):
                self.imports.add(f"from rapyer.sync.waiting import {node.id} as {node.id}")
            elif node.id == "Iterator":
                self.imports.add("from collections.abc import Iterator")
            elif node.id == "Batch":
                self.imports.add("from rapyer.batch.batch import Batch")
            elif node.id not in _LIVE and not hasattr(__import__("builtins"), node.id):
                self.imports.add(module.where(node.id))

    def methods(self, cls: type[Any]) -> list[str]:
        module = _Module(cls.__module__)
        body = module.class_named(cls.__name__)
        lines: list[str] = []
        functions: dict[str, list[Any]] = {}
        for node in module.functions(body):
            is_wanted = isinstance(node, ast.AsyncFunctionDef) or node.name in GIVES_WHAT_IS_AWAITED
            if is_wanted and not node.name.startswith("_"):
                functions.setdefault(node.name, []).append(node)
        for name, nodes in functions.items():
            if name in self.done:
                continue
            self.done.add(name)
            overloads = [
                n for n in nodes if any(ast.unparse(d) == "overload" for d in n.decorator_list)
            ]
            for node in overloads or nodes[-1:]:
                lines += self.signature(module, node)
            if getattr(cls, f"a{name}", None) is not None and f"a{name}" not in functions:
                self.done.add(f"a{name}")
                lines.append(f"a{name} = {name}")
        return lines


def text() -> str:
    """What the file is to contain."""
    stub = _Stub()
    parts: list[str] = []
    mixed = [cls for cls in classes_with_twins() if not issubclass(cls, types.RedisType)]
    lines = [line for cls in mixed for line in stub.methods(cls)]
    parts.append("class AtomicRedisModel(_AtomicRedisModel):\n" + _indented(lines))
    for name in _LIVE:
        stub.done.clear()
        cls = getattr(types, name)
        parameters = {"RedisList": "[T]", "RedisDict": "[K, V]"}.get(name, "")
        body = [
            *(*stub.methods(cls), *stub.methods(types.RedisType)),
            f"def __get__(self, instance: Any, owner: Any) -> {name}{parameters}: ...",
        ]
        parts.append(f"class {name}(_types.{name}{parameters}):\n" + _indented(body))
    for name, where in _FUNCTIONS.items():
        module = _Module(where)
        found = [n for n in module.functions(module.tree) if n.name == name]
        parts += ["\n".join(stub.signature(module, node)) for node in found]
    exported = sorted(set(rapyer.sync.__all__))
    re_exported = "\n".join(
        f"from rapyer import {name} as {name}"
        for name in exported
        if name in rapyer.__all__ and name not in (*_FUNCTIONS, "AtomicRedisModel")
    )
    imports = "\n".join(sorted(stub.imports))
    source = f"""{_HEAD}
from typing import Any, TypeVar
import rapyer.types as _types
from rapyer.base import AtomicRedisModel as _AtomicRedisModel
from rapyer.sync.waiting import Block as Block, Find as Find
{re_exported}
{imports}

__all__ = {exported!r}

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")

{chr(10).join(parts)}
"""
    return _formatted(source)


def _indented(lines: list[str]) -> str:
    return "".join(f"    {line}\n" for line in lines or ["..."])


def _formatted(source: str) -> str:
    for command in (["check", "--fix-only", "-q"], ["format", "-q"]):
        source = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(STUB), "-"],
            input=source,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    return source


if __name__ == "__main__":
    STUB.write_text(text(), encoding="utf-8")
