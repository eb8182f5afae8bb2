"""The checker notices what it is there for: each of these histories is impossible in one way."""

from __future__ import annotations

from typing import Any

import pytest

from tests.histories.checking import Event, History
from tests.histories.documents import Ledger


def ledger(**values: Any) -> Ledger:
    return Ledger(name="x", **values)


def event(kind: str, value: Any = None, given: Any = None, **more: Any) -> Event:
    more = {"began": 0.0, "ended": 1.0, "outcome": "ok", **more}
    return Event(kind, f"{kind}{more['began']}", given=given, value=value, **more)


IMPOSSIBLE = [
    ([event("increase", 1, 1), event("increase", 1, 1)], ledger(counter=2), "twice over 1"),
    ([event("increase", 1, 1)], ledger(counter=2), "is 1 off"),
    ([event("increase", 2, 2, outcome="unknown")], ledger(counter=1), "is 1 off"),
    (
        [event("increase", 2, 1), event("increase", 1, 1, began=2.0, ended=3.0)],
        ledger(counter=2),
        "after somebody had got 2",
    ),
    ([event("append", given="a")], ledger(), "a is lost"),
    ([event("append", given="a")], ledger(appended=["a", "a"]), "appended 2 times"),
    ([event("append", given="a", outcome="no")], ledger(appended=["a"]), "though refused"),
    ([event("pop", 0), event("pop", 0)], ledger(queue=[1]), "popped 2 times"),
    ([event("pop", 0)], ledger(queue=[0, 1]), "was popped and is there"),
    ([event("pop", 0)], ledger(), "1 items are gone"),
    ([], ledger(queue=[1, 0]), "out of order"),
    ([], ledger(queue=[0, 1], left=1), "torn"),
    ([event("read", [1, 0, 1])], ledger(queue=[0, 1]), "half a batch"),
    ([event("batch", given="a")], ledger(queue=[0, 1]), "a is lost"),
    ([event("watch")], ledger(queue=[0, 1]), "watch: 0 is stored, 1 were done"),
    (
        [event("lock", [0.0, 2.0]), event("lock", [1.0, 3.0], began=0.5)],
        ledger(queue=[0, 1], locked=2),
        "held the lock at the same time",
    ),
    ([event("compare", [{"n": 1}, {"n": 2}])], ledger(queue=[0, 1]), "is not what is stored"),
]


@pytest.mark.parametrize(("events", "end", "said"), IMPOSSIBLE)
def test_an_impossible_history_is_noticed(events: list[Event], end: Ledger, said: str) -> None:
    faults = list(History(events, ledger(queue=[0, 1]), end).faults())
    assert any(said in fault for fault in faults), faults


def test_a_possible_history_is_none_of_them() -> None:
    events = [
        *(event("increase", 1, 1), event("increase", 5, 4, began=2.0, ended=3.0)),
        *(event("pop", 0), event("pop", outcome="unknown"), event("watch", outcome="unknown")),
        *(event("lock", [0.0, 1.0]), event("lock", [1.0, 2.0], began=1.0)),
    ]
    end = ledger(counter=5, locked=2)
    assert list(History(events, ledger(queue=[0, 1]), end).faults()) == []
