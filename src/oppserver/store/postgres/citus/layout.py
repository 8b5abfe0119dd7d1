"""The layout of tables on the machines of a Citus cluster, and its SQL.

Tables that hold many rows lie by their id; small ones that are joined with them are whole on every
machine; tables in which one row decides, or that only writes ask, stay on the coordinator, to which
servers connect. Numbers and reasons: docs/decisions. Needs no driver: the SQL can be printed
without one.
"""

from typing import Final

from oppserver.store.sql.catalogue import GATE

CITUS_VERSION_MIN: Final = 14
"""Source: what a sharded database is asked was tried, and its rules were read, on Citus 14."""

BY_ID: Final = ("opportunity", "deleted_opportunity", "activity", "lead")
"""Tables that are spread by their column ``id``, all alike: one id is on one machine in each."""

ON_EVERY_MACHINE: Final = ("user", "api_key", "opportunity_type", "activity_type", "field")
"""Reference tables: a write goes to every machine, so it needs all of them."""

ON_THE_COORDINATOR: Final = (
    "catalogue_version",
    "change_counter",
    "database_identity",
    "kept_answer",
    "search_index",
)
"""Tables that stay as they are: nothing is gained by a round trip to another machine."""

COLUMN: Final = "id"

SEQUENTIAL: Final = "SET LOCAL citus.multi_shard_modify_mode = 'sequential'"
"""Tables are laid out one after another over one connection a machine, as one transaction needs."""


def layout_statements(shards: int) -> list[str]:
    """The statements that lay the tables out, for one transaction; done again, they do nothing."""
    reference = [_unless_there(table, "create_reference_table({})") for table in ON_EVERY_MACHINE]
    first, *others = BY_ID
    spread = [
        _unless_there(
            first,
            f"create_distributed_table({{}}, '{COLUMN}', colocate_with => 'none',"
            f" shard_count => {shards:d})",
        )
    ]
    spread += [
        _unless_there(
            table, f"create_distributed_table({{}}, '{COLUMN}', colocate_with => '{first}')"
        )
        for table in others
    ]
    return [*reference, *spread]


def leftover_statements() -> list[str]:
    """The statements, each a transaction of its own, that give back the room of what was moved."""
    return [
        f"SELECT truncate_local_data_after_distributing_table({literal(table)})"
        for table in (*ON_EVERY_MACHINE, *BY_ID)
    ]


def script(shards: int) -> list[str]:
    """All statements as somebody else may run them, in order."""
    return ["BEGIN", GATE, SEQUENTIAL, *layout_statements(shards), "COMMIT", *leftover_statements()]


def _unless_there(table: str, call: str) -> str:
    name = literal(table)
    return (
        f"SELECT {call.format(name)} WHERE NOT EXISTS"
        f" (SELECT FROM pg_dist_partition WHERE logicalrelid = {name}::regclass)"
    )


def literal(table: str) -> str:
    """A table's name as SQL text; one of them is a word of the language."""
    return f"'\"{table}\"'" if table == "user" else f"'{table}'"
