"""``python -m tests.benchmarks [--rounds 7] [--only NAME …] [--json]``: the table of ratios.

Every measure runs rapyer and its yardstick in turns on the same server, for several rounds, and reports
the median of the per-round ratios with their spread, and the ratio of the fastest rounds, which tells
more on a machine that is busy. Single operations count client CPU
(``time.process_time``), concurrent ones and whole processes wall time. Timings decide no test.

``--growth`` shows instead how the time grows with the size of a document and the number of keys; ``--load`` what
a thousand tasks do in a minute, ours and redis-py's;
``--check`` only runs every measure once and sees to it that both sides store the same.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from rapyer import init_rapyer, teardown_rapyer
from rapyer.embedded import EmbeddedServer
from tests.benchmarks import bulk, concurrency, documents, growth, load, processes
from tests.benchmarks.machine import in_words, machine
from tests.benchmarks.measure import check, take_turns
from tests.benchmarks.setting import prepared, yardstick_client
from tests.benchmarks.table import row_of, table, targets

MEASURES = (
    *(*documents.MEASURES, *bulk.MEASURES, *concurrency.MEASURES),
    *(*processes.MEASURES, *bulk.MEMORY),
)
_KEYS = 200_000


async def compared(socket: str, directory: Path, options: argparse.Namespace) -> None:
    """Print the first table."""
    chosen = [
        measure
        for measure in MEASURES
        if not options.only or measure.name.startswith(tuple(options.only))
    ]
    if not chosen:
        raise SystemExit(f"no measure's name begins with {' or '.join(options.only)}")
    rows = []
    failed: dict[str, str] = {}
    async with prepared(socket, directory, 500 if options.check else _KEYS) as setting:
        found = await machine(setting.raw)
        for measure in chosen:
            if options.check:
                if measure.varies:
                    await check(measure, setting, await measure.setup(setting))
                    print(f"{measure.name}: runs")
                continue
            try:
                rows.append(row_of(measure, await take_turns(measure, setting, options.rounds)))
            except Exception as error:  # the other measures have their worth without it
                failed[measure.name] = f"{type(error).__name__}: {error}"
                print(f"{measure.name}: failed", file=sys.stderr)
                continue
            ratio = rows[-1]["ratio"]
            print(f"{measure.name}: {'done' if ratio is None else ratio}", file=sys.stderr)
    if options.check:
        return
    if options.json:
        met, count = targets(rows)
        answer = {"machine": found, "rounds": options.rounds, "measures": rows, "failed": failed}
        print(json.dumps({**answer, "targets": count, "targets_met": met}, indent=1))
    else:
        print(f"{in_words(found)}; rounds: {options.rounds}\n\n{table(rows)}")
    if failed:
        raise SystemExit("\n".join(f"failed: {name}: {why}" for name, why in failed.items()))


async def grown(socket: str, options: argparse.Namespace) -> None:
    """Print the tables of growth."""
    raw = yardstick_client(socket)
    try:
        found = await machine(raw)
        sizes, counts = await growth.measured(socket, raw, options.rounds, options.keys)
    finally:
        await raw.aclose()
    if options.json:
        answer = {"machine": found, "rounds": options.rounds, "sizes": sizes, "keys": counts}
        print(json.dumps(answer, indent=1))
        return
    print(f"{in_words(found)}; rounds: {options.rounds}\n\n{growth.tables(sizes, counts)}")


async def under_load(socket: str, seconds: float) -> None:
    """Print the table of what a thousand tasks do."""
    raw = yardstick_client(socket)
    await init_rapyer(f"unix://{socket}")
    try:
        found = await machine(raw)
        print(f"{in_words(found)}\n\n{load.in_words(await load.loaded(raw, seconds))}")
    finally:
        await raw.aclose()
        await teardown_rapyer()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="rounds a measure (default 7)")
    parser.add_argument("--only", nargs="*", default=[], help="how the measures' names begin")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--growth", action="store_true", help="the tables of growth instead")
    parser.add_argument(
        "--keys",
        type=int,
        default=growth.COUNTS[-1],
        help="with --growth: the most keys (default %(default)s)",
    )
    parser.add_argument("--load", action="store_true", help="a thousand tasks instead")
    parser.add_argument("--seconds", type=float, default=60, help="with --load (default 60)")
    parser.add_argument("--check", action="store_true", help="run everything once, time nothing")
    options = parser.parse_args()
    if options.rounds < 1 or options.keys < 1:
        parser.error("--rounds and --keys must be at least 1")
    with tempfile.TemporaryDirectory() as directory:
        server = EmbeddedServer(Path(directory, "server"))
        socket = server.ensure_running()
        try:
            if options.load:
                asyncio.run(under_load(socket, options.seconds))
            elif options.growth:
                asyncio.run(grown(socket, options))
            else:
                asyncio.run(compared(socket, Path(directory), options))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
