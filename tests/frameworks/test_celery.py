"""Celery: tasks that run asynchronous functions, at once and in the threads of a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from rapyer import AtomicRedisModel, RapyerKey

REASON = "needs Celery: pip install -e '.[test-ecosystem]'"
celery = pytest.importorskip("celery", reason=REASON)


class Upload(AtomicRedisModel):
    name: str
    tries: int = 0
    lines: list[str] = []


async def process(key: str) -> int:
    upload = await Upload.get(key)
    async with upload.lock("process", save_at_end=True) as held:
        held.lines.append(f"line of try {held.tries}")
    return await upload.tries.increase()


@pytest.fixture
def worker_app() -> Iterator[Any]:
    app = celery.Celery("tests", broker="memory://", backend="cache+memory://")
    app.conf.update(worker_hijack_root_logger=False, broker_connection_retry_on_startup=False)

    @app.task(name="process", shared=False)
    def process_upload(key: str) -> int:
        return asyncio.run(process(key))

    yield app
    app.close()


def test_tasks_at_once(worker_app: Any) -> None:
    worker_app.conf.task_always_eager = True
    upload = asyncio.run(Upload(name="a").save())
    assert type(upload.key) is RapyerKey
    task = worker_app.tasks["process"]
    assert [task.delay(upload.key).get() for _ in range(3)] == [1, 2, 3]
    read = asyncio.run(Upload.get(upload.key))
    assert read.lines == ["line of try 0", "line of try 1", "line of try 2"]


def test_tasks_in_the_threads_of_a_worker(worker_app: Any) -> None:
    """Keys travel as JSON; every task has an event loop of its own, several at a time."""
    from celery.contrib.testing.worker import start_worker

    upload = asyncio.run(Upload(name="b").save())
    options = {"perform_ping_check": False, "pool": "threads", "concurrency": 4}
    with start_worker(worker_app, **options):
        results = [worker_app.send_task("process", (upload.key,)) for _ in range(8)]
        answers = [result.get(timeout=30) for result in results]
    assert sorted(answers) == list(range(1, 9))
    assert len(asyncio.run(Upload.get(upload.key)).lines) == 8
