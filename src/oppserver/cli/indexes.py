"""``oppserver index``: the indexes that operators add for their searches."""

from typing import Annotated

import typer

from oppserver.cli.common import Database, Json, opened_store, print_json, print_table
from oppserver.contract.errors import InvalidInput
from oppserver.contract.limits import SEARCH_INDEXES_MAX
from oppserver.contract.search_indexes import indexed_names, search_index_over

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
