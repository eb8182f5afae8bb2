"""rapyer without ``await``: the same names for scripts, Django, Celery and threads.

``from rapyer.sync import AtomicRedisModel``: ``user.save()``, ``user.age.increase()``, ``with user.pipeline():``,
``for user in User.find(User.age > 30):``. Every call waits for the server, in a loop that runs in the background, and
everything that a task has of its own (an open pipeline, a lock) a thread has here. A thread that runs an event loop
is refused with :class:`~rapyer.errors.ConfigurationError`. Model classes of both kinds can be used in one program.
"""

import rapyer
from rapyer import (
    Index,
    Key,
    Queued,
    RapyerError,
    RapyerKey,
    RedisConfig,
    SafeLoad,
    errors,
    find_redis_models,
)
from rapyer.search.start import find as _find
from rapyer.sync.twin import AtomicRedisModel
from rapyer.sync.waiting import Block, Find, waiting
from rapyer.types import (
    RedisBytes,
    RedisDatetime,
    RedisDatetimeTimestamp,
    RedisDict,
    RedisFloat,
    RedisInt,
    RedisList,
    RedisStr,
)

__all__ = [
    "AtomicRedisModel",
    "Block",
    "Find",
    "Index",
    "Key",
    "Queued",
    "RapyerError",
    "RapyerKey",
    "RedisBytes",
    "RedisConfig",
    "RedisDatetime",
    "RedisDatetimeTimestamp",
    "RedisDict",
    "RedisFloat",
    "RedisInt",
    "RedisList",
    "RedisStr",
    "SafeLoad",
    "delete_many",
    "errors",
    "find",
    "find_one",
    "find_redis_models",
    "get",
    "init_rapyer",
    "insert",
    "lock_from_key",
    "pipeline",
    "teardown_rapyer",
]

delete_many = waiting(rapyer.delete_many, "delete_many")
find = waiting(_find, "find")
find_one = waiting(rapyer.find_one, "find_one")
get = waiting(rapyer.get, "get")
init_rapyer = waiting(rapyer.init_rapyer, "init_rapyer")
insert = waiting(rapyer.insert, "insert")
lock_from_key = waiting(rapyer.lock_from_key, "lock_from_key")
pipeline = waiting(rapyer.pipeline, "pipeline")
teardown_rapyer = waiting(rapyer.teardown_rapyer, "teardown_rapyer")
