"""What a batch would send can be read before it is sent: one line for each step, the Redis command it amounts to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import rapyer
from rapyer import AtomicRedisModel
from tests.conftest import Stored


class Worded(AtomicRedisModel):
    count: int = 1
    text: str = "a"
    items: list[int] = [1, 2]
    table: dict[str, int] = {"k": 1, "back\\slash": 2}


COMPUTED = "<computed from the stored value, if unchanged>"
STEPS: list[tuple[Callable[[Any], Any], list[str]]] = [
    (lambda m: m.count.increase(5), ["JSON.NUMINCRBY KEY $.count 5"]),
    (lambda m: setattr(m, "count", 7), ["JSON.SET KEY $.count 7"]),
    (lambda m: setattr(m, "text", "it's"), [r"""JSON.SET KEY $.text '"it\'s"'"""]),
    (lambda m: m.text.save(), ["""JSON.SET KEY $.text '"a"'"""]),
    (lambda m: m.items.aappend(3), ["JSON.ARRAPPEND KEY $.items 3"]),
    (lambda m: m.items.aextend([3, 4]), ["JSON.ARRAPPEND KEY $.items 3 4"]),
    (lambda m: m.items.ainsert(1, 9), ["JSON.ARRINSERT KEY $.items 1 9"]),
    (lambda m: m.items.apop(), ["JSON.ARRPOP KEY $.items -1"]),
    (lambda m: m.items.__setitem__(0, 5), ["JSON.SET KEY $.items[0] 5"]),
    (lambda m: m.items.reverse(), [f"JSON.SET KEY $.items {COMPUTED}"]),
    (lambda m: m.table.aset_item("k", 5), ["JSON.SET KEY $.table.k 5"]),
    (lambda m: m.table.adel_item("k"), ["JSON.DEL KEY $.table.k"]),
    (lambda m: m.table.apop("k"), ["JSON.DEL KEY $.table.k"]),
    (lambda m: m.table.apop("back\\slash"), [f"JSON.SET KEY $.table {COMPUTED}"]),
    (lambda m: m.table.apopitem(), ["JSON.DEL KEY $.table.<last entry>"]),
    (lambda m: m.table.aclear(), ["JSON.SET KEY $.table {}"]),
    (lambda m: m.table["back\\slash"].increase(), [f"JSON.SET KEY $.table {COMPUTED}"]),
    (lambda m: m.count.load(), ["JSON.GET KEY $.count"]),
    (lambda m: m.load(), ["JSON.GET KEY $"]),
    (lambda m: m.delete(), ["DEL KEY"]),
    (lambda m: m.set_ttl(5), ["PEXPIRE KEY 5000"]),
    (lambda m: m.set_ttl(None), ["PERSIST KEY"]),
    (
        lambda m: m.aupdate(count=2, items=[]),
        ["JSON.SET KEY $.count 2", "JSON.SET KEY $.items []"],
    ),
]


@pytest.mark.parametrize(("act", "lines"), STEPS)
async def test_each_step_is_the_command_it_amounts_to(
    stored: Stored, act: Callable[[Any], Any], lines: list[str]
) -> None:
    worded = await Worded().save()
    before = await stored(worded)
    shown: list[str] = []

    async def tried() -> None:
        async with rapyer.pipeline(worded) as batch:
            done = act(worded)
            if hasattr(done, "__await__"):
                await done
            shown.extend(batch.commands())
            raise NotImplementedError("and nothing is sent")

    with pytest.raises(NotImplementedError):
        await tried()
    assert [line.replace(worded.key, "KEY") for line in shown] == lines
    assert await stored(worded) == before


async def test_a_save_shows_its_time_to_live() -> None:
    worded = Worded()
    async with rapyer.pipeline(worded) as batch:
        await worded.save(nx=True)
        (line,) = batch.commands()
    assert line.startswith(f"JSON.SET {worded.key} $ ")
    assert line.endswith(" NX")
