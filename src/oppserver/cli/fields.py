"""``oppserver field``: the fields of opportunity types."""

from collections.abc import Sequence
from typing import Annotated

import typer

from oppserver.calls.types.define import FieldChange, check_fields, renamed_field, with_set
from oppserver.cli.common import Database, Json, opened_store, print_json
from oppserver.cli.types import Code, field_json, print_fields, require_type
from oppserver.contract.columns import column_named, is_system, schema_name_of
from oppserver.contract.errors import InvalidInput
from oppserver.contract.limits import CUSTOM_SLOTS, EVENT_CODE_MAX, TEXT_CHARACTERS_MAX
from oppserver.contract.metadata import SYSTEM_FIELDS
from oppserver.contract.model import DataType

app = typer.Typer(help="Fields: what an mx_Custom slot means.", no_args_is_help=True)


@app.command("add")
def add_field(  # noqa: PLR0913, PLR0917 (an argument for each option of the command)
    code: Code,
    schema_name: Annotated[
        str,
        typer.Argument(
            metavar="SCHEMA_NAME",
            help=f"mx_Custom_1 to mx_Custom_{CUSTOM_SLOTS}; or a member of a custom field set:"
            " mx_Custom_13~mx_CustomObject_1.",
        ),
    ],
    display_name: Annotated[
        str | None, typer.Option("--display-name", help="What people call it.")
    ] = None,
    data_type: Annotated[
        DataType | None,
        typer.Option(
            "--data-type",
            help="What its values are. [default: SearchableDropdown with options, else String]",
        ),
    ] = None,
    is_mandatory: Annotated[
        bool | None,
        typer.Option("--mandatory/--optional", help="Whether it has to have a value."),
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="VALUE", help="One of its options; give it for each."),
    ] = None,
    default_option: Annotated[
        str | None,
        typer.Option(
            "--default-option",
            metavar="VALUE",
            help="The option of a new opportunity that says nothing of it, if it is mandatory;"
            " empty for none.",
        ),
    ] = None,
    parent: Annotated[
        str | None,
        typer.Option(
            "--parent",
            metavar="SCHEMA_NAME",
            help="The dropdown that its options depend on: Status or a field; empty for none.",
        ),
    ] = None,
    dependent_options: Annotated[
        list[str] | None,
        typer.Option(
            "--dependent-option",
            metavar="PARENTVALUE=VALUE,VALUE",
            help="Its options for one value of the parent; give it for each.",
        ),
    ] = None,
    max_length: Annotated[
        int | None,
        typer.Option(
            "--max-length",
            min=1,
            max=TEXT_CHARACTERS_MAX,
            help=f"Characters that a value may have. [default: {TEXT_CHARACTERS_MAX}]",
            show_default=False,
        ),
    ] = None,
    sequence: Annotated[
        int | None,
        typer.Option(
            "--sequence",
            min=0,
            max=EVENT_CODE_MAX,
            help="Its place among the type's fields. [default: the slot's number]",
            show_default=False,
        ),
    ] = None,
    database: Database = None,
) -> None:
    """Add a field to a type, or change the one that is there: what is not given stays.

    A member of a custom field set makes its slot a CustomObject, if the slot is not defined yet.
    Fields that every type has, such as Status and Owner, take another --display-name.

    Example: oppserver field add 12001 mx_Custom_2 --display-name Stage --parent Status
    --dependent-option Open=Prospecting,Qualified --dependent-option Won=Disbursed
    """
    name = _schema_name(schema_name)
    change = FieldChange(
        display_name=display_name,
        data_type=data_type,
        is_mandatory=is_mandatory,
        sequence=sequence,
        options=tuple(options) if options else None,
        default_option=default_option,
        max_length=max_length,
        parent_field=parent,
        dependent_options=_by_parent(dependent_options or []),
    )
    with opened_store(database) as store:
        catalogue = store.catalogue()
        require_type(catalogue, code)
        fields = catalogue.fields.get(code, {})
        if name in SYSTEM_FIELDS:
            new = [renamed_field(name, code, change)]
        else:
            new = with_set(name, code, change, fields)
            check_fields({**fields, **{field.schema_name: field for field in new}})
        store.put_fields(new)
    typer.echo(f"field {name} of type {code}")


def _schema_name(given: str) -> str:
    column = column_named(given)
    if column is None or (is_system(column) and column.name not in SYSTEM_FIELDS):
        raise InvalidInput(
            f"'{given}' is no slot. A field is mx_Custom_1 to mx_Custom_{CUSTOM_SLOTS}, or a member"
            " of a custom field set: mx_Custom_13~mx_CustomObject_1, mx_Custom_13~Status."
        )
    return schema_name_of(column)


def _by_parent(given: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Options by the parent's value, out of ``PARENTVALUE=VALUE,VALUE``."""
    found = {}
    for text in given:
        parent, separator, values = text.partition("=")
        if not separator or not parent.strip():
            raise InvalidInput(
                f"--dependent-option: '{text}' has no value of the parent. Expected a form like"
                " Open=Prospecting,Qualified"
            )
        found[parent.strip()] = tuple(one.strip() for one in values.split(",") if one.strip())
    return found


@app.command("list")
def list_fields(code: Code, as_json: Json = False, database: Database = None) -> None:
    """List the fields of a type in their sequence."""
    with opened_store(database, migrate=False) as store:
        catalogue = store.catalogue()
    require_type(catalogue, code)
    fields = catalogue.fields.get(code, {})
    if as_json:
        print_json([field_json(field) for field in fields.values()])
    else:
        print_fields(code, fields)
