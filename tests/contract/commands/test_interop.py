"""pandas, polars and DuckDB read the answers of the server, in a line each, with their types."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from oppserver.contract.model import DataType
from oppserver.store import open_store
from tests.support.running import Server, asking, create_key, group, serving
from tests.support.stores import NOW, field, guid, opportunity

MEDIA_TYPES = {
    "rows.ndjson": "application/x-ndjson",
    "rows.csv": "text/csv",
    "rows.arrows": "application/vnd.apache.arrow.stream",
    "rows.parquet": "application/vnd.apache.parquet",
}
READERS: dict[tuple[str, str], Callable[[str], Any]] = {
    ("pandas", "rows.ndjson"): lambda path: pd.read_json(path, lines=True),
    ("pandas", "rows.csv"): pd.read_csv,
    ("pandas", "rows.arrows"): lambda path: pa.ipc.open_stream(path).read_pandas(),
    ("pandas", "rows.parquet"): pd.read_parquet,
    ("polars", "rows.ndjson"): pl.read_ndjson,
    ("polars", "rows.csv"): pl.read_csv,
    ("polars", "rows.arrows"): pl.read_ipc_stream,
    ("polars", "rows.parquet"): pl.read_parquet,
    ("duckdb", "rows.ndjson"): duckdb.read_json,
    ("duckdb", "rows.csv"): duckdb.read_csv,
    ("duckdb", "rows.arrows"): lambda path: duckdb.from_arrow(pa.ipc.open_stream(path).read_all()),
    ("duckdb", "rows.parquet"): duckdb.read_parquet,
}
CREATED = datetime(2024, 2, 29, 13, 5, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three opportunities as a file of each format, as a server sent it."""
    folder = tmp_path_factory.mktemp("interop")
    store = open_store(f"sqlite:///{folder / 'oppserver.db'}")
    store.put_fields(
        [field(1, data_type=DataType.NUMBER), field(2, data_type=DataType.BOOLEAN), field(3)]
    )
    store.write_opportunities(
        [
            opportunity(1, slots={"mx_custom_1": "10.25", "mx_custom_2": "1", "mx_custom_3": "ü"}),
            opportunity(2, slots={"mx_custom_1": "-0.1", "mx_custom_3": 'a "b",\nc'}),
            opportunity(3),
        ],
        now=NOW,
    )
    store.close()
    with serving(folder, keys=create_key(folder)) as server:
        for name, media_type in MEDIA_TYPES.items():
            (folder / name).write_bytes(rows_of(server, media_type))
    return folder


def rows_of(server: Server, media_type: str) -> bytes:
    names = "CreatedOn,mx_Custom_1,mx_Custom_2,mx_Custom_3"
    message = asking(group([guid(1), guid(2), guid(3)], names, code=12_000))
    answer = server.post(message, Accept=media_type)
    assert answer.status == 200, answer.body
    return answer.body


def columns(loaded: Any) -> dict[str, list[Any]]:
    """The columns of what a library has loaded, in values of Python."""
    if isinstance(loaded, pd.DataFrame):
        plain = loaded.astype(object).where(loaded.notna(), None)
        return {str(name): list(plain[name]) for name in plain.columns}
    if isinstance(loaded, duckdb.DuckDBPyRelation):
        rows = loaded.fetchall()
        return {name: [row[at] for row in rows] for at, name in enumerate(loaded.columns)}
    return {name: values.to_list() for name, values in loaded.to_dict().items()}


@pytest.mark.parametrize(("library", "name"), READERS)
def test_every_format_loads_in_one_line(folder: Path, library: str, name: str) -> None:
    """Each row, each column, text as it is; in the typed formats numbers and booleans too."""
    loaded = columns(READERS[library, name](str(folder / name)))
    assert list(loaded)[:2] == ["EventCode", "ProspectId"]
    assert list(map(str, loaded["ProspectActivityId"])) == [guid(1), guid(2), guid(3)]
    assert list(loaded["mx_Custom_3"]) == ["ü", 'a "b",\nc', None]
    assert [int(code) for code in loaded["EventCode"]] == [12_000] * 3
    if name in ("rows.arrows", "rows.parquet"):
        assert loaded["mx_Custom_1"] == [Decimal("10.25"), Decimal("-0.1"), None]
        assert loaded["mx_Custom_2"] == [True, None, None]
        for moment in loaded["CreatedOn"]:
            assert moment == CREATED
    elif name == "rows.csv":
        assert [str(moment) for moment in loaded["CreatedOn"]] == [NOW] * 3
