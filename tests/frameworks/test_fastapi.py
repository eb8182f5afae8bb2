"""FastAPI: models as request and response bodies, as dependencies, with the pk kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

import rapyer
from rapyer import AtomicRedisModel, Key, RedisConfig
from rapyer.errors import ConstraintError, KeyNotFound
from tests.conftest import Stored

REASON = "needs FastAPI and httpx: pip install -e '.[test-ecosystem]'"
fastapi = pytest.importorskip("fastapi", reason=REASON)
httpx = pytest.importorskip("httpx", reason=REASON)


class Delivery(BaseModel):
    city: str
    zips: list[str] = []


class Ware(AtomicRedisModel):
    Meta = RedisConfig(dump_pk=True)
    name: str = Field(min_length=1, description="What it is", examples=["tea"])
    stock: int = Field(default=0, ge=0)
    tags: list[str] = []
    prices: dict[str, float] = {}
    delivery: Delivery | None = None
    seen: datetime | None = None


class Customer(AtomicRedisModel):
    email: Key[str]
    orders: int = 0


async def ware(pk: str) -> Ware:
    try:
        return await Ware.get(pk)
    except KeyNotFound:
        raise fastapi.HTTPException(404) from None


Found = Annotated[Ware, fastapi.Depends(ware)]


def application(url: str) -> Any:
    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        await rapyer.init_rapyer(url)
        yield
        await rapyer.teardown_rapyer()

    app = fastapi.FastAPI(lifespan=lifespan)

    @app.post("/wares", status_code=201, response_model=Ware)
    async def create(new: Ware) -> Any:
        return await new.save()

    @app.get("/wares/{pk}")
    async def read(found: Found) -> Ware:
        _ = found.name, found.tags, found.seen, found.prices  # reading changes no response
        return found

    @app.put("/wares")
    async def write(sent: Ware) -> Ware:
        return await sent.save(xx=True)

    @app.post("/wares/{pk}/buy")
    async def buy(found: Found, count: int = 1) -> Ware:
        try:
            async with found.pipeline() as bought:
                bought.stock -= count
                bought.tags.append("sold")
        except rapyer.errors.PipelineError as error:
            if isinstance(error.__cause__, ConstraintError) or "stock" in str(error):
                raise fastapi.HTTPException(409) from None
            raise
        return found

    @app.get("/wares")
    async def search(least: int = 0) -> list[Ware]:
        return await Ware.find(Ware.stock >= least, sort="name")

    @app.put("/customers")
    async def customer(sent: Customer) -> Customer:
        return await sent.save()

    return app


@pytest.fixture
async def client(rapyer_url: str) -> AsyncIterator[Any]:
    app = application(rapyer_url)
    Ware.Meta.redis = None
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client,
    ):
        yield client


TEA = {
    "name": "tea",
    "stock": 2,
    "tags": ["hot"],
    "prices": {"EUR": 1.0},
    "delivery": {"city": "Rome", "zips": ["1"]},
    "seen": "2026-01-02T03:04:05Z",
}


async def test_a_model_is_request_and_response_with_its_pk(client: Any, stored: Stored) -> None:
    made = await client.post("/wares", json=TEA)
    assert made.status_code == 201, made.text
    pk = made.json()["pk"]
    assert made.json() == {**TEA, "pk": pk}
    assert (await stored(f"Ware:{pk}"))["delivery"] == TEA["delivery"]
    read = await client.get(f"/wares/{pk}")
    assert read.json() == made.json()
    sent = await client.put("/wares", json={**read.json(), "name": "green tea"})
    assert sent.json() == {**TEA, "pk": pk, "name": "green tea"}
    assert (await stored(f"Ware:{pk}"))["name"] == "green tea"
    assert await Ware.find_keys() == [f"Ware:{pk}"]


async def test_operations_in_views_are_atomic(client: Any, stored: Stored) -> None:
    pk = (await client.post("/wares", json=TEA)).json()["pk"]
    assert (await client.post(f"/wares/{pk}/buy")).json()["stock"] == 1
    refused = await client.post(f"/wares/{pk}/buy", params={"count": 5})
    assert refused.status_code == 409
    assert (await stored(f"Ware:{pk}"))["stock"] == 1
    assert (await stored(f"Ware:{pk}"))["tags"] == ["hot", "sold"]


async def test_what_does_not_validate_or_is_not_there_is_said_as_always(client: Any) -> None:
    bad = await client.post("/wares", json={"name": "", "stock": -1})
    assert bad.status_code == 422
    assert {tuple(entry["loc"]) for entry in bad.json()["detail"]} == {
        ("body", "name"),
        ("body", "stock"),
    }
    assert (await client.get("/wares/nobody")).status_code == 404
    assert await Ware.find_keys() == []


async def test_searches_are_lists_of_responses(client: Any) -> None:
    for name, stock in (("b", 5), ("a", 3), ("c", 0)):
        await client.post("/wares", json={"name": name, "stock": stock})
    found = await client.get("/wares", params={"least": 1})
    assert [one["name"] for one in found.json()] == ["a", "b"]
    assert all(one["pk"] for one in found.json())


async def test_the_schema_shows_the_fields_alone(client: Any) -> None:
    schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]
    customer = schemas["Customer"]["properties"]
    assert {name: told["type"] for name, told in customer.items()} == {
        "email": "string",
        "orders": "integer",
    }
    ware = next(told for name, told in schemas.items() if name.startswith("Ware"))
    assert ware["properties"]["name"]["description"] == "What it is"
    assert ware["properties"]["stock"]["minimum"] == 0
    sent = await client.put("/customers", json={"email": "a@b/c", "orders": 3})
    assert sent.json() == {"email": "a@b/c", "orders": 3}
    assert (await Customer.get("a@b/c")).orders == 3


async def test_clients_are_closed_with_the_application(rapyer_url: str) -> None:
    app = application(rapyer_url)
    for _ in range(2):
        async with app.router.lifespan_context(app):
            await Customer(email="x").save()
            assert Customer.Meta.redis is not None
        assert Customer.Meta.redis is None


@pytest.mark.parametrize("package", ["orjson", "msgspec", "yaml"])
async def test_dumps_are_plain_also_after_reading(package: str) -> None:
    encoder = pytest.importorskip(package, reason=REASON)
    encode = {
        "orjson": lambda value: encoder.dumps(value),
        "msgspec": lambda value: encoder.json.encode(value),
        "yaml": lambda value: encoder.safe_dump(value),
    }[package]
    made = Ware(**{**TEA, "seen": datetime(2026, 1, 1, tzinfo=UTC)})
    before = encode(made.model_dump())
    _ = made.name, made.seen, made.tags, made.tags[0], made.prices["EUR"], made.delivery
    assert made.delivery is not None
    _ = made.delivery.zips[0]
    assert encode(made.model_dump()) == before
    kinds = {type(value) for value in made.model_dump().values()}
    assert kinds == {str, int, list, dict, datetime}
