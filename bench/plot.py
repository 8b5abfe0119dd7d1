"""The figure: the call's time beside its peers', and each figure beside its target."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_OURS: Final = "#0b6e4f"
_OTHERS: Final = "#9aa5b1"
_MISSED: Final = "#c0392b"
_INK: Final = "#1f2933"
_PEERS: Final = {
    "memory": "the same bytes from memory",
    "bare": "SQLite alone, in process",
    "postgres": "PostgreSQL json_agg",
    "datasette": "Datasette",
    "orm": "FastAPI + SQLAlchemy ORM",
}
_MEASURES: Final = {
    "bare": "p50 vs bare SQLite statement",
    "postgres": "vs PostgreSQL json_agg",
    "datasette": "vs Datasette",
    "orm": "vs FastAPI + ORM",
    "memory": "vs same bytes from memory",
    "hot": "the same again vs memory",
    "not-modified": "304 vs the read",
    "clients": "8 clients vs bare statements",
    "one-id": "one-id calls/s",
    "growth": "latency growth",
    "resident": "memory, 16 clients",
    "start": "start to first answer",
    "import": "import rate",
    "details": "details, calls/s",
    "by-lead": "list by lead, calls/s",
    "search": "search, 25 rows",
    "search-1000": "search, 1,000 rows",
    "deep": "last 1,000 of 1,000,000 rows",
    "modified": "recently modified, rows/s",
    "capture": "captures/s",
    "pg-bare": "PostgreSQL: p50 vs bare statement",
    "pg-growth": "PostgreSQL: latency growth",
}


def _pyplot() -> Any:
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update(
        {
            "svg.hashsalt": "bench",
            "font.size": 11,
            "text.color": _INK,
            "axes.labelcolor": _INK,
            "xtick.color": _INK,
            "ytick.color": _INK,
        }
    )
    from matplotlib import pyplot as plt

    return plt


def draw(recorded: Mapping[str, Any], path: Path) -> None:
    """Draws the figure of a record; the suffix of the path says the form."""
    plt = _pyplot()
    results = {one["name"]: one for one in recorded["results"]}
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 6.8), layout="constrained")
    _draw_latency(left, results)
    _draw_targets(right, results)
    options, host = recorded["options"], recorded["machine"]
    figure.suptitle(
        f"{options['ids']:,} random ids of {options['opportunities']:,} opportunities,"
        f" {len(options['columns'])} columns, over loopback, {host['cores']} cores"
        f" ({recorded['date']})",
        fontsize=12,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    is_svg = path.suffix == ".svg"
    figure.savefig(path, dpi=150, facecolor="white", metadata={"Date": None} if is_svg else None)
    plt.close(figure)


def draw_scaling(recorded: Mapping[str, Any], path: Path) -> None:
    """Draws what a call costs on PostgreSQL, and how its time grows with the rows."""
    plt = _pyplot()
    raw = {one["name"]: one["raw"] for one in recorded["results"]}
    nodes: Any = raw["pg-nodes"]
    small, large = recorded["options"]["growth_rows"]
    times = [one["p50_ms"] for one in raw["pg-growth"]["times"]]
    costs = [
        (nodes["bulk"]["node_ms"], "server, 2,000 ids", _OURS),
        (nodes["bulk"]["database_ms"], "PostgreSQL, 2,000 ids", _OTHERS),
        (nodes["one"]["node_ms"], "server, one id", _OURS),
        (nodes["one"]["database_ms"], "PostgreSQL, one id", _OTHERS),
    ]
    grown = [
        (times[0], f"call, {small:,} rows", _OURS),
        (times[1], f"bare statement, {small:,} rows", _OTHERS),
        (times[2], f"call, {large:,} rows", _OURS),
        (times[3], f"bare statement, {large:,} rows", _OTHERS),
    ]
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 3.6), layout="constrained")
    _bars(left, costs, "Processor time of a call, core-milliseconds")
    _bars(right, grown, "Median time of 2,000 ids, milliseconds")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, facecolor="white", metadata={"Date": None})
    plt.close(figure)


def _bars(axes: Any, bars: list[tuple[float, str, str]], title: str) -> None:
    bars.reverse()  # the first is to be at the top
    places = range(len(bars))
    axes.barh(places, [bar[0] for bar in bars], color=[bar[2] for bar in bars], height=0.62)
    axes.set_yticks(places, [bar[1] for bar in bars])
    for place, (value, _, _) in zip(places, bars, strict=True):
        axes.text(value, place, f" {value:.2f}", va="center")
    axes.set_title(title, loc="left", fontsize=12)
    _bare(axes)


def _draw_latency(axes: Any, results: Mapping[str, Any]) -> None:
    bars = []
    for name, label in _PEERS.items():
        raw = results.get(name, {}).get("raw", {})
        if raw.get("others"):
            fastest = min(raw["others"], key=lambda one: one["p50_ms"])
            bars.append((fastest["p50_ms"], label, _OTHERS))
            if name == "bare":
                bars.append((raw["product"]["p50_ms"], "oppserver, over HTTP", _OURS))
    bars.sort(reverse=True)
    places = range(len(bars))
    axes.barh(places, [bar[0] for bar in bars], color=[bar[2] for bar in bars], height=0.62)
    axes.set_yticks(places, [bar[1] for bar in bars])
    axes.set_xscale("log")
    for place, (value, _, colour) in zip(places, bars, strict=True):
        weight = "bold" if colour == _OURS else "normal"
        axes.text(value * 1.06, place, f"{value:.1f} ms", va="center", fontweight=weight)
    if bars:
        axes.set_xlim(min(bar[0] for bar in bars) / 2, bars[0][0] * 2.2)
    axes.set_title("Median time of one call (logarithmic)", loc="left", fontsize=12)
    _bare(axes)


def _draw_targets(axes: Any, results: Mapping[str, Any]) -> None:
    rows = [
        (results[name]["score"], label, results[name])
        for name, label in reversed(_MEASURES.items())
        if name in results and results[name]["score"] is not None
    ]
    places = range(len(rows))
    scores = [row[0] for row in rows]
    colours = [_OURS if score >= 1 else _MISSED for score in scores]
    axes.barh(places, scores, color=colours, height=0.62)
    axes.axvline(1, color=_INK, linewidth=1.2)
    axes.set_yticks(places, [row[1] for row in rows])
    for place, (score, _, one) in zip(places, rows, strict=True):
        figure = one["figure"].partition(" (")[0]
        axes.text(max(score, 1) + 0.04, place, f"{figure}  (target {one['text']})", va="center")
    if rows:
        axes.set_xlim(0, max(*scores, 1) * 2.1)
    axes.set_title("How many times better than the target", loc="left", fontsize=12)
    _bare(axes)


def _bare(axes: Any) -> None:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", alpha=0.25)
    axes.set_axisbelow(True)
