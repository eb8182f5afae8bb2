"""A leaderboard: points that many players earn at the same time, and the best of them.

``python examples/cookbook/leaderboard.py [URL]``
"""

import asyncio
import sys

from rapyer import AtomicRedisModel, Index, Key, init_rapyer, teardown_rapyer
from rapyer.types import RedisInt, RedisList


class Player(AtomicRedisModel):
    name: Key[str]
    points: Index[RedisInt] = RedisInt(0)  # sorted by RediSearch, where the server has it
    games: RedisList[str] = RedisList()


async def won(name: str, game: str, points: int) -> None:
    """Write down a game: the points and the game together, or neither."""
    player, _ = await Player.get_or_create(name)
    async with player.pipeline():
        player.points += points  # sent as an increment: nobody's points are lost
        player.games.append(game)


async def best(count: int) -> list[Player]:
    """The players with the most points."""
    return await Player.find().sort("-points").limit(count)


async def main(url: str) -> None:
    await init_rapyer(url, create_indexes=True)
    games = [("ada", 3), ("grace", 5), ("linus", 1), ("ada", 4)] * 5
    await asyncio.gather(*(won(name, f"game {n}", p) for n, (name, p) in enumerate(games)))
    for rank, player in enumerate(await best(2), start=1):
        print(rank, player.name, player.points, "points in", len(player.games), "games")
    await Player.delete_many(Player.points >= 0)
    await teardown_rapyer()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "embedded://"))
