"""rapyer: Pydantic models that live in Redis as JSON documents, with atomic operations on their fields."""

from rapyer import errors
from rapyer.base import AtomicRedisModel
from rapyer.batch import Batch, Queued, pipeline
from rapyer.config import RedisConfig
from rapyer.errors import RapyerError
from rapyer.fields import Index, Key, RapyerKey, SafeLoad
from rapyer.registry import lock_from_key
from rapyer.registry import models as find_redis_models
from rapyer.setup import init_rapyer, teardown_rapyer

apipeline = pipeline
alock_from_key = lock_from_key

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
    "alock_from_key",
    "apipeline",
    "errors",
    "find_redis_models",
    "init_rapyer",
    "lock_from_key",
    "pipeline",
    "teardown_rapyer",
]
