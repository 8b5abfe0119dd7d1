"""``GetOpportunitiesById``: from a chunk of ids to a call, and from its answer to a batch."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final, TypeAlias
from uuid import UUID

import msgspec

from oppserver.client.calls import HostCall, decoded, not_understood, post
from oppserver.client.errors import InvalidCall
from oppserver.client.rows import Opportunity, text_of
from oppserver.contract.identifiers import all_canonical, canonical_guid
from oppserver.contract.limits import BULK_READ_IDS_MAX
from oppserver.contract.names import quoted

Id: TypeAlias = str | UUID
"""An opportunity's id: a GUID, as text in any usual form, or a UUID."""

_IDS_OF_ONE_CALL_MAX: Final = 10 * BULK_READ_IDS_MAX
"""Ids of one call, repeated ones counted: however often the same ids come, memory is bounded."""


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """The ids of one call: ``asked`` as they came, repeated ones too, and each of them once."""

    asked: Sequence[str]
    distinct: Sequence[str]


class Packer:
    """Packs ids. Feed it at most ``room`` ids at a time, until ``is_full``, and take the chunk."""

    def __init__(self) -> None:
        self._asked: list[str] = []
        self._distinct: dict[str, None] = {}
        self._taken = 0

    @property
    def room(self) -> int:
        """Ids that can be added now; none when the chunk is full."""
        if len(self._asked) >= _IDS_OF_ONE_CALL_MAX:
            return 0
        return BULK_READ_IDS_MAX - len(self._distinct)

    def add(self, ids: Sequence[Id]) -> None:
        """Adds ids. Raises InvalidCall at one that is no GUID, naming its place from 0."""
        texts = ids_as_text(ids, first=self._taken + len(self._asked))
        self._asked += texts
        self._distinct.update(dict.fromkeys(texts))

    def take(self) -> Chunk | None:
        """What was added, as a chunk; None when nothing was. The packer is empty afterwards."""
        if not self._asked:
            return None
        chunk = Chunk(asked=self._asked, distinct=list(self._distinct))
        self._taken += len(self._asked)
        self._asked, self._distinct = [], {}
        return chunk


def ids_as_text(ids: Sequence[Id], *, first: int = 0) -> list[str]:
    """Ids in canonical form. Raises InvalidCall at one that is none; ``first`` is their place."""
    texts = [one if isinstance(one, str) else _text(one, first + n) for n, one in enumerate(ids)]
    if all_canonical(texts):
        return texts
    return [_canonical(text, first + n) for n, text in enumerate(texts)]


def _text(one: object, place: int) -> str:
    if isinstance(one, UUID):
        return str(one)
    raise InvalidCall(f"ids[{place}] is a {type(one).__name__}; pass a GUID as str, or a UUID.")


def _canonical(text: str, place: int) -> str:
    guid = canonical_guid(text)
    if guid is None:
        raise InvalidCall(
            f"ids[{place}]: {quoted(text)} is no GUID. Expected a form like"
            " 24cf277e-70fe-4b2f-a9c2-9a68f45feaba"
        )
    return guid


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


def bulk_read(chunk: Chunk, *, event_code: str, columns: str) -> HostCall[Batch]:
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
