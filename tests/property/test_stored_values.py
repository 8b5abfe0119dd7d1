"""An accepted value reads back equal in every format, and ``eq`` finds it, by all ways in."""

import csv
import io
import json
import string
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from oppserver.contract.dates import to_answer
from oppserver.transfer.lines import read_ndjson
from oppserver.transfer.store import Import
from tests.property.laws import examples
from tests.support import advanced_search, writing
from tests.support.import_lines import line
from tests.support.running import Server, asking, group
from tests.support.stores import NOW, guid
from tests.support.writing import BULK_UPDATE, DEAL, captured, store_of, update, value, well

ENGINES = ["sqlite", "postgres"]

folder, server = writing.folder, writing.server

NUMBER, DATE, FLAG, OPTION, TEXT = "c6", "c8", "c9", "c3", "c10"
BASE = {"LSO": "ActivityEvent", "LSO_Type": "PAEvent", "Operator": "eq", "RSO": str(DEAL)}
WAYS: Final = ("capture", "update", "bulk update", "import")

ids = count(70_000)


class Sent(NamedTuple):
    """A value as a caller writes it, and its stored form."""

    column: str
    spelled: Any
    stored: str

    @property
    def name(self) -> str:
        return f"mx_Custom_{self.column[1:]}"

    @property
    def typed(self) -> Any:
        """The value in Arrow and Parquet."""
        if self.column == NUMBER:
            return Decimal(self.stored)
        if self.column == DATE:
            return datetime.fromisoformat(self.stored).replace(tzinfo=UTC)
        return self.stored == "1" if self.column == FLAG else self.stored


@st.composite
def numbers(draw: st.DrawFn) -> Sent:
    """A number within the bounds of stored ones, with signs, zeros and commas."""
    whole = draw(st.integers(0, 10**28 - 1) | st.integers(0, 9_999_999))
    decimals = draw(st.text(string.digits, max_size=10))
    sign = draw(st.sampled_from(["", "-", "+"]))
    digits = draw(st.sampled_from([f"{whole}", f"{whole:,}", f"000{whole}"]))
    text = sign + digits + (f".{decimals}" if decimals else "")
    kept = decimals.rstrip("0")
    stored = f"{whole}.{kept}" if kept else f"{whole}"
    if sign == "-" and stored != "0":
        stored = f"-{stored}"
    return Sent(NUMBER, draw(st.sampled_from([text, f" {text} "])), stored)


@st.composite
def json_numbers(draw: st.DrawFn) -> Sent:
    """A number that is no text in JSON."""
    number = draw(
        st.integers(-(10**17), 10**17) | st.integers(-(10**9), 10**9).map(lambda n: n / 8)
    )
    exact = format(Decimal(repr(number)), "f")
    stored = exact.rstrip("0").rstrip(".") if "." in exact else exact
    return Sent(NUMBER, number, "0" if stored == "-0" else stored)


@st.composite
def dates(draw: st.DrawFn) -> Sent:
    """A date in each of the forms that are read, a day alone where it is midnight."""
    moment = draw(st.datetimes()).replace(microsecond=0)
    stored = moment.isoformat(sep=" ")
    minutes = draw(st.integers(-14 * 60, 14 * 60)) if 1 < moment.year < 9999 else 0
    there = moment + timedelta(minutes=minutes)
    offset = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    forms = [stored, f"{stored}Z", f"{moment.isoformat()}.123Z", to_answer(stored)]
    forms.append(f"{there.isoformat()}{offset}")
    if stored.endswith("00:00:00"):
        forms.append(stored[:10])
    return Sent(DATE, draw(st.sampled_from(forms)), stored)


@st.composite
def cased(draw: st.DrawFn, column: str, spellings: dict[str, str]) -> Sent:
    """One of a few values, in any case."""
    text = draw(st.sampled_from(sorted(spellings)))
    spelled = draw(st.sampled_from([text, text.upper(), text.lower(), f" {text}"]))
    return Sent(column, spelled, spellings[text])


flags = cased(FLAG, {"true": "1", "1": "1", "yes": "1", "false": "0", "0": "0", "no": "0"})
json_flags = st.booleans().map(lambda one: Sent(FLAG, one, "1" if one else "0"))
options = cased(OPTION, {"Web": "Web", "Phone": "Phone"})
texts = (
    st.text(string.ascii_letters + string.digits + "é\u0301ßİ\n\t\"'\\,;{}%_*? ", min_size=1)
    .filter(str.strip)
    .map(lambda text: Sent(TEXT, text, text))
)
sent = numbers() | json_numbers() | dates() | flags | json_flags | options | texts


def imported(folder: Path, one: Sent) -> str:
    """The id of an opportunity out of a file."""
    number = next(ids)
    store = store_of(folder)
    lines = line(number, Status="Open", **{one.name: one.spelled}).encode()
    job = Import(store, batch_rows=10, now=lambda: NOW, on_reject=None)
    job.run(read_ndjson(io.BytesIO(lines), "in.ndjson"))
    store.close()
    return guid(number)


def stored_by(way: str, one: Sent, server: Server, folder: Path) -> str:
    """The id of an opportunity that has a value."""
    if way == "import":
        return imported(folder, one)
    if way == "capture":
        return captured(server, values={one.column: one.spelled})
    created = captured(server)
    if way == "update":
        assert well(update(server, created, **{one.column: one.spelled}))
    else:
        entry: dict[str, Any] = {"ProspectOpportunityId": created, "OpportunityEventCode": DEAL}
        entry["Fields"] = writing.fields(**{one.column: one.spelled})
        well(server.post([entry], path=BULK_UPDATE))
    return created


def is_found(server: Server, stored: str, one: Sent) -> bool:
    """Return whether a search for the value, as it was written, finds an opportunity."""
    operand = one.spelled if isinstance(one.spelled, str) else json.dumps(one.spelled)
    rows = advanced_search.condition(
        BASE,
        advanced_search.row(one.name, "eq", operand),
        advanced_search.row("ProspectActivityId", "eq", stored),
    )
    answer = advanced_search.posted(server, {"Conditions": [rows], "GrpConOp": "And"}, code=DEAL)
    return bool(well(answer)["RecordCount"] == 1)


def read(server: Server, one: str, name: str, accept: str) -> Any:
    """The value of an opportunity in a format."""
    body = asking(group([one], f"ProspectActivityId,{name}", code=DEAL))
    answer = server.post(body, Accept=accept)
    assert answer.status == 200, answer.body
    if accept == "text/csv":
        [row] = csv.DictReader(io.StringIO(answer.body.decode(), newline=""))
        return row[name]
    if accept == "application/x-ndjson":
        return json.loads(answer.body)[name]
    table = (
        pa.ipc.open_stream(answer.body).read_all()
        if "arrow" in accept
        else parquet.read_table(io.BytesIO(answer.body))
    )
    [typed] = table.column(name).to_pylist()
    return typed


def check(batch: Sequence[tuple[str, Sent]], server: Server, folder: Path) -> None:
    """Stores each value on its way, reads it in every format, and searches for it."""
    for way, one in batch:
        stored = stored_by(way, one, server, folder)
        assert value(server, stored, one.name) == one.stored, (way, one)
        for accept in ("application/x-ndjson", "text/csv"):
            assert read(server, stored, one.name, accept) == one.stored, (way, accept)
        for accept in ("application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"):
            assert read(server, stored, one.name, accept) == one.typed, (way, accept)
        assert is_found(server, stored, one), (way, one)


def test_what_is_accepted_reads_back_equal_and_is_found(server: Server, folder: Path) -> None:
    """On every way in, in every format, with the operand as it was written."""

    @examples(80)
    @given(st.lists(st.tuples(st.sampled_from(WAYS), sent), min_size=1, max_size=4))
    def law(batch: list[tuple[str, Sent]]) -> None:
        check(batch, server, folder)

    law()
