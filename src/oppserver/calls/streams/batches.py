"""Batches of arriving ids: cut into units that count as one call each, without repeated ids."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.contract.dates import to_answer
from oppserver.contract.errors import ApiError, InvalidValue
from oppserver.contract.formats import Kind, TableColumn, TableRows
from oppserver.contract.limits import STREAM_UNIT_IDS
from oppserver.contract.problems import refusal
from oppserver.formats.id_lines import Arrived, BadId
from oppserver.store.queries import IdStatus


class IdBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Distinct ids to be read at once, in order.

    ``unit``: number of the unit that it belongs to, from 0. ``lines``: number of lines that arrived
    with it, bad ones too. ``refusal``: the stream ends here, with this error.
    """

    unit: int
    ids: Sequence[str] = ()
    lines: int = 0
    bad: Sequence[BadId] = ()
    refusal: ApiError | None = None


class Gathering:
    """Batches of the ids of one stream.

    A unit is a fixed number of lines, whenever they arrive, so that repeats do not depend on
    timing: an id that comes again in its unit is read once. Memory: the ids of one unit.
    """

    def __init__(self, *, skips_bad_ids: bool) -> None:
        self._skips_bad_ids = skips_bad_ids
        self._unit = 0
        self._lines = 0  # of the unit, like the next three
        self._ids: dict[str, None] = {}
        self._given_ids = 0
        self._given_lines = 0
        self._bad: list[BadId] = []

    def add(self, arrived: Arrived) -> Iterator[IdBatch]:
        """Return the batches that are full now; the last of them may refuse the rest."""
        start = 0
        for one in arrived.bad:
            yield from self._add_ids(arrived.ids[start : one.at])
            start = one.at
            if not self._skips_bad_ids:
                yield from self.rest()
                faults = [bad.fault for bad in arrived.bad]
                yield IdBatch(unit=self._unit, refusal=refusal(InvalidValue, faults))
                return
            self._bad.append(one)
            self._lines += 1
            if self._lines == STREAM_UNIT_IDS:
                yield self._end_unit()
        yield from self._add_ids(arrived.ids[start:])

    def rest(self) -> Iterator[IdBatch]:
        """Return the ids that are in no batch yet, as a batch; nothing when there are none."""
        if self._lines > self._given_lines:
            yield self._batch()

    def _add_ids(self, ids: Sequence[str]) -> Iterator[IdBatch]:
        start = 0
        while start < len(ids):
            some = ids[start : start + STREAM_UNIT_IDS - self._lines]
            self._ids.update(dict.fromkeys(some))
            self._lines += len(some)
            start += len(some)
            if self._lines == STREAM_UNIT_IDS:
                yield self._end_unit()

    def _batch(self) -> IdBatch:
        ids = list(islice(self._ids, self._given_ids, None))
        lines = self._lines - self._given_lines
        batch = IdBatch(unit=self._unit, ids=ids, lines=lines, bad=self._bad)
        self._given_ids, self._given_lines, self._bad = len(self._ids), self._lines, []
        return batch

    def _end_unit(self) -> IdBatch:
        batch = self._batch()
        self._unit += 1
        self._ids = {}
        self._lines = self._given_ids = self._given_lines = 0
        return batch


MISSING_COLUMNS = (
    TableColumn(name="Reason"),
    TableColumn(name="DeletedOn", kind=Kind.MOMENT),
    TableColumn(name="Line", kind=Kind.INTEGER),
    TableColumn(name="Asked"),
)
"""The further columns of a table that reports missing ids; rows have null in them."""


class StreamMissingWire(msgspec.Struct, kw_only=True):
    """The report of an id that a stream does not answer, or of a line that holds no id.

    ``Line`` is the number of such a line, from 1, and ``Asked`` its text.
    """

    ProspectActivityId: str | UnsetType = UNSET
    Reason: Literal["NotFound", "Deleted", "OtherEventCode", "NotAnId"]
    EventCode: str | UnsetType = UNSET
    DeletedOn: str | UnsetType = UNSET
    Line: int | UnsetType = UNSET
    Asked: str | UnsetType = UNSET


def missing_of_batch(
    ids: Sequence[str],
    bad: Sequence[BadId],
    *,
    event_code: int,
    where: Mapping[str, IdStatus] | None,
) -> list[StreamMissingWire]:
    """The ids that are not answered, in order, then the lines that hold no id.

    ``where``: the statuses of all ids; None: all of them are answered. Dates are in the stored
    form.
    """
    no_ids = [StreamMissingWire(Reason="NotAnId", Line=one.line, Asked=one.asked) for one in bad]
    if where is None:
        return no_ids
    there = ((one, where.get(one)) for one in ids)
    return [_missing(one, at) for one, at in there if not _is_answered(at, event_code)] + no_ids


def missing_lines(missing: Sequence[StreamMissingWire]) -> bytes:
    """Render missing ids as lines of NDJSON, each a record ``Missing``; dates as in answers."""
    return b"".join(b'{"Missing":%b}\n' % msgspec.json.encode(_with_answer(one)) for one in missing)


def missing_rows(missing: Sequence[StreamMissingWire]) -> TableRows:
    """Return rows of a table with the columns of missing ids."""
    names = StreamMissingWire.__struct_fields__
    return TableRows(
        count=len(missing),
        columns={
            name: msgspec.json.encode([_text(getattr(one, name)) for one in missing])
            for name in names
        },
    )


def _is_answered(there: IdStatus | None, event_code: int) -> bool:
    return there is not None and there.deleted_on is None and there.event_code == event_code


def _missing(one: str, there: IdStatus | None) -> StreamMissingWire:
    if there is None:
        return StreamMissingWire(ProspectActivityId=one, Reason="NotFound")
    code = str(there.event_code)
    if there.deleted_on is None:
        return StreamMissingWire(ProspectActivityId=one, Reason="OtherEventCode", EventCode=code)
    return StreamMissingWire(
        ProspectActivityId=one, Reason="Deleted", EventCode=code, DeletedOn=there.deleted_on
    )


def _with_answer(one: StreamMissingWire) -> StreamMissingWire:
    if isinstance(one.DeletedOn, str):
        return msgspec.structs.replace(one, DeletedOn=to_answer(one.DeletedOn))
    return one


def _text(value: object) -> str | None:
    return None if value is msgspec.UNSET else str(value)
