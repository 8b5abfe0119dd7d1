"""Datasette over the same file, asked for the same 2,000 ids through its JSON API.

A stored query that reads takes no POST, and the HTTP server below Datasette takes no URL above
64 KiB, where 2,000 ids need 74 KB. So there are two ways: two GETs of 1,000 ids each, or one GET
with the ids packed without dashes, which SQL unpacks. Both are timed, each with the shapes of an
answer that hold all values as JSON (objects, arrays, or objects made by SQLite and embedded with
``_json``); the fastest counts. The file is served as immutable, which spares Datasette its locks;
the page cache is made large, the row limit raised to 2,000. It checks no keys and counts no calls.
"""

import importlib.util
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from bench.contest import Form, Sample
from bench.options import IDS, ROW_NAMES
from bench.processes import Children, PeerMissing, free_port
from bench.wire import BadAnswer, Connection, get, unchunked

if TYPE_CHECKING:
    import subprocess

_COLUMNS: Final = """o.lead_id AS ProspectId, o.lead_email AS EmailAddress,
  o.id AS ProspectActivityId, o.created_on_answer AS CreatedOn,
  o.modified_on_answer AS ModifiedOn, o.owner_id AS Owner,
  u.email AS OwnerEmailAddress, o.status AS Status, o.mx_custom_1 AS mx_Custom_1,
  o.mx_custom_2 AS mx_Custom_2, o.mx_custom_3 AS mx_Custom_3, o.mx_custom_4 AS mx_Custom_4"""
_OBJECTS: Final = (
    "json_group_array(json_object("
    + ", ".join(f"'{part.split()[2]}', {part.split()[0]}" for part in _COLUMNS.split(","))
    + ")) AS rows"
)
_LISTED: Final = """json_each('["' || replace(:ids, ',', '","') || '"]') AS asked"""
_PACKED: Final = f"""(
  WITH RECURSIVE place(i) AS (SELECT 1 UNION ALL SELECT i + 32 FROM place LIMIT {IDS})
  SELECT substr(:ids, i, 8) || '-' || substr(:ids, i + 8, 4) || '-' || substr(:ids, i + 12, 4)
    || '-' || substr(:ids, i + 16, 4) || '-' || substr(:ids, i + 20, 12) AS value FROM place
) AS asked"""
_QUERIES: Final = {
    f"{way}_{what}": f"SELECT {selected} FROM {asked} CROSS JOIN opportunity AS o"
    ' ON o.id = asked.value LEFT JOIN "user" AS u ON u.id = o.owner_id'
    for way, asked in (("listed", _LISTED), ("packed", _PACKED))
    for what, selected in (("rows", _COLUMNS), ("objects", _OBJECTS))
}
_SHAPES: Final = {
    "objects": ("rows", "_shape=array"),
    "arrays": ("rows", "_shape=arrays"),
    "JSON of SQLite": ("objects", "_shape=array&_json=rows"),
}


class Datasette:
    """A server of its own."""

    def __init__(self, children: Children, folder: Path) -> None:
        self._children = children
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def start(self, database: Path) -> str:
        """Starts it; its version. Raises PeerMissing."""
        if importlib.util.find_spec("datasette") is None:
            raise PeerMissing("not installed: datasette")
        self._folder.mkdir()
        metadata = self._folder / "metadata.json"
        queries = {name: {"sql": sql} for name, sql in _QUERIES.items()}
        metadata.write_bytes(
            msgspec.json.encode({"databases": {database.stem: {"queries": queries}}})
        )
        self._process = self._children.start(
            "datasette",
            [
                *(sys.executable, "-m", "datasette", "serve", "--immutable", str(database)),
                *("--host", "127.0.0.1", "--port", str(self._port)),
                *("--metadata", str(metadata), "--setting", "max_returned_rows", str(IDS)),
                *("--setting", "sql_time_limit_ms", "60000"),
                *("--setting", "cache_size_kb", "1048576"),
            ],
        )
        self._children.wait_until("datasette", self._process, self._connected, timeout_s=180)
        self._name = database.stem
        import datasette

        return f"Datasette {datasette.__version__}"

    def forms(self) -> list[Form]:
        """The shapes of an answer that are timed."""
        connection = self._connection
        assert connection is not None

        def url(way: str, what: str, shape: str, ids: str) -> bytes:
            return get(f"/{self._name}/{way}_{what}.json?{shape}&ids={ids}")

        def listed(sample: Sample, what: str, shape: str) -> list[bytes]:
            halves = sample.ids[: IDS // 2], sample.ids[IDS // 2 :]
            return [url("listed", what, shape, ",".join(half)) for half in halves]

        def packed(sample: Sample, what: str, shape: str) -> list[bytes]:
            return [url("packed", what, shape, "".join(sample.ids).replace("-", ""))]

        def answer(requests: list[bytes]) -> list[bytes]:
            return [bytes(connection.call(request)) for request in requests]

        ways = {"two calls": listed, "one call, ids packed": packed}
        return [
            Form(
                name=f"Datasette: {way}, {shape}",
                prepare=partial(prepare, what=what, shape=parameters),
                answer=answer,
                rows=_rows,
            )
            for way, prepare in ways.items()
            for shape, (what, parameters) in _SHAPES.items()
        ]

    def stop(self) -> None:
        """Ends the server."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._children.stop(self._process)
            self._process = None

    def _connected(self) -> bool:
        try:
            self._connection = Connection(self._port)
            self._connection.call(get("/-/versions.json"))
        except (OSError, BadAnswer):
            return False
        return True


def _rows(answers: list[bytes]) -> list[dict[str, Any]]:
    rows: list[Any] = []
    for answer in answers:
        is_whole = answer.startswith((b"[", b"{"))
        found: Any = msgspec.json.decode(answer if is_whole else unchunked(answer))
        rows += found["rows"] if isinstance(found, dict) else found
    if len(rows[0]) == 1:
        rows = [row for only in rows for row in only["rows"]]
    return [
        row if isinstance(row, dict) else dict(zip(ROW_NAMES, row, strict=True)) for row in rows
    ]
