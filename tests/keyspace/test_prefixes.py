"""Prefixes within prefixes, and names that are no fields."""

import pytest

from rapyer import AtomicRedisModel
from rapyer.errors import UnknownFieldError, WrongModelError


class Guide(AtomicRedisModel):
    title: str = ""


class Alpine(AtomicRedisModel):
    title: str = ""

    @classmethod
    def class_key_initials(cls) -> str:
        return "Guide:Alpine"


async def test_a_key_with_a_longer_prefix_belongs_to_the_longer_prefix() -> None:
    alpine = await Alpine(title="a").save()
    with pytest.raises(WrongModelError):
        await Guide.get(alpine.key)
    with pytest.raises(WrongModelError):
        await Guide.delete_by_key(alpine.key)
    assert (await Alpine.get(alpine.key)).title == "a"
    guide = await Guide(title="g").save()
    assert (await Guide.get(guide.key)).title == "g"


def test_a_mistyped_field_of_the_class_names_the_fields_it_has() -> None:
    with pytest.raises(UnknownFieldError, match="Guide has no field 'titel'; it has title"):
        Guide.titel  # noqa: B018
    assert not hasattr(Guide, "titel")
