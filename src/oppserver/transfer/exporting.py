"""A store into a file: page by page in the order of ids, which nothing on the way changes.

An opportunity that changes while an export runs is in it as it was when its page was read.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from oppserver.contract.columns import CUSTOM_COLUMNS
from oppserver.contract.errors import InvalidFile
from oppserver.contract.model import Catalogue
from oppserver.formats.csv import csv_header, csv_rows
from oppserver.formats.ndjson import ndjson_rows
from oppserver.formats.parquet import ParquetRecords
from oppserver.store import Store
from oppserver.transfer.files import EXPORT_PAGE_ROWS, Format
from oppserver.transfer.records import MEMBER_COLUMNS, members_of

_Row = Mapping[str, str | int]

_Write = Callable[[Sequence[_Row]], object]


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


@contextmanager
def _writer(file: BinaryIO, form: Format, names: Sequence[str]) -> Iterator[_Write]:
    if form is Format.NDJSON:
        yield lambda rows: file.write(ndjson_rows(rows))
    elif form is Format.CSV:
        file.write(csv_header(names))
        yield lambda rows: file.write(csv_rows(names, rows))
    else:
        writer = ParquetRecords(file, names, integers=["EventCode"])
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
