"""Store: its size and servers, slow calls, indexes; check, backup and import as jobs."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from oppserver.console.access import Right
from oppserver.console.jobs import check_idle, current_job, output_of, start_job, stop_job
from oppserver.console.visit import FormError, Moved, Page, Reply, Section, Shown, Visit
from oppserver.contract.columns import CUSTOM_COLUMNS, SYSTEM_COLUMNS

SLOW_SHOWN: Final = 10

_SQLITE: Final = "sqlite:///"

_FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)

_COLUMN_NAME: Final = re.compile(r"[A-Za-z0-9_]{1,40}", re.ASCII)

_FORMATS: Final = {
    ".csv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "ndjson",
    ".parquet": "parquet",
}

_PACKED: Final = (".gz", ".zst")

_NAMES: Final = {column.stored: column.name for column in (*SYSTEM_COLUMNS, *CUSTOM_COLUMNS)}


def _store(visit: Visit) -> Reply:
    store = visit.server.services.store
    rows = visit.server.requests.recent()
    indexes = [
        (index.name, [_NAMES.get(stored, stored) for stored in index.columns])
        for index in store.search_indexes()
    ]
    return Shown(
        "store/store.html",
        {
            "engine": store.engine(),
            "library": store.library(),
            "size": store.size_bytes(),
            "servers": store.servers(),
            "indexes": indexes,
            "slow": sorted(rows, key=lambda one: one.ms, reverse=True)[:SLOW_SHOWN],
            "is_file": visit.server.settings.database.startswith(_SQLITE),
            "backup_name": f"backup-{visit.now:%Y%m%d-%H%M%S}.db",
            **_job_values(visit),
        },
    )


def _job_values(visit: Visit) -> dict[str, object]:
    folder = visit.server.folder()
    job = current_job(folder)
    return {"job": job, "output": output_of(folder) if job else ""}


def _job(visit: Visit) -> Reply:
    return Shown("store/job.html", _job_values(visit))


def _start(
    visit: Visit, title: str, arguments: Sequence[str], shown: Sequence[str] | None = None
) -> Reply:
    start_job(
        visit.server.folder(),
        visit.server.settings,
        title,
        arguments,
        shown=arguments if shown is None else shown,
    )
    return Moved("/store#job")


def _check(visit: Visit) -> Reply:
    return _start(visit, "Check", ["db", "check"])


def _backup(visit: Visit) -> Reply:
    name = visit.form.one("file")
    if not _FILE_NAME.fullmatch(name):
        raise FormError(
            "file",
            "Type the name of a new file, of letters, digits, '.', '_' and '-'. It is written"
            " beside the database.",
        )
    database = Path(visit.server.settings.database.removeprefix(_SQLITE))
    return _start(visit, "Backup", ["db", "backup", str(database.parent / name)])


def _add_index(visit: Visit) -> Reply:
    names = visit.form.one("columns").replace(",", " ").split()
    if not names or not all(_COLUMN_NAME.fullmatch(name) for name in names):
        raise FormError(
            "columns", "Type one to four columns by schema name, such as Status mx_Custom_2."
        )
    return _start(visit, "Index", ["index", "add", *names])


def _drop_index(visit: Visit) -> Reply:
    name = visit.form.one("name")
    if not visit.server.services.store.drop_search_index(name):
        raise FormError("name", "There is no such index any more.")
    return Moved("/store", note=f"Dropped {name}. Searches find the same, more slowly.")


def _import(visit: Visit) -> Reply:
    given = visit.query.one("name") or "file.ndjson"
    suffixes = [suffix for suffix in Path(given).suffixes if suffix.lower() not in _PACKED]
    form = _FORMATS.get(suffixes[-1].lower() if suffixes else "")
    if form is None or visit.upload is None:
        raise FormError("upload", "Choose a file of NDJSON, CSV or Parquet; it may be packed.")
    folder = visit.server.folder()
    check_idle(folder)
    file = folder / "import-file"
    visit.upload.replace(file)
    arguments = ["import", str(file), "--format", form, "--on-error", "skip"]
    arguments += ["--rejects", str(folder / "rejects.ndjson")]
    return _start(visit, "Import", arguments, ["import", given, "--on-error", "skip"])


def _stop(visit: Visit) -> Reply:
    stop_job(visit.server.folder())
    return Moved("/store#job", note="The job is being stopped.")


SECTION: Final = Section(
    title="Store",
    path="/store",
    needs=Right.SEE_ALL,
    pages=(
        Page("GET", "/store", _store, needs=Right.SEE_ALL),
        Page("GET", "/store/job", _job, needs=Right.SEE_ALL),
        Page("POST", "/store/check", _check, needs=Right.ADMINISTER, form=_store),
        Page("POST", "/store/backup", _backup, needs=Right.ADMINISTER, form=_store),
        Page("POST", "/store/index", _add_index, needs=Right.ADMINISTER, form=_store),
        Page("POST", "/store/index/drop", _drop_index, needs=Right.ADMINISTER, form=_store),
        Page("POST", "/store/stop", _stop, needs=Right.ADMINISTER, form=_store),
        Page(
            "POST", "/store/import", _import, needs=Right.ADMINISTER, form=_store, takes_file=True
        ),
    ),
)
