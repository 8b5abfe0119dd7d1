"""The layout of a database's tables: on one machine, on those of a Citus cluster, or wrong."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from oppserver.contract.errors import DatabaseRefused
from oppserver.store.postgres.address import Address
from oppserver.store.postgres.citus.layout import (
    BY_ID,
    CITUS_VERSION_MIN,
    COLUMN,
    ON_EVERY_MACHINE,
    ON_THE_COORDINATOR,
    literal,
)
from oppserver.store.sql import SqlConnection

_IS_CITUS: Final = "SELECT extversion FROM pg_extension WHERE extname = 'citus'"

_IS_COORDINATOR: Final = "SELECT groupid = 0 FROM pg_dist_local_group"

_LAYOUT: Final = """
    SELECT c.relname, p.partmethod, p.repmodel, p.colocationid,
        column_to_column_name(p.logicalrelid, p.partkey)
    FROM pg_dist_partition AS p JOIN pg_class AS c ON c.oid = p.logicalrelid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema()
"""


class _Lies(NamedTuple):
    """The layout of one table, as Citus remembers it."""

    method: str
    model: str
    colocation: int
    column: str | None

    @property
    def is_reference(self) -> bool:
        return self.method == "n" and self.model == "t"

    @property
    def is_local(self) -> bool:
        return self.method == "n" and self.model != "t" and self.colocation == 0

    @property
    def is_by_id(self) -> bool:
        return self.method == "h" and self.column == COLUMN


def is_sharded(connection: SqlConnection) -> bool:
    """Return true when opportunities are spread over the machines of a cluster."""
    if not connection.rows(_IS_CITUS):
        return False
    return BY_ID[0] in _layout(connection)


def still_to_lay_out(connection: SqlConnection, address: Address) -> list[str]:
    """The tables that do not lie as they are to. Raises DatabaseRefused where that cannot be."""
    _refuse_other_servers(connection, address)
    layout = _layout(connection)
    for table, lies in layout.items():
        _refuse_other_layout(table, lies, layout)
    return [table for table in (*ON_EVERY_MACHINE, *BY_ID) if table not in layout]


def _layout(connection: SqlConnection) -> Mapping[str, _Lies]:
    found = {
        row[0]: _Lies(_text(row[1]), _text(row[2]), row[3], row[4])
        for row in connection.rows(_LAYOUT)
    }
    return {table: lies for table, lies in found.items() if not lies.is_local}


def _text(one: str | bytes) -> str:
    """A value of the type ``"char"``, which the driver may give as a byte."""
    return one.decode() if isinstance(one, bytes) else one


def _refuse_other_servers(connection: SqlConnection, address: Address) -> None:
    version = next((one for (one,) in connection.rows(_IS_CITUS)), None)
    if version is None:
        raise DatabaseRefused(
            f"The database {address} has no Citus. On a server whose shared_preload_libraries"
            " begin with citus, a superuser runs in it: CREATE EXTENSION citus"
        )
    if int(version.partition(".")[0]) < CITUS_VERSION_MIN:
        raise DatabaseRefused(
            f"The database {address} has Citus {version}; oppserver needs {CITUS_VERSION_MIN} or"
            " later. After its packages: ALTER EXTENSION citus UPDATE"
        )
    if connection.rows(_IS_COORDINATOR) != [(True,)]:
        raise DatabaseRefused(
            f"The database {address} is on a worker of the cluster. Name the coordinator: servers"
            " connect to it, and tables are laid out from there."
        )


def _refuse_other_layout(table: str, lies: _Lies, layout: Mapping[str, _Lies]) -> None:
    """Raises DatabaseRefused for a table that lies in another way than it is to."""
    if table in BY_ID:
        first = layout.get(BY_ID[0])
        is_right = lies.is_by_id and first is not None and lies.colocation == first.colocation
        wanted = f"by its column {COLUMN}, together with {BY_ID[0]}"
    elif table in ON_EVERY_MACHINE:
        is_right, wanted = lies.is_reference, "as a reference table"
    elif table in ON_THE_COORDINATOR:
        is_right, wanted = False, "on the coordinator alone"
    else:
        return
    if not is_right:
        raise DatabaseRefused(
            f"The table {table} is distributed in another way: it is to lie {wanted}. Undo it with"
            f" SELECT undistribute_table({literal(table)}), then run 'db distribute' again."
        )
