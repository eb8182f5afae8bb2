"""``infer``: the module is valid Python whatever was stored, and every document it was made of checks clean."""

from __future__ import annotations

import ast
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapyer import AtomicRedisModel
from rapyer.keyspace import registry
from rapyer_cli.reading.drift import drift_of
from rapyer_cli.verbs.inferring import Sample, inferred
from tests.cli.conftest import Cli, Store

HOSTILE = [
    *(
        "",
        "a b",
        "class",
        "None",
        "self",
        "1x",
        "_x",
        "__init__",
        "save",
        "find",
        "key",
        "pk",
        "Meta",
    ),
    *(
        "int",
        "str",
        "list",
        "Any",
        "Field",
        "datetime",
        "model_config",
        "model_dump",
        "é",
        "ﬁ",
        "名",
    ),
    *(
        "a.b",
        "a-b",
        "a_b",
        'q"',
        "q'",
        '"""',
        "\\",
        "\n",
        "x: int = 1\n    y",
        "{x}",
        "%s",
        "\u202e",
        "validate",
    ),
    *("copy", "json", "schema", "print", "__class__", "id", "cls", "__module__", "changes", "type"),
]
NAMES = st.sampled_from([*HOSTILE, "name", "age", "tags", "home"])
TEXTS = st.sampled_from(
    [
        *(
            "",
            "x",
            "y",
            "new",
            "old",
            "2020-01-01",
            "2020-01-01T10:00:00",
            "2020-01-01T10:00:00+02:00",
        ),
        *(
            "2020-01-01T10:00:00Z",
            "7d444840-9dc0-11d1-b245-5ffdce74fad2",
            "5",
            "true",
            '"',
            "'''",
            "\n",
        ),
        *("2020-01-01T10:00:00.5", "class", "None", "\u202e"),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**40) | st.sampled_from([0.5, 1.0]) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
DOCUMENTS = st.lists(st.dictionaries(NAMES, VALUES, max_size=5), min_size=1, max_size=5)
PREFIXES = st.sampled_from(
    ["User", "my-app:user", "1", "class", "int", "BaseModel", "a'b\\", "", "é", "Any"]
)


def checked(source: str, prefix: str, documents: list[tuple[str, bytes]]) -> None:
    ast.parse(source)
    namespace: dict[str, Any] = {"__name__": "inferred_here"}
    exec(compile(source, "models.py", "exec", dont_inherit=True), namespace)
    models = [
        one
        for one in namespace.values()
        if isinstance(one, type)
        and issubclass(one, AtomicRedisModel)
        and one is not AtomicRedisModel
    ]
    (model,) = (one for one in models if one.class_key_initials() == prefix)
    for key, text in documents:
        assert drift_of(model, key, text) == {}, source


@settings(max_examples=60, deadline=None)
@given(PREFIXES, DOCUMENTS)
def test_whatever_is_stored_checks_clean_against_what_is_inferred_from_it(
    prefix: str, values: list[dict[str, Any]]
) -> None:
    documents = [(f"{prefix}:{n}", json.dumps(one).encode()) for n, one in enumerate(values)]
    before = registry.models()
    source = inferred([Sample(prefix, documents, False)])
    assert registry.models() == before, "what was only tried is not left among the models"
    checked(source, prefix, documents)


def test_several_prefixes_share_a_module_and_no_name() -> None:
    samples = [
        Sample(prefix, [(f"{prefix}:1", b'{"home": {"city": "x"}}')], False)
        for prefix in ("User", "user", "User:x", "UserHome")
    ]
    source = inferred(samples)
    for sample in samples:
        checked(source, sample.prefix, sample.documents)


USERS = [
    {
        "id": number,
        "name": f"n{number}",
        "status": ["new", "old", "gone"][number % 3],
        "seen": f"2020-01-{number + 1:02}T10:00:00",
        "day": f"2020-01-{number + 1:02}",
        "home": {"city": "Rome", "zips": [str(number)], **({"note": None} if number % 2 else {})},
        "orders": [{"sku": "a", "amount": 1.5}] * (number % 3),
        "scores": {f"game{number}{n}": n for n in range(3)},
        "either": "x" if number % 2 else number,
        **({"nick": "y"} if number % 4 == 0 else {}),
        "code": ["a/b", "c d", "-"][number % 3],
    }
    for number in range(24)
]


@pytest.fixture
def users(store: Store) -> None:
    for user in USERS:
        store.put(f"User:{user['id']}", user)


@pytest.mark.usefixtures("users")
def test_what_is_found_reads_as_a_person_would_have_written_it(untyped: Cli) -> None:
    ran = untyped("infer", "User")
    assert ran.code == 0, ran.err
    assert "1 model from 24 documents" in ran.err
    lines = [line.strip() for line in ran.out.splitlines()]
    for expected in (
        "class User(AtomicRedisModel):",
        "id: Key[int]",
        "name: str",
        "class UserStatus(Enum):",
        "status: UserStatus  # Index[...] would make finding by it fast",
        "seen: datetime  # Index[...] would make finding by it fast",
        "day: date",
        "home: UserHome",
        "city: str"
        if "city: str" in lines
        else "city: UserHomeCity  # Index[...] would make finding by it fast",
        "note: Any = None",
        "orders: list[UserOrdersItem]",
        "scores: dict[str, int]",
        "either: int | str",
        "nick: str | None = None",
    ):
        assert expected in lines, (expected, ran.out)
    assert any(line.startswith("code: Literal['-', 'a/b', 'c d']") for line in lines)


@pytest.mark.usefixtures("users")
def test_the_file_is_a_models_module_and_check_is_clean(untyped: Cli, store: Store) -> None:
    store.put("my-app:order:1", {"first name": "x", "class": 1, "save": True})
    ran = untyped("infer", "--sample", "500")
    assert ran.code == 0
    (untyped.cwd / "models.py").write_text(ran.out)
    checked_ = untyped("check", "-m", "models.py")
    assert checked_.code == 0, checked_.out + checked_.err
    assert untyped("get", "User:3/home/city", "-m", "models.py").json == "Rome"
    assert untyped("set", "User:3/status", "odd", "-m", "models.py").code == 4


def test_nothing_to_infer_from(untyped: Cli, store: Store) -> None:
    store.put("List:1", [1])
    assert untyped("infer", "Nothing").code == 3
    assert untyped("infer", "List").code == 3
