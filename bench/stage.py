"""Where a run takes place: its folder, its child processes, its data, the server it measures."""

import shutil
import tempfile
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from bench.contest import Form, Sample
from bench.database import copy_to_size, import_file, make_one_type, samples_of
from bench.dataset import write_ndjson
from bench.options import POSTGRES, TYPES, Options
from bench.peers.postgres_product import Primary
from bench.peers.product import Keys, Product, create_keys
from bench.processes import Children
from bench.progress import step
from bench.wire import Connection

_BYTES_PER_ROW: Final = 3_500
"""Bytes of the main data at its peak: the lines, the database, PostgreSQL's copy, its WAL."""
_BYTES_PER_GROWN_ROW: Final = 1_400
_BYTES_PER_POSTGRES_ROW: Final = 6_000
"""Bytes of the larger database at its peak: rows, indexes, their WAL, and a standby's copy."""

ONE_TYPE: Final = TYPES[0]
"""The type of all rows of the database on which lists and searches are measured."""

SEARCHED: Final = ("Status", "mx_Custom_4")
"""The columns on which an operator has put an index there."""


class DiskTooSmall(Exception):
    """There is no room for the data of this run."""


class Stage:
    """Owner of all that a run leaves behind; closed on every path."""

    def __init__(self, options: Options) -> None:
        self.options: Final = options
        if options.keep is None:
            self.folder = Path(tempfile.mkdtemp(prefix="oppserver-bench-"))
        else:
            options.keep.mkdir(parents=True, exist_ok=True)
            self.folder = options.keep.resolve()
        self._scratch: Final = Path(tempfile.mkdtemp(prefix="run-", dir=self.folder))
        self.children: Final = Children(self._scratch)
        self._samples: dict[Path, list[Sample]] = {}
        self._keys: dict[Path, Keys] = {}
        self._product: Product | None = None
        self._one_type_product: Product | None = None
        self._connection: Connection | None = None
        self._primary: Primary | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._connection is not None:
                self._connection.close()
            self.children.stop_all()
        finally:
            kept = self.options.keep is not None
            shutil.rmtree(self._scratch if kept else self.folder, ignore_errors=True)

    def check_disk(self) -> None:
        """Raises DiskTooSmall when the run's data would not fit."""
        needed = self.options.opportunities * _BYTES_PER_ROW
        if self.options.wants("growth"):
            needed += (self.options.growth_small + self.options.growth_large) * _BYTES_PER_GROWN_ROW
        if any(self.options.wants(name) for name in POSTGRES):
            needed += self.options.growth_large * _BYTES_PER_POSTGRES_ROW
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise DiskTooSmall(
                f"{self.folder} has {free >> 20:,} MiB free, this run needs about"
                f" {needed >> 20:,} MiB. Set TMPDIR or --keep to a larger place, or ask for fewer"
                " --opportunities and --growth-rows."
            )

    def scratch(self, name: str) -> Path:
        """A path that is removed with the run."""
        return self._scratch / name

    # --- data

    def lines(self, rows: int | None = None) -> Path:
        """The generated opportunities as NDJSON, as many as the main data has or fewer."""
        rows = rows or self.options.opportunities
        path = self.folder / f"{rows}.ndjson"
        if not path.exists():
            with step(f"generate {rows:,} opportunities") as progress:
                unfinished = path.with_suffix(".part")
                write_ndjson(unfinished, rows, progress)
                unfinished.rename(path)
        return path

    def database(self) -> Path:
        """The main database; imported when it is not there."""
        path = self.database_path()
        if not path.exists():
            self.import_to(path)
        return path

    def database_path(self) -> Path:
        """Where the main database is, or will be."""
        return self.folder / f"opportunities-{self.options.opportunities}.db"

    def import_to(self, path: Path) -> float:
        """Imports the lines into a new database; seconds of the command."""
        lines = self.lines()
        unfinished = self.scratch("import.db")
        with step(f"import {self.options.opportunities:,} opportunities"):
            seconds = import_file(lines, unfinished)
        unfinished.rename(path)
        return seconds

    def grown(self, rows: int) -> Path:
        """A database of another size, copied from the main one."""
        path = self.folder / f"grown-{rows}.db"
        if not path.exists():
            source = self.database()
            with step(f"copy to {rows:,} opportunities") as progress:
                unfinished = self.scratch("grown.db")
                copy_to_size(source, unfinished, rows, progress)
                unfinished.rename(path)
        return path

    def one_type(self) -> Path:
        """A copy of the main database in which all rows are of one type; writes go there."""
        path = self.scratch("one-type.db")
        if not path.exists():
            source = self.database()
            with step("copy with all rows of one type"):
                make_one_type(source, path, ONE_TYPE, SEARCHED)
        return path

    def samples(self, database: Path) -> list[Sample]:
        """The calls of a database, the same for all contestants."""
        if database not in self._samples:
            with step("choose ids at random"):
                self._samples[database] = samples_of(database, self.options.samples)
        return self._samples[database]

    # --- the servers

    def primary(self) -> Primary:
        """The PostgreSQL server whose databases the product is measured over; others are stopped.

        It stays until the run ends, because several measures share its databases.
        """
        if self._primary is None:
            self.stop_product()
            if self._one_type_product is not None:
                self._one_type_product.stop()
                self._one_type_product = None
            with step("start PostgreSQL"):
                self._primary = Primary(
                    self.children,
                    self.folder / "postgres",
                    self._scratch,
                    rows=self.options.growth_large,
                )
        return self._primary

    def new_product(self, database: Path) -> Product:
        """A server over a database, not started."""
        if database not in self._keys:
            self._keys[database] = create_keys(database)
        return Product(self.children, database, self._keys[database])

    def product(self) -> Product:
        """The running server over the main database."""
        if self._product is None:
            database = self.database()
            self._product = self.new_product(database)
            self._product.start(first_body=self.samples(database)[0].body)
        return self._product

    def one_type_product(self) -> Product:
        """The running server over the database of one type; the main one is stopped for it."""
        if self._one_type_product is None:
            self.stop_product()
            database = self.one_type()
            self._one_type_product = self.new_product(database)
            body = self.samples(self.database())[0].body
            self._one_type_product.start(first_body=body)
        return self._one_type_product

    def product_form(self) -> Form:
        """The bulk read over HTTP, on a new connection to the running server.

        To be asked for when a contest begins: a server closes connections that wait too long.
        """
        product = self.product()
        if self._connection is not None:
            self._connection.close()
        self._connection = Connection(product.port)
        return http_form("oppserver", product, self._connection)

    def stop_product(self) -> None:
        """Ends the running server."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._product is not None:
            self._product.stop()
            self._product = None


def http_form(name: str, product: Product, connection: Connection) -> Form:
    """The bulk read over HTTP as a form of a contest."""
    return Form(
        name=name,
        prepare=lambda sample: product.request(sample.body),
        answer=connection.call,
        rows=rows_of_answer,
    )


def rows_of_answer(answer: bytes | memoryview) -> list[dict[str, Any]]:
    """The rows of an answer of one group."""
    rows: list[dict[str, Any]] = msgspec.json.decode(bytes(answer))[0]["Opportunities"]
    return rows
