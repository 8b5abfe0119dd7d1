"""The forms in which rows are had: typed rows, dicts, Arrow record batches, data frames.

pyarrow and pandas are loaded when they are asked for; they come with ``oppserver[dataframe]``.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar

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

RowsAs: TypeAlias = Literal["row", "dict", "arrow", "dataframe"]

ArrowBatch: TypeAlias = Any
"""A ``pyarrow.RecordBatch``; the library has no types of its own."""

ArrowTable: TypeAlias = Any
"""A ``pyarrow.Table``."""

DataFrame: TypeAlias = Any
"""A ``pandas.DataFrame``."""

_DATES: Final = frozenset({"CreatedOn", "ModifiedOn"})

_CODE: Final = "EventCode"


@dataclass(frozen=True, kw_only=True, slots=True)
class Form(Generic[Item, Whole]):
    """How rows are given: ``items`` are those of one batch, ``whole`` is all items in one."""

    items: Callable[[Sequence[Opportunity]], Iterable[Item]]
    whole: Callable[[list[Item]], Whole]


def form_of(rows_as: str, columns: str | None) -> Form[Any, Any]:
    """The form of a name. ``columns`` None: those of the first rows.

    Raises InvalidCall when it is none, or its library is not installed.
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
    """The names of a row's columns, in order, as a host answers those that are asked for."""
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
    """Rows as Arrow data: moments for CreatedOn and ModifiedOn, a number for EventCode, else text.

    All batches of one reading have the same schema.
    """

    def __init__(self, columns: str | None) -> None:
        self._library: Final = _library("pyarrow")
        self._schema: Any = None if columns is None else self._schema_of(answered_names(columns))

    def schema(self) -> Any:
        """The ``pyarrow.Schema`` of all batches; without columns until the first rows came."""
        return self._schema_of(()) if self._schema is None else self._schema

    def batch(self, rows: Sequence[Opportunity]) -> ArrowBatch:
        """Rows as a record batch."""
        if self._schema is None and rows:
            self._schema = self._schema_of(list(rows[0]))
        schema = self.schema()
        arrays = [
            self._library.array(_values(rows, field.name), type=field.type) for field in schema
        ]
        return self._library.RecordBatch.from_arrays(arrays, schema=schema)

    def table(self, batches: Sequence[ArrowBatch]) -> ArrowTable:
        """Batches as one table."""
        return self._library.Table.from_batches(batches, schema=self.schema())

    def frame(self, frames: Sequence[DataFrame]) -> DataFrame:
        """Frames as one."""
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
        raise InvalidCall(
            f"This form of rows needs {name}: pip install 'oppserver[dataframe]'"
        ) from None
