"""Values as they come in: numbers, dates and names that a caller or a file spells in its way."""

import json
import unicodedata
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.support import writing
from tests.support.databases import database_of
from tests.support.import_lines import line
from tests.support.running import Server, one_line, run, run_well
from tests.support.stores import guid
from tests.support.values import (
    ARROW,
    DATE,
    FLAG,
    NUMBER,
    PARQUET,
    TEXT,
    found,
    imported,
    numbers,
    table,
)
from tests.support.writing import (
    BULK_UPDATE,
    CAPTURE,
    DEAL,
    UPDATE,
    captured,
    fields,
    update,
    value,
    well,
)

ENGINES = ["sqlite"]

folder, server = writing.folder, writing.server

UNFIT = [
    *[(NUMBER, text) for text in ("1499,90", "1e5", "0.12345678901")],
    *[(DATE, text) for text in ("soon", "2024-02-30", "2024-01-01 24:00:00")],
    (FLAG, "maybe"),
]


def test_an_imported_value_that_does_not_fit_is_rejected(server: Server, folder: Path) -> None:
    """By its line, with the field and what it takes; a write says the same."""
    bad = [line(4_000 + n, **{column: text}) for n, (column, text) in enumerate(UNFIT)]
    (folder / "bad.ndjson").write_text("\n".join(bad))
    done = run("import", "bad.ndjson", "--on-error", "skip", folder=folder)
    assert f"{len(UNFIT)} lines rejected" in done.stderr
    rejects = "".join(one.read_text() for one in folder.glob("bad*reject*"))
    reasons = [json.loads(one)["reason"] for one in rejects.splitlines()]
    one = captured(server)
    for (column, text), reason in zip(UNFIT, reasons, strict=True):
        assert reason.startswith(f"{column}: '{text}' does not fit {column}")
        refusal = update(server, one, **{column: text})
        assert refusal.status == 400
        assert reason.split("does not fit")[1] in refusal.message


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(pa.array([Decimal("0E-10")], pa.decimal128(38, 10)), "0", id="V8"),
        pytest.param(pa.array([Decimal(0)], pa.decimal128(18, 8)), "0", id="V8-duckdb"),
        pytest.param(pa.array([1e16]), "10000000000000000", id="V8-double"),
        pytest.param(pa.array([float("nan")]), None, id="V8-nan"),
        (pa.array([Decimal("1499.900000")], pa.decimal128(18, 6)), "1499.9"),
        (pa.array([2.5], pa.float32()), "2.5"),
        (pa.array([7], pa.uint64()), "7"),
        (pa.array(["1,000.50"]), "1000.5"),
    ],
)
def test_typed_numbers_are_plain_digits(
    server: Server, folder: Path, values: Any, expected: str | None
) -> None:
    """Out of a Parquet file, into fields that are numbers and into texts."""
    number = next(numbers)
    ids = pa.array([UUID(guid(number)).bytes], pa.uuid())
    columns = {"ProspectActivityId": ids, "EventCode": [DEAL], "ProspectId": ids, NUMBER: values}
    parquet.write_table(pa.table(columns), folder / "in.parquet")
    run_well("import", "in.parquet", "--database", database_of(folder), folder=folder)
    assert value(server, guid(number), NUMBER) == expected


@pytest.mark.parametrize(
    ("ids", "dates", "expected"),
    [
        pytest.param(pa.uuid(), pa.timestamp("ns"), "2023-04-06 15:23:34", id="V9-V10"),
        pytest.param(pa.binary(16), pa.timestamp("us", "Asia/Kolkata"), "2023-04-06 15:23:34"),
        (pa.binary(), pa.timestamp("ms", "UTC"), "2023-04-06 15:23:34"),
        (pa.uuid(), pa.date32(), "2023-04-06 00:00:00"),
    ],
)
def test_typed_ids_and_dates_are_read(
    server: Server, folder: Path, ids: Any, dates: Any, expected: str
) -> None:
    """GUIDs of 16 bytes; dates are cut to seconds, days are their midnight."""
    number = next(numbers)
    guids = pa.array([UUID(guid(number)).bytes], ids)
    nanoseconds = pa.array([1_680_794_614_999_999_999], pa.timestamp("ns"))
    when = nanoseconds.cast(pa.timestamp("s"), safe=False).cast(dates, safe=False)
    if dates == pa.timestamp("ns"):
        when = nanoseconds
    columns = {"ProspectActivityId": guids, "EventCode": [DEAL], "ProspectId": guids}
    made = pa.table({**columns, "CreatedOn": when, DATE: when})
    parquet.write_table(made, folder / "in.parquet")
    run_well("import", "in.parquet", "--database", database_of(folder), folder=folder)
    assert value(server, guid(number), DATE) == expected
    assert table(server, [guid(number)], "CreatedOn").column("CreatedOn").null_count == 0


@pytest.mark.parametrize("column", [DATE, "CreatedOn", "mx_Custom_99"])
def test_a_date_outside_of_the_calendar_is_a_rejected_row(
    server: Server, folder: Path, column: str
) -> None:
    """V10: the year 10000; the other rows of the file are stored."""
    del server
    rows = [next(numbers) for _ in range(3)]
    made = pa.table(
        {
            "ProspectActivityId": [guid(one) for one in rows],
            "EventCode": [DEAL] * 3,
            "ProspectId": [guid(one) for one in rows],
            column: pa.array([0, 253_402_300_800, -1], pa.timestamp("s")),
        }
    )
    parquet.write_table(made, folder / "in.parquet")
    at = ("--on-error", "skip", "--database", database_of(folder))
    done = run("import", "in.parquet", *at, folder=folder)
    assert "2 created" in done.stdout
    assert "Traceback" not in done.stderr
    assert "10000-01-01" in done.stderr + "".join(
        one.read_text() for one in folder.glob("in.parquet*.ndjson")
    )


DATES = [
    "2023-04-06 15:23:34+00",
    " 2023-04-06T15:23:34Z ",
    "2023-04-06 15:23:34.123456+00",
    "2023-04-06 03:23:34 PM",
    "2023-04-06 15:23:34 UTC",
    "2023-04-06T20:53:34+0530",
]


def test_dates_as_databases_write_them_are_imported(server: Server, folder: Path) -> None:
    """V11: as a date of the system and as a field's."""
    ids = imported(folder, *({DATE: text, "CreatedOn": text} for text in DATES))
    ids += imported(folder, *({DATE: "2023-04-06", "CreatedOn": " 2023-04-06 "} for _ in (1, 2)))
    for column in ("CreatedOn", DATE):
        read = [one.isoformat() for one in table(server, ids, column).column(column).to_pylist()]
        assert read == ["2023-04-06T15:23:34+00:00"] * 6 + ["2023-04-06T00:00:00+00:00"] * 2


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        (UPDATE, '{"ProspectOpportunityId":"@","ProspectOpportunityId":"@"}', "$.ProspectOpp"),
        (UPDATE, '{"Fields" : [], "ProspectOpportunityId":"@","Fields" :[]}', "$.Fields"),
        (
            BULK_UPDATE,
            '[{"ProspectOpportunityId":"@","Fields":[{"Value":"Won","Value":"Lost"}]}]',
            "$[0].Fields[0].Value",
        ),
        (CAPTURE, '{"LeadDetails":[],"Opportunity":{},"Opportunity":{}}', "$.Opportunity"),
        (CAPTURE, '{"LeadDetails":[],"Lead\\u0044etails":[]}', "$.LeadDetails"),
    ],
)
def test_a_name_that_is_there_twice_is_refused(
    server: Server, path: str, body: str, place: str
) -> None:
    """V12: one of the two values would be lost."""
    answer = server.post(body.replace("@", captured(server)).encode(), path=path)
    assert answer.status == 400
    assert place in answer.message
    assert "is there twice" in answer.message


def test_a_line_that_has_a_name_twice_is_rejected(server: Server, folder: Path) -> None:
    """V12: in files of opportunities, by its line; and in streams of ids."""
    plain = line(4_998, Status="Open")
    for more in ('"Status":"Won"', '"Status" : "Won"', '"St\\u0061tus":"Open"'):
        (folder / "twice.ndjson").write_text(f"\n{plain[:-1]},{more}}}")
        done = run("import", "twice.ndjson", "--database", database_of(folder), folder=folder)
        assert "line 2: Status is there twice" in one_line(done)
    one = f'"ProspectActivityId":"{captured(server)}"'
    path = f"/v1/opportunities/read?event_code={DEAL}&columns=Status"
    for body in (f"{{{one},{one}}}\n", f'{{"Status":"Open",{one}}}\n{{{one}, {one}}}'):
        answer = server.call(
            "POST",
            path,
            body,
            {"Content-Type": "application/x-ndjson", **server.keys.headers},
        )
        assert b"ProspectActivityId is there twice" in answer.body


@pytest.mark.parametrize(
    "number",
    [
        pytest.param("12345678901234567.89", id="V6"),
        "1234567890123456789012.5",
        "0.1234567891",
        "-99999999999999999999999999.75",
        "12345678901234567890123456",
    ],
)
@pytest.mark.parametrize("column", ["c6", "c10"])
def test_a_json_number_keeps_its_digits(server: Server, number: str, column: str) -> None:
    """V6: a number of JSON is as exact as a text, in fields of both types."""
    one = captured(server)
    named = {"ProspectOpportunityId": one, "OpportunityEventCode": DEAL}
    body = json.dumps([{**named, "Fields": fields(**{column: "@"})}])
    well(server.post(body.replace('"@"', number).encode(), path=BULK_UPDATE))
    assert value(server, one, f"mx_Custom_{column[1:]}") == number


@pytest.mark.parametrize(
    "number",
    [
        pytest.param("0.30000000000000004", id="V2"),
        pytest.param("0.12345678901", id="V2-decimals"),
        pytest.param("1" * 29, id="V2-digits"),
        "1" * 28,
        "9" * 28 + "." + "9" * 10,
        "-0.0000000001",
        "0.1000000000000",
    ],
)
def test_an_accepted_number_can_be_read_in_every_format(server: Server, number: str) -> None:
    """A number that typed formats cannot hold is refused with the limit."""
    one = captured(server)
    for sent in (number.encode(), json.dumps(number).encode()):
        body = json.dumps({"ProspectOpportunityId": one, "Fields": fields(c6="@")}).encode()
        answer = server.post(body.replace(b'"@"', sent), path=UPDATE)
        if answer.status == 400:
            assert "it takes" in answer.message
            assert len(number) in (13, 19, 29)
        else:
            for accept in (ARROW, PARQUET):
                assert table(server, [one], NUMBER, accept).column(NUMBER)[0].as_py() == Decimal(
                    number
                )


@pytest.mark.parametrize(
    ("option", "sent"),
    [
        pytest.param("Café", unicodedata.normalize("NFD", "Café"), id="V7"),
        (unicodedata.normalize("NFD", "Ñandú"), "Ñandú"),
        ("한국", unicodedata.normalize("NFD", "한국")),
        ("Ångström", "A\u030aNGSTro\u0308m"),
    ],
)
def test_options_and_texts_match_in_every_encoding_of_accents(
    server: Server, folder: Path, option: str, sent: str
) -> None:
    """Options are stored in their own spelling, texts as they are; both are found."""
    at = ("--database", database_of(folder))
    added = ("field", "add", str(DEAL), "mx_Custom_20", "--option", option)
    run_well(*added, *at, folder=folder)
    one = captured(server, values={"c20": sent, "c10": sent})
    [two] = imported(folder, {"mx_Custom_20": sent, "mx_Custom_10": sent})
    for each in (one, two):
        assert value(server, each, "mx_Custom_20") == option
        assert value(server, each, TEXT) == sent
    for operand in {unicodedata.normalize(form, sent) for form in ("NFC", "NFD")}:
        for operator in ("eq", "contains", "begins"):
            assert found(server, [one, two], TEXT, operator, operand) == 2
        assert found(server, [one, two], TEXT, "neq", operand) == 0
        assert found(server, [one, two], "mx_Custom_20", "eq", operand) == 2
