"""Single operations on one document: the client's CPU."""

from __future__ import annotations

from rapyer.models.loading import load_document
from tests.benchmarks.measure import Measure, Pair, cpu_of_calls, cpu_of_each, measure
from tests.benchmarks.models import Document, Plain
from tests.benchmarks.setting import Setting, values

_BATCH = 50
"""So many items are appended or popped before the list is made anew: it stays a short one."""


@measure("construct a model", "the same plain Pydantic model", 2.0, 1.5)
async def construct(setting: Setting) -> Pair:
    content = values()
    return Pair(
        cpu_of_calls(lambda: Document(**content)),
        cpu_of_calls(lambda: Plain(**content)),
    )


@measure("load a model from JSON bytes", "plain model_validate_json", 1.6, 1.3)
async def load(setting: Setting) -> Pair:
    key, text = setting.document.key, setting.text
    return Pair(
        cpu_of_calls(lambda: load_document(Document, key, text)),
        cpu_of_calls(lambda: Plain.model_validate_json(text)),
    )


@measure("save", "raw JSON.SET of a ready string", 1.25, 1.1)
async def save(setting: Setting) -> Pair:
    document, raw, key, text = setting.document, setting.raw, setting.key, setting.text
    return Pair(
        cpu_of_each(document.save, setting.fresh()),
        cpu_of_each(lambda: raw.execute_command("JSON.SET", key, "$", text), setting.fresh()),
        same=True,
    )


@measure("get", "raw JSON.GET", 1.30, 1.1)
async def get(setting: Setting) -> Pair:
    raw, key = setting.raw, setting.key
    return Pair(
        cpu_of_each(lambda: Document.get(key), setting.fresh()),
        cpu_of_each(lambda: raw.execute_command("JSON.GET", key), setting.fresh()),
        same=True,
    )


@measure("increase", "raw JSON.NUMINCRBY", 1.20, 1.05)
async def increase(setting: Setting) -> Pair:
    document, raw, key = setting.document, setting.raw, setting.key
    return Pair(
        cpu_of_each(lambda: document.views.increase(), setting.fresh()),
        cpu_of_each(
            lambda: raw.execute_command("JSON.NUMINCRBY", key, "$.views", "1"), setting.fresh()
        ),
        same=True,
    )


@measure("aappend", "raw JSON.ARRAPPEND", 1.20, 1.05)
async def append(setting: Setting) -> Pair:
    document, raw, key = setting.document, setting.raw, setting.key
    return Pair(
        cpu_of_each(lambda: document.tags.aappend("one more"), setting.fresh(), _BATCH),
        cpu_of_each(
            lambda: raw.execute_command("JSON.ARRAPPEND", key, "$.tags", '"one more"'),
            *(setting.fresh(), _BATCH),
        ),
        same=True,
    )


@measure("apop", "raw JSON.ARRPOP", 1.20, 1.05)
async def pop(setting: Setting) -> Pair:
    document, raw, key = setting.document, setting.raw, setting.key
    fresh = setting.fresh(tags=20 + _BATCH)
    return Pair(
        cpu_of_each(lambda: document.tags.apop(), fresh, _BATCH),
        cpu_of_each(lambda: raw.execute_command("JSON.ARRPOP", key, "$.tags", "-1"), fresh, _BATCH),
        same=True,
    )


@measure("aset_item", "raw JSON.SET of the entry", 1.20, 1.05)
async def set_item(setting: Setting) -> Pair:
    document, raw, key = setting.document, setting.raw, setting.key
    return Pair(
        cpu_of_each(lambda: document.counts.aset_item("counter3", 9), setting.fresh()),
        cpu_of_each(
            lambda: raw.execute_command("JSON.SET", key, "$.counts.counter3", "9"), setting.fresh()
        ),
        same=True,
    )


@measure("pipeline() of 10 changes", "redis-py MULTI/EXEC of the same 10", 1.0, 0.7)
async def pipeline_of_ten(setting: Setting) -> Pair:
    document, raw, key = setting.document, setting.raw, setting.key

    async def ours() -> None:
        async with document.pipeline():
            document.views += 1
            document.likes += 1
            document.score += 1
            document.title = "title"
            document.body = "body"
            document.counts["counter1"] = 5
            document.counts["counter2"] += 1
            document.nested.value += 1
            document.nested.name = "z"
            document.data = b"x"

    async def theirs() -> None:
        pipe = raw.pipeline(transaction=True)
        pipe.execute_command("JSON.NUMINCRBY", key, "$.views", "1")
        pipe.execute_command("JSON.NUMINCRBY", key, "$.likes", "1")
        pipe.execute_command("JSON.NUMINCRBY", key, "$.score", "1")
        pipe.execute_command("JSON.SET", key, "$.title", '"title"')
        pipe.execute_command("JSON.SET", key, "$.body", '"body"')
        pipe.execute_command("JSON.SET", key, "$.counts.counter1", "5")
        pipe.execute_command("JSON.NUMINCRBY", key, "$.counts.counter2", "1")
        pipe.execute_command("JSON.NUMINCRBY", key, "$.nested.value", "1")
        pipe.execute_command("JSON.SET", key, "$.nested.name", '"z"')
        pipe.execute_command("JSON.SET", key, "$.data", '"eA=="')
        await pipe.execute()

    return Pair(cpu_of_each(ours, setting.fresh()), cpu_of_each(theirs, setting.fresh()), same=True)


MEASURES: tuple[Measure, ...] = (
    *(construct, load, save, get),
    *(increase, append, pop, set_item, pipeline_of_ten),
)
