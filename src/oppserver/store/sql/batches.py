"""Batches of opportunities in the SQL that engines share, over an open connection of the caller.

Whoever calls owns the transaction. Nothing here knows an engine; where their SQL would differ, the
difference is a parameter.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import compress
from operator import attrgetter
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import Connection, Row, func, insert, select, update

from oppserver.contract.limits import CUSTOM_SLOTS
from oppserver.contract.model import Catalogue, Field, OpportunityType, StoredOpportunity
from oppserver.store import schema
from oppserver.store.sql import changes
from oppserver.store.sql.catalogue import _plain_type

OPPORTUNITY_COLUMNS: Final = tuple(
    column.name for column in schema.opportunity.columns if column.computed is None
)
"""The columns of an opportunity that are written; the others are generated."""

_FIRST_SLOT: Final = schema.opportunity.columns.keys().index(schema.SLOT_NAMES[0])

# --- opportunities -----------------------------------------------------------------------------


def select_opportunities(
    connection: Connection, *, event_code: int | None, after_id: str, limit: int
) -> list[StoredOpportunity]:
    """A page by id, with each owner's address."""
    statement = (
        select(schema.opportunity, schema.user.c.email.label("owner_email"))
        .outerjoin(schema.user, schema.user.c.id == schema.opportunity.c.owner_id)
        .where(schema.opportunity.c.id > after_id)
        .order_by(schema.opportunity.c.id)
        .limit(limit)
    )
    if event_code is not None:
        statement = statement.where(schema.opportunity.c.event_code == event_code)
    return [opportunity_of(row) for row in connection.execute(statement)]


def opportunity_of(row: Row[Any]) -> StoredOpportunity:
    """The opportunity of a row of all columns, in the order of the schema, and ``owner_email``."""
    slots = zip(schema.SLOT_NAMES, row[_FIRST_SLOT : _FIRST_SLOT + CUSTOM_SLOTS], strict=True)
    return StoredOpportunity(
        id=row.id,
        event_code=row.event_code,
        lead_id=row.lead_id,
        lead_email=row.lead_email,
        owner_id=row.owner_id,
        owner_email=row.owner_email,
        status=row.status,
        note=row.note,
        created_on=row.created_on,
        modified_on=row.modified_on,
        created_by=row.created_by,
        modified_by=row.modified_by,
        slots={name: value for name, value in slots if value is not None},
    )


def count_opportunities(connection: Connection, *, event_code: int | None) -> int:
    """Count opportunities, of one type or all."""
    statement = select(func.count()).select_from(schema.opportunity)
    if event_code is not None:
        statement = statement.where(schema.opportunity.c.event_code == event_code)
    return connection.execute(statement).scalar_one()


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
    types = [_plain_type(code) for code in sorted(used.keys() - catalogue.types.keys())]
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


def write_owners(connection: Connection, references: Mapping[str, str | None]) -> None:
    """Creates the owners that are not there and sets the addresses that a batch brings.

    Owners are few beside opportunities, so each that is new or changed is a statement of its own.
    """
    stored = _emails(connection, sorted(references))
    changed = False
    for owner_id, email in sorted(references.items()):
        if owner_id not in stored:
            values = {"id": owner_id, "email": email, "is_active": True}
            connection.execute(insert(schema.user).values(values))
        elif email is not None and email != stored[owner_id]:
            connection.execute(
                update(schema.user).where(schema.user.c.id == owner_id).values(email=email)
            )
            changed = True
    if changed:
        changes.addresses_have_changed(connection)


def _emails(connection: Connection, ids: Sequence[str]) -> Mapping[str, str | None]:
    found: dict[str, str | None] = {}
    for start in range(0, len(ids), 500):
        statement = select(schema.user.c.id, schema.user.c.email).where(
            schema.user.c.id.in_(ids[start : start + 500])
        )
        found.update((row.id, row.email) for row in connection.execute(statement))
    return found


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
            for name in OPPORTUNITY_COLUMNS
            if name not in _NOT_REPLACED and name not in self.kept
        ]


HAS_MOVED: Final = (
    "has_moved = opportunity.has_moved OR opportunity.event_code <> excluded.event_code"
)
"""The value that a replaced row takes beside its columns: true when its type has changed."""

MOVED_AGAIN: Final = (
    "has_moved = opportunity.has_moved OR d.has_moved OR opportunity.event_code <> d.event_code"
)
"""The same of a row that was deleted before; ``d`` is its tombstone."""

BatchRow = tuple[object, ...]

_PreparedBatch = TypeVar("_PreparedBatch")


def write_in_turn(
    batches: Iterable[Sequence[StoredOpportunity]],
    *,
    prepare: Callable[[Sequence[StoredOpportunity]], _PreparedBatch],
    write: Callable[[_PreparedBatch], None],
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
