"""No part of a password shows in an error about a URL, however the URL was mistyped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapyer.connections import client_from_url, redact_url
from rapyer.errors import ConfigurationError

PASSWORDS = ("s3cr/et", "s3cr#et", "s3cr?et", "s3c[r]et", "s3cr:et", "s3cr@et", "s3cr et", "%zz3cr")
FORMS = (
    "redis://u:{}@localhost",
    "redis://u:{}@localhost:6379/0",
    "redis://:{}@localhost",
    "rediss://u:{}@h:6380/0",
    "unix://u:{}@/tmp/s",
    "redis+sentinel://u:{}@h/svc",
    "redis+cluster://u:{}@h:1",
    "redis://h:1?password={}&nonsense=1",
    "nonsense://u:{}@h",
)


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("form", FORMS)
def test_an_error_about_a_url_shows_no_part_of_its_password(form: str, password: str) -> None:
    url = form.format(password)
    assert "3c" not in _said_of(url)


def _said_of(url: str) -> str:
    """What is said of a URL that cannot be used."""
    try:
        client_from_url(url)
    except ConfigurationError as error:
        return str(error)
    return ""


@given(password=st.text("ab:/?#@[]%", min_size=1, max_size=12))
def test_a_shown_url_ends_with_what_follows_the_last_at_sign(password: str) -> None:
    shown = redact_url(f"redis://user:secret{password}@host")
    assert "secret" not in shown
    assert shown == "redis://user:***@host"
