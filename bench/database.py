"""The databases of a run: imported by the product's own command, or copied to another size."""

import random
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bench.contest import Sample
from bench.options import IDS, SEED, TYPES
from bench.peers.product import create_keys, run_command, url_of
from bench.progress import Progress
from oppserver.store.sqlite.library import Connection

_CHUNK_ROWS: Final = 100_000
_NEW_ID: Final = (
    "substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-' || substr(h, 13, 4) || '-' ||"
    " substr(h, 17, 4) || '-' || substr(h, 21, 12)"
)


def import_file(file: Path, database: Path) -> float:
    """Imports a file with the product's command; seconds from its start to its end."""
    started = time.perf_counter()
    run_command("import", str(file), "--database", url_of(database))
    return time.perf_counter() - started


def copy_to_size(source: Path, target: Path, rows: int, progress: Progress) -> None:
    """Makes a database of another size: the source's rows again and again, under new random ids.

    The schema, the types, fields and owners are the product's own; the rows are copied in SQL,
    which takes a fraction of an import's time. Copies of a row share their lead.
    """
    create_keys(target)  # creates the file with this version's schema
    connection = Connection(target)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA cache_size=-2097152")
    connection.execute("ATTACH ? AS source", (str(source),))
    connection.execute("PRAGMA source.mmap_size=2147418112")
    for table in ("user", "opportunity_type", "field", "lead"):
        connection.execute(f'INSERT OR IGNORE INTO main."{table}" SELECT * FROM source."{table}"')
    connection.execute("UPDATE main.catalogue_version SET version = version + 1")
    indexes: list[Any] = connection.execute(
        "SELECT name, sql FROM main.sqlite_schema"
        " WHERE type = 'index' AND tbl_name = 'opportunity' AND sql IS NOT NULL"
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f'DROP INDEX main."{name}"')
    _copy_rows(connection, rows, progress)
    for _, sql in indexes:
        connection.execute(sql)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _copy_rows(connection: Connection, rows: int, progress: Progress) -> None:
    columns = [
        name
        for _, name, *_, hidden in connection.execute("PRAGMA main.table_xinfo(opportunity)")
        if hidden == 0 and name != "id"
    ]
    listed = ", ".join(columns)
    (available,) = connection.one("SELECT max(rowid) FROM source.opportunity")
    done = 0
    while done < rows:
        start = done % available
        size = min(_CHUNK_ROWS, rows - done, available - start)
        connection.execute("BEGIN")
        connection.execute(
            f"INSERT INTO main.opportunity (id, {listed}) SELECT {_NEW_ID}, {listed} FROM"
            f" (SELECT lower(hex(randomblob(16))) AS h, {listed} FROM source.opportunity"
            " WHERE rowid > ? AND rowid <= ?)",
            (start, start + size),
        )
        connection.execute("COMMIT")
        done += size
        progress.update(done, rows)


def make_one_type(source: Path, target: Path, event_code: int, columns: Sequence[str]) -> None:
    """Copies a database and makes all its rows of one type, with an operator's index on columns."""
    shutil.copyfile(source, target)
    connection = Connection(target)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA cache_size=-2097152")
    connection.execute("UPDATE opportunity SET event_code = ?", (event_code,))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    run_command("index", "add", *columns, "--database", url_of(target))


def ids_and_leads(database: Path, number: int) -> list[tuple[str, str]]:
    """The ids of random opportunities, each with its lead's."""
    chance = random.Random(SEED)
    connection = Connection(database)
    (rows,) = connection.one("SELECT max(rowid) FROM opportunity")
    statement = "SELECT id, lead_id FROM opportunity WHERE rowid = ?"
    found = [connection.one(statement, (chance.randrange(1, rows + 1),)) for _ in range(number)]
    connection.close()
    return found


def samples_of(database: Path, number: int, ids: int = IDS) -> list[Sample]:
    """Calls: each asks for ``ids`` random rows of one type; types take turns."""
    chance = random.Random(SEED)
    connection = Connection(database)
    (rows,) = connection.one("SELECT max(rowid) FROM opportunity")
    samples = []
    for turn in range(number):
        event_code = TYPES[turn % len(TYPES)]
        chosen = _random_ids(connection, chance, rows, event_code, ids)
        samples.append(Sample(event_code=event_code, ids=chosen))
    connection.close()
    return samples


def groups_of(database: Path, number: int) -> list[dict[int, list[str]]]:
    """Calls that ask for 2,000 random rows over all five types: 400 of each, in five groups."""
    each = IDS // len(TYPES)
    by_type = samples_of(database, number * len(TYPES), each)
    return [
        {sample.event_code: list(sample.ids) for sample in by_type[start : start + len(TYPES)]}
        for start in range(0, len(by_type), len(TYPES))
    ]


def _random_ids(
    connection: Connection, chance: random.Random, rows: int, event_code: int, ids: int
) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < ids:
        rowid = chance.randrange(1, rows + 1)
        row = connection.execute(
            "SELECT id FROM opportunity WHERE rowid = ? AND event_code = ?", (rowid, event_code)
        ).fetchone()
        if row:
            found[row[0]] = None
    return list(found)
