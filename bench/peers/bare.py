"""The floor: SQLite alone, in this process, fetching and encoding the same rows.

Written apart from the product. Three forms are timed, and the fastest counts: rows fetched and
encoded with msgspec (as typed structs), one JSON object per row made by SQLite and joined here,
and one statement that makes the whole array. No keys, no limits, no parsing, no plan, no filter.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.contest import Form, Sample
from oppserver.store.sqlite.library import Connection

_COLUMNS: Final = {
    "ProspectId": "o.lead_id",
    "EmailAddress": "o.lead_email",
    "ProspectActivityId": "o.id",
    "CreatedOn": "o.created_on_answer",
    "ModifiedOn": "o.modified_on_answer",
    "Owner": "o.owner_id",
    "OwnerEmailAddress": "u.email",
    "Status": "o.status",
    "mx_Custom_1": "o.mx_custom_1",
    "mx_Custom_2": "o.mx_custom_2",
    "mx_Custom_3": "o.mx_custom_3",
    "mx_Custom_4": "o.mx_custom_4",
}
_FROM: Final = (
    " FROM json_each(?) AS asked CROSS JOIN opportunity AS o ON o.id = asked.value"
    ' LEFT JOIN "user" AS u ON u.id = o.owner_id'
)
_OBJECT: Final = "json_object(" + ", ".join(f"'{n}', {c}" for n, c in _COLUMNS.items()) + ")"

_Row = msgspec.defstruct("_Row", [(name, str | None) for name in _COLUMNS])


def connect(database: Path) -> Connection:
    """A connection with what makes it fast: the file mapped, a large cache."""
    connection = Connection(database)
    connection.execute(f"PRAGMA mmap_size={0x7FFF0000}")
    connection.execute("PRAGMA cache_size=-262144")
    connection.execute("PRAGMA query_only=ON")
    return connection


def forms(database: Path) -> list[Form]:
    """The three forms, each on a connection of its own."""
    return [
        _form("rows fetched, encoded with msgspec", _fetched(connect(database))),
        _form("json_object per row, joined", _objects(connect(database))),
        _form("one json_group_array(json_object)", _array(connect(database))),
    ]


def _form(name: str, answer: Callable[[str], bytes]) -> Form:
    return Form(name=f"SQLite: {name}", prepare=_prepare, answer=answer, rows=_rows)


def _prepare(sample: Sample) -> str:
    return msgspec.json.encode(sample.ids).decode()


def _rows(answer: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = msgspec.json.decode(answer)
    return rows


def _fetched(connection: Connection) -> Callable[[str], bytes]:
    statement = f"SELECT {', '.join(_COLUMNS.values())}{_FROM}"
    encode = msgspec.json.Encoder().encode

    def answer(ids: str) -> bytes:
        return encode([_Row(*row) for row in connection.execute(statement, (ids,))])

    return answer


def _objects(connection: Connection) -> Callable[[str], bytes]:
    statement = f"SELECT CAST({_OBJECT} AS BLOB){_FROM}"

    def answer(ids: str) -> bytes:
        rows: list[Any] = connection.execute(statement, (ids,)).fetchall()
        return b"[" + b",".join([row[0] for row in rows]) + b"]"

    return answer


def _array(connection: Connection) -> Callable[[str], bytes]:
    statement = f"SELECT CAST(json_group_array({_OBJECT}) AS BLOB){_FROM}"

    def answer(ids: str) -> bytes:
        (array,) = connection.one(statement, (ids,))
        assert isinstance(array, bytes)
        return array

    return answer
