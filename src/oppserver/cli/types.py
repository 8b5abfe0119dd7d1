"""``oppserver type``: opportunity types, made, shown, and as files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from oppserver.calls.types.define import check_name, check_text, duplicate_rules
from oppserver.cli.common import Database, Json, opened_store, print_json, print_table
from oppserver.contract.errors import InvalidFile, InvalidInput
from oppserver.contract.limits import EVENT_CODE_MAX
from oppserver.contract.model import ActivityType, Catalogue, Field, OpportunityType
from oppserver.contract.names import counted
from oppserver.transfer.files import opened
from oppserver.transfer.types import ImportedType, exported_type, types_of

TYPES_FILE_BYTES_MAX: Final = 64 << 20
"""Bytes of a file of types. Ours: a hundred types with a hundred fields have 10 MB."""

app = typer.Typer(help="Opportunity types, by event code.", no_args_is_help=True)

Code = Annotated[
    int, typer.Argument(metavar="CODE", min=0, max=EVENT_CODE_MAX, help="The type's event code.")
]

_NAMES_SHOWN_MAX: Final = 10

# --- made --------------------------------------------------------------------------------------


@app.command("create")
def create_type(
    code: Code,
    name: Annotated[
        str | None, typer.Option("--name", help="What people call it. [default: Opportunity CODE]")
    ] = None,
    description: Annotated[
        str | None, typer.Option("--description", help="What it is for.")
    ] = None,
    can_delete: Annotated[
        bool | None,
        typer.Option(
            "--allow-delete/--no-allow-delete",
            help="Whether its opportunities can be deleted. [default: they can]",
        ),
    ] = None,
    rules: Annotated[
        list[str] | None,
        typer.Option(
            "--duplicate-rule",
            metavar="COLUMN,COLUMN",
            help="Columns that are equal in duplicates; give it for each rule.",
        ),
    ] = None,
    no_rules: Annotated[
        bool, typer.Option("--no-duplicate-rules", help="Nothing is a duplicate.")
    ] = False,
    database: Database = None,
) -> None:
    """Create an opportunity type, or change the one that is there: what is not given stays.

    Example: oppserver type create 12001 --name "Home loan" --duplicate-rule ProspectId,mx_Custom_1
    """
    if rules and no_rules:
        raise InvalidInput("--duplicate-rule and --no-duplicate-rules contradict each other")
    with opened_store(database) as store:
        catalogue = store.catalogue()
        _refuse_activity_type(catalogue, code)
        known = catalogue.types.get(code)
        one = known or OpportunityType(event_code=code, name=f"Opportunity {code}")
        given: dict[str, Any] = {
            "name": name,
            "description": description,
            "can_delete": can_delete,
            "duplicate_rules": () if no_rules else _rules(rules, catalogue, code),
        }
        one = msgspec.structs.replace(
            one, **{member: value for member, value in given.items() if value is not None}
        )
        check_name(one.name, place="--name")
        check_text(one.description, place="--description")
        store.put_types([one])
    typer.echo(f"type {code} {one.name}")


def _refuse_activity_type(catalogue: Catalogue, code: int) -> None:
    if code in catalogue.activity_types:
        raise InvalidInput(
            f"{code} is the activity type '{catalogue.activity_types[code].name}'."
            " Choose another code."
        )


def _rules(
    given: Sequence[str] | None, catalogue: Catalogue, code: int
) -> tuple[tuple[str, ...], ...] | None:
    if not given:
        return None
    return duplicate_rules([rule.split(",") for rule in given], catalogue.fields.get(code, {}))


# --- shown -------------------------------------------------------------------------------------


@app.command("list")
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


@app.command("show")
def show_type(code: Code, as_json: Json = False, database: Database = None) -> None:
    """Show a type whole, with its rules and its fields."""
    with opened_store(database, migrate=False) as store:
        catalogue = store.catalogue()
        require_type(catalogue, code)
        count = store.count_opportunities(event_code=code)
    one = catalogue.types[code]
    shown = {
        "eventCode": code,
        "name": one.name,
        "description": one.description,
        "canDelete": one.can_delete,
        "duplicateRules": [list(rule) for rule in one.duplicate_rules],
        "opportunities": count,
    }
    fields = catalogue.fields.get(code, {})
    if as_json:
        print_json({**shown, "fields": [field_json(field) for field in fields.values()]})
        return
    shown["duplicateRules"] = "; ".join(",".join(rule) for rule in one.duplicate_rules)
    width = max(map(len, shown))
    for name, value in shown.items():
        typer.echo(f"{name.ljust(width)}  {'-' if value == '' else value}")
    typer.echo()
    print_fields(code, fields)


def field_json(field: Field) -> dict[str, Any]:
    """All of a field, for programs."""
    return {
        "schemaName": field.schema_name,
        "displayName": field.display_name,
        "dataType": field.data_type.value,
        "isMandatory": field.is_mandatory,
        "sequence": field.sequence,
        "maxLength": field.max_length,
        "options": list(field.options),
        "defaultOption": field.default_option,
        "parentField": field.parent_field,
        "dependentOptions": {
            parent: list(some) for parent, some in field.dependent_options.items()
        },
    }


def print_fields(code: int, fields: Mapping[str, Field]) -> None:
    """The fields of a type as a table; dependent options stand behind the parent's value."""
    rows = [
        {
            "schemaName": field.schema_name,
            "displayName": field.display_name,
            "dataType": field.data_type.value,
            "isMandatory": field.is_mandatory,
            "maxLength": field.max_length,
            "parent": field.parent_field,
            "options": _options_shown(field),
        }
        for field in fields.values()
    ]
    print_table(rows, empty=f"Type {code} has no field.")


def _options_shown(field: Field) -> list[str]:
    shown = {option: option for option in field.options}
    if field.default_option:
        shown[field.default_option] += " (default)"
    dependent = [
        f"{parent}={','.join(shown.get(option, option) for option in some)}"
        for parent, some in field.dependent_options.items()
    ]
    bound = {option for some in field.dependent_options.values() for option in some}
    return [text for option, text in shown.items() if option not in bound] + dependent


def require_type(catalogue: Catalogue, code: int) -> None:
    """Raises InvalidInput when there is no such type."""
    if code not in catalogue.types:
        known = ", ".join(map(str, sorted(catalogue.types)[:10])) or "none"
        raise InvalidInput(
            f"There is no type {code} here. Known: {known}. 'oppserver type create {code}' adds it."
        )


# --- as files ----------------------------------------------------------------------------------


@app.command("export")
def export_types(
    code: Annotated[
        int | None,
        typer.Argument(
            metavar="[CODE]", min=0, max=EVENT_CODE_MAX, help="The type. [default: all types]"
        ),
    ] = None,
    database: Database = None,
) -> None:
    """Print a type, or all, in the form of GetOpportunityTypeMetadata.

    Example: oppserver type export > types.json
    """
    with opened_store(database, migrate=False) as store:
        catalogue = store.catalogue()
    if code is not None:
        require_type(catalogue, code)
        exported: object = exported_type(catalogue, code)
    else:
        exported = [exported_type(catalogue, one) for one in catalogue.types]
    typer.echo(msgspec.json.format(msgspec.json.encode(exported), indent=2).decode())


@app.command("import")
def import_types(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="What GetOpportunityTypeMetadata answers, or many; - is stdin."
        ),
    ],
    database: Database = None,
) -> None:
    """Create or replace types and fields from a file; other fields stay.

    The file is what GetOpportunityTypeMetadata answers, here or hosted: one object, or an array.
    stderr lists the facts that are not taken over.

    Example: oppserver type import types.json
    """
    text = _text_of(file)
    with opened_store(database) as store:
        catalogue = store.catalogue()
        try:
            imported = types_of(text, catalogue)
        except InvalidFile as error:
            raise InvalidFile(f"{file}, {error}") from None
        for one in imported:
            _refuse_activity_type(catalogue, one.type.event_code)
        store.put_types([one.type for one in imported])
        store.put_fields([field for one in imported for field in (*one.fields, *one.renamed)])
    for one in imported:
        typer.echo(
            f"type {one.type.event_code} {one.type.name}: {counted(len(one.fields), 'field')}"
        )
        _tell_lost(one)


def _text_of(file: Path) -> bytes:
    with opened(file) as source:
        text = source.bytes.read(TYPES_FILE_BYTES_MAX + 1)
    if len(text) > TYPES_FILE_BYTES_MAX:
        raise InvalidFile(
            f"{file} is larger than {TYPES_FILE_BYTES_MAX >> 20} MiB: no file of types"
        )
    return text


def _tell_lost(one: ImportedType) -> None:
    for what, names in one.lost.items():
        shown = ", ".join(names[:_NAMES_SHOWN_MAX])
        more = f" and {len(names) - _NAMES_SHOWN_MAX} more" if len(names) > _NAMES_SHOWN_MAX else ""
        of = f" of {shown}{more}" if names else ""
        typer.echo(f"type {one.type.event_code}: not taken over: {what}{of}", err=True)


activity_types_app = typer.Typer(
    help="Types of activities that are no opportunities, by event code.", no_args_is_help=True
)


@activity_types_app.command("create")
def create_activity_type(
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


@activity_types_app.command("list")
def list_activity_types(as_json: Json = False, database: Database = None) -> None:
    """List the types of activities, by event code."""
    with opened_store(database, migrate=False) as store:
        types = store.catalogue().activity_types.values()
    rows = [{"eventCode": one.event_code, "name": one.name} for one in types]
    print_json(rows) if as_json else print_table(rows, empty="There is no activity type.")
