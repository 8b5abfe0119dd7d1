"""``oppserver user``: who owns opportunities, and who is behind keys."""

import typer

from oppserver.cli.common import Database, Json, opened_store, print_json, print_table

app = typer.Typer(
    help="Users: owners of opportunities, and those behind keys.", no_args_is_help=True
)


@app.command("list")
def list_users(as_json: Json = False, database: Database = None) -> None:
    """List all users, by id. Imports bring owners; 'key create' brings users and their names."""
    with opened_store(database, migrate=False) as store:
        users = store.users()
    rows = [
        {
            "id": user.id,
            "email": user.email,
            "firstName": user.first_name,
            "lastName": user.last_name,
            "isActive": user.is_active,
            "isAdministrator": user.is_administrator,
        }
        for user in users
    ]
    print_json(rows) if as_json else print_table(rows, empty="There is no user.")
