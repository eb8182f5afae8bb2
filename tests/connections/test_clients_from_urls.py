"""Clients made from URLs: every kind of server, one way to talk to it."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import hashlib
import ssl
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import NoPermissionError, ResponseError

from rapyer import AtomicRedisModel, errors
from rapyer.connections import Session, check_server, client_from_url, redact_url
from rapyer.connections.cluster_lane import keys_of
from rapyer.embedded import EmbeddedServer
from tests.conftest import StartServer
from tests.servers import Cluster, RedisProcess, cluster_options, free_port, proxied, until

SCRIPT = "return redis.call('JSON.NUMINCRBY', KEYS[1], ARGV[1], ARGV[2])"
SHA = hashlib.sha1(SCRIPT.encode()).hexdigest()


class Visit(AtomicRedisModel):
    n: int = 0


async def exercise(client: Redis | RedisCluster) -> None:
    """What every client can do, with replies that do not depend on its settings."""
    session = Session.of(client)
    await check_server(client)
    document = '{"n":1,"text":"é","float":1.0}'
    assert await session.execute("JSON.SET", "k", "$", document, write=True) == b"OK"
    assert await session.execute("JSON.GET", "k", write=False) == document.encode()
    assert await session.evalsha(SHA, SCRIPT, ["k"], ["$.n", 2]) == b"[3]"
    replies = await session.execute_many(
        [("JSON.GET", "k", "$.n"), ("NO.SUCH",), ("GET", "k"), ("EXISTS", b"k")], write=False
    )
    assert [type(reply) for reply in replies] == [bytes, ResponseError, ResponseError, int]
    assert replies[0] == b"[3]"
    await session.execute("UNLINK", "k", write=True)


async def closed(client: Redis | RedisCluster) -> None:
    await exercise(client)
    await client.aclose()


@pytest.fixture
async def certificates(tmp_path: Path) -> dict[str, str]:
    """The files of a client's side, and what the server's side checks them with."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    client = authority.issue_cert("client@example.org")
    client.cert_chain_pems[0].write_to_path(tmp_path / "client.pem")
    client.private_key_pem.write_to_path(tmp_path / "client.key")
    server = authority.issue_cert("127.0.0.1", "localhost")
    server.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    return {
        name: str(tmp_path / name) for name in ("ca.pem", "client.pem", "client.key", "server.pem")
    }


class TestKindsOfServers:
    @pytest.mark.parametrize("protocol", [2, 3])
    @pytest.mark.parametrize("decode", [False, True])
    async def test_unix_socket(
        self, rapyer_server: EmbeddedServer, protocol: int, decode: bool
    ) -> None:
        url = f"unix://{rapyer_server.address}?protocol={protocol}"
        await closed(client_from_url(url, decode_responses=decode))

    @pytest.mark.parametrize("protocol", [2, 3])
    async def test_client_handed_in_with_json_callbacks(
        self, rapyer_server: EmbeddedServer, protocol: int
    ) -> None:
        client = Redis(
            unix_socket_path=rapyer_server.address, protocol=protocol, decode_responses=True
        )
        client.json()
        await closed(client)

    async def test_without_hiredis(
        self, rapyer_server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from redis._parsers import _AsyncRESP3Parser

        monkeypatch.setattr("rapyer.connections.exchange._pack", None)
        await closed(client_from_url(rapyer_server.url, parser_class=_AsyncRESP3Parser))

    async def test_tcp_with_database_number(self, start_server: StartServer) -> None:
        port = free_port()
        server = start_server("--port", str(port))
        client = client_from_url(f"redis://127.0.0.1:{port}/3")
        await Session.of(client).execute("SET", "other", "v", write=True)
        assert server.call("INFO", "keyspace") != b"# Keyspace\r\n"
        assert server.call("DBSIZE") == 0
        await closed(client)

    async def test_embedded_server_is_started_by_the_first_command(self, tmp_path: Path) -> None:
        server = EmbeddedServer(tmp_path / "data")
        client = client_from_url(server.url)
        assert not server.status().running
        await closed(client)
        assert server.stop()

    async def test_tls_with_certificates_on_both_sides(
        self, rapyer_server: EmbeddedServer, certificates: dict[str, str]
    ) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates["ca.pem"])
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(certificates["server.pem"])
        async with proxied(rapyer_server.address, context) as proxy:
            url = f"rediss://localhost:{proxy.port}?ssl_ca_certs={certificates['ca.pem']}"
            own = f"&ssl_certfile={certificates['client.pem']}&ssl_keyfile={certificates['client.key']}"
            await closed(client_from_url(url + own))
            nobody = client_from_url(url)
            with pytest.raises(
                errors.ConnectionError, match=f"the server at localhost:{proxy.port}"
            ):
                await check_server(nobody)
            await nobody.aclose()

    async def test_tls_of_an_unknown_authority_is_refused(
        self, rapyer_server: EmbeddedServer, certificates: dict[str, str]
    ) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificates["server.pem"])
        async with proxied(rapyer_server.address, context) as proxy:
            client = client_from_url(f"rediss://localhost:{proxy.port}")
            with pytest.raises(errors.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
                await check_server(client)
            await client.aclose()
            assert proxy.requests == []

    async def test_acl_user_with_a_password_of_any_characters(
        self, start_server: StartServer
    ) -> None:
        server = start_server()
        password = "p@s/s:w%rd?&#é"
        server.call("ACL", "SETUSER", "ada", "on", f">{password}", "~*", "+@all", "-flushall")
        from urllib.parse import quote

        url = f"unix://ada:{quote(password, safe='')}@{server.socket}"
        client = client_from_url(url)
        with pytest.raises(NoPermissionError):
            await Session.of(client).execute("FLUSHALL", write=True)
        await closed(client)
        await closed(client_from_url(f"unix://{server.socket}", username="ada", password=password))

    @pytest.mark.parametrize("protocol", [2, 3])
    async def test_refused_login_says_so_without_the_password(
        self, start_server: StartServer, protocol: int
    ) -> None:
        server = start_server("--requirepass", "right")
        for url in ("unix://ada:wr0ng@{}", "unix://{}"):
            client = client_from_url(url.format(server.socket) + f"?protocol={protocol}")
            with pytest.raises(
                errors.ConnectionError, match=r"refused the login|NOAUTH|Authentication required"
            ) as e:
                await Session.of(client).execute("SET", "k", "v", write=True)
            assert not isinstance(e.value, errors.OutcomeUnknownError)
            assert "wr0ng" not in f"{e.value!r} {client!r} {client.connection_pool!r}"
            await client.aclose()

    async def test_user_who_may_not_ask_about_commands_passes_the_check(
        self, start_server: StartServer
    ) -> None:
        server = start_server()
        server.call("ACL", "SETUSER", "ada", "on", ">pw", "~*", "+json.get", "+json.set")
        client = client_from_url(f"unix://ada:pw@{server.socket}")
        await check_server(client)
        await client.aclose()

    async def test_missing_json_module_is_one_clear_error(self, start_server: StartServer) -> None:
        server = start_server(json=False)
        client = client_from_url(f"unix://{server.socket}")
        session = Session.of(client)
        remedy = r"no JSON module; use Redis 8 .*pip install 'rapyer\[embedded\]'"
        with pytest.raises(errors.MissingModuleError, match=remedy):
            await check_server(client)
        with pytest.raises(errors.MissingModuleError, match=remedy) as raised:
            await session.execute("JSON.SET", "k", "$", "1", write=True)
        assert isinstance(raised.value.__cause__, ResponseError)
        with pytest.raises(errors.MissingModuleError, match=remedy):
            await session.evalsha(SHA, SCRIPT, ["k"], ["$", 1])
        (reply,) = await session.execute_many([("FT.SEARCH", "i", "*")], write=False)
        assert isinstance(reply, errors.MissingModuleError)
        assert "no search module" in str(reply)
        await client.aclose()

    async def test_connecting_and_checking_write_nothing(self, start_server: StartServer) -> None:
        server = start_server()

        def commands() -> set[bytes]:
            stats = server.call("INFO", "commandstats")
            assert isinstance(stats, bytes)
            lines = stats.splitlines()
            return {line.split(b":")[0] for line in lines if line.startswith(b"cmdstat_")}

        by_modules = commands()  # Valkey counts what modules ask when they are loaded
        client = client_from_url(f"unix://{server.socket}?protocol=3", client_name="me")
        await check_server(client)
        used = commands() - by_modules
        harmless = (
            b"ping",
            b"hello",
            b"client|setinfo",
            b"client|setname",
            b"info",
            b"command|info",
        )
        assert used <= {b"cmdstat_" + name for name in harmless}
        assert server.call("DBSIZE") == 0
        await client.aclose()


@pytest.fixture
def cluster(start_server: StartServer) -> Cluster:
    made = [cluster_options() for _ in range(3)]
    cluster = Cluster([start_server(*options) for _, options in made], [port for port, _ in made])
    cluster.join()
    return cluster


class TestCluster:
    async def test_one_client_reaches_all_nodes(self, cluster: Cluster) -> None:
        client = client_from_url(cluster.url)
        session = Session.of(client)
        assert session.is_cluster
        await exercise(client)
        sets = [("SET", f"k{n}", str(n)) for n in range(100)]
        assert set(await session.execute_many(sets, write=True)) == {b"OK"}
        assert all(node.call("DBSIZE") for node in cluster.nodes)
        gets = [("GET", f"k{n}") for n in range(100)]
        assert await session.execute_many(gets, write=False) == [b"%d" % n for n in range(100)]
        found: list[bytes] = []
        for node in await session.primaries():
            _, keys = await session.execute("SCAN", 0, "COUNT", 1000, write=False, node=node)
            found += keys
        assert sorted(found) == sorted(b"k%d" % n for n in range(100))
        await client.aclose()

    async def test_keys_of_several_slots_are_refused_before_anything_is_sent(
        self, cluster: Cluster
    ) -> None:
        client = client_from_url(cluster.url)
        session = Session.of(client)
        with pytest.raises(errors.CrossSlotError, match="b1 and b2 are in different slots"):
            session.require_one_slot(["b1", "b2"])
        session.require_one_slot(["{b}1", b"{b}2"])
        script = "redis.call('SET', KEYS[1], 1); redis.call('SET', KEYS[2], 1)"
        sha = hashlib.sha1(script.encode()).hexdigest()
        with pytest.raises(errors.CrossSlotError):
            await session.evalsha(sha, script, ["b1", "b2"], [])
        with pytest.raises(errors.CrossSlotError):
            await session.execute_many([("SET", "b1", 1), ("DEL", "b1", "b2")], write=True)
        assert [node.call("DBSIZE") for node in cluster.nodes] == [0, 0, 0]
        await session.evalsha(sha, script, ["{b}1", "{b}2"], [])
        await client.aclose()

    async def test_standalone_servers_take_keys_of_any_slots(self, rapyer_redis: Redis) -> None:
        Session.of(rapyer_redis).require_one_slot(["b1", "b2"])

    async def test_moved_slots_are_followed_and_written_once(self, cluster: Cluster) -> None:
        client = client_from_url(cluster.url)
        session = Session.of(client)
        await session.execute("SET", "k", 0, write=True)
        slot = cluster.nodes[0].call("CLUSTER", "KEYSLOT", "k")
        assert isinstance(slot, int)
        source = cluster.owner(slot)
        target = next(node for node in cluster.nodes if node is not source)
        ids = {node: node.call("CLUSTER", "MYID") for node in cluster.nodes}
        target.call("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
        source.call("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
        # The key has left, the slot has not: the source answers ASK.
        port = cluster.ports[cluster.nodes.index(target)]
        source.call("MIGRATE", "127.0.0.1", port, "k", 0, 5000)
        assert await session.execute("INCR", "k", write=True) == 1
        for node in cluster.nodes:
            node.call("CLUSTER", "SETSLOT", slot, "NODE", ids[target])
        # Now the client's map is wrong: the source answers MOVED.
        replies = await session.execute_many([("INCR", "k"), ("INCR", "k")], write=True)
        assert replies == [2, 3]
        assert await session.execute("GET", "k", write=False) == b"3"
        await client.aclose()

    async def test_dead_node_is_an_error_that_nothing_was_written(self, cluster: Cluster) -> None:
        client = client_from_url(cluster.url + "?socket_connect_timeout=1")
        session = Session.of(client)
        await session.execute("SET", "k", 0, write=True)
        slot = cluster.nodes[0].call("CLUSTER", "KEYSLOT", "k")
        assert isinstance(slot, int)
        cluster.owner(slot).stop()
        with pytest.raises(errors.ConnectionError) as raised:
            await session.execute("SET", "k", 1, write=True)
        assert not isinstance(raised.value, errors.OutcomeUnknownError)
        await client.aclose()

    async def test_a_thousand_tasks_share_one_cluster_client(self, cluster: Cluster) -> None:
        client = client_from_url(cluster.url, max_connections=5)
        session = Session.of(client)
        await asyncio.gather(
            *(session.execute("INCR", f"k{n % 10}", write=True) for n in range(1000))
        )
        assert await session.execute("GET", "k3", write=False) == b"100"
        await client.aclose()

    def test_cluster_client_works_in_one_event_loop_after_another(self, cluster: Cluster) -> None:
        client = client_from_url(cluster.url)
        for _ in range(3):
            asyncio.run(exercise(client))

    @pytest.mark.parametrize(
        ("command", "keys"),
        [
            (("GET", "a"), [b"a"]),
            (("EVALSHA", "sha", 2, "a", b"b", "arg"), [b"a", b"b"]),
            (("JSON.MGET", "a", "b", "$"), [b"a", b"b"]),
            (("JSON.MSET", "a", "$", "1", "b", "$", "2"), [b"a", b"b"]),
            (("UNLINK", "a", "b"), [b"a", b"b"]),
            (("FT.SEARCH", "index", "*"), []),
            (("SCAN", 0), []),
            (("PING",), []),
        ],
    )
    def test_keys_of_a_command(self, command: tuple[Any, ...], keys: list[bytes]) -> None:
        assert keys_of(command) == keys


class TestSentinel:
    @pytest.fixture
    async def sentinel(
        self, start_server: StartServer, tmp_path: Path
    ) -> tuple[str, list[RedisProcess], RedisProcess]:
        ports = [free_port(), free_port(), free_port()]
        master = start_server("--port", str(ports[0]), "--repl-diskless-sync-delay", "0")
        replica = start_server(
            *("--port", str(ports[1]), "--replicaof", f"127.0.0.1 {ports[0]}"),
        )
        conf = tmp_path / "sentinel.conf"
        conf.write_text(
            f"port {ports[2]}\nsentinel monitor main 127.0.0.1 {ports[0]} 1\n"
            "sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n"
        )
        watcher = start_server("--port", str(ports[2]), mode=(str(conf), "--sentinel"))
        await until(lambda: b"master_link_status:up" in bytes(info(replica)))
        await until(lambda: len(watcher.call("SENTINEL", "REPLICAS", "main")) == 1)  # type: ignore[arg-type]
        dead = free_port()
        url = f"redis+sentinel://127.0.0.1:{dead},127.0.0.1:{ports[2]}/main"
        return url, [master, replica], watcher

    async def test_client_finds_the_master_and_follows_a_failover(
        self, sentinel: tuple[str, list[RedisProcess], RedisProcess]
    ) -> None:
        url, (master, replica), _ = sentinel
        client = client_from_url(url)
        session = Session.of(client)
        await exercise(client)
        await session.execute("SET", "k", 1, write=True)
        await until(lambda: replica.call("GET", "k") == b"1")
        master.stop()

        async with asyncio.timeout(30):
            while await session_value(session) != b"2":
                with contextlib.suppress(errors.ConnectionError):
                    await session.execute("SET", "k", 2, write=True)
        await until(lambda: replica.call("GET", "k") == b"2")
        assert replica.call("GET", "k") == b"2"
        await client.aclose()

    async def test_demoted_master_refuses_and_nothing_is_unknown(
        self, sentinel: tuple[str, list[RedisProcess], RedisProcess]
    ) -> None:
        url, (master, replica), _ = sentinel
        client = client_from_url(url)
        session = Session.of(client)
        await session.execute("SET", "k", 1, write=True)
        await until(lambda: replica.call("GET", "k") == b"1")
        replica.call("REPLICAOF", "NO", "ONE")
        port = replica.options[replica.options.index("--port") + 1]
        master.call("REPLICAOF", "127.0.0.1", port)
        with pytest.raises(errors.ConnectionError, match="no longer the master") as raised:
            await session.execute("SET", "k", 2, write=True)
        assert not isinstance(raised.value, errors.OutcomeUnknownError)
        assert replica.call("GET", "k") == b"1"
        await client.aclose()

    @pytest.mark.parametrize("way", ["increase", "insert", "save", "many increases"])
    async def test_after_a_demotion_the_next_attempt_finds_the_new_master(
        self, way: str, sentinel: tuple[str, list[RedisProcess], RedisProcess]
    ) -> None:
        url, (master, replica), watcher = sentinel
        client = client_from_url(url)
        Visit.Meta.redis = client
        visit = await Visit().save()
        ways: dict[str, Callable[[], Awaitable[object]]] = {
            "increase": lambda: visit.n.increase(),
            "insert": lambda: Visit.insert(Visit(), Visit()),
            "save": lambda: visit.save(),
            "many increases": lambda: asyncio.gather(*(visit.n.increase() for _ in range(200))),
        }
        await ways["many increases"]()  # over several connections
        await until(lambda: replica.call("EXISTS", visit.key) == 1)
        port = replica.options[replica.options.index("--port") + 1]
        watcher.call("SENTINEL", "REMOVE", "main")
        replica.call("REPLICAOF", "NO", "ONE")
        master.call("REPLICAOF", "127.0.0.1", port)
        watcher.call("SENTINEL", "MONITOR", "main", "127.0.0.1", port, 1)
        with pytest.raises((errors.ServerError, errors.ConnectionError, errors.BulkError)):
            await ways[way]()
        await ways[way]()
        await visit.n.increase()
        assert master.call("ROLE")[0] == b"slave"  # type: ignore[index]
        await client.aclose()
        Visit.Meta.redis = None

    async def test_more_tasks_than_connections_wait(
        self, sentinel: tuple[str, list[RedisProcess], RedisProcess]
    ) -> None:
        client = client_from_url(sentinel[0], max_connections=3)
        session = Session.of(client)
        await asyncio.gather(*(session.execute("INCR", "n", write=True) for _ in range(300)))
        assert await session.execute("GET", "n", write=False) == b"300"
        await client.aclose()

    def test_sentinel_client_works_in_one_event_loop_after_another(
        self, start_server: StartServer, tmp_path: Path
    ) -> None:
        ports = [free_port(), free_port()]
        start_server("--port", str(ports[0]))
        conf = tmp_path / "sentinel.conf"
        conf.write_text(f"port {ports[1]}\nsentinel monitor main 127.0.0.1 {ports[0]} 1\n")
        start_server("--port", str(ports[1]), mode=(str(conf), "--sentinel"))
        client = client_from_url(f"redis+sentinel://127.0.0.1:{ports[1]}/main/2")
        for _ in range(3):
            asyncio.run(exercise(client))


async def session_value(session: Session) -> Any:
    with contextlib.suppress(errors.ConnectionError):
        return await session.execute("GET", "k", write=False)


def info(server: RedisProcess) -> bytes:
    reply = server.call("INFO", "replication")
    assert isinstance(reply, bytes)
    return reply


class TestUrls:
    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("redis://u:pw@h:1/0", "redis://u:***@h:1/0"),
            ("redis://:pw@h", "redis://:***@h"),
            ("redis://u:p@s/w@h/0?db=1", "redis://u:***@h/0?db=1"),
            ("redis://h?password=pw&db=1", "redis://h?password=***&db=1"),
            (
                "redis+sentinel://h/m?sentinel_password=pw",
                "redis+sentinel://h/m?sentinel_password=***",
            ),
            ("unix://ada:pw@/tmp/s", "unix://ada:***@/tmp/s"),
            ("unix:///tmp/a@b", "unix:///tmp/a@b"),
            ("redis://h:1/0", "redis://h:1/0"),
            ("embedded://", "embedded://"),
        ],
    )
    def test_passwords_are_redacted(self, url: str, shown: str) -> None:
        assert redact_url(url) == shown

    @pytest.mark.parametrize(
        ("url", "reason"),
        [
            ("", "is not a URL of a server"),
            ("localhost:6379", "is not a URL of a server"),
            ("http://u:s3cret@h", "is not a URL of a server; it is redis://, rediss://"),
            ("redis://u:s3cret@h:port", "'h:port' is not a host with a port"),
            ("redis://u:s3cret@h/abc", "'abc' is not the number of a database"),
            ("redis://u:s3cret@h?db=x", "'x' is no value for db"),
            ("redis://u:s3cret@h?colour=red", "colour"),
            ("redis://u:s3cret@h?protocol=4", "protocol"),
            (
                "rediss://u:s3cret@h?ssl_ca_certs=/no/file",
                "ssl_ca_certs: there is no readable file",
            ),
            ("redis+sentinel://u:s3cret@h", "name of the service"),
            ("embedded:///tmp/x?size=3", "takes no parameter 'size'"),
        ],
    )
    def test_bad_url_is_one_clear_error_without_the_password(self, url: str, reason: str) -> None:
        with pytest.raises(errors.ConfigurationError) as raised:
            client_from_url(url)
        assert reason in str(raised.value)
        assert "s3cret" not in str(raised.value)
        assert "\n" not in str(raised.value)

    def test_overrides_win_over_the_url(self) -> None:
        client = client_from_url("redis://u:a@h/1?client_name=a", password="b", client_name="b")
        settings = client.connection_pool.connection_kwargs
        assert (settings["password"], settings["client_name"], settings["db"]) == ("b", "b", 1)

    @pytest.mark.parametrize(
        "url", ["redis://h", "unix:///s", "rediss://h", "redis+sentinel://h/m", "embedded:///tmp/d"]
    )
    def test_clients_do_not_retry_and_do_wait(self, url: str) -> None:
        pool = client_from_url(url).connection_pool
        assert isinstance(pool, BlockingConnectionPool)
        assert pool.connection_kwargs["retry"].get_retries() == 0
        assert pool.timeout is None

    def test_sync_client_is_refused_by_name(self) -> None:
        import redis

        client: Any = redis.Redis()
        with pytest.raises(errors.ConfigurationError, match=r"not redis\.client\.Redis"):
            Session.of(client)
        client.close()


class TestEventLoops:
    @pytest.mark.parametrize("made", [True, False])
    def test_client_works_in_one_event_loop_after_another(
        self, rapyer_server: EmbeddedServer, made: bool
    ) -> None:
        client = own_client(rapyer_server, made)
        for _ in range(3):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                asyncio.run(exercise(client))
        asyncio.run(client.aclose())

    def test_contended_pool_works_in_the_next_event_loop(
        self, rapyer_server: EmbeddedServer
    ) -> None:
        client = client_from_url(rapyer_server.url, max_connections=2)

        async def contend() -> None:
            await asyncio.gather(
                *(Session.of(client).execute("PING", write=False) for _ in range(50))
            )

        for _ in range(3):
            asyncio.run(contend())

    @pytest.mark.parametrize("made", [True, False])
    def test_connections_are_closed_with_their_loop(
        self, rapyer_server: EmbeddedServer, made: bool
    ) -> None:
        client = own_client(rapyer_server, made)
        asyncio.run(exercise(client))
        pool: Any = client.connection_pool
        assert not any(connection.is_connected for connection in pool._available_connections)

    def test_two_threads_use_one_client_at_once(self, rapyer_server: EmbeddedServer) -> None:
        from concurrent.futures import ThreadPoolExecutor

        client = own_client(rapyer_server, made=True)

        def increments(_: int) -> None:
            async def run() -> None:
                for _ in range(50):
                    await Session.of(client).execute("INCR", "threads", write=True)

            asyncio.run(run())

        asyncio.run(Session.of(client).execute("DEL", "threads", write=True))
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(increments, range(4)))
        assert asyncio.run(Session.of(client).execute("GET", "threads", write=False)) == b"200"

    def test_session_is_one_per_client_and_goes_with_it(self) -> None:
        import gc
        import weakref

        client = client_from_url("redis://localhost")
        session = weakref.ref(Session.of(client))
        assert Session.of(client) is session()
        del client
        gc.collect()
        assert session() is None

    async def test_pool_shared_by_clients_survives_each_of_them(
        self, rapyer_server: EmbeddedServer
    ) -> None:
        pool = own_client(rapyer_server, made=False).connection_pool
        for _ in range(3):
            await Session.of(Redis(connection_pool=pool)).execute("PING", write=False)
        assert sum(connection.is_connected for connection in pool._available_connections) == 1
        await pool.aclose()


def own_client(server: EmbeddedServer, made: bool) -> Any:
    return client_from_url(server.url) if made else Redis(unix_socket_path=server.ensure_running())


class TestGuard:
    async def test_guard_refuses_before_anything_is_sent(self, rapyer_redis: Redis) -> None:
        seen: list[Any] = []

        def refuse(commands: Any) -> None:
            seen.extend(commands)
            raise PermissionError

        session = Session.of(rapyer_redis)
        session.guard = refuse
        calls: list[Callable[[], Any]] = [
            lambda: session.execute("SET", "k", 1, write=True),
            lambda: session.execute_many([("SET", "k", 2)], write=True),
            lambda: session.evalsha(SHA, SCRIPT, ["k"], []),
        ]
        for call in calls:
            with pytest.raises(PermissionError):
                await call()
        assert seen == [("SET", "k", 1), ("SET", "k", 2), ("EVALSHA", SHA, 1, "k")]
        session.guard = None
        assert await session.execute("DBSIZE", write=False) == 0


async def test_a_copy_of_a_client_uses_its_own_connections(rapyer_server: EmbeddedServer) -> None:
    client = client_from_url(f"unix://{rapyer_server.address}")
    await Session.of(client).execute("SET", "database", "0", write=True)
    other = copy.copy(client)
    other.connection_pool = client_from_url(f"unix://{rapyer_server.address}?db=1").connection_pool
    try:
        await Session.of(other).execute("SET", "database", "1", write=True)
        assert await Session.of(client).execute("GET", "database", write=False) == b"0"
        assert Session.of(other) is Session.of(other) is not Session.of(client)
    finally:
        await closed(other)
        await closed(client)
