"""``oppserver key``: key pairs, made, listed, revoked."""

from typing import Annotated

import typer

from oppserver.calls.shared.admission import checked_email, new_key
from oppserver.calls.shared.call import THE_WORLD
from oppserver.calls.types.define import check_name
from oppserver.cli.common import Database, Json, now, opened_store, print_json, print_table
from oppserver.contract.errors import InvalidFile, InvalidInput, OutputLost
from oppserver.contract.model import Role

app = typer.Typer(help="Key pairs of users: create, list, revoke.", no_args_is_help=True)


@app.command("create")
def create(
    email: Annotated[str, typer.Option("--email", help="Whose key it is. A new user is created.")],
    role: Annotated[
        Role,
        typer.Option("--role", help="What the key may do: a reader cannot write."),
    ] = Role.USER,
    first_name: Annotated[
        str | None, typer.Option("--first-name", help="The user's first name, from now on.")
    ] = None,
    last_name: Annotated[
        str | None, typer.Option("--last-name", help="The user's last name, from now on.")
    ] = None,
    as_json: Json = False,
    database: Database = None,
) -> None:
    """Create a key pair. The secret is shown once, now, and stored nowhere.

    Example: oppserver key create --email me@example.com --role reader
    """
    email = checked_email(email, place="--email")
    for name, option in ((first_name, "--first-name"), (last_name, "--last-name")):
        if name is not None:
            check_name(name, place=option)
    with opened_store(database) as store:
        key, secret = new_key(email=email, role=role, user_id=THE_WORLD.new_id(), created_on=now())
        store.add_key(key, first_name=first_name, last_name=last_name)
        try:
            _show(key.access_key, secret, as_json=as_json)
        except OutputLost as error:
            store.revoke_key(key.access_key, now=now())
            raise InvalidFile(
                f"{error}. So nobody has the new key, and it is revoked. Run it again."
            ) from None


def _show(access_key: str, secret: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"accessKey": access_key, "secretKey": secret})
        return
    typer.echo(f"accessKey  {access_key}\nsecretKey  {secret}")
    typer.echo("The secret is not shown again.", err=True)


@app.command("list")
def list_keys(as_json: Json = False, database: Database = None) -> None:
    """List all keys, oldest first. Secrets are not shown; they are not stored."""
    with opened_store(database, migrate=False) as store:
        keys = store.keys()
    rows = [
        {
            "accessKey": key.access_key,
            "email": key.email,
            "role": key.role.value,
            "createdOn": key.created_on,
            "revokedOn": key.revoked_on,
        }
        for key in keys
    ]
    print_json(rows) if as_json else print_table(rows, empty="There is no key.")


@app.command("revoke")
def revoke(
    access_key: Annotated[str, typer.Argument(help="The access key, as 'key list' shows it.")],
    database: Database = None,
) -> None:
    """Revoke a key. Running servers refuse it from their next call on."""
    with opened_store(database, migrate=False) as store:
        access_key = access_key.strip()
        if not store.revoke_key(access_key, now=now()):
            raise InvalidInput(
                f"There is no live key '{access_key}'. 'oppserver key list' shows the keys."
            )
    typer.echo(f"revoked {access_key}")


users_app = typer.Typer(
    help="Users: owners of opportunities, and those behind keys.", no_args_is_help=True
)


@users_app.command("list")
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
