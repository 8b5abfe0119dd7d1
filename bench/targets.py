"""The goal of each figure, in the order of the table."""

from typing import Final

import msgspec

from bench.result import Result


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table. ``goal`` None: the figure is reported and held to nothing."""

    measure: str
    text: str
    goal: float | None = None
    is_ceiling: bool = True

    def score(self, value: float) -> float | None:
        """The ratio of a value and its goal; 1 and above is met."""
        if self.goal is None:
            return None
        return self.goal / value if self.is_ceiling else value / self.goal


def _ceiling(measure: str, text: str, goal: float) -> Target:
    return Target(measure=measure, text=text, goal=goal)


def _floor(measure: str, text: str, goal: float) -> Target:
    return Target(measure=measure, text=text, goal=goal, is_ceiling=False)


TARGETS: Final = {
    "bare": _ceiling("p50 against the bare SQLite statement in process", "≤ 0.85\u00d7", 0.85),
    "postgres": _floor("against PostgreSQL's `json_agg`, through psycopg", "≥ 2\u00d7 faster", 2),
    "datasette": _floor("against Datasette's JSON API", "≥ 3.5\u00d7 faster", 3.5),
    "orm": _floor("against an obvious FastAPI and SQLAlchemy server", "≥ 12\u00d7 faster", 12),
    "memory": Target(measure="p50 against the same bytes from memory", text="reported"),
    "hot": _ceiling(
        "the same calls again, rows kept in memory, against the same",
        "≤ 3\u00d7",
        3,
    ),
    "not-modified": _floor("304 to `If-None-Match` against the read: cheaper by", "≥ 3\u00d7", 3),
    "clients": _floor("calls/s with 8 clients against bare statements on one core", "≥ 2\u00d7", 2),
    "one-id": _floor("one-id call, 8 clients", "≥ 3,000 calls/s", 3_000),
    "growth": _ceiling("latency over the larger database", "≤ 2\u00d7", 2),
    "resident": _ceiling("memory of its own, 16 clients, 2,000 ids each", "≤ 100 MB", 100),
    "start": _ceiling("start of the command to the first answer", "≤ 0.5 s", 0.5),
    "plug-in": _ceiling("start of the pytest plug-in's server against it", "≤ 1.2\u00d7", 1.2),
    "import": _floor("import of NDJSON, the whole command", "≥ 40,000 opportunities/s", 40_000),
    "details": _floor("`GetOpportunityDetails`, 8 clients", "≥ 1,000 calls/s", 1_000),
    "by-lead": _floor("`GetOpportunitiesOfLead`, 8 clients", "≥ 1,000 calls/s", 1_000),
    "search": _ceiling(
        "search with two indexed conditions, 25 rows, p50",
        "≤ 20 ms",
        20,
    ),
    "search-1000": _ceiling("the same, 1,000 rows, p50", "≤ 50 ms", 50),
    "deep": _ceiling("rows 999,001 to 1,000,000 of a type, p50", "≤ 150 ms", 150),
    "modified": _floor(
        "`RetrieveRecentlyModified` over a whole type, pages of 5,000", "≥ 50,000 rows/s", 50_000
    ),
    "stream": _floor(
        "`opportunities/read`, one stream, as NDJSON", "≥ 150,000 opportunities/s", 150_000
    ),
    "stream-arrow": _floor("the same, as Arrow", "≥ 200,000 opportunities/s", 200_000),
    "capture": _floor("`Capture`, durable, 8 clients", "≥ 300 calls/s", 300),
    "pg-bare": _ceiling(
        "on PostgreSQL: p50 of the store's bulk read against the bare statement",
        "≤ 1.25\u00d7",
        1.25,
    ),
    "pg-growth": _ceiling("on PostgreSQL: latency over the larger database", "≤ 2.2\u00d7", 2.2),
    "pg-import": Target(measure="on PostgreSQL: import of NDJSON", text="reported"),
    "pg-storage": Target(measure="on PostgreSQL: bytes of an opportunity", text="reported"),
    "pg-nodes": Target(measure="on PostgreSQL: two servers against one", text="reported"),
    "pg-replicas": Target(
        measure="on PostgreSQL: a standby to read from against none", text="reported"
    ),
    "pg-writes": Target(measure="on PostgreSQL: `Capture`, durable, 8 clients", text="reported"),
    "groups": Target(measure="2,000 ids in five groups against one", text="reported"),
}
"""By the name that ``--only`` takes."""


def missing(name: str, reason: str) -> Result:
    """A result that says why there is no figure."""
    return Result(name=name, figure=f"missing: {reason}", value=None)
