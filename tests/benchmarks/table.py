"""The results as a table and as JSON."""

from __future__ import annotations

import statistics
from typing import Any

from tests.benchmarks.measure import Costs, Measure

Row = dict[str, Any]
_NOTHING = "\N{EN DASH}"
_HEAD = (
    *("measure", "yardstick", "ratio", "spread", "of the fastest"),
    *("target", "stretch"),
    *("verdict", "ours", "yardstick"),
)


def verdict(ratio: float | None, target: float | None, stretch: float | None) -> str | None:
    """``stretch``, ``met`` or ``missed``; None where there is no target."""
    if ratio is None or target is None:
        return None
    if stretch is not None and ratio <= stretch:
        return "stretch"
    return "met" if ratio <= target else "missed"


def row_of(measure: Measure, costs: Costs) -> Row:
    """The result of one measure. The verdict is of the ratio as it is printed."""
    ratio, fastest = _rounded(costs.ratio), _rounded(costs.ratio_of_fastest)
    scale, unit = (1, "bytes") if measure.unit == "bytes" else (1e6, "us")
    theirs = statistics.median(costs.yardstick) * scale if costs.yardstick else None
    return {
        "measure": measure.name,
        "yardstick": measure.yardstick,
        "ratio": ratio,
        "lowest": round(min(costs.ratios), 2) if costs.yardstick else None,
        "highest": round(max(costs.ratios), 2) if costs.yardstick else None,
        "ratio_of_fastest": fastest,
        "target": measure.target,
        "stretch": measure.stretch,
        "verdict": verdict(ratio, measure.target, measure.stretch),
        "clock": measure.unit,
        f"ours_{unit}": round(statistics.median(costs.ours) * scale, 1),
        f"yardstick_{unit}": None if theirs is None else round(theirs, 1),
        "ratios": [round(found, 3) for found in costs.ratios],
    }


def _rounded(ratio: float | None) -> float | None:
    return None if ratio is None else round(ratio, 2)


def targets(rows: list[Row]) -> tuple[int, int]:
    """How many targets are met, of how many."""
    verdicts = [row["verdict"] for row in rows if row["verdict"]]
    return sum(found != "missed" for found in verdicts), len(verdicts)


def markdown(head: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    """A table as Markdown has it."""
    rows = [head, tuple("---" for _ in head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def table(rows: list[Row]) -> str:
    """All rows and how many targets are met."""
    met, count = targets(rows)
    lines = [_line(row) for row in rows]
    return f"{markdown(_HEAD, lines)}\n\n{met} of {count} targets met"


def _line(row: Row) -> tuple[str, ...]:
    ratio, spread = row["ratio"], f"{row['lowest']} to {row['highest']}"
    unit = "bytes" if row["clock"] == "bytes" else "us"
    return (
        row["measure"],
        shown(row["yardstick"]),
        _NOTHING if ratio is None else f"**{ratio:.2f}**",
        _NOTHING if ratio is None else spread,
        shown(row["ratio_of_fastest"]),
        *(shown(row[name]) for name in ("target", "stretch", "verdict")),
        *(quantity(row[f"{side}_{unit}"], unit) for side in ("ours", "yardstick")),
    )


def shown(value: object) -> str:
    """A cell; a dash where there is nothing to say."""
    return _NOTHING if value is None else str(value)


def quantity(value: float | None, unit: str = "us") -> str:
    """A time or a size with its unit: ``123.4 µs``, ``18.1 ms``, ``2,709 B``."""
    if value is None:
        return _NOTHING
    if unit == "bytes":
        return f"{value:,.0f} B"
    if value < 1_000:
        return f"{value:.1f} µs" if value >= 1 else f"{value:.3f} µs"
    return f"{value / 1e3:.1f} ms" if value < 1e6 else f"{value / 1e6:.2f} s"
