"""The needs of many opportunities, computed from measurements: the tables of docs/scaling.md.

``python -m bench.scaling`` renders them anew from ``bench/results/scaling.json``.
"""

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.plot import draw_scaling

RESULTS: Final = Path(__file__).resolve().parent / "results" / "scaling.json"
DOCUMENT: Final = Path(__file__).resolve().parent.parent / "docs" / "scaling.md"
FIGURE: Final = DOCUMENT.parent / "images" / "scaling.svg"
_BEGIN: Final = "<!-- scaling:begin -->"
_END: Final = "<!-- scaling:end -->"

SIZES: Final = (5_000_000, 100_000_000, 10_000_000_000)
MEMORY_BYTES: Final = 64 * 2**30
"""Memory of one machine of the tables. Ours: a common size; others are computed alike."""
DISK_BYTES: Final = 2 * 10**12
"""Disk of one machine of the tables, of which rows may fill half: a rebuilt index needs room."""
FILLED: Final = 0.5
SHARDS_PER_MACHINE: Final = 4
BULK_CALLS_PER_S: Final = (1_000,)
IDS_PER_CALL: Final = 2_000
SHARD_MS: Final = 1.0
"""Core-milliseconds that a part adds to a bulk read. Measured with Citus 14.0 on a forerunner's
statement, connections taking turns: (63 ms on 32 parts - 29 ms plain) / 32, rounded."""
_DAY_S: Final = 86_400


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """The measurements, each in the unit of its name."""

    opportunity_bytes: float
    lead_bytes: float
    by_id_bytes: float
    node_bulk_ms: float
    database_bulk_ms: float
    node_one_ms: float
    database_one_ms: float
    imported_per_s: float
    captures_per_s: float
    primary_part: float
    growth: float


def costs_of(recorded: Mapping[str, Any]) -> Costs:
    """The costs in a record of a run."""
    raw = {one["name"]: one["raw"] for one in recorded["results"]}
    value = {one["name"]: one["value"] for one in recorded["results"]}
    sizes = raw["pg-storage"]
    nodes = raw["pg-nodes"]
    return Costs(
        opportunity_bytes=value["pg-storage"],
        lead_bytes=sizes["lead_heap_bytes"] + sizes["lead_indexes_bytes"],
        by_id_bytes=sizes["opportunity_by_id_bytes"],
        node_bulk_ms=nodes["bulk"]["node_ms"],
        database_bulk_ms=nodes["bulk"]["database_ms"],
        node_one_ms=nodes["one"]["node_ms"],
        database_one_ms=nodes["one"]["database_ms"],
        imported_per_s=value["pg-import"],
        captures_per_s=value["pg-writes"],
        primary_part=raw["pg-replicas"]["primary_part"],
        growth=value["pg-growth"],
    )


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """The needs of a number of opportunities."""

    opportunities: int
    stored_bytes: float
    by_id_bytes: float
    machines: int
    shards: int
    database_bulk_ms: float
    import_days: float
    changed_a_day: float


def needs_of(costs: Costs, opportunities: int) -> Needs:
    """The formulae of the page."""
    stored = opportunities * (costs.opportunity_bytes + costs.lead_bytes)
    by_id = opportunities * costs.by_id_bytes
    machines = max(1, ceil(stored / (DISK_BYTES * FILLED)), ceil(by_id / (MEMORY_BYTES * FILLED)))
    shards = 0 if machines == 1 else machines * SHARDS_PER_MACHINE
    return Needs(
        opportunities=opportunities,
        stored_bytes=stored,
        by_id_bytes=by_id,
        machines=machines,
        shards=shards,
        database_bulk_ms=costs.database_bulk_ms + shards * SHARD_MS,
        import_days=opportunities / costs.imported_per_s / _DAY_S,
        changed_a_day=costs.captures_per_s * _DAY_S / opportunities,
    )


# --- the page ----------------------------------------------------------------------------------


def block(recorded: Mapping[str, Any]) -> str:
    """The text between the marks of the page."""
    costs = costs_of(recorded)
    all_needs = [needs_of(costs, size) for size in SIZES]
    table = _table([*_needed(all_needs), *_called(costs, all_needs)])
    parts = (_heading(recorded), _measured(costs), table)
    return "\n\n".join((_BEGIN, *parts, _END))


def with_block(page: str, recorded: Mapping[str, Any]) -> str:
    """The page with its block made anew."""
    before, rest = page.split(_BEGIN)
    return before + block(recorded) + rest.split(_END)[1]


def _heading(recorded: Mapping[str, Any]) -> str:
    host, used = recorded["machine"], recorded["versions"]
    small, large = recorded["options"]["growth_rows"]
    return (
        f"{small:,} and {large:,} opportunities, {recorded['date']},\n`{recorded['command']}`:\n"
        f"{host['cores']} cores ({host['cpu']}), {host['memory_gib']} GiB, {host['kernel']},"
        f" Python {used['python']}. PostgreSQL, servers\nand clients share the cores."
    )


def _measured(costs: Costs) -> str:
    rows = (
        ("row", _n(costs.opportunity_bytes), "bytes of an opportunity, with its indexes"),
        ("lead", _n(costs.lead_bytes), "bytes of its lead, with its indexes"),
        ("by_id", _n(costs.by_id_bytes), "bytes of the index of ids, of `row`"),
        ("node", _n(costs.node_bulk_ms), "core-ms of the server for 2,000 ids"),
        ("base", _n(costs.database_bulk_ms), "core-ms of PostgreSQL for 2,000 ids"),
        ("node1", _n(costs.node_one_ms), "core-ms of the server for one id"),
        ("base1", _n(costs.database_one_ms), "core-ms of PostgreSQL for one id"),
        ("primary", f"{costs.primary_part:.3f}", "part of `base` on the primary beside a standby"),
        ("import", _n(costs.imported_per_s), "opportunities/s of an import"),
        ("write", _n(costs.captures_per_s), "captures/s through the gate, 8 clients"),
        ("growth", f"{costs.growth:.2f}", "latency over the larger database to the smaller"),
        ("part", _n(SHARD_MS), "core-ms that each part of a table adds (Citus 14.0, apart)"),
    )
    return "\n".join(f"- `{name}` {measured}: {what}" for name, measured, what in rows)


def _needed(all_needs: Sequence[Needs]) -> list[Sequence[str]]:
    rows = (
        ("stored", "N \u00d7 (row + lead)", [_bytes(one.stored_bytes) for one in all_needs]),
        ("index of ids", "N \u00d7 by_id", [_bytes(one.by_id_bytes) for one in all_needs]),
        (
            "machines",
            "larger of stored / 1 TB, ids / 32 GiB",
            [_n(one.machines) for one in all_needs],
        ),
        (
            "with standbys",
            "2 \u00d7 machines",
            [_n(2 * one.machines) for one in all_needs],
        ),
        (
            "parts",
            "4 \u00d7 machines",
            [_n(one.shards) if one.shards else "not sharded" for one in all_needs],
        ),
        ("first import", "N / import", [_days(one.import_days) for one in all_needs]),
        (
            "can change in a day",
            "write \u00d7 86,400 / N",
            [
                f"{100 * one.changed_a_day:,.2f} %" if one.changed_a_day < 1 else "all"
                for one in all_needs
            ],
        ),
    )
    return [(what, formula, *cells) for what, formula, cells in rows]


def _called(costs: Costs, all_needs: Sequence[Needs]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [
        (
            "bulk reads/s per core",
            "1,000 / (node + base + parts \u00d7 part)",
            *(_n(1_000 / (costs.node_bulk_ms + one.database_bulk_ms)) for one in all_needs),
        ),
        (
            "one-id calls/s per core",
            "1,000 / (node1 + base1)",
            *(_n(1_000 / (costs.node_one_ms + costs.database_one_ms)) for _ in all_needs),
        ),
    ]
    for rate in BULK_CALLS_PER_S:
        rows += [
            (
                f"server cores, {rate:,} bulk reads/s",
                "rate \u00d7 node / 1,000",
                *(_n(ceil(rate * costs.node_bulk_ms / 1_000)) for _ in all_needs),
            ),
            (
                f"PostgreSQL cores, {rate:,} bulk reads/s",
                "rate \u00d7 (base + parts \u00d7 part) / 1,000",
                *(_n(ceil(rate * one.database_bulk_ms / 1_000)) for one in all_needs),
            ),
        ]
    return rows


def _table(rows: Sequence[Sequence[str]]) -> str:
    heads = ("what", "formula", *(f"N = {size:,}" for size in SIZES))
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _n(number: float) -> str:
    return f"{number:,.0f}" if number >= 20 else f"{number:,.2f}".rstrip("0").rstrip(".")


def _bytes(size: float) -> str:
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{size / unit:,.1f} {name}"
    return f"{size:,.0f} B"


def _days(days: float) -> str:
    if days >= 1:
        return f"{days:,.1f} days"
    hours = days * 24
    return f"{hours:,.1f} h" if hours >= 1 else f"{hours * 60:,.1f} min"


def write() -> None:
    """Puts the tables and the figure of the last record into the page."""
    recorded = msgspec.json.decode(RESULTS.read_bytes())
    draw_scaling(recorded, FIGURE)
    page = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(with_block(page, recorded), encoding="utf-8")


if __name__ == "__main__":
    write()
