"""Values on their ways in and out: imported, searched for, read in typed formats."""

import io
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from tests.support import advanced_search
from tests.support.databases import database_of
from tests.support.import_lines import line
from tests.support.running import Server, asking, group, run_well
from tests.support.stores import guid
from tests.support.writing import DEAL, well

ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"
BASE = {"LSO": "ActivityEvent", "LSO_Type": "PAEvent", "Operator": "eq", "RSO": str(DEAL)}
DATE, NUMBER, FLAG, TEXT = "mx_Custom_8", "mx_Custom_6", "mx_Custom_9", "mx_Custom_10"

numbers = count(5_000)


def imported(folder: Path, *rows: dict[str, Any]) -> list[str]:
    """The ids of rows that a command has imported."""
    ids = [next(numbers) for _ in rows]
    lines = [line(one, Status="open", **members) for one, members in zip(ids, rows, strict=True)]
    (folder / "in.ndjson").write_text("\n".join(lines))
    run_well("import", "in.ndjson", "--database", database_of(folder), folder=folder)
    return [guid(one) for one in ids]


def found(server: Server, among: list[str], name: str, operator: str, operand: str) -> int:
    """The number of some opportunities that a search finds."""
    rows = advanced_search.condition(BASE, advanced_search.row(name, operator, operand))
    answer = advanced_search.posted(
        server,
        {"Conditions": [rows], "GrpConOp": "And"},
        code=DEAL,
        Paging={"PageIndex": 1, "PageSize": 1000},
    )
    listed = well(answer)["List"]
    return sum(any(one in str(text) for text in row.values()) for row in listed for one in among)


def table(server: Server, ids: list[str], columns: str, accept: str = ARROW) -> Any:
    """Columns of opportunities, as a typed format has them."""
    answer = server.post(asking(group(ids, columns, code=DEAL)), Accept=accept)
    assert answer.status == 200, answer.body
    if accept == PARQUET:
        return parquet.read_table(io.BytesIO(answer.body))
    return pa.ipc.open_stream(answer.body).read_all()
