"""``oppserver key``: key pairs, made, listed, revoked."""

import secrets
from typing import Annotated, Final
from uuid import uuid4

import typer

from oppserver.cli.common import Database, Json, now, opened_store, print_json, print_table
from oppserver.contract.errors import InvalidInput
from oppserver.contract.model import Key, Role
from oppserver.steps.authenticate import secret_sha256
from oppserver.steps.define import check_name

_ACCESS_BYTES: Final = 12
_SECRET_BYTES: Final = 24  # 192 random bits: why a quick hash is enough, see decision 0003

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
    if "@" not in email.strip() or any(not c.isprintable() or c == " " for c in email.strip()):
        raise InvalidInput(f"--email: '{email}' is no e-mail address")
    for name, option in ((first_name, "--first-name"), (last_name, "--last-name")):
        if name is not None:
            check_name(name, place=option)
    with opened_store(database) as store:
        key, secret = new_key(email=email.strip(), role=role)
        store.add_key(key, first_name=first_name, last_name=last_name)
    if as_json:
        print_json({"accessKey": key.access_key, "secretKey": secret})
        return
    typer.echo(f"accessKey  {key.access_key}")
    typer.echo(f"secretKey  {secret}")
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
        if not store.revoke_key(access_key, now=now()):
            raise InvalidInput(
                f"There is no live key '{access_key}'. 'oppserver key list' shows the keys."
            )
    typer.echo(f"revoked {access_key}")


def new_key(*, email: str, role: Role) -> tuple[Key, str]:
    """A key to store, and its secret."""
    secret = secrets.token_hex(_SECRET_BYTES)
    key = Key(
        access_key="opp_" + secrets.token_hex(_ACCESS_BYTES),
        secret_sha256=secret_sha256(secret),
        user_id=str(uuid4()),
        email=email,
        role=role,
        user_is_active=True,
        created_on=now(),
        revoked_on=None,
    )
    return key, secret
