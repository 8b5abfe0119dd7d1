"""The plan of a bulk read: its entries, with distinct ids in order and stored columns."""

from collections.abc import Mapping, Sequence

import msgspec

from oppserver.calls.bulk_read.parse import AskedBulkRead, AskedGroup
from oppserver.calls.shared.names import column_of_type, event_code_of
from oppserver.calls.shared.tables import table_of_plan, with_event_codes
from oppserver.contract.columns import SYSTEM_COLUMNS, Column, columns_of_row
from oppserver.contract.errors import LimitExceeded, UnknownColumn
from oppserver.contract.formats import Format, Table, Wanted
from oppserver.contract.identifiers import distinct_guids
from oppserver.contract.limits import BULK_READ_IDS_MAX
from oppserver.contract.model import Catalogue, Field
from oppserver.contract.names import did_you_mean, quoted
from oppserver.store.queries import Plan, PlannedEntry


class PlannedBulkRead(msgspec.Struct, frozen=True, kw_only=True):
    """A bulk read as it will be done. ``table`` None: rows are answered as objects."""

    plan: Plan
    wanted: Wanted
    table: Table | None
    if_none_match: str | None
    coding: str


def plan_bulk_read(asked: AskedBulkRead, catalogue: Catalogue) -> PlannedBulkRead:
    """Plan a bulk read. In formats without entries a row begins with its event code.

    Raises an ApiError with status 400 that names the place.
    """
    wanted = asked.wanted
    plan = plan_entries(asked.groups, catalogue)
    if wanted.format is not Format.JSON:
        plan = with_event_codes(plan)
    return PlannedBulkRead(
        plan=plan,
        wanted=wanted,
        table=table_of_plan(plan, catalogue, wanted),
        if_none_match=asked.if_none_match,
        coding=asked.coding,
    )


def plan_entries(groups: Sequence[AskedGroup], catalogue: Catalogue) -> Plan:
    """Plan the entries of an answer: distinct ids in order, stored columns, checked sizes.

    An id is read in every group of its own type that asks for it. An id that only groups of other
    types ask for is read in the *first* entry of its type, after that group's own ids. Only the
    store knows the type of an id, so the plan of an entry names every id that could belong to it,
    and the store leaves out those of another type.

    Raises an ApiError with status 400 that names the place.
    """
    codes = [
        event_code_of(group.event_code, catalogue, place=f"SearchParameters[{index}].EventCode")
        for index, group in enumerate(groups)
    ]
    ids = [
        distinct_guids(group.ids, place=f"SearchParameters[{index}].ProspectActivityId")
        for index, group in enumerate(groups)
    ]
    _check_size(ids)
    columns = [
        _columns(
            group.include_csv,
            catalogue.fields.get(code, {}),
            event_code=code,
            place=f"SearchParameters[{index}].Columns.Include_CSV",
        )
        for index, (group, code) in enumerate(zip(groups, codes, strict=True))
    ]
    asked_ids = ids
    if len(codes) > 1:
        ids = _with_ids_of_other_types(codes, ids)
    return Plan(
        asked=tuple(asked_ids),
        entries=tuple(
            PlannedEntry(event_code=code, ids=entry_ids, columns=entry_columns)
            for code, entry_ids, entry_columns in zip(codes, ids, columns, strict=True)
        ),
    )


def _check_size(ids_by_group: Sequence[Sequence[str]]) -> None:
    if sum(map(len, ids_by_group)) <= BULK_READ_IDS_MAX:
        return
    distinct = len(set().union(*ids_by_group))
    if distinct > BULK_READ_IDS_MAX:
        raise LimitExceeded(
            f"The call asks for {distinct} opportunities; one call takes {BULK_READ_IDS_MAX}."
            " Split the ids over several calls."
        )


def _columns(
    include_csv: str, fields: Mapping[str, Field], *, event_code: int, place: str
) -> tuple[Column, ...]:
    names = [name for name in include_csv.split(",") if name.strip()]
    return columns_of_row(
        [_column(name, fields, event_code=event_code, place=place) for name in names]
    )


def _column(name: str, fields: Mapping[str, Field], *, event_code: int, place: str) -> Column:
    column = column_of_type(name, fields)
    if column is not None:
        return column
    known = [system.name for system in SYSTEM_COLUMNS] + list(fields)
    raise UnknownColumn(
        f"{place}: {quoted(name.strip())} is no column of type {event_code}."
        f"{did_you_mean(name.strip(), known)}"
        f" 'oppserver field add {event_code} mx_Custom_N' adds a field."
    )


def _with_ids_of_other_types(codes: Sequence[int], ids: Sequence[list[str]]) -> list[list[str]]:
    """The ids of each entry: its own, then (first entry of a type) those only others asked for."""
    everywhere = dict.fromkeys(one for group_ids in ids for one in group_ids)
    planned: list[list[str]] = []
    seen: set[int] = set()
    for code, own in zip(codes, ids, strict=True):
        if code in seen:
            planned.append(own)
            continue
        seen.add(code)
        asked_under_own_type = {
            one
            for other, group_ids in zip(codes, ids, strict=True)
            if other == code
            for one in group_ids
        }
        planned.append(own + [one for one in everywhere if one not in asked_under_own_type])
    return planned
