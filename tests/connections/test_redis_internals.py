"""What redis-py does not document is used in one module, and does there what it is used for."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import redis.exceptions
from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.sentinel import Sentinel

import rapyer
import rapyer_cli
from rapyer.connections import redis_internals
from rapyer.connections.redis_internals import (
    close_from_outside,
    connections_of,
    connections_of_node,
    forced_address_of,
    idle_of,
    in_use_of,
    is_at_end,
    is_waited_for,
    loop_of,
    reading_of,
    writer_of,
)

ADAPTER = Path(redis_internals.__file__)
HIDDEN = re.compile(
    r"\b(?!self\b|cls\b|mcs\b)\w+\._(available_connections|in_use_connections|condition|waiters|connections"
    r"|writer|reader|parser|buffer|loop|stream|close|connect|force_master_ip|initialize)\b"
)


@pytest.mark.parametrize("package", [rapyer, rapyer_cli])
def test_internals_of_redis_py_are_used_in_one_module(package: Any) -> None:
    sources = list(Path(package.__file__).parent.rglob("*.py"))
    assert len(sources) > 50
    for source in sources:
        found = HIDDEN.findall(source.read_text())
        if source == ADAPTER:
            assert len(set(found)) > 5
        else:
            assert not found, source


@pytest.fixture
async def pool(redis: Redis) -> AsyncIterator[BlockingConnectionPool]:
    known: Any = redis.connection_pool
    pool = BlockingConnectionPool(
        max_connections=1,
        timeout=5,
        connection_class=known.connection_class,
        **known.connection_kwargs,
    )
    yield pool
    await pool.disconnect()


async def test_pools_keep_their_connections_where_we_look(pool: BlockingConnectionPool) -> None:
    connection = await pool.get_connection()
    assert list(in_use_of(pool)) == [connection] == list(connections_of(pool))
    assert not idle_of(pool)
    assert not is_waited_for(pool)
    waiting = asyncio.ensure_future(pool.get_connection())
    await asyncio.sleep(0.01)
    assert is_waited_for(pool)
    await pool.release(connection)
    assert await waiting is connection
    await pool.release(connection)
    assert (list(idle_of(pool)), list(in_use_of(pool))) == ([connection], [])
    assert list(connections_of(pool)) == [connection]


async def test_a_pool_takes_the_connection_that_we_put_back(pool: BlockingConnectionPool) -> None:
    connection = await pool.get_connection()
    in_use_of(pool).discard(connection)
    idle_of(pool).append(connection)
    assert await pool.get_connection() is connection
    await pool.release(connection)


async def test_a_connection_is_written_and_read_below_its_methods(
    pool: BlockingConnectionPool,
) -> None:
    connection = await pool.get_connection()
    writer = writer_of(connection)
    assert writer is not None
    assert loop_of(connection) is asyncio.get_running_loop()
    assert not is_at_end(connection)
    writer.write(b"*2\r\n$4\r\nECHO\r\n$2\r\n\xff\n\r\n")
    assert await reading_of(connection)(disable_decoding=True) == b"\xff\n"
    close_from_outside(connection)
    assert writer_of(connection) is None
    assert loop_of(connection) is None
    await pool.release(connection)


async def test_what_the_server_closed_is_at_its_end(pool: BlockingConnectionPool) -> None:
    connection = await pool.get_connection()
    writer: Any = writer_of(connection)
    writer.write(b"*1\r\n$4\r\nQUIT\r\n")
    assert await reading_of(connection)(disable_decoding=True) == b"OK"
    with pytest.raises(redis.exceptions.ConnectionError):
        await reading_of(connection)(disable_decoding=True)
    assert is_at_end(connection)
    await connection.disconnect()
    await pool.release(connection)


async def test_a_connection_that_was_never_open_has_nothing_to_close() -> None:
    connection: Any = ConnectionPool().make_connection()
    assert writer_of(connection) is None
    assert loop_of(connection) is None
    close_from_outside(connection)


def test_nodes_of_a_cluster_keep_their_connections_where_we_look() -> None:
    assert list(connections_of_node(ClusterNode("127.0.0.1", 1))) == []


def test_a_sentinel_client_keeps_the_address_that_it_is_given() -> None:
    sentinels = [("127.0.0.1", 1)]
    assert forced_address_of(Sentinel(sentinels)) is None
    assert forced_address_of(Sentinel(sentinels, force_master_ip="127.0.0.2")) == "127.0.0.2"
