"""``oppserver activity-type``: the types of activities that are no opportunities."""

from typing import Annotated

import typer

from oppserver.cli.common import Database, Json, opened_store, print_json, print_table
from oppserver.cli.types import Code
from oppserver.contract.errors import InvalidInput
from oppserver.contract.model import ActivityType
from oppserver.steps.define import check_name

app = typer.Typer(
    help="Types of activities that are no opportunities, by event code.", no_args_is_help=True
)


@app.command("create")
def create(
    code: Code,
    name: Annotated[str, typer.Option("--name", help="What people call it.")],
    database: Database = None,
) -> None:
    """Create a type of activities; one that is there takes the name.

    Example: oppserver activity-type create 201 --name "Site visit"
    """
    check_name(name, place="--name")
    with opened_store(database) as store:
        if code in store.catalogue().types:
            raise InvalidInput(
                f"{code} is an opportunity type, whose opportunities are activities already."
                " Choose another code."
            )
        store.put_activity_types([ActivityType(event_code=code, name=name)])
    typer.echo(f"activity type {code} {name}")


@app.command("list")
def list_activity_types(as_json: Json = False, database: Database = None) -> None:
    """List the types of activities, by event code."""
    with opened_store(database, migrate=False) as store:
        types = store.catalogue().activity_types.values()
    rows = [{"eventCode": one.event_code, "name": one.name} for one in types]
    print_json(rows) if as_json else print_table(rows, empty="There is no activity type.")
