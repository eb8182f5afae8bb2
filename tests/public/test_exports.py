"""The public names, and what importing them costs."""

import json
import subprocess
import sys
from importlib import import_module

import pytest

import rapyer


def test_every_public_name_is_there():
    for name in rapyer.__all__:
        assert getattr(rapyer, name) is not None
    assert {*rapyer.__all__} <= {*dir(rapyer)}


def test_async_spellings_are_the_same_functions():
    for name in ("get", "find", "find_one", "insert", "delete_many", "pipeline", "lock_from_key"):
        assert getattr(rapyer, f"a{name}") is getattr(rapyer, name)


def _modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_the_library_never_imports_the_command_line_or_its_packages():
    loaded = _modules_after("import rapyer; [getattr(rapyer, name) for name in rapyer.__all__]")
    assert "pydantic" in loaded
    assert not loaded & {"rapyer_cli", "typer", "click", "rich", "prompt_toolkit", "pytest"}


def test_importing_the_package_alone_imports_neither_pydantic_nor_redis():
    loaded = _modules_after("import rapyer, rapyer.paths, rapyer.embedded, rapyer.operations")
    assert not loaded & {"pydantic", "redis", "asyncio"}


MODELS = """
from rapyer import AtomicRedisModel, Index, Key, RedisConfig, SafeLoad
from rapyer.types import RedisDict, RedisList
class Author(AtomicRedisModel):
    name: Key[str]
    born: SafeLoad[int] = 0
class Book(AtomicRedisModel):
    Meta = RedisConfig(ttl=60)
    title: Index[str]
    author: Author
    tags: list[str] = []
    prices: dict[str, float] = {}
book = Book(title="x", author=Author(name="y"), tags=["a"])
book.tags.append("b")
book.author.born += 1
expression = Book.title == "x"
"""


def test_defining_models_imports_neither_redis_nor_asyncio():
    loaded = _modules_after(MODELS)
    assert "rapyer.models.storage" in loaded
    assert not loaded & {"redis", "hiredis", "asyncio"}


def test_no_public_name_needs_redis_before_a_client_is_made():
    names = "rapyer.__all__, rapyer.errors.RapyerError, rapyer.connections, rapyer.types"
    loaded = _modules_after(
        f"from rapyer import *; import rapyer.connections, rapyer.types; {names}"
    )
    assert "rapyer.search.find" in loaded
    assert "redis" not in loaded


@pytest.mark.parametrize("name", ["rapyer", "rapyer.connections", "rapyer.errors"])
def test_names_that_are_imported_when_they_are_used_are_there_and_no_others(name: str):
    module = import_module(name)
    names = {*module.__all__}
    assert len(names) == len(module.__all__)
    assert names <= {*dir(module)}
    assert all(getattr(module, name) is not None for name in names)
    with pytest.raises(AttributeError, match="no_such_name"):
        module.no_such_name  # noqa: B018


def test_threads_may_be_the_first_to_use_a_client_all_at_once():
    code = """
import threading
from rapyer import connections, errors
found, together = [], threading.Barrier(8)
def use():
    together.wait()
    found.append((connections.Session, errors.ConnectionError))
threads = [threading.Thread(target=use) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert len(found) == 8 and len(set(found)) == 1, found
"""
    subprocess.run([sys.executable, "-c", code], check=True)
