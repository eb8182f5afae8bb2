"""What is known about a command when connections, servers and tasks go wrong."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import redis.exceptions
from redis.asyncio import BlockingConnectionPool, Redis, UnixDomainSocketConnection
from redis.exceptions import ResponseError

from rapyer import errors
from rapyer.connections import Session, client_from_url
from rapyer.embedded import EmbeddedServer
from tests.conftest import StartServer
from tests.servers import Proxy, proxied, until

INCREMENT = "return redis.call('INCR', KEYS[1])"
SHA = hashlib.sha1(INCREMENT.encode()).hexdigest()

Operation = Callable[[Session], Any]
WRITES: dict[str, Operation] = {
    "execute": lambda session: session.execute("INCR", "n", write=True),
    "execute_many": lambda session: session.execute_many([("PING",), ("INCR", "n")], write=True),
    "evalsha": lambda session: session.evalsha(SHA, INCREMENT, ["n"], []),
}


@pytest.fixture
async def proxy(rapyer_redis: Redis, rapyer_server: EmbeddedServer) -> AsyncIterator[Proxy]:
    """A proxy to the plain server, which knows the script."""
    await rapyer_redis.script_load(INCREMENT)
    async with proxied(rapyer_server.address) as proxy:
        yield proxy


@contextlib.asynccontextmanager
async def through(proxy: Proxy, **settings: Any) -> AsyncIterator[Session]:
    client = client_from_url(f"redis://127.0.0.1:{proxy.port}", **settings)
    yield Session.of(client)
    await client.aclose()


class TestLostReplies:
    @pytest.mark.parametrize("operation", WRITES)
    async def test_lost_reply_to_a_write_is_unknown_and_never_sent_again(
        self, proxy: Proxy, rapyer_redis: Redis, operation: str
    ) -> None:
        async with through(proxy) as session:
            await session.execute("PING", write=False)
            proxy.cut_after = b"INCR" if operation != "evalsha" else b"EVALSHA"
            with pytest.raises(errors.OutcomeUnknownError, match="applied once or not at all"):
                await WRITES[operation](session)
            assert await rapyer_redis.get("n") == b"1"

    async def test_lost_reply_to_a_read_is_not_unknown(self, proxy: Proxy) -> None:
        async with through(proxy) as session:
            proxy.cut_after = b"GET"
            with pytest.raises(errors.ConnectionError) as raised:
                await session.execute("GET", "n", write=False)
            assert type(raised.value) is errors.ConnectionError

    async def test_lost_reply_to_a_write_through_a_client_handed_in(
        self, proxy: Proxy, rapyer_redis: Redis
    ) -> None:
        # Its default of retries is for its own commands: ours are sent once.
        client = Redis(host="127.0.0.1", port=proxy.port)
        proxy.cut_after = b"INCR"
        with pytest.raises(errors.OutcomeUnknownError):
            await Session.of(client).execute("INCR", "n", write=True)
        assert await rapyer_redis.get("n") == b"1"
        await client.aclose()

    async def test_client_made_from_a_url_does_not_retry_its_own_commands_either(
        self, proxy: Proxy, rapyer_redis: Redis
    ) -> None:
        client = client_from_url(f"redis://127.0.0.1:{proxy.port}")
        proxy.cut_after = b"INCR"
        with pytest.raises(redis.exceptions.ConnectionError):
            await client.incr("n")
        assert await rapyer_redis.get("n") == b"1"
        await client.aclose()

    async def test_silence_is_unknown_for_a_write_and_ends_in_time(self, proxy: Proxy) -> None:
        async with through(proxy, socket_timeout=0.2) as session:
            await session.execute("PING", write=False)
            proxy.mute = True
            with pytest.raises(errors.OutcomeUnknownError, match=r"no reply within 0\.2 seconds"):
                await session.execute("INCR", "n", write=True)
            with pytest.raises(errors.ConnectionError):
                await session.execute("GET", "n", write=False)
            proxy.mute = False
            assert await session.execute("GET", "n", write=False) == b"1"

    async def test_timeouts_of_many_tasks_are_their_own(self, proxy: Proxy) -> None:
        async with through(proxy, socket_timeout=0.2) as session:
            await session.execute_many([("PING",)] * 3, write=False)
            proxy.mute = True
            tasks = [session.execute("INCR", "n", write=True) for _ in range(20)]
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(outcome, errors.ConnectionError) for outcome in outcomes)
            proxy.mute = False
            await session.execute("PING", write=False)

    async def test_the_connection_after_a_failure_is_a_new_one(self, proxy: Proxy) -> None:
        async with through(proxy) as session:
            proxy.cut_after = b"INCR"
            with pytest.raises(errors.OutcomeUnknownError):
                await session.execute("INCR", "n", write=True)
            proxy.cut_after = None
            assert await session.execute("GET", "n", write=False) == b"1"
            assert proxy.connections == 2


class TestNothingSent:
    @pytest.mark.parametrize("operation", WRITES)
    async def test_server_that_cannot_be_reached_is_no_unknown_outcome(
        self, operation: str
    ) -> None:
        client = client_from_url("redis://ada:s3cret@127.0.0.1:1")
        with pytest.raises(errors.ConnectionError, match=r"server at 127\.0\.0\.1:1") as raised:
            await WRITES[operation](Session.of(client))
        assert type(raised.value) is errors.ConnectionError
        assert "s3cret" not in str(raised.value)
        assert raised.value.__cause__ is not None
        await client.aclose()

    @pytest.mark.parametrize("operation", WRITES)
    @pytest.mark.parametrize("reset", [False, True])
    async def test_connection_closed_while_idle_is_replaced_before_sending(
        self, proxy: Proxy, rapyer_redis: Redis, operation: str, reset: bool
    ) -> None:
        async with through(proxy) as session:
            await session.execute("PING", write=False)
            await proxy.cut_all(reset=reset)
            await asyncio.sleep(0)  # asyncio may, but need not, have seen it
            await WRITES[operation](session)
            assert await rapyer_redis.get("n") == b"1"

    async def test_close_that_the_event_loop_has_not_noticed_is_noticed(
        self, start_server: StartServer
    ) -> None:
        server = start_server()
        client = client_from_url(f"unix://{server.socket}")
        session = Session.of(client)
        await session.execute("SET", "k", 1, write=True)
        # No await in between: asyncio has no chance to see the end of the connection.
        server.stop()
        server.start()
        assert await session.execute("INCR", "k", write=True) == 1
        await client.aclose()

    async def test_embedded_server_that_stopped_is_started_again_unnoticed(
        self, rapyer_redis: Redis, rapyer_server: EmbeddedServer
    ) -> None:
        session = Session.of(rapyer_redis)
        await session.execute("SET", "k", 1, write=True)
        rapyer_server.stop()
        assert await session.execute("INCR", "k", write=True) == 2
        await rapyer_redis.connection_pool.disconnect()
        rapyer_server.stop()
        tasks = [session.execute("INCR", "k", write=True) for _ in range(20)]
        assert sorted(await asyncio.gather(*tasks)) == list(range(3, 23))

    async def test_server_that_is_still_loading_did_not_execute(
        self, start_server: StartServer
    ) -> None:
        options = ("--appendonly", "yes", "--enable-debug-command", "yes")
        server = start_server(*options)
        server.call("DEBUG", "POPULATE", 2000)
        server.call("BGREWRITEAOF")
        await until(lambda: b"aof_rewrite_in_progress:0" in persistence(server))
        await until(lambda: b"aof_last_bgrewrite_status:ok" in persistence(server))
        server.stop()
        server.options = (*options, "--key-load-delay", "2000")
        server.options += ("--loading-process-events-interval-bytes", "1024")
        server.start()
        client = client_from_url(f"unix://{server.socket}?protocol=2")
        with pytest.raises(errors.ConnectionError, match="did not execute the command") as raised:
            await Session.of(client).execute("SET", "k", 1, write=True)
        assert type(raised.value) is errors.LoadingError
        await client.aclose()

    async def test_arguments_of_a_wrong_type_are_refused_before_sending(
        self, rapyer_redis: Redis
    ) -> None:
        session = Session.of(rapyer_redis)
        for wrong in (None, True, [], "\ud800"):
            with pytest.raises((TypeError, UnicodeEncodeError)):
                await session.execute("SET", "k", wrong, write=True)  # type: ignore[arg-type]
        assert await session.execute("DBSIZE", write=False) == 0


def persistence(server: Any) -> bytes:
    reply = server.call("INFO", "persistence")
    assert isinstance(reply, bytes)
    return reply


class TestConcurrency:
    @pytest.mark.parametrize("connections", [1, 7, 50])
    async def test_a_thousand_tasks_share_one_client(
        self, rapyer_server: EmbeddedServer, rapyer_redis: Redis, connections: int
    ) -> None:
        client = client_from_url(rapyer_server.url, max_connections=connections)
        session = Session.of(client)
        tasks = [session.execute("INCR", "n", write=True) for _ in range(1000)]
        assert sorted(await asyncio.gather(*tasks)) == list(range(1, 1001))
        assert len(client.connection_pool._available_connections) <= connections
        await client.aclose()

    async def test_tasks_and_direct_users_of_the_pool_wait_for_each_other(
        self, rapyer_server: EmbeddedServer, rapyer_redis: Redis
    ) -> None:
        client = client_from_url(rapyer_server.url, max_connections=2)
        session = Session.of(client)

        async def direct() -> None:
            for _ in range(20):
                await client.incr("direct")

        async def ours() -> None:
            for _ in range(20):
                await session.execute("INCR", "ours", write=True)

        async with asyncio.timeout(20):
            await asyncio.gather(*(task() for _ in range(10) for task in (direct, ours)))
        assert await rapyer_redis.mget("direct", "ours") == [b"200", b"200"]
        await client.aclose()

    async def test_task_gets_the_connection_that_a_direct_user_returns(
        self, rapyer_server: EmbeddedServer
    ) -> None:
        client = client_from_url(rapyer_server.url, max_connections=1)
        connection = await client.connection_pool.get_connection()
        task = asyncio.create_task(Session.of(client).execute("PING", write=False))
        await asyncio.sleep(0)
        await client.connection_pool.release(connection)
        async with asyncio.timeout(5):
            assert await task == b"PONG"
        await client.aclose()

    async def test_direct_user_is_served_before_all_tasks_are(
        self, rapyer_server: EmbeddedServer
    ) -> None:
        client = client_from_url(rapyer_server.url, max_connections=2)
        session = Session.of(client)
        await asyncio.gather(*(session.execute("PING", write=False) for _ in range(2)))
        tasks = [asyncio.create_task(session.execute("PING", write=False)) for _ in range(500)]
        await asyncio.sleep(0)
        await client.ping()
        assert not all(task.done() for task in tasks)
        await asyncio.gather(*tasks)
        await client.aclose()

    async def test_limited_wait_of_a_pool_handed_in_is_kept(
        self, rapyer_server: EmbeddedServer
    ) -> None:
        pool = BlockingConnectionPool(
            max_connections=1,
            timeout=0.05,
            connection_class=UnixDomainSocketConnection,
            path=rapyer_server.ensure_running(),
        )
        client = Redis.from_pool(pool)
        connection = await pool.get_connection()
        with pytest.raises(errors.ConnectionError, match="No connection available"):
            await Session.of(client).execute("PING", write=False)
        await pool.release(connection)
        assert await Session.of(client).execute("PING", write=False) == b"PONG"
        await client.aclose()

    async def test_cancelled_tasks_never_leave_their_replies_to_others(
        self, rapyer_server: EmbeddedServer, rapyer_redis: Redis
    ) -> None:
        client = client_from_url(rapyer_server.url, max_connections=3)
        session = Session.of(client)
        random.seed(1)

        async def echo(number: int) -> None:
            size = random.choice([0, 100_000])
            expected = b"%d" % number + b"." * size
            assert await session.execute("ECHO", expected, write=False) == expected

        for start in range(0, 1500, 30):
            tasks = [asyncio.create_task(echo(start + n)) for n in range(30)]
            for _ in range(random.randrange(12)):
                await asyncio.sleep(0)
            for task in random.sample(tasks, 10):
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                assert outcome is None or isinstance(outcome, asyncio.CancelledError)
        assert not client.connection_pool._in_use_connections
        assert len(client.connection_pool._available_connections) <= 3
        await client.aclose()

    async def test_cancelled_while_waiting_for_a_connection_blocks_nobody(
        self, rapyer_server: EmbeddedServer, rapyer_redis: Redis
    ) -> None:
        client = client_from_url(rapyer_server.url, max_connections=1)
        session = Session.of(client)
        for _ in range(30):
            tasks = [
                asyncio.create_task(session.execute("INCR", "n", write=True)) for _ in range(6)
            ]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(5):
            assert await session.execute("PING", write=False) == b"PONG"
        await client.aclose()


class TestBatches:
    async def test_large_pipeline_with_large_replies(self, rapyer_redis: Redis) -> None:
        session = Session.of(rapyer_redis)
        values = [b"%d" % number * 20_000 for number in range(300)]
        sets = [("SET", f"k{number}", value) for number, value in enumerate(values)]
        assert await session.execute_many(sets, write=True) == [b"OK"] * 300
        gets = [("GET", f"k{number}") for number in range(300)]
        assert await session.execute_many(gets, write=False) == values

    async def test_empty_pipeline_sends_nothing(self) -> None:
        assert (
            await Session.of(client_from_url("redis://nowhere")).execute_many([], write=True) == []
        )

    async def test_flushed_script_is_run_exactly_once(self, rapyer_redis: Redis) -> None:
        session = Session.of(rapyer_redis)
        for expected in range(1, 4):
            await rapyer_redis.script_flush()
            assert await session.evalsha(SHA, INCREMENT, ["n"], []) == expected

    async def test_error_of_a_script_passes_through(self, rapyer_redis: Redis) -> None:
        source = "return redis.error_reply('BOUND broken')"
        sha = hashlib.sha1(source.encode()).hexdigest()
        with pytest.raises(ResponseError, match="BOUND broken"):
            await Session.of(rapyer_redis).evalsha(sha, source, [], [])
