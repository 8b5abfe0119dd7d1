"""The rows of a read, as they arrive: typed rows, dicts, Arrow record batches or data frames.

pyarrow and pandas are imported on first use; ``oppserver[dataframe]`` installs them.
"""

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import aclosing, closing
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar

from oppserver.client.bulk_read import Batch
from oppserver.client.errors import InvalidCall
from oppserver.client.rows import Opportunity
from oppserver.contract.columns import (
    IDENTITY_COLUMNS,
    OWNER_COLUMN,
    OWNER_EMAIL_COLUMN,
    column_named,
)
from oppserver.contract.names import quoted

Item = TypeVar("Item")

Whole = TypeVar("Whole")

OnMissing: TypeAlias = Callable[[Sequence[str]], None]

RowsAs: TypeAlias = Literal["row", "dict", "arrow", "dataframe"]

RowDict: TypeAlias = dict[str, str | None]

ArrowBatch: TypeAlias = Any
"""A ``pyarrow.RecordBatch``; pyarrow has no types."""

ArrowTable: TypeAlias = Any
"""A ``pyarrow.Table``."""

DataFrame: TypeAlias = Any
"""A ``pandas.DataFrame``."""

_DATES: Final = frozenset({"CreatedOn", "ModifiedOn"})

_CODE: Final = "EventCode"


@dataclass(frozen=True, kw_only=True, slots=True)
class Form(Generic[Item, Whole]):
    """A form of rows: ``items`` converts the rows of one call, ``whole`` joins all items."""

    items: Callable[[Sequence[Opportunity]], Iterable[Item]]
    whole: Callable[[list[Item]], Whole]


def form_of(rows_as: str, columns: str | None) -> Form[Any, Any]:
    """The form with a name. ``columns`` None: the columns of the first rows.

    Raises InvalidCall if there is no such form, or its library is not installed.
    """
    if rows_as == "row":
        return Form(items=lambda rows: rows, whole=list)
    if rows_as == "dict":
        return Form(items=lambda rows: [row.to_dict() for row in rows], whole=list)
    if rows_as == "arrow":
        arrow = Arrow(columns)
        return Form(items=lambda rows: [arrow.batch(rows)], whole=arrow.table)
    if rows_as == "dataframe":
        _library("pandas")
        arrow = Arrow(columns)
        return Form(items=lambda rows: [arrow.batch(rows).to_pandas()], whole=arrow.frame)
    raise InvalidCall(f"rows_as is {quoted(rows_as)}; pass 'row', 'dict', 'arrow' or 'dataframe'.")


def answered_names(columns: str) -> list[str]:
    """The names of the columns, in order, in the host's answer to a request for columns."""
    names = [column.name for column in IDENTITY_COLUMNS]
    asked = [_canonical(name) for name in columns.split(",")]
    if OWNER_COLUMN.name in asked:
        asked = [name for name in asked if name != OWNER_EMAIL_COLUMN.name]
        asked.insert(asked.index(OWNER_COLUMN.name) + 1, OWNER_EMAIL_COLUMN.name)
    return list(dict.fromkeys([*names, *asked]))


def _canonical(name: str) -> str:
    column = column_named(name)
    return column.name if column else name.strip()


class Arrow:
    """Rows as Arrow data: CreatedOn and ModifiedOn timestamps, EventCode a number, all else text.

    All batches of one read have the same schema.
    """

    def __init__(self, columns: str | None) -> None:
        self._library: Final = _library("pyarrow")
        self._schema: Any = None if columns is None else self._schema_of(answered_names(columns))

    def schema(self) -> Any:
        """The ``pyarrow.Schema`` of all batches; without columns until they are known."""
        return self._schema_of(()) if self._schema is None else self._schema

    def batch(self, rows: Sequence[Opportunity]) -> ArrowBatch:
        """Convert rows to a record batch."""
        if self._schema is None and rows:
            self._schema = self._schema_of(list(rows[0]))
        schema = self.schema()
        arrays = [
            self._library.array(_values(rows, field.name), type=field.type) for field in schema
        ]
        return self._library.RecordBatch.from_arrays(arrays, schema=schema)

    def table(self, batches: Sequence[ArrowBatch]) -> ArrowTable:
        """Join batches to one table."""
        return self._library.Table.from_batches(batches, schema=self.schema())

    def frame(self, frames: Sequence[DataFrame]) -> DataFrame:
        """Join data frames to one."""
        if not frames:
            return self.table([]).to_pandas()
        return _library("pandas").concat(frames, ignore_index=True)

    def _schema_of(self, names: Sequence[str]) -> Any:
        return self._library.schema([(name, self._type_of(name)) for name in names])

    def _type_of(self, name: str) -> Any:
        if name in _DATES:
            return self._library.timestamp("s", tz="UTC")
        return self._library.int64() if name == _CODE else self._library.string()


def _values(rows: Sequence[Opportunity], name: str) -> list[Any]:
    if name in _DATES:
        return [row.date(name) if name in row else None for row in rows]
    if name == _CODE:
        return [row.event_code if name in row else None for row in rows]
    return [row.get(name) for row in rows]


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise InvalidCall(f"This form of rows needs {name}: pip install {name}") from None


# --- rows as they arrive -----------------------------------------------------------------------


class Findings:
    """Facts about a read besides its rows, complete when all rows are read.

    ``missing`` has the ids without a row, each once per call; it stays empty if ``on_missing``
    receives them. ``total`` is the number of rows on all pages of a list or search, known from the
    first page; None in a read by id.
    """

    def __init__(self, on_missing: OnMissing | None) -> None:
        self.missing: Final[list[str]] = []
        self.total: int | None = None
        self._on_missing: Final = on_missing

    def take(self, batch: Batch) -> None:
        """Record the facts of a batch."""
        self.total = batch.total
        if batch.missing:
            if self._on_missing is None:
                self.missing.extend(batch.missing)
            else:
                self._on_missing(batch.missing)


class Rows(Findings, Generic[Item, Whole]):
    """Rows that are read from the host while you iterate, once; or all at once with ``all()``.

    ``close()`` ends the calls under way. So does the end of the last reference to this object,
    for a loop that was left early.
    """

    def __init__(
        self,
        batches: Generator[Batch, None, None],
        form: Form[Item, Whole],
        on_missing: OnMissing | None = None,
    ) -> None:
        super().__init__(on_missing)
        self._form: Final = form
        self._batches: Final = self._noted(batches)
        self._items: Final = self._in_form()

    def __iter__(self) -> Iterator[Item]:
        return self._items

    def __next__(self) -> Item:
        return next(self._items)

    def all(self) -> Whole:
        """The remaining rows: a list, a ``pyarrow.Table`` or a ``pandas.DataFrame``."""
        return self._form.whole(list(self._items))

    def batches(self) -> Iterator[Batch]:
        """The remaining rows call by call, with the ids asked for and the missing ids."""
        return self._batches

    def close(self) -> None:
        """End the read: no further call is sent."""
        self._items.close()
        self._batches.close()

    def _noted(self, batches: Generator[Batch, None, None]) -> Generator[Batch, None, None]:
        with closing(batches):
            for batch in batches:
                self.take(batch)
                yield batch

    def _in_form(self) -> Generator[Item, None, None]:
        for batch in self._batches:
            yield from self._form.items(batch.rows)


class AsyncRows(Findings, Generic[Item, Whole]):
    """The same as Rows for ``async for``; ``all()`` and ``close()`` are awaited."""

    def __init__(
        self,
        batches: AsyncGenerator[Batch, None],
        form: Form[Item, Whole],
        on_missing: OnMissing | None = None,
    ) -> None:
        super().__init__(on_missing)
        self._form: Final = form
        self._batches: Final = self._noted(batches)
        self._items: Final = self._in_form()

    def __aiter__(self) -> AsyncIterator[Item]:
        return self._items

    async def __anext__(self) -> Item:
        return await anext(self._items)

    async def all(self) -> Whole:
        """The remaining rows: a list, a ``pyarrow.Table`` or a ``pandas.DataFrame``."""
        return self._form.whole([item async for item in self._items])

    def batches(self) -> AsyncIterator[Batch]:
        """The remaining rows call by call, with the ids asked for and the missing ids."""
        return self._batches

    async def close(self) -> None:
        """End the read: no further call is sent."""
        await self._items.aclose()
        await self._batches.aclose()

    async def _noted(self, batches: AsyncGenerator[Batch, None]) -> AsyncGenerator[Batch, None]:
        async with aclosing(batches):
            async for batch in batches:
                self.take(batch)
                yield batch

    async def _in_form(self) -> AsyncGenerator[Item, None]:
        async for batch in self._batches:
            for item in self._form.items(batch.rows):
                yield item
