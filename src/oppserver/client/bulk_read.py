"""``GetOpportunitiesById``: from a chunk of ids to a call, and from its answer to a batch."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from oppserver.client.calls import Call, decoded, not_understood, post
from oppserver.client.errors import InvalidCall
from oppserver.client.packing import Chunk
from oppserver.client.rows import Opportunity, text_of
from oppserver.contract.identifiers import canonical_guid

NAME: Final = "GetOpportunitiesById"
_ID: Final = "ProspectActivityId"


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """The opportunities of one call.

    ``rows`` has a row for each of ``ids`` that the host has, in their order; ``missing`` has the
    others, each once: unknown, deleted, of another type, or not to be seen with these keys. A page
    of a list has neither, and ``total``: how many rows there are on all pages.
    """

    rows: Sequence[Opportunity]
    ids: Sequence[str] = ()
    missing: Sequence[str] = ()
    total: int | None = None


class _Entry(msgspec.Struct):
    """An entry of the answer, as it is documented: every value is a text or null."""

    RecordCount: int | str = -1
    Opportunities: list[dict[str, str | None]] | None = None


class _LooseEntry(msgspec.Struct):
    """An entry whose values are of any type."""

    RecordCount: int | str = -1
    Opportunities: list[dict[str, Any]] | None = None


_DECODER: Final = msgspec.json.Decoder(list[_Entry])
_LOOSE_DECODER: Final = msgspec.json.Decoder(list[_LooseEntry])


def bulk_read(chunk: Chunk, *, event_code: str, columns: str) -> Call[Batch]:
    """The call for a chunk; its result has the rows in the order of the chunk's ids."""
    message = {
        "SearchParameters": [
            {
                "EventCode": event_code,
                "ProspectActivityId": chunk.distinct,
                "Columns": {"Include_CSV": columns},
            }
        ]
    }
    return post(NAME, message, partial(_read, chunk))


def as_event_code(code: int | str) -> str:
    """An event code as the call takes it. Raises InvalidCall when it is none."""
    text = str(code).strip()
    if not (text.isascii() and text.isdecimal()):
        raise InvalidCall(f"event_code is {text!r}; pass a type's event code, such as 12000.")
    return text


def as_columns(columns: str | Iterable[str]) -> str:
    """Column names as ``Include_CSV`` takes them. Raises InvalidCall when there are none."""
    names = columns.split(",") if isinstance(columns, str) else columns
    joined = ",".join(name.strip() for name in names if name.strip())
    if not joined:
        raise InvalidCall(
            "columns is empty. Name at least one, for example columns=['Status', 'mx_Custom_1']."
        )
    return joined


def _read(chunk: Chunk, body: bytes) -> Batch:
    found = {row[_ID]: row for row in _rows(body)}
    if not found.keys() <= set(chunk.distinct):
        found = {canonical_guid(str(one)) or one: row for one, row in found.items()}
    missing = [one for one in chunk.distinct if one not in found]
    kept = [found[one] for one in chunk.asked if one in found]
    return Batch(ids=chunk.asked, rows=list(map(Opportunity, kept)), missing=missing)


def _rows(body: bytes) -> list[dict[str, str | None]]:
    """The rows of all entries: a host may answer a row in the entry of its real type."""
    entries: Sequence[_Entry | _LooseEntry]
    try:
        entries = _DECODER.decode(body)
    except msgspec.ValidationError:
        entries = [_as_text(entry) for entry in decoded(_LOOSE_DECODER, body, name=NAME)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise not_understood(NAME, str(error)) from None
    rows: list[dict[str, str | None]] = []
    for entry in entries:
        of_entry = entry.Opportunities or []
        _check(entry.RecordCount, of_entry)
        rows += of_entry
    return rows


def _as_text(entry: _LooseEntry) -> _LooseEntry:
    rows = [
        {name: text_of(value) for name, value in row.items()} for row in entry.Opportunities or ()
    ]
    return _LooseEntry(RecordCount=entry.RecordCount, Opportunities=rows)


def _check(count: int | str, rows: Sequence[dict[str, Any]]) -> None:
    """Refuses rows without an id, and fewer rows than the host says there are.

    What the host has cut would else be told as missing.
    """
    if not all(_ID in row for row in rows):
        raise not_understood(NAME, f"a row has no {_ID}")
    if str(count).strip().isdecimal() and int(count) > len(rows):
        raise not_understood(NAME, f"it says {count} rows and has {len(rows)}")
