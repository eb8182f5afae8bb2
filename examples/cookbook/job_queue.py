"""A job queue: every job is taken by one worker only, and a lock says who works on what.

``python examples/cookbook/job_queue.py [URL]``
"""

import asyncio
import sys

from pydantic import BaseModel

from rapyer import AtomicRedisModel, Key, init_rapyer, teardown_rapyer
from rapyer.types import RedisDict, RedisList


class Job(BaseModel):
    number: int
    text: str


class Queue(AtomicRedisModel):
    name: Key[str]
    waiting: RedisList[Job] = RedisList()
    results: RedisDict[str, str] = RedisDict()


async def worker(name: str, queue_name: str) -> int:
    """Take jobs until there are none; how many were done."""
    queue, done = await Queue.get(queue_name), 0
    while (job := await queue.waiting.apop(0)) is not None:  # a job is popped exactly once
        await asyncio.sleep(0)  # the work
        await queue.results.aset_item(str(job.number), f"{job.text.upper()} by {name}")
        done += 1
    return done


async def main(url: str) -> None:
    await init_rapyer(url)
    jobs = [Job(number=number, text=f"job {number}") for number in range(20)]
    queue = await Queue(name="mail", waiting=jobs).save()
    done = await asyncio.gather(*(worker(f"worker {n}", "mail") for n in range(4)))
    await queue.load()
    print("done", sum(done), "- results", len(queue.results), "- waiting", len(queue.waiting))
    await queue.delete()
    await teardown_rapyer()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "embedded://"))
