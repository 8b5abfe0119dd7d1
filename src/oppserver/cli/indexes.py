"""``oppserver index``: the indexes that operators add for their searches."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Annotated, Final

import typer

from oppserver.cli.common import Database, Json, opened_store, print_json, print_table
from oppserver.contract.columns import CUSTOM_COLUMNS, SYSTEM_COLUMNS
from oppserver.contract.errors import InvalidInput
from oppserver.contract.names import did_you_mean
from oppserver.store.queries import SearchIndex

SEARCH_INDEX_COLUMNS_MAX: Final = 4
"""Columns of an index that an operator adds. Ours: its name, made of theirs, stays within the 63
bytes that every engine takes, and four values together single out a few rows."""

SEARCH_INDEXES_MAX: Final = 16
"""Indexes that operators add. Ours: each is one more place that every write changes."""

app = typer.Typer(help="Indexes for searches.", no_args_is_help=True)


@app.command("add")
def add_index(
    columns: Annotated[
        list[str],
        typer.Argument(metavar="COLUMN", help="What searches compare, by schema name."),
    ],
    database: Database = None,
) -> None:
    """Build an index over columns, for every type. Writes wait until it is there.

    Example: oppserver index add Status mx_Custom_2
    """
    index = search_index_over(columns)
    with opened_store(database) as store:
        there = store.search_indexes()
        if len(there) >= SEARCH_INDEXES_MAX:
            raise InvalidInput(
                f"There are {len(there)} indexes, and each makes writes slower. Drop one first:"
                " 'oppserver index list' shows them."
            )
        is_new = store.add_search_index(index)
    over = ", ".join(indexed_names(index))
    typer.echo(f"index {index.name} over {over}{'' if is_new else ' is there already'}")


@app.command("list")
def list_indexes(as_json: Json = False, database: Database = None) -> None:
    """List the indexes that were added, by name."""
    with opened_store(database, migrate=False) as store:
        rows = [
            {"name": index.name, "columns": indexed_names(index)}
            for index in store.search_indexes()
        ]
    print_json(rows) if as_json else print_table(rows, empty="No index was added.")


@app.command("drop")
def drop_index(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As 'index list' shows it.")],
    database: Database = None,
) -> None:
    """Drop an index that was added. Searches find the same, more slowly."""
    with opened_store(database) as store:
        was_there = store.drop_search_index(name)
    if not was_there:
        raise InvalidInput(f"There is no index '{name}'. 'oppserver index list' shows them.")
    typer.echo(f"dropped {name}")


_STORED: Final = (
    "status",
    "owner_id",
    "created_on",
    "created_by",
    "modified_by",
)
"""The system columns that can be indexed. Of the others, an index has the type before its columns,
ModifiedOn and the id behind them; leads and their addresses have indexes; a note is too long."""

_BY_FOLDED_NAME: Final = MappingProxyType(
    {
        column.name.casefold(): column
        for column in (*SYSTEM_COLUMNS, *CUSTOM_COLUMNS)
        if column.stored in _STORED or column in CUSTOM_COLUMNS
    }
)

_NAMES: Final = MappingProxyType(
    {column.stored: column.name for column in _BY_FOLDED_NAME.values()}
)


def search_index_over(names: Sequence[str]) -> SearchIndex:
    """The index over columns, in this order. Raises InvalidInput when there can be none."""
    if not 0 < len(names) <= SEARCH_INDEX_COLUMNS_MAX:
        raise InvalidInput(
            f"An index is over 1 to {SEARCH_INDEX_COLUMNS_MAX} columns, and these are"
            f" {len(names)}. Take those that searches compare by equality."
        )
    stored = tuple(_stored(name) for name in names)
    if len(set(stored)) < len(stored):
        raise InvalidInput(f"A column is named twice in {', '.join(names)}. Name each once.")
    if stored == ("created_on",):
        raise InvalidInput("CreatedOn is indexed for every type from the start.")
    return SearchIndex(name="_".join(("search", *stored)), columns=stored)


def indexed_names(index: SearchIndex) -> list[str]:
    """The columns of an index by the names of the API."""
    return [_NAMES[stored] for stored in index.columns]


def _stored(name: str) -> str:
    column = _BY_FOLDED_NAME.get(name.strip().casefold())
    if column is None:
        known = [known.name for known in _BY_FOLDED_NAME.values()]
        raise InvalidInput(
            f"There can be no index over '{name}'.{did_you_mean(name, known)}"
            f" There can be over {', '.join(known[: len(_STORED)])} and mx_Custom_N."
        )
    return column.stored
