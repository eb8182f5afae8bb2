"""Targets, absolute and relative, as addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapyer_cli.failures import UsageError
from rapyer_cli.language.addresses import ROOT, Address, address_of

NAMES = ("BlogPost", "User", "app:user")
POST = Address("BlogPost", "BlogPost:42")
SETTINGS = Address("BlogPost", "BlogPost:42", ("settings",))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("BlogPost", Address("BlogPost")),
        ("BlogPost:42", POST),
        ("BlogPost:42/settings/theme", Address("BlogPost", "BlogPost:42", ("settings", "theme"))),
        ("BlogPost:42/tags/-1", Address("BlogPost", "BlogPost:42", ("tags", "-1"))),
        ("BlogPost:a:b", Address("BlogPost", "BlogPost:a:b")),
        ("BlogPost:a%2Fb/x", Address("BlogPost", "BlogPost:a/b", ("x",))),
        ("BlogPost:1/d/a~1b~0c", Address("BlogPost", "BlogPost:1", ("d", "a/b~c"))),
        ("app:user:7/name", Address("app:user", "app:user:7", ("name",))),
        ("Unknown:7/name", Address("Unknown", "Unknown:7", ("name",))),
        ("bare", Address("bare")),
        ("/BlogPost:42", POST),
        ("/", ROOT),
        ("BlogPost:42/~", Address("BlogPost", "BlogPost:42", ("",))),
    ],
)
def test_targets_from_the_root(text: str, address: Address) -> None:
    assert address_of(text, NAMES) == address


@pytest.mark.parametrize(
    ("here", "text", "address"),
    [
        (POST, "settings", SETTINGS),
        (POST, "settings/theme", Address("BlogPost", "BlogPost:42", ("settings", "theme"))),
        (SETTINGS, "..", POST),
        (POST, "..", Address("BlogPost")),
        (POST, "../43/title", Address("BlogPost", "BlogPost:43", ("title",))),
        (Address("BlogPost"), "..", ROOT),
        (ROOT, "..", ROOT),
        (SETTINGS, ".", SETTINGS),
        (SETTINGS, "User:1", Address("User", "User:1")),
        (SETTINGS, "/User:1/name", Address("User", "User:1", ("name",))),
        (SETTINGS, "/", ROOT),
        (Address("BlogPost"), "42", POST),
        (Address("BlogPost"), "a:b", Address("BlogPost", "BlogPost:a:b")),
        (Address("BlogPost"), "User:1", Address("User", "User:1")),
        (Address("BlogPost"), "User", Address("User")),
        (SETTINGS, "User", Address("BlogPost", "BlogPost:42", ("settings", "User"))),
        (SETTINGS, "./a:b", Address("BlogPost", "BlogPost:42", ("settings", "a:b"))),
    ],
)
def test_targets_relative_to_where_one_is(here: Address, text: str, address: Address) -> None:
    assert address_of(text, NAMES, here) == address


def test_an_empty_target_is_refused() -> None:
    with pytest.raises(UsageError):
        address_of("", NAMES)


@given(
    pk=st.text(min_size=1),
    pointer=st.lists(st.text(min_size=1).filter(lambda s: s not in (".", "..")), max_size=3),
)
def test_what_is_shown_as_an_address_leads_back_to_it(pk: str, pointer: list[str]) -> None:
    address = Address("BlogPost", f"BlogPost:{pk}", tuple(pointer))
    if pk in (".", ".."):
        return
    assert address_of(str(address), NAMES) == address


@pytest.mark.parametrize("text", ["BlogPost:42/", "BlogPost/", "BlogPost:42//x", "settings/", "//"])
@pytest.mark.parametrize("here", [ROOT, POST])
def test_an_empty_part_never_stands_for_what_is_around_it(text: str, here: Address) -> None:
    with pytest.raises(UsageError, match=r"empty.* is written ~"):
        address_of(text, NAMES, here)
