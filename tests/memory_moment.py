"""The model of a moment: what it reads, it reads from a store that nobody else has."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from oppserver.contract.model import (
    Opportunity,
    Plan,
    PlannedEntry,
    RenderedColumns,
    RenderedRows,
    Stamp,
    Whereabouts,
)
from tests.memory_state import version_of

if TYPE_CHECKING:
    from oppserver.store.port import Store


class MemoryMoment:
    """The promises of ``port.Moment`` on a store that does not change."""

    def __init__(self, store: "Store", *, identity: str) -> None:
        self._store = store
        self._identity = identity

    def bulk_read(self, plan: Plan) -> list[RenderedRows]:
        return self._store.bulk_read(plan)

    def bulk_read_columns(self, plan: Plan) -> list[RenderedColumns]:
        return [self._columns(entry) for entry in plan.entries]

    def stamp(self, plan: Plan) -> Stamp:
        """Of the rows themselves."""
        rows = self._store.bulk_read(plan)
        parts = (self._identity, [one.json.decode() for one in rows])
        return Stamp(
            counts=[one.count for one in rows],
            digest=hashlib.sha256(msgspec.json.encode(parts)).digest(),
        )

    def versions(self, plan: Plan) -> list[bytes]:
        """The version of an opportunity is a digest of it."""
        return [
            b"".join(
                b"%b %d\n" % (one.id.encode(), version_of(one))
                for one in map(self._store.opportunity, entry.ids)
                if isinstance(one, Opportunity) and one.event_code == entry.event_code
            )
            for entry in plan.entries
        ]

    def whereabouts(self, ids: Sequence[str]) -> dict[str, Whereabouts]:
        found = {one: self._store.opportunity(one) for one in ids}
        return {
            one: Whereabouts(
                event_code=there.event_code,
                deleted_on=None if isinstance(there, Opportunity) else there.deleted_on,
            )
            for one, there in found.items()
            if there is not None
        }

    def _columns(self, entry: PlannedEntry) -> RenderedColumns:
        [rendered] = self._store.bulk_read(Plan(entries=(entry,)))
        rows = msgspec.json.decode(rendered.json, type=list[dict[str, str | None]])
        found = [
            one
            for one in map(self._store.opportunity, entry.ids)
            if isinstance(one, Opportunity) and one.event_code == entry.event_code
        ]
        dates = {"created_on", "modified_on"}
        return RenderedColumns(
            count=rendered.count,
            columns=[
                msgspec.json.encode(
                    [getattr(one, column.stored) for one in found]
                    if column.stored in dates
                    else [row[column.name] for row in rows]
                )
                for column in entry.columns
            ],
        )
