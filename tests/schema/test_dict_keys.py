"""Dict keys are read back equal, or their annotation is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import (
    BaseModel,
    create_model,
)

from rapyer import AtomicRedisModel
from rapyer.errors import (
    ModelDefinitionError,
)


class Inner(BaseModel):
    labels: set[str] = set()


@pytest.mark.parametrize("key", [tuple[int, int], frozenset[int], Inner])
def test_a_dict_whose_keys_cannot_be_read_back_is_refused(key: Any) -> None:
    with pytest.raises(ModelDefinitionError, match=r"table: a dict key that is a"):
        create_model("Table", __base__=AtomicRedisModel, table=(dict[key, int], {}))
