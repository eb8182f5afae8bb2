"""Every test here has an emptied server, and needs a package of the extra ``test-ecosystem``."""

import pytest


@pytest.fixture(autouse=True)
def of_all_models(redis: object) -> None:
    """The client of all models."""
