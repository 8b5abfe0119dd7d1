"""The answer of a bulk read: entries, counts, missing ids, entity tag."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.calls.bulk_read.plan import PlannedBulkRead
from oppserver.calls.shared.call import Answer
from oppserver.calls.shared.tables import table_rows, table_writer
from oppserver.contract.dates import to_answer
from oppserver.contract.formats import Format, Table, TableRows, Wanted
from oppserver.formats.ndjson import ndjson_lines
from oppserver.store.queries import (
    Fingerprint,
    IdStatus,
    Plan,
    PlannedEntry,
    RenderedColumns,
    RenderedRows,
)
from oppserver.store.row_cache import Place


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """The number of distinct ids that a call asked for, and of those that are answered."""

    requested: int
    found: int

    @property
    def missing(self) -> int:
        """The number of ids that are not answered."""
        return self.requested - self.found


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that were found. ``counts`` None: the caller has them, and no row was read.

    ``rows`` are there where the plan has no table, else ``columns``. ``place`` is that of rows that
    the row cache has a part in.
    """

    tag: str | None
    counts: Counts | None = None
    id_statuses: Mapping[str, IdStatus] | None = None
    rows: Sequence[RenderedRows] = ()
    columns: Sequence[RenderedColumns] = ()
    place: Place | None = None


def render_bulk_read(planned: PlannedBulkRead, found: Found) -> Answer:
    """Render the answer; status 304 when the caller has it."""
    headers = {"Vary": "Accept, Accept-Encoding"}
    if found.tag is not None:
        headers["ETag"] = found.tag
    if found.counts is None:
        return Answer(body=b"", status=304, headers=headers)
    headers["X-Opportunities-Requested"] = str(found.counts.requested)
    headers["X-Opportunities-Found"] = str(found.counts.found)
    headers["X-Opportunities-Missing"] = str(found.counts.missing)
    return Answer(
        body=_body(planned, found),
        media_type=planned.wanted.format.content_type,
        headers=headers,
        is_packed=not planned.wanted.format.is_text,
    )


def _body(planned: PlannedBulkRead, found: Found) -> bytes:
    if planned.table is not None:
        rows = table_rows(planned.plan, found.columns)
        return _table_bytes(planned.wanted, planned.table, rows)
    if planned.wanted.format is Format.NDJSON:
        return _lines(planned.plan, found)
    missing = missing_of(planned.plan, found.id_statuses) if planned.wanted.missing else None
    return render_entries(planned.plan, found.rows, missing)


def _lines(plan: Plan, found: Found) -> bytes:
    has_several = len(plan.entries) > 1
    return b"".join(
        ndjson_lines(
            one.json,
            first=entry.columns[0].name,
            before=b'"Entry":%d,' % place if has_several else b"",
        )
        for place, (entry, one) in enumerate(zip(plan.entries, found.rows, strict=True))
    )


def _table_bytes(wanted: Wanted, table: Table, rows: Sequence[TableRows]) -> bytes:
    writer = table_writer(wanted, table)
    return b"".join([writer.begin(), *map(writer.rows, rows), writer.end()])


class MissingWire(msgspec.Struct):
    """One of ``Missing``: an id that was asked for and is not in the entry, and the reason.

    ``EventCode``: its type, now or when it was deleted. ``AnsweredIn``: the first entry that has
    it, from 0; null when no entry has its type.
    """

    ProspectActivityId: str
    Reason: Literal["NotFound", "Deleted", "OtherEventCode"]
    EventCode: str | UnsetType = UNSET
    DeletedOn: str | UnsetType = UNSET
    AnsweredIn: int | UnsetType | None = UNSET


def render_entries(
    plan: Plan, rows: Sequence[RenderedRows], missing: Sequence[Sequence[MissingWire]] | None = None
) -> bytes:
    """Render the body of ``GetOpportunitiesById``: one entry per group, in request order.

    The rows are JSON already and are not looked into. ``missing`` has those of each entry.
    """
    tails = [b""] * len(rows) if missing is None else [_missing_json(one) for one in missing]
    parts = []  # joined once: copying a megabyte takes time
    for entry, rendered, tail in zip(plan.entries, rows, tails, strict=True):
        head = b'{"EventCode":"%d","RecordCount":%d,"Opportunities":'
        parts += [b",", head % (entry.event_code, rendered.count), rendered.json, tail, b"}"]
    return b"".join([b"[", *parts[1:], b"]"])


def _missing_json(missing: Sequence[MissingWire]) -> bytes:
    return b',"Missing":%b' % msgspec.json.encode(missing)


# --- counts and missing ids ----------------------------------------------------------------------

Where = Mapping[str, IdStatus]


def ids_asked(plan: Plan) -> Sequence[str]:
    """The distinct ids of a call, in the order in which they were asked for."""
    if len(plan.asked) == 1:
        return plan.asked[0]
    return list(dict.fromkeys(chain.from_iterable(plan.asked)))


def needs_statuses(plan: Plan, counts: Sequence[int], *, missing: bool) -> bool:
    """Return whether the statuses of ids are needed to count the ids, or to list missing ones.

    They are when two entries may have the same id; and for the missing ids, when one is missing.
    With several entries an id may be missing in one and be found in another: always read them.
    """
    if len(plan.entries) == 1:
        return missing and counts[0] < len(plan.asked[0])
    return missing or _may_answer_twice(plan.entries)


def count_ids(plan: Plan, counts: Sequence[int], where: Where | None) -> Counts:
    """Count the distinct ids that were asked for, and those that any entry answers.

    ``counts``: the rows of each entry. ``where`` as ``needs_statuses`` says.
    """
    asked = ids_asked(plan)
    if where is None or not _may_answer_twice(plan.entries):
        return Counts(requested=len(asked), found=sum(counts))
    codes = {entry.event_code for entry in plan.entries}
    found = sum(one.deleted_on is None and one.event_code in codes for one in where.values())
    return Counts(requested=len(asked), found=found)


def missing_of(plan: Plan, where: Where | None) -> list[list[MissingWire]]:
    """The missing ids of each entry: asked for by its group and not in it, in request order.

    ``where`` as ``needs_statuses`` says: without it nothing is missing.
    """
    if where is None:
        return [[] for _ in plan.entries]
    places: defaultdict[int, list[tuple[int, frozenset[str]]]] = defaultdict(list)
    for index, entry in enumerate(plan.entries):
        places[entry.event_code].append((index, frozenset(entry.ids)))
    return [
        [
            _missing(one, where.get(one), places)
            for one in asked
            if not _is_of(where.get(one), entry.event_code)
        ]
        for entry, asked in zip(plan.entries, plan.asked, strict=True)
    ]


def _is_of(there: IdStatus | None, event_code: int) -> bool:
    return there is not None and there.deleted_on is None and there.event_code == event_code


def _missing(
    one: str, there: IdStatus | None, places: Mapping[int, Sequence[tuple[int, frozenset[str]]]]
) -> MissingWire:
    if there is None:
        return MissingWire(ProspectActivityId=one, Reason="NotFound")
    if there.deleted_on is not None:
        return MissingWire(
            ProspectActivityId=one,
            Reason="Deleted",
            EventCode=str(there.event_code),
            DeletedOn=to_answer(there.deleted_on),
        )
    of_its_type = places.get(there.event_code, ())
    return MissingWire(
        ProspectActivityId=one,
        Reason="OtherEventCode",
        EventCode=str(there.event_code),
        AnsweredIn=next((index for index, ids in of_its_type if one in ids), None),
    )


def _may_answer_twice(entries: Sequence[PlannedEntry]) -> bool:
    ids: defaultdict[int, list[Sequence[str]]] = defaultdict(list)
    for entry in entries:
        ids[entry.event_code].append(entry.ids)
    return any(
        len(of_type) > 1 and sum(map(len, of_type)) > len(set(chain.from_iterable(of_type)))
        for of_type in ids.values()
    )


# --- the entity tag ------------------------------------------------------------------------------

_DIGEST_BYTES: Final = 16

_ENTITY_TAG: Final = re.compile(
    r'(?:W/)?("[^"]*?)(?:(?:--?|;|:)(?:gzip|br|brotli|zstd|deflate|df))?"', re.IGNORECASE
)
"""A tag without what proxies that pack answers add to it: Apache makes ``"x-gzip"`` of ``"x"``."""


def entity_tag(
    planned: PlannedBulkRead,
    fingerprint: Fingerprint,
    id_statuses: Mapping[str, IdStatus] | None,
    *,
    made_by: str,
) -> str:
    """The strong entity tag of an answer. Equal tags mean equal bytes.

    It is made of all that shows in the bytes: the plan, the format, the coding that the caller
    likes best (a short answer is sent without, but the rest says which answers are short), the
    versions of the libraries that make the bytes, the rows, and the missing ids.
    """
    coding = planned.coding if planned.wanted.format.is_text else "identity"
    request = (planned.plan, planned.wanted, planned.table, coding, made_by)
    found = (fingerprint, id_statuses)
    digest = hashlib.blake2b(msgspec.json.encode((request, found)), digest_size=_DIGEST_BYTES)
    return f'"{digest.hexdigest()}"'


def is_matched(if_none_match: str, tag: str) -> bool:
    """Return whether a caller has the answer of a tag. Weak tags match too (RFC 9110, 13.1.2)."""
    begins = _ENTITY_TAG.findall(if_none_match)
    return if_none_match.strip() == "*" or tag.removesuffix('"') in begins
