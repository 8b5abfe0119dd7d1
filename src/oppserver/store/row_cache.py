"""Cached rows of bulk reads, rendered, for callers that ask for the same ids again.

The problem. Most of a bulk read's time is finding its rows in a large file. Dashboards ask for the
same ids all day. But no read may be older than a write that returned before it (``port.py``), and
other processes write without telling this one.

The invariant. Every cached row is the row of the cache's place: a timeline and the numbers of the
last changes (``sql/changes.py``). A row is answered from the cache only when the store's numbers,
asked for in this call, are exactly those of the place.

Why it holds.
- Whatever changes a row takes a change number in the same transaction; so equal numbers mean that
  no row has changed. An owner's new address changes many rows under one number of its own, and
  drops the forms that show addresses.
- When the numbers have risen, the changed ids are read in the same snapshot as the missing rows,
  and dropped before the place moves. A call that reads an older snapshot than the place neither
  takes rows from the cache nor adds any.
- Place and rows are read and written under one lock. Nobody waits for the store under it.

What breaks it. A program that writes to the tables without taking numbers. A promoted standby that
lacks the last writes gives their numbers again; so another timeline drops everything. Shards, whose
rows become visible one shard after the other, after the number: there the cache has to be off.

What it costs. A call whose ids nobody asked for before looks at eight of them and is not cached.
Two generations bound the bytes: used rows move to the young one, and the old one goes when the
young one has half of the room.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from oppserver.contract.columns import ID_COLUMN, Column
from oppserver.formats.ndjson import pieces_of, rows_of
from oppserver.store.port import Snapshot, Store
from oppserver.store.queries import Change, ChangeNumbers, Plan, PlannedEntry, RenderedRows

CACHED_ROW_BYTES: Final = 220
"""Bytes that a kept row takes beside its text. Measured: the id, two object headers, its place."""

ROW_CACHE_PROBES: Final = 4
"""Ids at the start and at the end of a call that tell whether its rows were asked for before. Ours:
a list that grows at one end is still recognised, and one that is new costs a few look-ups."""

ROW_CACHE_SEEN_MAX: Final = 65_536
"""Ids that are remembered as asked for before all are forgotten; about 10 MB. Ours."""

ROW_CACHE_CHANGES_MAX: Final = 2_000
"""Changes that are looked up to find the kept rows they touch; after more, all are dropped. Ours:
as many as one call could read anew."""

_Form = tuple[int, tuple[Column, ...]]
"""The form of a row: the type it is read as, and its columns. With the id it makes the bytes."""

_Pieces = dict[str, bytes]
"""Rows by id, without the bytes that all rows of the form share. Empty: no such row."""

Place = tuple[int, ChangeNumbers]
"""A place in the history of a store: its timeline_id, asked for after the numbers, and how far
changes were."""


class PlacedRows(NamedTuple):
    """The rows of each entry, and their place; None for rows that the cache has no part in."""

    rows: list[RenderedRows]
    place: Place | None


_NOTHING: Final[Mapping[str, bytes]] = {}

_BEFORE_ID: Final = b'"%b":"' % ID_COLUMN.name.encode()
"""Within a value, the quotes around the name would be escaped."""

_ID_CHARACTERS: Final = 36


class RowCache:
    """Rows that were asked for more than once, in about ``bytes_max`` bytes.

    Owns the rows, the place they belong to, and the ids seen so far.
    ``on_read`` gets the numbers of each call: rows from the cache, and rows from the store.
    """

    def __init__(self, *, bytes_max: int, on_read: Callable[[int, int], None]) -> None:
        self._lock: Final = threading.Lock()
        self._kept: Final = _Generations(bytes_max)
        self._at: Place = (0, ChangeNumbers(last=0, addresses=0))
        self._seen: Final[set[tuple[_Form, str]]] = set()
        self._on_read: Final = on_read

    def bulk_read(self, store: Store, plan: Plan) -> PlacedRows:
        """Read rows, as ``Store.bulk_read``, for entries with the column of ids."""
        ids = sum(len(entry.ids) for entry in plan.entries)
        if not self._is_promising(plan):
            rows = store.bulk_read(plan)
            self._on_read(0, ids)
            return PlacedRows(rows, None)
        numbers = store.change_numbers()
        place = store.timeline_id(), numbers
        kept = self._all_kept(plan, place)
        if kept is not None:
            self._on_read(ids, 0)
            return PlacedRows(kept, place)
        placed, fetched = store.read(partial(self._bulk_read, store=store, plan=plan))
        self._on_read(ids - fetched, fetched)
        return placed

    # --- whether to keep rows at all

    def _is_promising(self, plan: Plan) -> bool:
        """Return true when most of a sample of the call's ids are cached or were asked for before.

        The price of rows that nobody asks for again is to look at these few.
        """
        probes = _probes(plan)
        with self._lock:
            known = sum(map(self._is_known, probes))
            is_promising = 2 * known >= len(probes) > 0
            if len(self._seen) > ROW_CACHE_SEEN_MAX:
                self._seen.clear()
            self._seen.update(probes)
            return is_promising

    def _is_known(self, probe: tuple[_Form, str]) -> bool:
        form, one = probe
        return probe in self._seen or self._kept.has(form, one)

    # --- reading

    def _all_kept(self, plan: Plan, at: Place) -> list[RenderedRows] | None:
        """The answer of that moment, or None where a row is not kept."""
        with self._lock:
            if self._at != at:
                return None
            found = []
            for entry in plan.entries:
                pieces = self._kept.all_of(_form(entry), entry.ids)
                if pieces is None:
                    return None
                found.append(pieces)
        return [_joined(entry, pieces) for entry, pieces in zip(plan.entries, found, strict=True)]

    def _bulk_read(self, snapshot: Snapshot, *, store: Store, plan: Plan) -> tuple[PlacedRows, int]:
        """The rows of a moment, and for how many ids the store was asked."""
        numbers = snapshot.change_numbers()
        at = store.timeline_id(), numbers
        self._follow(snapshot, at)
        rows, fetched = [], 0
        for entry in plan.entries:
            pieces = self._pieces(entry, at)
            missing = [one for one in entry.ids if one not in pieces]
            if missing:
                pieces |= _fetched(snapshot, entry, missing)
                self._keep(entry, {one: pieces[one] for one in missing}, at)
            rows.append(_joined(entry, [pieces[one] for one in entry.ids]))
            fetched += len(missing)
        return PlacedRows(rows, at), fetched

    def _pieces(self, entry: PlannedEntry, at: Place) -> _Pieces:
        """Return the cached rows of an entry, if they are of that snapshot."""
        with self._lock:
            if self._at != at:
                return {}
            return self._kept.some_of(_form(entry), entry.ids)

    def _keep(self, entry: PlannedEntry, pieces: _Pieces, at: Place) -> None:
        with self._lock:
            if self._at == at:
                self._kept.add(_form(entry), pieces)

    # --- following what is written

    def _follow(self, snapshot: Snapshot, at: Place) -> None:
        """Drops what has changed up to a moment; does nothing when that is past already."""
        known = self._at
        if (at[0], at[1].last) <= (known[0], known[1].last):
            return
        (timeline_id, numbers), (timeline_id_before, before) = at, known
        many = numbers.last - before.last
        is_lost = timeline_id != timeline_id_before or many > ROW_CACHE_CHANGES_MAX
        changes: list[Change] = []
        if not is_lost and not self._kept.is_empty:
            changes = snapshot.changes(
                after=before.last, until=numbers.last, limit=many, event_code=None
            )
        with self._lock:
            if self._at != known:
                return  # another call follows too; this one reads what it does not find
            if is_lost:
                self._kept.clear()
            self._kept.drop(change.id for change in changes)
            if numbers.addresses != before.addresses:
                self._kept.drop_forms(_shows_addresses)
            self._at = at


class _Generations:
    """Pieces by form and id, in two generations: what is used moves to the young one.

    When the young one fills half of the bytes it becomes the old one, and the old one goes.
    """

    def __init__(self, bytes_max: int) -> None:
        self._half_bytes: Final = bytes_max // 2
        self.clear()

    def clear(self) -> None:
        self._young: dict[_Form, _Pieces] = {}
        self._old: dict[_Form, _Pieces] = {}
        self._young_bytes = 0

    @property
    def is_empty(self) -> bool:
        return not self._young and not self._old

    def has(self, form: _Form, one: str) -> bool:
        return one in self._young.get(form, _NOTHING) or one in self._old.get(form, _NOTHING)

    def all_of(self, form: _Form, ids: Sequence[str]) -> list[bytes] | None:
        """The pieces of ids in their order; None unless all are young, which is quick to tell."""
        young = self._young.get(form, _NOTHING)
        try:
            return list(map(young.__getitem__, ids))
        except KeyError:
            return None

    def some_of(self, form: _Form, ids: Iterable[str]) -> _Pieces:
        """The pieces of those ids that have one, which are young from now on."""
        young, old = self._young.get(form, _NOTHING), self._old.get(form, {})
        pieces = {one: young[one] for one in ids if one in young}
        again = {one: old.pop(one) for one in ids if one in old}
        self.add(form, again)
        return pieces | again

    def add(self, form: _Form, pieces: _Pieces) -> None:
        self._young.setdefault(form, {}).update(pieces)
        self._young_bytes += sum(map(len, pieces.values())) + CACHED_ROW_BYTES * len(pieces)
        if self._young_bytes > self._half_bytes:
            self._old, self._young, self._young_bytes = self._young, {}, 0

    def drop(self, ids: Iterable[str]) -> None:
        for one in ids:
            for generation in (self._young, self._old):
                for pieces in generation.values():
                    pieces.pop(one, None)

    def drop_forms(self, is_dropped: Callable[[_Form], bool]) -> None:
        for generation in (self._young, self._old):
            for form in [form for form in generation if is_dropped(form)]:
                del generation[form]


def _form(entry: PlannedEntry) -> _Form:
    return entry.event_code, entry.columns


def _probes(plan: Plan) -> list[tuple[_Form, str]]:
    return [
        (_form(entry), one)
        for entry in plan.entries
        for one in (*entry.ids[:ROW_CACHE_PROBES], *entry.ids[-ROW_CACHE_PROBES:])
    ]


def _shows_addresses(form: _Form) -> bool:
    return any(column.stored == "owner_email" for column in form[1])


# --- rows and their pieces ---------------------------------------------------------------------


def _fetched(snapshot: Snapshot, entry: PlannedEntry, ids: Sequence[str]) -> _Pieces:
    """The pieces of ids as the store has them."""
    asked = PlannedEntry(event_code=entry.event_code, ids=ids, columns=entry.columns)
    (rows,) = snapshot.bulk_read(Plan(entries=(asked,)))
    pieces = dict.fromkeys(ids, b"")
    for piece in pieces_of(rows.json, first=entry.columns[0].name):
        start = piece.index(_BEFORE_ID) + len(_BEFORE_ID)
        pieces[piece[start : start + _ID_CHARACTERS].decode()] = piece
    assert len(pieces) == len(ids), "the store answers what it was asked for"
    return pieces


def _joined(entry: PlannedEntry, pieces: Iterable[bytes]) -> RenderedRows:
    found = list(filter(None, pieces))
    return RenderedRows(count=len(found), json=rows_of(found, first=entry.columns[0].name))
