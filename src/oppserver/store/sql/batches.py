"""Batches of opportunities, made ready to be written, and the SQL of writing that engines share.

Each batch is a handful of statements: what they need travels as JSON arrays, rows in the order of
their ids, which touches each page of the index once.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, compress, repeat
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from oppserver.contract.model import Catalogue, ColumnBlock, Field, OpportunityType
from oppserver.store import schema
from oppserver.store.sql import SqlConnection
from oppserver.store.sql.catalogue import plain_type
from oppserver.store.sql.changes import last_number, take_numbers

JSON_BYTES_MAX: Final = 32 << 20
"""Bytes of rows that one statement carries. Source: PostgreSQL's jsonb array takes 256 MB (jsonb.h,
JENTRY_OFFLENMASK); chosen: bounds the engine's memory, where they are several times as large."""

JSON_ROWS_MAX: Final = 10_000
"""Rows that one statement carries. Ours: rows are counted before they are encoded, and 1,000 or
50,000 take as long."""

# --- what a batch of opportunities brings with it ----------------------------------------------


class References(NamedTuple):
    """The leads, owners and types that a batch of opportunities references, without the database.

    ``slots`` by event code. Addresses by id, the batch's last word; None where it says nothing.
    """

    slots: Mapping[int, frozenset[str]]
    owners: Mapping[str, str | None]
    leads: Mapping[str, str | None]


def references_of(batch: Sequence[ColumnBlock]) -> References:
    """The types and slots, the owners and the leads that a batch names."""
    return References(
        _slots_used(batch),
        owners=_addresses(batch, "owner_id", "owner_email"),
        leads=_addresses(batch, "lead_id", "lead_email"),
    )


def _slots_used(batch: Sequence[ColumnBlock]) -> dict[int, frozenset[str]]:
    used: dict[int, set[str]] = {}
    for _, columns in batch:
        codes = columns["event_code"]
        for code in set(codes):
            used.setdefault(code, set())
        for name in columns.keys() & _SLOTS:
            for code in _where_set(columns[name], codes):
                used[code].add(name)
    return {code: frozenset(names) for code, names in used.items()}


def _where_set(column: Sequence[Any], codes: Sequence[int]) -> set[int]:
    """The types of the rows that have a value in a column."""
    if all(column):
        return set(codes)
    return set(compress(codes, _are_set(column)))


def _are_set(column: Sequence[Any]) -> list[bool]:
    return [True] * len(column) if all(column) else [value is not None for value in column]


def _addresses(batch: Sequence[ColumnBlock], name: str, email: str) -> dict[str, str | None]:
    """The ids of a column, each with the last address that the batch has for it."""
    named = [block for block in batch if name in block.columns]
    pairs = {pair for block in named for pair in _zipped(block, name, email)}
    addresses = dict(pairs)
    if len(addresses) < len(pairs):
        addresses = dict.fromkeys(addresses)
        rows = chain.from_iterable(
            zip(block.places, _zipped(block, name, email), strict=True) for block in named
        )
        addresses.update(pair for _, pair in sorted(rows) if pair[1] is not None)
    addresses.pop(None, None)
    return addresses


def _zipped(block: ColumnBlock, name: str, other: str) -> Iterable[tuple[Any, Any]]:
    return zip(block.columns[name], block.columns.get(other) or repeat(None), strict=False)


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


_ALWAYS: Final = ("id", "event_code", "lead_id", "lead_email", "created_on", "modified_on")

_SOMETIMES: Final = ("owner_id", "status", "note", "created_by", "modified_by")

_NOT_REPLACED: Final = ("id", "version", "has_moved")  # has_moved is what both rows say together

_FIRST: Final = itemgetter(0)

_SLOTS: Final = frozenset(schema.SLOT_NAMES)


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

BatchRow: TypeAlias = tuple[object, ...]


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
    batch: Sequence[ColumnBlock],
    *,
    now: str,
    upsert: Callable[[Shape], str],
    own_rows_min: int | None = None,
) -> PreparedBatch:
    """Makes a batch ready; holds no lock and may run while another batch is written.

    ``own_rows_min``: rows with the same columns from which on they have a statement of their own;
    None: one statement has the columns of all.
    """
    references = references_of(batch)
    ids = [one for block in batch for one in block.columns["id"]]
    return PreparedBatch(
        rows_count=len(ids),
        references=references,
        leads=json_arrays(sorted(references.leads.items())),
        rows=[
            (upsert(shape), json_arrays(rows))
            for shape, rows in _shaped(batch, references.leads, now=now, own_rows_min=own_rows_min)
        ],
        ids=ids,
    )


def json_arrays(rows: Sequence[object]) -> list[str]:
    """JSON arrays of rows, in order, none larger than the limit unless one row alone is."""
    if len(rows) > JSON_ROWS_MAX:
        starts = range(0, len(rows), JSON_ROWS_MAX)
        return [one for n in starts for one in json_arrays(rows[n : n + JSON_ROWS_MAX])]
    encoded = msgspec.json.encode(rows)
    if len(encoded) <= JSON_BYTES_MAX or len(rows) < 2:
        return [encoded.decode()] if rows else []
    half = len(rows) // 2
    return json_arrays(rows[:half]) + json_arrays(rows[half:])


def write_in_turn(
    batches: Iterable[Sequence[ColumnBlock]],
    *,
    prepare: Callable[[Sequence[ColumnBlock]], PreparedBatch],
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


# --- rows ----------------------------------------------------------------------------------------


class _Part(NamedTuple):
    """The rows that are written by one statement.

    ``turn`` counts the rows before that have the same id: a statement writes each id once. A row
    that comes without a date keeps the one that is stored.
    """

    turn: int
    has_created_on: bool
    has_modified_on: bool


def _shaped(
    batch: Sequence[ColumnBlock],
    leads: Mapping[str, str | None],
    *,
    now: str,
    own_rows_min: int | None,
) -> Iterator[tuple[Shape, list[BatchRow]]]:
    """The batch as statements in order: what each is made of, and its rows, by id.

    Rows in the order of their ids touch each page of the index once.
    """
    for part, blocks in sorted(_parts(batch).items()):
        missing = not part.has_created_on, not part.has_modified_on
        kept = frozenset(compress(("created_on", "modified_on"), missing))
        for names, own in _by_columns(blocks, rows_min=own_rows_min):
            others = tuple(name for name in _SOMETIMES if name in names)
            shape = Shape(others, tuple(name for name in schema.SLOT_NAMES if name in names), kept)
            rows = [row for block in own for row in _rows(block, shape, leads, now)]
            rows.sort(key=_FIRST)
            yield shape, rows


def _by_columns(
    blocks: Sequence[ColumnBlock], *, rows_min: int | None
) -> Iterator[tuple[frozenset[str], list[ColumnBlock]]]:
    """The blocks that have the same columns, if they have many rows; the others together."""
    found: dict[frozenset[str], list[ColumnBlock]] = {}
    for block in blocks:
        found.setdefault(_used(block), []).append(block)
    for names, own in list(found.items()):
        if rows_min is not None and sum(len(block.places) for block in own) >= rows_min:
            yield names, found.pop(names)
    if found:
        yield frozenset().union(*found), [block for own in found.values() for block in own]


def _used(block: ColumnBlock) -> frozenset[str]:
    """The columns in which a row has a value."""
    columns = block.columns.items()
    return frozenset(name for name, one in columns if any(value is not None for value in one))


def _parts(batch: Sequence[ColumnBlock]) -> dict[_Part, list[ColumnBlock]]:
    """The blocks of each statement. A block whose rows go to several is divided."""
    turns = _turns(batch)
    parts: dict[_Part, list[ColumnBlock]] = {}
    for block in batch:
        nothing = (None,) * len(block.places)
        keys = list(
            zip(
                (turns.get(place, 0) for place in block.places) if turns else repeat(0),
                _are_set(block.columns.get("created_on", nothing)),
                _are_set(block.columns.get("modified_on", nothing)),
                strict=False,
            )
        )
        distinct = set(keys)
        for key in distinct:
            own = block if len(distinct) == 1 else block.where([one == key for one in keys])
            parts.setdefault(_Part(*key), []).append(own)
    return parts


def _turns(batch: Sequence[ColumnBlock]) -> dict[int, int]:
    """Return the number of rows before with the same id, by place, where there are any."""
    ids = chain.from_iterable(block.columns["id"] for block in batch)
    rows = sum(len(block.places) for block in batch)
    if len(set(ids)) == rows:
        return {}
    seen: Counter[str] = Counter()
    turns = {}
    for place, one in sorted(
        pair for block in batch for pair in zip(block.places, block.columns["id"], strict=True)
    ):
        turns[place] = seen[one]
        seen[one] += 1
    return turns


def _rows(
    block: ColumnBlock, shape: Shape, leads: Mapping[str, str | None], now: str
) -> Iterable[BatchRow]:
    columns = block.columns
    created_on = repeat(now) if "created_on" in shape.kept else columns["created_on"]
    modified_on = created_on if "modified_on" in shape.kept else columns["modified_on"]
    return zip(
        *(columns[name] for name in ("id", "event_code", "lead_id")),
        map(leads.__getitem__, columns["lead_id"]),
        *(created_on, modified_on),
        *(columns.get(name) or repeat(None) for name in shape.others + shape.slots),
        strict=False,
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
