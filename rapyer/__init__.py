"""rapyer: Pydantic models that live in Redis as JSON documents, with atomic operations on their fields."""

from rapyer import errors
from rapyer.base import AtomicRedisModel
from rapyer.batch import Batch, pipeline
from rapyer.changes import Queued
from rapyer.config import RedisConfig
from rapyer.deleting import delete_many
from rapyer.errors import RapyerError
from rapyer.fields import Index, Key, RapyerKey, SafeLoad
from rapyer.finding import find, find_one, get
from rapyer.inserting import insert
from rapyer.registry import lock_from_key
from rapyer.registry import models as find_redis_models
from rapyer.setup import init_rapyer, teardown_rapyer

apipeline = pipeline
alock_from_key = lock_from_key
afind, afind_one, aget = find, find_one, get
ainsert, adelete_many = insert, delete_many

__version__ = "0.1.0"

__all__ = [
    "AtomicRedisModel",
    "Batch",
    "Index",
    "Key",
    "Queued",
    "RapyerError",
    "RapyerKey",
    "RedisConfig",
    "SafeLoad",
    "adelete_many",
    "afind",
    "afind_one",
    "aget",
    "ainsert",
    "alock_from_key",
    "apipeline",
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
