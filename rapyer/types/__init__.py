"""The Redis types that fields of models become, for annotations and ``isinstance``."""

from rapyer.types.base import RedisType
from rapyer.types.dict import RedisDict
from rapyer.types.list import RedisList
from rapyer.types.scalars import (
    RedisBytes,
    RedisDatetime,
    RedisDatetimeTimestamp,
    RedisFloat,
    RedisInt,
    RedisStr,
)

__all__ = [
    "RedisBytes",
    "RedisDatetime",
    "RedisDatetimeTimestamp",
    "RedisDict",
    "RedisFloat",
    "RedisInt",
    "RedisList",
    "RedisStr",
    "RedisType",
]
