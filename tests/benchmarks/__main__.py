"""``python -m tests.benchmarks [--rounds 7] [--only NAME …] [--json]``: the table of ratios.

Every measure runs rapyer and its yardstick in turns on the same server, for several rounds, and reports
the median of the per-round ratios with their spread. Single operations count client CPU
(``time.process_time``), concurrent ones and whole processes wall time. Timings decide no test.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import statistics
import sys
import tempfile

from rapyer.embedded import EmbeddedServer
from tests.benchmarks.measures import MEASURES, Measure, Setting, prepare


def row(
    measure: Measure, ratios: list[float], ours: list[float], theirs: list[float]
) -> dict[str, object]:
    return {
        "measure": measure.name,
        "yardstick": measure.yardstick,
        "ratio": round(statistics.median(ratios), 2),
        "lowest": round(min(ratios), 2),
        "highest": round(max(ratios), 2),
        "target": measure.target,
        "stretch": measure.stretch,
        "ours_us": round(statistics.median(ours) * 1e6, 1),
        "yardstick_us": round(statistics.median(theirs) * 1e6, 1),
    }


async def run(socket: str, rounds: int, only: list[str]) -> list[dict[str, object]]:
    setting: Setting = await prepare(socket)
    rows = []
    try:
        for measure in MEASURES:
            if only and not measure.name.startswith(tuple(only)):
                continue
            ours, theirs, ratios = [], [], []
            pair = await measure.setup(setting)
            for number in range(rounds + 1):
                first, second = await pair.ours(), await pair.yardstick()
                if number:  # the first round warms up
                    ours.append(first)
                    theirs.append(second)
                    ratios.append(first / second)
            rows.append(row(measure, ratios, ours, theirs))
            print(f"{measure.name}: {rows[-1]['ratio']}", file=sys.stderr)
    finally:
        await setting.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="rounds a measure (default 7)")
    parser.add_argument("--only", nargs="*", default=[], help="how the measures' names begin")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        server = EmbeddedServer(directory)
        socket = server.ensure_running()
        try:
            rows = asyncio.run(run(str(socket), options.rounds, options.only))
        finally:
            server.stop()
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{platform.machine()}, Python {platform.python_version()}, {options.rounds} rounds\n")
    print("| measure | yardstick | ratio | spread | target | stretch | ours µs | yardstick µs |")
    print("|---|---|---|---|---|---|---|---|")
    for r in rows:
        print(
            f"| {r['measure']} | {r['yardstick']} | **{r['ratio']}** | {r['lowest']} to {r['highest']} "
            f"| {r['target']} | {r['stretch']} | {r['ours_us']} | {r['yardstick_us']} |"
        )


if __name__ == "__main__":
    main()
