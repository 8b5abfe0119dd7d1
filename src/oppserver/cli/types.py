"""``oppserver type`` and ``oppserver field``: opportunity types and their fields."""

from typing import Annotated

import typer

from oppserver.cli.common import Database, Json, opened_store, print_json, print_table
from oppserver.contract.columns import column_named, is_system, slot_of
from oppserver.contract.errors import InvalidInput
from oppserver.contract.limits import CUSTOM_SLOTS, EVENT_CODE_MAX
from oppserver.contract.model import Catalogue, DataType, Field, OpportunityType

type_app = typer.Typer(help="Opportunity types, by event code.", no_args_is_help=True)
field_app = typer.Typer(help="Fields: what an mx_Custom slot means.", no_args_is_help=True)

Code = Annotated[
    int, typer.Argument(metavar="CODE", min=0, max=EVENT_CODE_MAX, help="The type's event code.")
]


@type_app.command("create")
def create_type(
    code: Code,
    name: Annotated[
        str | None, typer.Option("--name", help="What people call it. [default: Opportunity CODE]")
    ] = None,
    database: Database = None,
) -> None:
    """Create an opportunity type; one that is there takes the name.

    Example: oppserver type create 12001 --name "Home loan"
    """
    with opened_store(database) as store:
        known = store.catalogue().types.get(code)
        name = name or (known.name if known else f"Opportunity {code}")
        store.put_types([OpportunityType(event_code=code, name=name)])
    typer.echo(f"type {code} {name}")


@type_app.command("list")
def list_types(as_json: Json = False, database: Database = None) -> None:
    """List the types, with how many opportunities each has."""
    with opened_store(database, migrate=False) as store:
        rows = [
            {
                "eventCode": one.event_code,
                "name": one.name,
                "opportunities": store.count_opportunities(event_code=one.event_code),
            }
            for one in store.catalogue().types.values()
        ]
    print_json(rows) if as_json else print_table(rows, empty="There is no type.")


@field_app.command("add")
def add_field(
    code: Code,
    schema_name: Annotated[
        str,
        typer.Argument(metavar="SCHEMA_NAME", help=f"mx_Custom_1 to mx_Custom_{CUSTOM_SLOTS}."),
    ],
    display_name: Annotated[
        str | None, typer.Option("--display-name", help="What people call it.")
    ] = None,
    data_type: Annotated[
        DataType | None,
        typer.Option("--data-type", help="What its values are. [default: String]"),
    ] = None,
    database: Database = None,
) -> None:
    """Add a field to a type, or change the one that is there.

    Example: oppserver field add 12001 mx_Custom_7 --display-name "Deal size" --data-type Number
    """
    column = column_named(schema_name)
    slot = slot_of(schema_name)
    if column is None or is_system(column) or slot is None:
        raise InvalidInput(
            f"'{schema_name}' is no slot. A field is mx_Custom_1 to mx_Custom_{CUSTOM_SLOTS}."
        )
    with opened_store(database) as store:
        catalogue = store.catalogue()
        require_type(catalogue, code)
        known = catalogue.fields.get(code, {}).get(column.name)
        store.put_fields(
            [
                Field(
                    event_code=code,
                    schema_name=column.name,
                    display_name=display_name or (known.display_name if known else column.name),
                    data_type=data_type or (known.data_type if known else DataType.STRING),
                    is_mandatory=known.is_mandatory if known else False,
                    sequence=known.sequence if known else slot,
                    options=known.options if known else (),
                )
            ]
        )
    typer.echo(f"field {column.name} of type {code}")


@field_app.command("list")
def list_fields(code: Code, as_json: Json = False, database: Database = None) -> None:
    """List the fields of a type in their sequence."""
    with opened_store(database, migrate=False) as store:
        catalogue = store.catalogue()
    require_type(catalogue, code)
    rows = [
        {
            "schemaName": field.schema_name,
            "displayName": field.display_name,
            "dataType": field.data_type.value,
            "isMandatory": field.is_mandatory,
            "options": list(field.options),
        }
        for field in catalogue.fields.get(code, {}).values()
    ]
    print_json(rows) if as_json else print_table(rows, empty=f"Type {code} has no field.")


def require_type(catalogue: Catalogue, code: int) -> None:
    """Raises InvalidInput when there is no such type."""
    if code not in catalogue.types:
        known = ", ".join(map(str, sorted(catalogue.types)[:10])) or "none"
        raise InvalidInput(
            f"There is no type {code} here. Known: {known}. 'oppserver type create {code}' adds it."
        )
