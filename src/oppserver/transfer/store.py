"""Opportunities into a store, out of the lines of files, and out of it into a file.

An import goes in batches, each whole or not at all; a line that cannot be stored is reported with
why, in the order of lines. A batch is read while the store writes the one before, on another
thread: two are in memory at most, whatever the size of the file.

An export goes page by page in the order of ids, which nothing on the way changes. An opportunity
that changes while it runs is in the file as it was when its page was read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import BinaryIO, Final, TypeAlias

import msgspec

from oppserver.contract.columns import CUSTOM_COLUMNS
from oppserver.contract.errors import InvalidFile, RejectedLine, StoppedImport
from oppserver.contract.model import Catalogue, ColumnBlock, Written
from oppserver.formats.csv import csv_header, csv_rows
from oppserver.formats.ndjson import ndjson_rows
from oppserver.formats.parquet import ParquetRecords
from oppserver.store import Store
from oppserver.transfer.files import EXPORT_PAGE_ROWS, Format, Line
from oppserver.transfer.records import (
    MEMBER_COLUMNS,
    FieldSet,
    TypedFields,
    blocks_of,
    members_of,
    sets_of,
    typed_fields,
)

_Row = Mapping[str, str | int]

_Write = Callable[[Sequence[_Row]], object]

# --- import --------------------------------------------------------------------------------------

_PART_LINES: Final = 10_000
"""Lines that are checked together. Ours: enough of each set of names for checks of whole columns,
and the members of no more lines are in memory than that."""

_PART_CHARACTERS: Final = 16 << 20
"""Characters of lines after which no more are checked together. Chosen: of usual lines there are
fewer, and a file whose lines are mistakes of a megabyte each takes no more memory than others."""

_Rules: TypeAlias = tuple[TypedFields, Mapping[int, Sequence[FieldSet]]]


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """A line that did not become an opportunity, and why."""

    reason: str
    line: Line


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of an import: lines that are durable, and lines that were rejected.

    Lines of which nobody can say how many records they are count one by one.
    """

    created: int = 0
    replaced: int = 0
    rejected: int = 0

    @property
    def stored(self) -> int:
        """Lines that are in the store."""
        return self.created + self.replaced


class Import:
    """One import. ``done`` is what it has done, also when it was stopped or interrupted."""

    def __init__(
        self,
        store: Store,
        *,
        batch_rows: int,
        now: Callable[[], str],
        on_reject: Callable[[Rejection], None] | None,
    ) -> None:
        """``on_reject`` gets each bad line, in order; None stops at the first one."""
        self._store = store
        self._batch_rows = batch_rows
        self._now = now
        self._on_reject = on_reject
        self._rejected = 0
        self._written = Written(created=0, replaced=0)  # owner: _count, on a thread of the store

    @property
    def done(self) -> Imported:
        """Return the durable lines, and the number of rejected ones."""
        written = self._written
        return Imported(created=written.created, replaced=written.replaced, rejected=self._rejected)

    def run(self, lines: Iterable[Line]) -> Imported:
        """Imports all lines. Raises StoppedImport at a bad line, and what the store raises.

        Batches that were written before stay; the batch of the bad line is not written.
        """
        self._store.load(self._batches(iter(lines)), now=self._now, on_written=self._count)
        return self.done

    def _count(self, written: Written) -> None:
        before = self._written
        self._written = Written(
            created=before.created + written.created, replaced=before.replaced + written.replaced
        )

    def _batches(self, lines: Iterator[Line]) -> Iterator[list[ColumnBlock]]:
        has_more = True
        while has_more:
            catalogue = self._store.catalogue()
            rules = typed_fields(catalogue), sets_of(catalogue)
            batch: list[ColumnBlock] = []
            read = 0
            while has_more and read < self._batch_rows:
                rows = min(_PART_LINES, self._batch_rows - read)
                number, blocks = self._blocks(lines, rules, first=read, rows=rows)
                batch += blocks
                read += number
                has_more = number > 0
            if batch:
                yield batch

    def _blocks(
        self, lines: Iterator[Line], rules: _Rules, *, first: int, rows: int
    ) -> tuple[int, list[ColumnBlock]]:
        """Read some lines and check them; their number, and those that can be stored.

        Without a line, there are no more.
        """
        part: list[Line] = []
        characters = 0
        try:
            for line in islice(lines, rows):
                part.append(line)
                characters += _characters_of(line)
                if characters > _PART_CHARACTERS:
                    break
        except Exception:
            self._checked(part, rules, first=first)  # its bad lines come before the file's fault
            raise
        return len(part), self._checked(part, rules, first=first)

    def _checked(self, part: Sequence[Line], rules: _Rules, *, first: int) -> list[ColumnBlock]:
        """The lines that can be stored. The others are reported, in order."""
        errors = {}
        members = {}
        for place, line in enumerate(part, first):
            if isinstance(line.members, RejectedLine):
                errors[place] = str(line.members)
            else:
                members[place] = line.members
        blocks, others = blocks_of(members, *rules)
        for place, reason in sorted((errors | others).items()):
            self._reject(Rejection(reason=reason, line=part[place - first]))
        return blocks

    def _reject(self, rejection: Rejection) -> None:
        if self._on_reject is None:
            raise StoppedImport(f"{rejection.line.place}: {rejection.reason}")
        self._rejected += rejection.line.records
        self._on_reject(rejection)


def _characters_of(line: Line) -> int:
    if isinstance(line.raw, str):
        return len(line.raw)
    if isinstance(line.members, RejectedLine):
        return 0
    return sum(len(value) for value in line.members.values() if isinstance(value, str))


# --- export --------------------------------------------------------------------------------------


def export(
    store: Store,
    file: BinaryIO,
    *,
    form: Format,
    event_code: int | None,
    on_page: Callable[[int], None],
) -> int:
    """Write the opportunities of a type, or all, by id; return their number.

    ``on_page`` gets the number written so far.
    """
    names = _names(store.catalogue(), event_code)
    known = frozenset(names)
    count, after_id = 0, ""
    with _writer(file, form, names) as write:
        while True:
            page = store.read_opportunities(
                event_code=event_code, after_id=after_id, limit=EXPORT_PAGE_ROWS
            )
            if not page:
                return count
            rows = [members_of(one) for one in page]
            if form is not Format.NDJSON:
                _refuse_new_fields(rows, known)
            write(rows)
            count, after_id = count + len(page), page[-1].id
            on_page(count)


_MOMENTS: Final = ("CreatedOn", "ModifiedOn")
"""Columns that are moments in a typed file, as in those of ``fetch``."""


@contextmanager
def _writer(file: BinaryIO, form: Format, names: Sequence[str]) -> Iterator[_Write]:
    if form is Format.NDJSON:
        yield lambda rows: file.write(ndjson_rows(rows))
    elif form is Format.CSV:
        file.write(csv_header(names))
        yield lambda rows: file.write(csv_rows(names, rows))
    else:
        writer = ParquetRecords(file, names, integers=["EventCode"], moments=_MOMENTS)
        yield writer.write
        writer.close()  # not after a fault: its end would make the half before it look whole


def _names(catalogue: Catalogue, event_code: int | None) -> list[str]:
    """The columns of a file that has to say them before its rows."""
    codes = catalogue.types if event_code is None else (event_code,)
    fields = {name for code in codes for name in catalogue.fields.get(code, {})}
    slots = [column.name for column in CUSTOM_COLUMNS if column.name in fields]
    return [column.name for column in MEMBER_COLUMNS] + slots


def _refuse_new_fields(rows: Sequence[_Row], known: frozenset[str]) -> None:
    for row in rows:
        if new := row.keys() - known:
            raise InvalidFile(
                f"The field {min(new)} was added while the export ran, and its columns are"
                " written already. Run it again."
            )
