"""The measures of a run, and their lengths."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

SEED: Final = 20_230_406
TYPES: Final = (12_000, 12_001, 12_002, 12_003, 12_004)
OWNERS: Final = 50
FIELDS: Final = 34
"""``mx_Custom_1`` to ``mx_Custom_34`` are defined on every type; 12 of them are filled in a row."""

IDS: Final = 2_000
COLUMNS: Final = (
    "CreatedOn",
    "ModifiedOn",
    "Owner",
    "Status",
    "mx_Custom_1",
    "mx_Custom_2",
    "mx_Custom_3",
    "mx_Custom_4",
)
"""The eight columns asked for. ``Owner`` brings ``OwnerEmailAddress``, every row the three ids."""

ROW_NAMES: Final = (
    "ProspectId",
    "EmailAddress",
    "ProspectActivityId",
    "CreatedOn",
    "ModifiedOn",
    "Owner",
    "OwnerEmailAddress",
    "Status",
    "mx_Custom_1",
    "mx_Custom_2",
    "mx_Custom_3",
    "mx_Custom_4",
)
"""The names of a row's members, in order: what every contestant has to answer."""

RATE_LIMIT: Final = "1000000/5"
"""High enough to let everything through, so that every call is still counted."""


POSTGRES: Final = (
    *("pg-import", "pg-storage", "pg-bare", "pg-growth", "pg-nodes", "pg-replicas", "pg-writes"),
)
"""The measures of the product on PostgreSQL, which docs/scaling.md computes with."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """One run. ``only`` empty: everything. ``keep`` None: the data is thrown away."""

    opportunities: int
    growth_small: int
    growth_large: int
    rounds: int
    rounds_slow: int
    load_s: float
    load_rounds: int
    samples: int
    is_full: bool
    write_docs: bool
    only: frozenset[str]
    keep: Path | None

    @property
    def has_postgres(self) -> bool:
        """Return whether all measures of the product on PostgreSQL are taken."""
        return all(map(self.wants, POSTGRES))

    def wants(self, name: str) -> bool:
        """Return whether a measure of this name is to be taken."""
        return not self.only or name in self.only
