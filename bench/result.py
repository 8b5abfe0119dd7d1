"""The result of a measure."""

from typing import Any

import msgspec

from bench.contest import Ratio, Times


class Result(msgspec.Struct, kw_only=True):
    """The figure of one measure, and the numbers behind it. ``value`` None: there is no figure."""

    name: str
    figure: str
    value: float | None
    note: str = ""
    raw: dict[str, Any] = {}


def summary(times: Times) -> dict[str, Any]:
    """A contestant's times: percentiles, and every one of them."""
    return {
        "name": times.name,
        "calls": len(times.ms),
        "p25_ms": round(times.percentile(25), 3),
        "p50_ms": round(times.p50, 3),
        "p75_ms": round(times.percentile(75), 3),
        "p95_ms": round(times.percentile(95), 3),
        "ms": [round(one, 3) for one in times.ms],
    }


def times_over(ratio: Ratio) -> str:
    """A ratio as it stands in the table: median, and the quartiles of the rounds."""
    return f"{ratio.of_medians:.2f}\u00d7 ({ratio.low:.2f} to {ratio.high:.2f})"
