"""While a slot moves from node to node of a cluster, no existing document is reported missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from redis.crc import key_slot

import rapyer
from rapyer import AtomicRedisModel
from rapyer.connections import Session, client_from_url
from rapyer.connections.cluster_layout import layout
from rapyer.keyspace.scan import scanned_keys
from tests.conftest import StartServer
from tests.servers import Cluster, RedisProcess, cluster_options

SLOT = key_slot(b"t")


class Moved(AtomicRedisModel):
    name: rapyer.Key[str]
    n: int = 0


@pytest.fixture
def cluster(start_server: StartServer) -> Cluster:
    made = [cluster_options() for _ in range(3)]
    cluster = Cluster([start_server(*options) for _, options in made], [port for port, _ in made])
    cluster.join()
    return cluster


@pytest.fixture
def documents(cluster: Cluster) -> Iterator[list[Moved]]:
    before = Moved.Meta.redis
    Moved.Meta.redis = client_from_url(cluster.url)
    yield [Moved(name=f"{{t}}{i}") for i in range(6)] + [Moved(name=f"free{i}") for i in range(12)]
    Moved.Meta.redis = before


class Move:
    """A slot on its way from one node to another, key by key."""

    def __init__(self, cluster: Cluster, source: RedisProcess, target: RedisProcess) -> None:
        self._cluster, self._source, self._target = cluster, source, target

    def begin(self) -> None:
        ids = [str(node.call("CLUSTER", "MYID"), "ascii") for node in (self._source, self._target)]
        self._target.call("CLUSTER", "SETSLOT", SLOT, "IMPORTING", ids[0])
        self._source.call("CLUSTER", "SETSLOT", SLOT, "MIGRATING", ids[1])

    def keys(self, count: int) -> None:
        port = self._cluster.ports[self._cluster.nodes.index(self._target)]
        keys = self._source.call("CLUSTER", "GETKEYSINSLOT", SLOT, count)
        assert isinstance(keys, list)
        for key in keys:
            assert self._source.call("MIGRATE", "127.0.0.1", port, key, 0, 5000) == b"OK"

    def end(self) -> None:
        name = str(self._target.call("CLUSTER", "MYID"), "ascii")
        for node in (self._target, self._source):
            node.call("CLUSTER", "SETSLOT", SLOT, "NODE", name)


def _others(cluster: Cluster, node: RedisProcess) -> list[RedisProcess]:
    return [other for other in cluster.nodes if other is not node]


async def test_documents_that_have_moved_ahead_of_others_are_found(
    cluster: Cluster, documents: list[Moved]
) -> None:
    for document in documents:
        await document.save()
    source = cluster.owner(SLOT)
    move = Move(cluster, source, _others(cluster, source)[0])
    move.begin()
    for _ in range(7):
        found = await Moved.find(*[document.key for document in documents])
        assert [one.key for one in found] == [document.key for document in documents]
        assert len(await Moved.find(Moved.n >= 0)) == len(documents)
        assert await Moved.find().count() == len(documents)
        move.keys(1)
    move.end()
    assert len(await Moved.find()) == len(documents)


async def test_what_really_is_not_there_or_is_no_document_is_said_as_ever(
    cluster: Cluster, documents: list[Moved]
) -> None:
    await documents[0].save()
    cluster.owner(SLOT).call("SET", "Moved:{t}text", "x")
    with pytest.raises(rapyer.errors.KeyNotFound, match=r"Moved:\{t\}nowhere"):
        await Moved.find(documents[0].key, "Moved:{t}nowhere")
    with pytest.raises(rapyer.errors.KeyNotFound):
        await Moved.find(documents[0].key, "Moved:{t}text")


@pytest.mark.parametrize("part", ["begun", "half", "all keys", "ended", "and back"])
async def test_a_scan_finds_what_moves_from_a_node_that_was_not_asked_yet_to_one_that_was(
    cluster: Cluster, documents: list[Moved], part: str
) -> None:
    for document in documents:
        await document.save()
    session = Session.of(Moved.Meta.redis)
    order = [cluster.ports.index(node.port) for node in await session.primaries()]
    source = cluster.owner(SLOT)
    first, last = cluster.nodes[order[0]], cluster.nodes[order[-1]]
    for hop in (last,) if source is not last else ():
        move = Move(cluster, source, hop)
        move.begin()
        move.keys(100)
        move.end()
    found: list[str] = []
    is_first = True
    async for keys in scanned_keys(Moved):
        found += keys
        if is_first:
            is_first = False
            move = Move(cluster, last, first)
            move.begin()
            if part != "begun":
                move.keys(3 if part == "half" else 100)
            if part in ("ended", "and back"):
                move.end()
            if part == "and back":
                back = Move(cluster, first, last)
                back.begin()
                back.keys(100)
                back.end()
    assert sorted(found) == sorted(document.key for document in documents)


ME, OTHER = "a" * 40, "b" * 40


def _said(name: str, epoch: int, slots: Sequence[str]) -> bytes:
    line = f"{name} 127.0.0.1:1@2 myself,master - 0 0 {epoch} connected {' '.join(slots)}"
    return f"{line}\n{'c' * 40} 127.0.0.1:3@4 slave {name} 0 0 1 connected\n".encode()


@pytest.mark.parametrize(
    ("before", "after", "in_doubt"),
    [
        ((["0-9"], ["10-19"]), (["0-9"], ["10-19"]), set()),
        ((["0-9"], ["10-19"]), (["0-4", "6-9"], ["5", "10-19"]), {5}),
        ((["0-9"], ["10-19"]), (["0-9", f"[3->-{OTHER}]"], ["10-19", f"[3-<-{ME}]"]), {3}),
        ((["0-9", f"[3->-{OTHER}]"], []), (["0-9"], []), {3}),
        ((["0-1"], []), ([], []), {0, 1}),
    ],
)
def test_slots_in_doubt_are_those_that_moved(
    before: tuple[list[str], list[str]],
    after: tuple[list[str], list[str]],
    in_doubt: set[int],
) -> None:
    then, now = (
        layout([_said(ME, 1, mine), _said(OTHER, 2, others)]) for mine, others in (before, after)
    )
    assert now.slots_in_doubt(then) == in_doubt
    assert then.slots_in_doubt(now) == in_doubt


def test_where_only_an_epoch_has_grown_any_slot_may_have_moved() -> None:
    then, now = layout([_said(ME, 1, ["0-9"])]), layout([_said(ME, 2, ["0-9"])])
    assert now.slots_in_doubt(then) is None
