"""What Pydantic does not document is used in one module, and does there what it is used for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, PlainSerializer, PrivateAttr, SecretBytes, SecretStr, TypeAdapter

import rapyer
import rapyer_cli
from rapyer.schema import pydantic_internals
from rapyer.schema.pydantic_internals import (
    ModelMetaclass,
    core_schema_of,
    has_post_init,
    resolve_where_defined,
    writes_a_mask,
)
from rapyer.schema.walking import everything

ADAPTER = Path(pydantic_internals.__file__)


@pytest.mark.parametrize("package", [rapyer, rapyer_cli])
def test_internals_of_pydantic_are_used_in_one_module(package: Any) -> None:
    sources = list(Path(package.__file__).parent.rglob("*.py"))
    assert len(sources) > 50
    for source in sources:
        if source != ADAPTER:
            assert not re.search(r"pydantic\._internal", source.read_text()), source


def test_the_metaclass_is_that_of_models() -> None:
    assert ModelMetaclass is type(BaseModel)


def test_annotations_are_resolved_where_the_class_is_defined() -> None:
    class Meta(ModelMetaclass):
        def __new__(mcs, name: Any, bases: Any, namespace: Any, **kwargs: Any) -> Any:
            resolve_where_defined(namespace, kwargs)
            return super().__new__(mcs, name, bases, namespace, **kwargs)

    class Local(BaseModel):
        n: int = 1

    class Model(BaseModel, metaclass=Meta):
        local: Local = Local()

    assert Model.__pydantic_complete__
    assert Model.model_validate({"local": {"n": 2}}).local == Local(n=2)


def test_an_initialiser_of_the_user_is_told_from_that_of_private_attributes() -> None:
    class Plain(BaseModel):
        pass

    class Private(BaseModel):
        _a: int = PrivateAttr(1)

    class Own(BaseModel):
        def model_post_init(self, context: Any) -> None:
            pass

    class Both(Own):
        _a: int = PrivateAttr(1)

    class OwnAndPrivate(BaseModel):
        _a: int = PrivateAttr(1)

        def model_post_init(self, context: Any) -> None:
            pass

    assert [has_post_init(cls) for cls in (Plain, Private)] == [False, False]
    assert [has_post_init(cls) for cls in (Own, Both, OwnAndPrivate)] == [True, True, True]


def test_the_serializer_of_secrets_is_known() -> None:
    def masks(annotation: Any) -> bool:
        schema: Any = TypeAdapter(annotation).core_schema
        return any(
            writes_a_mask(one.get("serialization", {}).get("function"))
            for one in everything(schema, {})
        )

    assert masks(SecretStr)
    assert masks(SecretBytes)
    assert not masks(Annotated[str, PlainSerializer(str)])


def test_the_core_schema_of_a_model_has_its_fields() -> None:
    class Model(BaseModel):
        n: int

    assert list(core_schema_of(Model)["schema"]["fields"]) == ["n"]
