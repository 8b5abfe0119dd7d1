"""Types, fields, and the indexes of searches, in the SQL that engines share."""

from collections.abc import Sequence
from typing import Final

import msgspec

from oppserver.contract.columns import SYSTEM_NAMES
from oppserver.contract.model import (
    ActivitySettings,
    ActivityType,
    Catalogue,
    DataType,
    Field,
    OpportunityType,
)
from oppserver.contract.values import formed_fields
from oppserver.store import schema
from oppserver.store.queries import SearchIndex
from oppserver.store.sql import SqlConnection
from oppserver.store.sql.values import form_all

_RULES: Final = tuple[tuple[str, ...], ...]

_OPTIONS: Final = tuple[str, ...]

_DEPENDENT: Final = dict[str, tuple[str, ...]]

VERSION: Final = "SELECT version FROM catalogue_version"
"""There is one row."""

GATE: Final = f"{VERSION} WHERE id = 1 FOR UPDATE"
"""The first statement of a write on PostgreSQL: one row's lock, held to the end of the write, lets
one write in at a time.

So nothing that the write reads changes before it ends. Numbers: docs/decisions.
"""

_TYPES: Final = (
    "SELECT event_code, name, description, can_delete, duplicate_rules FROM opportunity_type"
    " ORDER BY event_code"
)

_ACTIVITY_TYPES: Final = "SELECT event_code, name, settings FROM activity_type ORDER BY event_code"

_FIELDS: Final = (
    "SELECT event_code, schema_name, display_name, data_type, is_mandatory, sequence, options,"
    " default_option, max_length, parent_field, dependent_options FROM field"
    " ORDER BY event_code, sequence, schema_name"
)

_PUT_TYPE: Final = (
    "INSERT INTO opportunity_type (event_code, name, description, can_delete, duplicate_rules)"
    " VALUES (:event_code, :name, :description, :can_delete, :duplicate_rules)"
    " ON CONFLICT (event_code) DO UPDATE SET name = excluded.name,"
    " description = excluded.description, can_delete = excluded.can_delete,"
    " duplicate_rules = excluded.duplicate_rules"
)

_PUT_ACTIVITY_TYPE: Final = (
    "INSERT INTO activity_type (event_code, name, settings)"
    " VALUES (:event_code, :name, :settings)"
    " ON CONFLICT (event_code) DO UPDATE SET name = excluded.name,"
    " settings = coalesce(excluded.settings, activity_type.settings)"
)

_PUT_FIELD: Final = (
    "INSERT INTO field (event_code, schema_name, display_name, data_type, is_mandatory, sequence,"
    " options, default_option, max_length, parent_field, dependent_options)"
    " VALUES (:event_code, :schema_name, :display_name, :data_type, :is_mandatory, :sequence,"
    " :options, :default_option, :max_length, :parent_field, :dependent_options)"
    " ON CONFLICT (event_code, schema_name) DO UPDATE SET display_name = excluded.display_name,"
    " data_type = excluded.data_type, is_mandatory = excluded.is_mandatory,"
    " sequence = excluded.sequence, options = excluded.options,"
    " default_option = excluded.default_option, max_length = excluded.max_length,"
    " parent_field = excluded.parent_field, dependent_options = excluded.dependent_options"
)

_RAISE_VERSION: Final = "UPDATE catalogue_version SET version = version + 1"


def select_catalogue_version(connection: SqlConnection) -> int:
    """The number that every write of types and fields raises."""
    [(version,)] = connection.rows(VERSION)
    return int(version)


def select_catalogue(connection: SqlConnection) -> Catalogue:
    """All types and fields; fields by type in their sequence."""
    types = {
        row[0]: OpportunityType(
            event_code=row[0],
            name=row[1],
            description=row[2],
            can_delete=bool(row[3]),
            duplicate_rules=msgspec.json.decode(row[4], type=_RULES),
        )
        for row in connection.rows(_TYPES)
    }
    fields: dict[int, dict[str, Field]] = {code: {} for code in types}
    renamed: dict[int, dict[str, Field]] = {}
    for row in connection.rows(_FIELDS):
        kind = renamed if row[1] in SYSTEM_NAMES else fields
        kind.setdefault(row[0], {})[row[1]] = Field(
            event_code=row[0],
            schema_name=row[1],
            display_name=row[2],
            data_type=DataType(row[3]),
            is_mandatory=bool(row[4]),
            sequence=row[5],
            options=msgspec.json.decode(row[6], type=_OPTIONS),
            default_option=row[7],
            max_length=row[8],
            parent_field=row[9],
            dependent_options=msgspec.json.decode(row[10], type=_DEPENDENT),
        )
    return Catalogue(
        version=select_catalogue_version(connection),
        types=types,
        fields=fields,
        renamed=renamed,
        activity_types={
            code: ActivityType(event_code=code, name=name, settings=_settings(settings))
            for code, name, settings in connection.rows(_ACTIVITY_TYPES)
        },
    )


def replace_types(connection: SqlConnection, types: Sequence[OpportunityType]) -> None:
    """Creates or replaces types, and raises the catalogue's version if there are any."""
    _put(
        connection,
        _PUT_TYPE,
        [
            msgspec.structs.asdict(one) | {"duplicate_rules": _json(one.duplicate_rules)}
            for one in types
        ],
    )


def replace_activity_types(connection: SqlConnection, types: Sequence[ActivityType]) -> None:
    """Creates or renames activity types, and raises the catalogue's version if there are any."""
    rows: list[dict[str, object]] = [
        {
            "event_code": one.event_code,
            "name": one.name,
            "settings": None
            if one.settings is None
            else msgspec.json.encode(one.settings).decode(),
        }
        for one in types
    ]
    _put(connection, _PUT_ACTIVITY_TYPE, rows)


def _settings(text: str | None) -> ActivitySettings | None:
    return None if text is None else msgspec.json.decode(text, type=ActivitySettings)


def put_fields(
    connection: SqlConnection, fields: Sequence[Field], *, keeps_unfit: bool = False
) -> None:
    """Creates or replaces fields, and creates their types where they are missing.

    What is stored gets the form of a field's new data type. Raises InvalidInput where a value does
    not fit, unless such values are kept.
    """
    known = select_catalogue(connection).fields
    by_code: dict[int, list[Field]] = {}
    for one in fields:
        before = known.get(one.event_code, {}).get(one.schema_name)
        if before is None or _form_of(before) != _form_of(one):
            by_code.setdefault(one.event_code, []).append(one)
    for code in sorted(by_code.keys() & known.keys()):
        form_all(connection, code, formed_fields(by_code[code]), keeps_unfit=keeps_unfit)
    stored = {row[0] for row in connection.rows(_TYPES)}
    missing = sorted({one.event_code for one in fields} - stored)
    replace_types(connection, [plain_type(code) for code in missing])
    replace_fields(connection, fields)


def _form_of(field: Field) -> tuple[object, ...]:
    """The properties that the form of a field's values depends on."""
    return field.data_type, field.options, field.dependent_options


def plain_type(event_code: int) -> OpportunityType:
    """The type of an event code of which nothing else is known."""
    return OpportunityType(event_code=event_code, name=f"Opportunity {event_code}")


def replace_fields(connection: SqlConnection, fields: Sequence[Field]) -> None:
    """Creates or replaces fields, and raises the catalogue's version if there are any."""
    _put(
        connection,
        _PUT_FIELD,
        [
            msgspec.structs.asdict(one)
            | {
                "data_type": one.data_type.value,
                "options": _json(one.options),
                "dependent_options": _json(one.dependent_options),
            }
            for one in fields
        ],
    )


def _put(connection: SqlConnection, statement: str, batch: Sequence[dict[str, object]]) -> None:
    """Write rows; by the version, every process learns that its copy of the catalogue is old."""
    if batch:
        connection.run_many(statement, batch)
        connection.run(_RAISE_VERSION)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


# --- indexes of searches -----------------------------------------------------------------------

_INDEXES: Final = "SELECT name, columns FROM search_index ORDER BY name"

_INSERT_INDEX: Final = (
    "INSERT INTO search_index (name, columns) VALUES (:name, :columns)"
    " ON CONFLICT (name) DO NOTHING"
)

_DELETE_INDEX: Final = "DELETE FROM search_index WHERE name = :name"


def select_search_indexes(connection: SqlConnection) -> list[SearchIndex]:
    """Return the indexes that operators added, by name."""
    return [
        SearchIndex(name=name, columns=msgspec.json.decode(columns, type=_OPTIONS))
        for name, columns in connection.rows(_INDEXES)
    ]


def add_search_index(connection: SqlConnection, index: SearchIndex) -> bool:
    """Build an index and remember it; False when there is one of that name."""
    if connection.run(_INSERT_INDEX, name=index.name, columns=_json(index.columns)) == 0:
        return False
    connection.run(create_statement(index))
    return True


def drop_search_index(connection: SqlConnection, name: str) -> bool:
    """Drop an index, which a load may have dropped; False when no index has the name."""
    if connection.run(_DELETE_INDEX, name=name) == 0:
        return False
    connection.run(f'DROP INDEX IF EXISTS "{name}"')
    return True


def create_statement(index: SearchIndex) -> str:
    """The SQL that builds an index.

    What is compared by equality is found in it of one type, in the order of ModifiedOn and the id.
    """
    columns = ("event_code", *index.columns, "modified_on", "id")
    assert all(name in schema.OPPORTUNITY_COLUMNS for name in columns), index
    return f'CREATE INDEX "{index.name}" ON opportunity ({", ".join(columns)})'
