"""Parsing of a bulk read: its message and its query. Nothing is looked up here.

Members that the call demands are optional in the message, so that parsing can name a missing one
the way the API does. Members that the message does not have are ignored, as the hosted service does
(source: docs/fidelity.md).
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.calls.shared.call import Call
from oppserver.calls.shared.decode import flag, wanted_rows
from oppserver.contract.errors import InvalidValue, LimitExceeded, MissingAttribute
from oppserver.contract.formats import Format, Wanted
from oppserver.contract.limits import BULK_READ_GROUPS_MAX


class BulkReadColumnsWire(msgspec.Struct):
    """``Columns``: the names asked for, comma separated."""

    Include_CSV: str | UnsetType | None = UNSET


class SearchParameterWire(msgspec.Struct):
    """One entry of ``SearchParameters``."""

    EventCode: str | int | UnsetType | None = UNSET
    ProspectActivityId: list[str] | UnsetType | None = UNSET
    Columns: BulkReadColumnsWire | UnsetType | None = UNSET


class GetOpportunitiesByIdWire(msgspec.Struct):
    """The body of ``GetOpportunitiesById``."""

    SearchParameters: list[SearchParameterWire] | UnsetType | None = UNSET


class AskedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of ``SearchParameters`` as it was asked: nothing is looked up or resolved yet."""

    event_code: str
    ids: Sequence[str]
    include_csv: str


class AskedBulkRead(msgspec.Struct, frozen=True, kw_only=True):
    """A bulk read as it was asked: its groups in request order, never empty, and its answer.

    ``if_none_match`` None: the caller has no answer yet. ``coding`` is the content coding that the
    caller likes best.
    """

    groups: Sequence[AskedGroup]
    wanted: Wanted
    if_none_match: str | None
    coding: str


def parse_bulk_read(call: Call, message: GetOpportunitiesByIdWire) -> AskedBulkRead:
    """Parse the body and the query of a ``GetOpportunitiesById``.

    Raises an ApiError with status 400 that names the place and what was expected.
    """
    is_conditional = call.if_none_match is not None
    return AskedBulkRead(
        wanted=_wanted(call.query, call.format, is_conditional=is_conditional),
        groups=_groups(message),
        if_none_match=call.if_none_match,
        coding=call.coding,
    )


def _groups(message: GetOpportunitiesByIdWire) -> list[AskedGroup]:
    if not message.SearchParameters:
        raise MissingAttribute(
            "'SearchParameters' is mandatory: an array with at least one object of EventCode,"
            " ProspectActivityId and Columns"
        )
    if len(message.SearchParameters) > BULK_READ_GROUPS_MAX:
        raise LimitExceeded(
            f"SearchParameters has {len(message.SearchParameters)} entries; one call takes"
            f" {BULK_READ_GROUPS_MAX}. Put the ids of one EventCode into one entry."
        )
    return [_group(entry, index) for index, entry in enumerate(message.SearchParameters)]


def _group(entry: SearchParameterWire, index: int) -> AskedGroup:
    event_code = str(entry.EventCode).strip() if isinstance(entry.EventCode, str | int) else ""
    include_csv = entry.Columns.Include_CSV if entry.Columns else None
    if not event_code:
        raise _missing("EventCode", index)
    if not entry.ProspectActivityId:
        raise _missing("ProspectActivityId", index)
    if not entry.Columns:
        raise _missing("Columns", index)
    if not include_csv or not include_csv.replace(",", " ").strip():
        raise _missing("Include_CSV", index, inside=".Columns")
    return AskedGroup(event_code=event_code, ids=entry.ProspectActivityId, include_csv=include_csv)


def _missing(name: str, index: int, *, inside: str = "") -> MissingAttribute:
    return MissingAttribute(f"'{name}' is mandatory in SearchParameters[{index}]{inside}")


def _wanted(query: Mapping[str, str], chosen: Format, *, is_conditional: bool) -> Wanted:
    # an If-None-Match asks for a tag, as ``etag=true`` does
    wanted = wanted_rows(
        query,
        chosen,
        missing=flag(query, "missing"),
        entity_tag=flag(query, "etag") or is_conditional,
    )
    if wanted.missing and chosen is not Format.JSON:
        raise InvalidValue(
            f"query parameter 'missing': {chosen} has one row per opportunity, and no place for"
            f" missing ids. Ask for {Format.JSON}, or read X-Opportunities-Missing."
        )
    return wanted
