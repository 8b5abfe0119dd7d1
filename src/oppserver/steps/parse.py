"""From the bytes of a body to what was asked. Nothing is looked up here."""

import codecs
from typing import TypeVar

import msgspec

from oppserver.contract.errors import (
    BodyTooLarge,
    LimitExceeded,
    MalformedBody,
    MissingAttribute,
    WrongContentType,
    WrongDataType,
)
from oppserver.contract.limits import BULK_READ_GROUPS_MAX
from oppserver.contract.model import AskedGroup, BulkRead
from oppserver.contract.names import quoted
from oppserver.contract.wire import GetOpportunitiesByIdWire, SearchParameterWire

_T = TypeVar("_T")

_BULK_READ = msgspec.json.Decoder(GetOpportunitiesByIdWire)


def parse_bulk_read(body: bytes | None, *, content_type: str, body_bytes_max: int) -> BulkRead:
    """What a ``GetOpportunitiesById`` asks. ``body`` None: it was longer than ``body_bytes_max``.

    Raises an ApiError with status 400 or 413 that names the place and what was expected.
    """
    message = _decode(_BULK_READ, body, content_type=content_type, body_bytes_max=body_bytes_max)
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
    return BulkRead(
        groups=[_group(entry, index) for index, entry in enumerate(message.SearchParameters)]
    )


def _decode(
    decoder: msgspec.json.Decoder[_T], body: bytes | None, *, content_type: str, body_bytes_max: int
) -> _T:
    if body is None:
        raise BodyTooLarge(
            f"The body is larger than {body_bytes_max} bytes. Ask for fewer opportunities per call."
        )
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise WrongContentType(
            f"Content-Type is {quoted(media_type)}; set it to 'application/json'"
        )
    try:
        text = body.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedBody(f"The body is not UTF-8: byte {error.start} is none of it") from None
    if not text.strip():
        raise MalformedBody("The request has no body. Send a JSON object with SearchParameters.")
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        raise WrongDataType(_wrong_type(str(error))) from None
    except msgspec.DecodeError as error:
        raise MalformedBody(f"The body is not JSON: {error}") from None
    except RecursionError:
        raise MalformedBody("The body is nested too deeply to be a request") from None


def _wrong_type(reason: str) -> str:
    # msgspec says "Expected `str`, got `int` - at `$.SearchParameters[0].Columns`"
    expected, _, place = reason.partition(" - at ")
    return f"{place.strip('`') or '$'}: {expected.replace('`', '')}"


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
