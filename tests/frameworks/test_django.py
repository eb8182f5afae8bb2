"""Django: asynchronous views, and synchronous ones that wait for asynchronous functions."""

from __future__ import annotations

import json
import sys
from types import ModuleType
from typing import Any

import pytest

from rapyer import AtomicRedisModel
from rapyer.errors import KeyNotFound
from tests.conftest import Stored

REASON = "needs Django: pip install -e '.[test-ecosystem]'"
django = pytest.importorskip("django", reason=REASON)

from django.conf import settings  # noqa: E402
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402


class Visit(AtomicRedisModel):
    page: str
    count: int = 0
    agents: list[str] = []


async def visited(request: HttpRequest, page: str) -> JsonResponse:
    """Count one visit of a page."""
    visit, _ = await Visit.get_or_create(page, page=page)
    async with visit.pipeline() as counted:
        counted.count += 1
        counted.agents.append(request.headers.get("User-Agent", ""))
    return JsonResponse({"key": visit.key, **visit.model_dump()})


async def shown(request: HttpRequest, page: str) -> HttpResponse:
    """Show what is stored."""
    try:
        visit = await Visit.get(page)
    except KeyNotFound:
        raise Http404 from None
    return HttpResponse(visit.model_dump_json(), content_type="application/json")


def reset(request: HttpRequest, page: str) -> JsonResponse:
    """A synchronous view."""
    from asgiref.sync import async_to_sync

    async def delete() -> bool:
        return await Visit.delete_by_key(page)

    return JsonResponse({"deleted": async_to_sync(delete)()})


def set_up() -> None:
    """Django as it is set up by a settings module.

    When this is imported, not in a fixture: ``settings`` raises for whoever looks at all objects before.
    """
    urls: Any = ModuleType("tests.frameworks.django_urls")
    urls.urlpatterns = [
        path("visited/<page>", visited),
        path("shown/<page>", shown),
        path("reset/<page>", reset),
    ]
    sys.modules[urls.__name__] = urls
    settings.configure(
        ALLOWED_HOSTS=["testserver"],
        ROOT_URLCONF=urls.__name__,
        SECRET_KEY="of the tests",
        USE_TZ=True,
    )
    django.setup()


set_up()


async def test_asynchronous_views_store_and_read_models(stored: Stored) -> None:
    from django.test import AsyncClient

    client = AsyncClient()
    for count in (1, 2):
        answer = await client.get("/visited/home", headers={"User-Agent": f"browser {count}"})
        assert answer.status_code == 200
        assert json.loads(answer.content)["count"] == count
    assert await stored("Visit:home") == {
        "page": "home",
        "count": 2,
        "agents": ["browser 1", "browser 2"],
    }
    answer = await client.get("/shown/home")
    assert json.loads(answer.content) == await stored("Visit:home")
    assert (await client.get("/shown/nobody")).status_code == 404


def test_the_synchronous_handler_runs_both_kinds_of_views() -> None:
    """Each request has an event loop of its own there."""
    from django.test import Client

    client = Client()
    for count in (1, 2, 3):
        assert client.get("/visited/home").json()["count"] == count
    assert client.get("/reset/home").json() == {"deleted": True}
    assert client.get("/reset/home").json() == {"deleted": False}
    assert client.get("/shown/home").status_code == 404
