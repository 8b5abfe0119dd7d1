"""Batches of opportunities, made ready to be written, and the SQL of writing that engines share.

Each batch is a handful of statements: what they need travels as JSON arrays, rows in the order of
their ids, which touches each page of the index once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import compress
from operator import attrgetter
from typing import Final, NamedTuple

import msgspec

from oppserver.contract.model import Catalogue, Field, OpportunityType, StoredOpportunity
from oppserver.store import schema
from oppserver.store.sql import SqlConnection
from oppserver.store.sql.catalogue import plain_type
from oppserver.store.sql.changes import last_number, take_numbers

JSON_BYTES_MAX: Final = 32 << 20
"""Bytes of rows that one statement carries. Source: PostgreSQL's jsonb array takes 256 MB (jsonb.h,
JENTRY_OFFLENMASK); chosen: bounds the engine's memory, where they are several times as large."""

# --- what a batch of opportunities brings with it ----------------------------------------------


class References(NamedTuple):
    """The leads, owners and types that a batch of opportunities references, without the database.

    ``slots`` by event code. Addresses by id, the batch's last word; None where it says nothing.
    """

    slots: Mapping[int, frozenset[str]]
    owners: Mapping[str, str | None]
    leads: Mapping[str, str | None]


def references_of(batch: Sequence[StoredOpportunity]) -> References:
    """The types and slots, the owners and the leads that a batch names."""
    slots = {
        code: frozenset().union(*(one.slots for one in batch if one.event_code == code))
        for code in {one.event_code for one in batch}
    }
    owners: dict[str, str | None] = {
        one.owner_id: one.owner_email
        for one in batch
        if one.owner_id is not None and one.owner_email is not None
    }
    for one in batch:
        if one.owner_id is not None:
            owners.setdefault(one.owner_id)
    leads: dict[str, str | None] = {
        one.lead_id: one.lead_email for one in batch if one.lead_email is not None
    }
    leads.update(dict.fromkeys({one.lead_id for one in batch} - leads.keys()))
    return References(slots, owners, leads)


def missing_types_and_fields(
    used: Mapping[int, frozenset[str]], catalogue: Catalogue
) -> tuple[list[OpportunityType], list[Field]]:
    """The types and fields that a batch uses and the catalogue lacks, with plain names."""
    types = [plain_type(code) for code in sorted(used.keys() - catalogue.types.keys())]
    fields = [
        Field(event_code=code, schema_name=name, display_name=name, sequence=slot)
        for code in sorted(used)
        for slot in sorted(int(stored.removeprefix("mx_custom_")) for stored in used[code])
        if (name := f"mx_Custom_{slot}") not in catalogue.fields.get(code, {})
    ]
    return types, fields


def runs_without_repeats(batch: Sequence[StoredOpportunity]) -> list[list[StoredOpportunity]]:
    """The batch in order, cut before every id that its run has already: mostly one run.

    A run can be written by one statement, and runs in turn are the same as one at a time.
    """
    runs: list[dict[str, StoredOpportunity]] = [{}]
    for one in batch:
        if one.id in runs[-1]:
            runs.append({})
        runs[-1][one.id] = one
    return [list(run.values()) for run in runs]


_ALWAYS: Final = ("id", "event_code", "lead_id", "lead_email", "created_on", "modified_on")

_SOMETIMES: Final = ("owner_id", "status", "note", "created_by", "modified_by")

_NOT_REPLACED: Final = ("id", "version", "has_moved")  # has_moved is what both rows say together

_ID: Final = attrgetter("id")


class Shape(NamedTuple):
    """The columns of a statement for some rows: all that any of them sets, in order.

    ``kept``: the columns that a row keeps when it is replaced.
    """

    others: tuple[str, ...]
    slots: tuple[str, ...]
    kept: frozenset[str]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a row, in the order of its values."""
        return _ALWAYS + self.others + self.slots

    @property
    def replaced(self) -> list[str]:
        """The columns that a row that is there takes over."""
        return [
            name
            for name in schema.OPPORTUNITY_WRITTEN
            if name not in _NOT_REPLACED and name not in self.kept
        ]


HAS_MOVED: Final = (
    "has_moved = opportunity.has_moved OR opportunity.event_code <> excluded.event_code"
)
"""The value that a replaced row takes beside its columns: true when its type has changed."""

BatchRow = tuple[object, ...]


class PreparedBatch(NamedTuple):
    """A batch that is ready to be written: all that can be done without the database is done.

    ``leads`` are JSON arrays of pairs of id and address; ``rows`` are statements, each with JSON
    arrays of its rows.
    """

    rows_count: int
    references: References
    leads: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]
    ids: list[str]


def prepare(
    batch: Sequence[StoredOpportunity], *, now: str, upsert: Callable[[Shape], str]
) -> PreparedBatch:
    """Makes a batch ready; holds no lock and may run while another batch is written."""
    references = references_of(batch)
    return PreparedBatch(
        rows_count=len(batch),
        references=references,
        leads=json_arrays(sorted(references.leads.items())),
        rows=[
            (upsert(shape), json_arrays(rows)) for shape, rows in shaped(batch, references, now=now)
        ],
        ids=[one.id for one in batch],
    )


def json_arrays(rows: Sequence[object]) -> list[str]:
    """JSON arrays of rows, in order, none larger than the limit unless one row alone is."""
    encoded = [msgspec.json.encode(row) for row in rows]
    return [f"[{b','.join(part).decode()}]" for part in _parts(encoded)]


def _parts(encoded: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    first, size = 0, 0
    for index, row in enumerate(encoded):
        if size + len(row) > JSON_BYTES_MAX and index > first:
            yield encoded[first:index]
            first, size = index, 0
        size += len(row)
    if encoded:
        yield encoded[first:]


def write_in_turn(
    batches: Iterable[Sequence[StoredOpportunity]],
    *,
    prepare: Callable[[Sequence[StoredOpportunity]], PreparedBatch],
    write: Callable[[PreparedBatch], None],
) -> None:
    """Writes batches in order, on a thread of its own, while the next one is made ready."""
    with ThreadPoolExecutor(1, thread_name_prefix="load") as writer:
        under_way: Future[None] | None = None
        for batch in batches:
            prepared = prepare(batch)
            if under_way is not None:
                under_way.result()
            under_way = writer.submit(write, prepared)
        if under_way is not None:
            under_way.result()


def shaped(
    batch: Sequence[StoredOpportunity], references: References, *, now: str
) -> list[tuple[Shape, list[BatchRow]]]:
    """The batch as statements in order: what each is made of, and its rows, by id.

    Rows in the order of their ids touch each page of the index once.
    """
    return [
        (shape, [_values(one, shape, references.leads, now) for one in group])
        for run in runs_without_repeats(batch)
        for shape, group in _by_shape(sorted(run, key=_ID)).items()
    ]


def _by_shape(rows: Sequence[StoredOpportunity]) -> dict[Shape, list[StoredOpportunity]]:
    """Rows by the dates that they leave as they are; one set of columns for all."""
    used = set().union(*(one.slots for one in rows))
    slots = tuple(name for name in schema.SLOT_NAMES if name in used)
    others = tuple(
        name for name in _SOMETIMES if any(getattr(one, name) is not None for one in rows)
    )
    by_dates: dict[tuple[bool, bool], list[StoredOpportunity]] = {}
    for one in rows:
        missing = one.created_on is None, one.modified_on is None
        by_dates.setdefault(missing, []).append(one)
    return {
        Shape(others, slots, frozenset(compress(("created_on", "modified_on"), missing))): group
        for missing, group in by_dates.items()
    }


def _values(
    one: StoredOpportunity, shape: Shape, lead_emails: Mapping[str, str | None], now: str
) -> BatchRow:
    created_on = one.created_on or now
    modified_on = one.modified_on or created_on
    lead_email = lead_emails[one.lead_id]
    return (
        *(one.id, one.event_code, one.lead_id, lead_email, created_on, modified_on),
        *(getattr(one, name) for name in shape.others),
        *map(one.slots.get, shape.slots),
    )


# --- deleting ----------------------------------------------------------------------------------

_LEAVE_TOMBSTONES: Final = (
    "INSERT INTO deleted_opportunity (id, event_code, version, deleted_on, deleted_by,"
    " change_number, has_moved)"
    " SELECT id, event_code, version + 1, :now, :by, :number + row_number() OVER (), has_moved"
    " FROM opportunity WHERE id IN (SELECT value FROM json_each(:ids))"
)

_DELETE: Final = "DELETE FROM opportunity WHERE id IN (SELECT value FROM json_each(:ids))"

_ANY_TOMBSTONE: Final = "SELECT 1 FROM deleted_opportunity LIMIT 1"

_GO_ON: Final = (
    "UPDATE opportunity SET version = opportunity.version + d.version,"
    " has_moved = opportunity.has_moved OR d.has_moved OR opportunity.event_code <> d.event_code"
    " FROM deleted_opportunity AS d WHERE d.id = opportunity.id"
    " AND d.id IN (SELECT value FROM json_each(:ids))"
)

_REMOVE_TOMBSTONES: Final = (
    "DELETE FROM deleted_opportunity WHERE id IN (SELECT value FROM json_each(:ids))"
)


def delete_opportunities(
    connection: SqlConnection, ids: Sequence[str], *, now: str, by: str | None
) -> int:
    """Deletes a batch and leaves tombstones; how many were there."""
    asked = sorted(set(ids))
    number = last_number(connection)
    connection.run(_LEAVE_TOMBSTONES, now=now, by=by, number=number, ids=asked)
    deleted = connection.run(_DELETE, ids=asked)
    take_numbers(connection, deleted)
    return deleted


def forget_tombstones(connection: SqlConnection, ids: list[str]) -> None:
    """Removes the tombstones of what is here again; its versions go on from those it had."""
    if connection.rows(_ANY_TOMBSTONE):
        connection.run(_GO_ON, ids=ids)
        connection.run(_REMOVE_TOMBSTONES, ids=ids)
