"""From the body of ``RetrieveRecentlyModified`` to what was asked."""

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.contract.asked_lists import AskedRecentlyModified, sort_name_of
from oppserver.contract.bodies import decode_optional_body
from oppserver.contract.dates import Span, span_of
from oppserver.contract.errors import InvalidValue
from oppserver.contract.event_codes import number_of
from oppserver.contract.limits import RECENTLY_MODIFIED_ROWS_DEFAULT
from oppserver.contract.names import quoted
from oppserver.contract.paging import is_descending, page_of
from oppserver.contract.wire import FieldValue, Number
from oppserver.contract.wire_lists import RecentlyModifiedParameterWire, RecentlyModifiedWire

_MESSAGE: Final = msgspec.json.Decoder(RecentlyModifiedWire)

_SORTED_BY: Final = {"createdon": True, "modifiedon": False}
"""What is sorted by, and whether it is CreatedOn."""

_FLAGS: Final = {"1": True, "true": True, "0": False, "false": False, "": False}


def parse_recently_modified(
    body: bytes | None, *, content_type: str, body_bytes_max: int
) -> AskedRecentlyModified:
    """What is asked. An end of the span that is not named is open.

    Raises an ApiError with status 400 or 413 that names the place.
    """
    message = decode_optional_body(
        _MESSAGE, body, content_type=content_type, body_bytes_max=body_bytes_max
    )
    named = message.Parameter
    parameter = named if isinstance(named, RecentlyModifiedParameterWire) else _NOTHING
    first = _span(parameter.FromDate, "FromDate")
    last = _span(parameter.ToDate, "ToDate")
    if first and last and first.first > last.last:
        raise InvalidValue(
            "$.Parameter.FromDate is after $.Parameter.ToDate, so nothing is between them."
            " Exchange them."
        )
    return AskedRecentlyModified(
        from_date=first.first if first else None,
        to_date=last.last if last else None,
        event_code=_event_code(parameter.ActivityEvent),
        with_custom_fields=_flag(parameter.IncludeCustomFields),
        page=page_of(message.Paging, rows_default=RECENTLY_MODIFIED_ROWS_DEFAULT),
        by_created_on=_by_created_on(sort_name_of(message.Sorting)),
        is_descending=is_descending(message.Sorting),
    )


_NOTHING: Final = RecentlyModifiedParameterWire()


def _span(value: str | UnsetType | None, name: str) -> Span | None:
    if not isinstance(value, str) or not value.strip():
        return None
    try:
        return span_of(value)
    except ValueError:
        raise InvalidValue(
            f"$.Parameter.{name}: {quoted(value)} is no date. Send one like 2024-02-29 13:05:09"
            " or 2024-02-29 (UTC)."
        ) from None


def _event_code(value: Number | UnsetType | None) -> int | None:
    text = "" if value is None or isinstance(value, UnsetType) else str(value).strip()
    code = number_of(text)
    if text and code is None:
        raise InvalidValue(
            f"$.Parameter.ActivityEvent: {quoted(text)} is no event code. Send a number like 12000."
        )
    return code


def _flag(value: FieldValue | UnsetType) -> bool:
    text = "" if value is None or value is UNSET else str(value).strip().lower()
    found = _FLAGS.get(text)
    if found is None:
        raise InvalidValue(
            f"$.Parameter.IncludeCustomFields: {quoted(text)} is neither yes nor no. Send 1 or 0."
        )
    return found


def _by_created_on(sort_name: str | None) -> bool:
    if sort_name is None:
        return False
    by_created_on = _SORTED_BY.get(sort_name.casefold())
    if by_created_on is None:
        raise InvalidValue(
            f"$.Sorting.ColumnName: {quoted(sort_name)} cannot be sorted by here. Send CreatedOn or"
            " ModifiedOn."
        )
    return by_created_on
