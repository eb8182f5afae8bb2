"""Lists and dicts that live in Redis: run it with ``python examples/music_demo.py [URL]``.

Without a URL it uses a private server of its own (the extra ``rapyer[embedded]``).
"""

import asyncio
import sys

from music import Playlist, UserProfile

from rapyer import init_rapyer, pipeline, teardown_rapyer


async def playlists() -> None:
    playlist = Playlist(name="My Favorites", songs=["Song 1"])
    await playlist.save()
    await playlist.songs.aappend("Song 2")
    await playlist.songs.aextend(["Song 3", "Song 4"])
    await playlist.songs.ainsert(1, "Song 1.5")
    print("last", await playlist.songs.apop())
    print("first", await playlist.songs.apop(0))

    async with playlist.pipeline():
        playlist.songs.append("New Song")
        playlist.ratings.extend([5, 4, 5])
        playlist.plays["New Song"] = 1
        playlist.plays["New Song"] += 1
    print(playlist.songs, playlist.ratings, playlist.plays)
    await playlist.delete()


async def profiles() -> None:
    john = UserProfile(username="john", settings={"theme": "light"}, scores={"chess": 3})
    mary = UserProfile(username="mary", scores={"chess": 9})
    await john.save()
    await mary.save()
    await john.settings.aupdate(theme="dark", language="en")
    print("theme was", await john.settings.apop("theme"))
    print("no such key:", await john.settings.apop("missing", "fallback"))

    # two documents in one all-or-nothing step
    async with pipeline(john, mary):
        john.scores["chess"] += 1
        mary.scores["chess"] -= 1
        john.friends.append("mary")
        mary.friends.append("john")
    print(john.scores, mary.scores, john.friends)
    await john.delete()
    await mary.delete()


async def main(url: str) -> None:
    await init_rapyer(url)
    try:
        await playlists()
        await profiles()
    finally:
        await teardown_rapyer()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "embedded://"))
