"""``GetOpportunitiesById``: from any number of ids to calls, and from an answer to a batch."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final, TypeAlias
from uuid import UUID

import msgspec

from oppserver.client.calls import HostCall, decoded, not_understood, reading_call
from oppserver.client.conditions import as_columns, as_event_code
from oppserver.client.errors import InvalidCall
from oppserver.client.rows import Opportunity, text_of
from oppserver.contract.identifiers import all_canonical, canonical_guid
from oppserver.contract.limits import BULK_READ_IDS_MAX
from oppserver.contract.names import quoted

Id: TypeAlias = str | UUID
"""The id of an opportunity: a UUID, or a GUID as text in any usual form."""

_IDS_OF_ONE_CALL_MAX: Final = 10 * BULK_READ_IDS_MAX
"""Ids of one call, with repeated ones: bounds memory, however often an id is repeated."""

_NAME: Final = "GetOpportunitiesById"

_ID: Final = "ProspectActivityId"


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """The ids of one call: ``asked`` in the caller's order, ``distinct`` without repeated ids."""

    asked: Sequence[str]
    distinct: Sequence[str]


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """The opportunities of one call.

    A read by id has the ``ids`` asked for, a row in ``rows`` for each id that the host found, in
    the same order, and the other ids in ``missing``, each once: unknown, deleted, of another type,
    or hidden from these keys. A page of a list has ``total``, the number of rows on all pages.
    """

    rows: Sequence[Opportunity]
    ids: Sequence[str] = ()
    missing: Sequence[str] = ()
    total: int | None = None


class BulkPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments that all calls of a read by id share."""

    event_code: str
    columns: str

    @classmethod
    def of(cls, event_code: int | str, columns: str | Iterable[str]) -> "BulkPlan":
        """Check the arguments. Raises InvalidCall."""
        code, names = as_event_code(event_code), as_columns(columns)
        if not names:
            raise InvalidCall(
                "columns is empty. Name at least one, for example columns=['Status',"
                " 'mx_Custom_1']."
            )
        return cls(event_code=code, columns=names)

    def call(self, chunk: Chunk) -> HostCall[Batch]:
        """The call for a chunk; its rows are in the order of the chunk's ids."""
        message = {
            "SearchParameters": [
                {
                    "EventCode": self.event_code,
                    "ProspectActivityId": chunk.distinct,
                    "Columns": {"Include_CSV": self.columns},
                }
            ]
        }
        return reading_call(_NAME, message, partial(_read, chunk))


# --- ids ---------------------------------------------------------------------------------------


def chunks(ids: Iterable[Id]) -> Iterator[Chunk]:
    """Cut ids into chunks. Takes no more ids than the next chunk needs."""
    if isinstance(ids, (str, bytes)):
        raise InvalidCall("ids is one text; pass a list of ids, or another iterable of them.")
    packer, source = _Packer(), iter(ids)
    while batch := list(islice(source, packer.room)):
        packer.add(batch)
        if not packer.room and (chunk := packer.take()):
            yield chunk
    if last := packer.take():
        yield last


async def async_chunks(ids: Iterable[Id] | AsyncIterable[Id]) -> AsyncIterator[Chunk]:
    """The same for an ``async`` iterable too."""
    if not isinstance(ids, AsyncIterable):
        for chunk in chunks(ids):
            yield chunk
        return
    packer = _Packer()
    batch: list[Id] = []
    async for one in ids:
        batch.append(one)
        if len(batch) == packer.room:
            packer.add(batch)
            batch = []
            if not packer.room and (full := packer.take()):
                yield full
    packer.add(batch)
    if last := packer.take():
        yield last


class _Packer:
    """Packs ids into a chunk. Add at most ``room`` ids at a time; take the chunk at no room."""

    def __init__(self) -> None:
        self._asked: list[str] = []
        self._distinct: dict[str, None] = {}
        self._taken = 0

    @property
    def room(self) -> int:
        """The number of ids that can be added now; 0 if the chunk is full."""
        if len(self._asked) >= _IDS_OF_ONE_CALL_MAX:
            return 0
        return BULK_READ_IDS_MAX - len(self._distinct)

    def add(self, ids: Sequence[Id]) -> None:
        """Add ids. Raises InvalidCall at an invalid one, with its place from 0."""
        texts = _as_text(ids, first=self._taken + len(self._asked))
        self._asked += texts
        self._distinct.update(dict.fromkeys(texts))

    def take(self) -> Chunk | None:
        """The chunk of the ids added since the last one; None if there are none."""
        if not self._asked:
            return None
        chunk = Chunk(asked=self._asked, distinct=list(self._distinct))
        self._taken += len(self._asked)
        self._asked, self._distinct = [], {}
        return chunk


def _as_text(ids: Sequence[Id], *, first: int) -> list[str]:
    """Ids in canonical form; ``first`` is the place of the first one, for errors."""
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
            f"ids[{place}]: {quoted(text)} is not a GUID. Expected a form like"
            " 24cf277e-70fe-4b2f-a9c2-9a68f45feaba"
        )
    return guid


# --- answers -----------------------------------------------------------------------------------


class _Entry(msgspec.Struct):
    """An entry of the answer as documented: every value is a text or null."""

    RecordCount: int | str = -1
    Opportunities: list[dict[str, str | None]] | None = None


class _LooseEntry(msgspec.Struct):
    """An entry with values of any type."""

    RecordCount: int | str = -1
    Opportunities: list[dict[str, Any]] | None = None


_DECODER: Final = msgspec.json.Decoder(list[_Entry])

_LOOSE_DECODER: Final = msgspec.json.Decoder(list[_LooseEntry])


def _read(chunk: Chunk, body: bytes) -> Batch:
    found = {row[_ID]: row for row in _rows(body)}
    if not found.keys() <= set(chunk.distinct):
        found = {canonical_guid(str(one)) or one: row for one, row in found.items()}
    missing = [one for one in chunk.distinct if one not in found]
    kept = [found[one] for one in chunk.asked if one in found]
    return Batch(ids=chunk.asked, rows=list(map(Opportunity, kept)), missing=missing)


def _rows(body: bytes) -> list[dict[str, str | None]]:
    """The rows of all entries: a host may put a row into the entry of its actual type."""
    entries: Sequence[_Entry | _LooseEntry]
    try:
        entries = _DECODER.decode(body)
    except msgspec.ValidationError:
        entries = [_with_texts(entry) for entry in decoded(_LOOSE_DECODER, body, name=_NAME)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise not_understood(_NAME, str(error)) from None
    rows: list[dict[str, str | None]] = []
    for entry in entries:
        of_entry = entry.Opportunities or []
        _check(entry.RecordCount, of_entry)
        rows += of_entry
    return rows


def _with_texts(entry: _LooseEntry) -> _LooseEntry:
    rows = [
        {name: text_of(value) for name, value in row.items()} for row in entry.Opportunities or ()
    ]
    return _LooseEntry(RecordCount=entry.RecordCount, Opportunities=rows)


def _check(count: int | str, rows: Sequence[dict[str, Any]]) -> None:
    """Reject rows without an id, and fewer rows than the host's count.

    Rows that the host cut off would otherwise be reported as missing.
    """
    if not all(_ID in row for row in rows):
        raise not_understood(_NAME, f"a row has no {_ID}")
    if str(count).strip().isdecimal() and int(count) > len(rows):
        raise not_understood(_NAME, f"it says {count} rows and has {len(rows)}")
