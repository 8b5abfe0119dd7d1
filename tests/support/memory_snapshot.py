"""The model of a moment: what it reads, it reads from a store that nobody else has."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from oppserver.contract.columns import Column
from oppserver.contract.dates import to_answer
from oppserver.contract.model import StoredOpportunity, Tombstone
from oppserver.store.queries import (
    Change,
    ChangeNumbers,
    ChangesPage,
    Fingerprint,
    IdStatus,
    Plan,
    PlannedEntry,
    RenderedChanges,
    RenderedColumns,
    RenderedRows,
)
from tests.support.memory_state import State, version_of

if TYPE_CHECKING:
    from oppserver.store.port import Store


class MemorySnapshot:
    """The promises of ``port.Snapshot`` on a store that does not change."""

    def __init__(self, store: "Store", state: State, *, identity: str) -> None:
        self._store = store
        self._state = state
        self._identity = identity

    def bulk_read(self, plan: Plan) -> list[RenderedRows]:
        return self._store.bulk_read(plan)

    def bulk_read_columns(self, plan: Plan) -> list[RenderedColumns]:
        return [self._columns(entry) for entry in plan.entries]

    def fingerprint(self, plan: Plan) -> Fingerprint:
        """A fingerprint of the rows themselves."""
        rows = self._store.bulk_read(plan)
        parts = (self._identity, [one.json.decode() for one in rows])
        return Fingerprint(
            counts=[one.count for one in rows],
            digest=hashlib.sha256(msgspec.json.encode(parts)).digest(),
        )

    def change_numbers(self) -> ChangeNumbers:
        return self._store.change_numbers()

    def changes(
        self, *, after: int, until: int, limit: int, event_code: int | None
    ) -> list[Change]:
        there: list[StoredOpportunity | Tombstone] = [
            *self._state.opportunities.values(),
            *self._state.deleted.values(),
        ]
        changes = [
            Change(
                id=one.id,
                number=self._state.numbers[one.id],
                event_code=one.event_code,
                has_moved=one.id in self._state.moved,
                deleted_on=one.deleted_on if isinstance(one, Tombstone) else None,
            )
            for one in there
        ]
        found = [
            change
            for change in sorted(changes, key=lambda change: change.number)
            if after < change.number <= until
            and (event_code in (None, change.event_code) or change.has_moved)
        ]
        return found[:limit]

    def rendered_changes(self, page: ChangesPage, columns: tuple[Column, ...]) -> RenderedChanges:
        found = self.changes(
            after=page.after, until=page.until, limit=page.limit, event_code=page.event_code
        )
        rows = [self._rendered(change, page, columns) for change in found]
        return RenderedChanges(
            count=len(rows), last=found[-1].number if found else 0, json=msgspec.json.encode(rows)
        )

    def _rendered(
        self, change: Change, page: ChangesPage, columns: tuple[Column, ...]
    ) -> dict[str, Any]:
        head = {"ProspectActivityId": change.id, "EventCode": str(change.event_code)}
        if change.deleted_on is not None:
            return {"Change": "Deleted", **head, "DeletedOn": to_answer(change.deleted_on)}
        if page.event_code not in (None, change.event_code):
            return {"Change": "Moved", **head}
        if not columns:
            return {"Change": "Upserted", **head}
        entry = PlannedEntry(event_code=change.event_code, ids=[change.id], columns=columns)
        [rows] = self._store.bulk_read(Plan(entries=(entry,)))
        [row] = msgspec.json.decode(rows.json)
        return {"Change": "Upserted", **head, "Opportunity": row}

    def ids_of_type(
        self, event_code: int, *, after_id: str, modified_since: str | None, limit: int
    ) -> list[str]:
        found = sorted(
            one.id
            for one in self._state.opportunities.values()
            if one.event_code == event_code
            and one.id > after_id
            and (one.modified_on or "") >= (modified_since or "")
        )
        return found[:limit]

    def identity(self) -> str:
        return self._identity

    def versions(self, plan: Plan) -> list[bytes]:
        """The version of an opportunity is a digest of it."""
        return [
            b"".join(
                b"%b %d\n" % (one.id.encode(), version_of(one))
                for one in map(self._store.opportunity, entry.ids)
                if isinstance(one, StoredOpportunity) and one.event_code == entry.event_code
            )
            for entry in plan.entries
        ]

    def id_statuses(self, ids: Sequence[str]) -> dict[str, IdStatus]:
        found = {one: self._store.opportunity(one) for one in ids}
        return {
            one: IdStatus(
                event_code=there.event_code,
                deleted_on=None if isinstance(there, StoredOpportunity) else there.deleted_on,
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
            if isinstance(one, StoredOpportunity) and one.event_code == entry.event_code
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
