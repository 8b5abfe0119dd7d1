"""``oppserver import`` and ``oppserver export`` as typed: what goes in comes out, all of it."""

import gzip
import json
import random
import resource
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from oppserver.contract import example
from tests.support.import_lines import CODE, line
from tests.support.running import OPPSERVER, clean_environment, one_line, run, run_python, run_well
from tests.support.stores import guid, lead, owner


def full_line(number: int) -> str:
    return line(
        number,
        EmailAddress=f"lead{number}@example.com",
        Owner=owner(number % 3),
        OwnerEmailAddress=f"owner{number % 3}@example.com",
        Status="Open",
        CreatedOn="2023-04-06 15:23:34",
        CreatedBy="someone",
        ModifiedOn="2023-04-06 15:23:35",
        ModifiedBy="another",
        OpportunityNote=f'note {number}, "quoted"\r\n=1+1 \N{SNOWMAN}',
        mx_Custom_1=f"value {number}",
        mx_Custom_250="0.10",
    )


def write(folder: Path, name: str, lines: Sequence[str]) -> None:
    (folder / name).write_text("".join(f"{one}\n" for one in lines), newline="")


def exported(folder: Path, *flags: str) -> list[dict[str, Any]]:
    text = run_well("export", *flags, folder=folder)
    return [json.loads(one) for one in text.splitlines()]


# --- there and back ----------------------------------------------------------------------------


def test_export_of_an_import_equals_it(tmp_path: Path) -> None:
    """Line for line: the same members with the same values, ordered by id."""
    lines = [full_line(number) for number in range(200)] + [line(300), line(301, Status="Won")]
    shuffled = random.Random(1).sample(lines, len(lines))
    write(tmp_path, "in.ndjson", shuffled)
    said = run_well("import", "in.ndjson", folder=tmp_path)
    assert said == "imported 202 opportunities: 202 created, 0 replaced\n"
    dated = [json.loads(one) for one in lines]
    out = exported(tmp_path)
    for one in out[-2:]:  # they came without dates and were given some
        assert one.pop("CreatedOn") == one.pop("ModifiedOn")
    assert out == dated


def test_the_example_comes_out_as_it_went_in(tmp_path: Path) -> None:
    """Value for value."""
    (tmp_path / "in.ndjson").write_bytes(example.opportunities())
    run_well("import", "in.ndjson", folder=tmp_path)
    given = [json.loads(one) for one in example.opportunities().splitlines()]
    assert exported(tmp_path) == sorted(given, key=lambda one: str(one["ProspectActivityId"]))


@pytest.mark.parametrize(
    "name", ["out.csv", "out.csv.gz", "out.ndjson.zst", "out.jsonl", "out.parquet"]
)
def test_every_format_goes_there_and_back(tmp_path: Path, name: str) -> None:
    """A store that was exported and imported elsewhere exports the same bytes."""
    write(tmp_path, "in.ndjson", [full_line(number) for number in range(50)] + [line(60)])
    run_well("import", "in.ndjson", folder=tmp_path)
    run_well("export", "--output", name, folder=tmp_path)
    other = "sqlite:///other.db"
    said = json.loads(run_well("import", name, "--json", "--database", other, folder=tmp_path))
    assert said == {"created": 51, "replaced": 0, "rejected": 0, "rejects": None}
    assert exported(tmp_path, "--database", other) == exported(tmp_path)
    again = f"again-{name}"
    run_well("export", "--output", again, "--database", other, folder=tmp_path)
    assert (tmp_path / again).read_bytes() == (tmp_path / name).read_bytes()


def test_pipes(tmp_path: Path) -> None:
    """``-`` is stdin, stdout is the default; nothing but data is on stdout."""
    write(tmp_path, "in.ndjson", [full_line(number) for number in range(10)])
    shell = (
        f"cat in.ndjson | '{OPPSERVER}' import - >/dev/null && '{OPPSERVER}' export --format csv"
        f" | gzip | '{OPPSERVER}' import - --format csv --database sqlite:///b.db --json"
    )
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", shell],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["created"] == 10
    assert exported(tmp_path, "--database", "sqlite:///b.db") == exported(tmp_path)


def test_one_type_is_exported(tmp_path: Path) -> None:
    """``--event-code`` leaves other types and their columns out; an unknown type is refused."""
    write(
        tmp_path, "in.ndjson", [line(1, mx_Custom_1="a"), line(2, EventCode=12009, mx_Custom_2=2)]
    )
    run_well("import", "in.ndjson", folder=tmp_path)
    out = run_well("export", "--event-code", "12009", "--format", "csv", folder=tmp_path)
    header, row = out.splitlines()
    assert header.endswith("OpportunityNote,mx_Custom_2")
    assert row.startswith(guid(2))
    assert "no type 12010" in one_line(run("export", "--event-code", "12010", folder=tmp_path))


def test_an_import_is_the_same_when_it_is_run_again(tmp_path: Path) -> None:
    """Nothing is there twice; a line replaces the opportunity with its id, whole."""
    write(tmp_path, "in.ndjson", [full_line(number) for number in range(20)])
    run_well("import", "in.ndjson", folder=tmp_path)
    before = exported(tmp_path)
    said = run_well("import", "in.ndjson", folder=tmp_path)
    assert said == "imported 20 opportunities: 0 created, 20 replaced\n"
    assert exported(tmp_path) == before
    write(tmp_path, "one.ndjson", [line(3, Status="Lost")])
    run_well("import", "one.ndjson", folder=tmp_path)
    assert "mx_Custom_1" not in exported(tmp_path)[3]
    assert exported(tmp_path)[3]["Status"] == "Lost"


# --- bad lines ---------------------------------------------------------------------------------

BAD = [
    line(1),
    line(2, CreatedOn="yesterday"),
    "not JSON",
    line(3),
    "",
    line(4, Statsu="Open"),
    line(5),
]


def test_a_bad_line_stops_the_import(tmp_path: Path) -> None:
    """It is named with its number, its member and why; its batch is not stored."""
    write(tmp_path, "in.ndjson", BAD)
    said = one_line(run("import", "in.ndjson", folder=tmp_path))
    assert "in.ndjson, line 2: CreatedOn: 'yesterday': not a date" in said
    assert "0 opportunities of it are stored" in said
    assert "--on-error skip" in said
    assert exported(tmp_path) == []
    assert not (tmp_path / "in.ndjson.rejects.ndjson").exists()


def test_bad_lines_are_skipped_into_a_file(tmp_path: Path) -> None:
    """All others are stored; each rejected line is kept as it stood, and can be corrected."""
    write(tmp_path, "in.ndjson", BAD)
    done = run("import", "in.ndjson", "--on-error", "skip", "--json", folder=tmp_path)
    assert done.returncode == 3
    assert json.loads(done.stdout) == {
        "created": 3,
        "replaced": 0,
        "rejected": 3,
        "rejects": "in.ndjson.rejects.ndjson",
    }
    assert [one["ProspectActivityId"] for one in exported(tmp_path)] == [guid(1), guid(3), guid(5)]
    kept = (tmp_path / "in.ndjson.rejects.ndjson").read_text()
    rejected = [json.loads(one) for one in kept.splitlines()]
    assert [one["line"] for one in rejected] == [2, 3, 6]
    assert [one["content"] for one in rejected] == [BAD[1], BAD[2], BAD[5]]
    assert "Did you mean Status?" in rejected[2]["reason"]
    for one in rejected:
        assert f"line {one['line']}: {one['reason']}" in done.stderr
    corrected = [str(one["content"]).replace("Statsu", "Status") for one in rejected[2:]]
    write(tmp_path, "corrected.ndjson", corrected)
    run_well("import", "corrected.ndjson", folder=tmp_path)
    assert exported(tmp_path)[2]["Status"] == "Open"


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_bad_rows_of_other_formats_are_named_too(tmp_path: Path, form: str) -> None:
    """By line in CSV, by row in Parquet."""
    header = "ProspectActivityId,EventCode,ProspectId,CreatedOn\n"
    good = f"{guid(1)},{CODE},{lead(1)},2023-01-01 00:00:00\n"
    (tmp_path / "in.csv").write_text(header + good + good.replace("2023-01", "2023-13"))
    if form == "parquet":
        from pyarrow import csv, parquet  # noqa: PLC0415 (slow to load, for this test alone)

        as_text = csv.ConvertOptions(strings_can_be_null=True, column_types={"CreatedOn": "string"})
        table = csv.read_csv(tmp_path / "in.csv", convert_options=as_text)
        parquet.write_table(table, tmp_path / "in.parquet")
    done = run("import", f"in.{form}", "--on-error", "skip", folder=tmp_path)
    assert done.returncode == 3
    [rejected] = (tmp_path / f"in.{form}.rejects.ndjson").read_text().splitlines()
    assert json.loads(rejected)["line"] == {"csv": 3, "parquet": 2}[form]
    assert "2023-13-01" in json.loads(rejected)["reason"]
    assert len(exported(tmp_path)) == 1


def test_typed_parquet_is_read(tmp_path: Path) -> None:
    """Times, numbers and truths of a typed file become what a line would have said."""
    import pyarrow as pa  # noqa: PLC0415 (slow to load, for this test alone)
    from pyarrow import parquet  # noqa: PLC0415 (as above)

    table = pa.table(
        {
            "ProspectActivityId": [guid(1)],
            "EventCode": pa.array([CODE], pa.int32()),
            "ProspectId": [lead(1)],
            "CreatedOn": pa.array([1_680_794_614_000], pa.timestamp("ms", tz="UTC")),
            "ModifiedOn": pa.array([1_680_794_615_000_000], pa.timestamp("us")),
            "mx_Custom_1": pa.array([250_000.5]),
            "mx_Custom_2": pa.array([True]),
            "mx_Custom_3": pa.array([None], pa.string()),
        }
    )
    parquet.write_table(table, tmp_path / "in.parquet")
    run_well("import", "in.parquet", folder=tmp_path)
    [one] = exported(tmp_path)
    assert one["CreatedOn"] == "2023-04-06 15:23:34"
    assert one["ModifiedOn"] == "2023-04-06 15:23:35"
    assert (one["mx_Custom_1"], one["mx_Custom_2"], "mx_Custom_3" in one) == (
        "250000.5",
        "1",
        False,
    )


@pytest.mark.parametrize(
    ("name", "data", "flags", "said"),
    [
        ("in.ndjson", b"SQLite format 3\0", (), "is an SQLite database"),
        ("in.ndjson", b"[{}]", (), "is a JSON array"),
        ("in.csv", b"a;b\n1;2\n", (), "separator seems to be ';'"),
        ("in.parquet", b"no parquet", (), "is no Parquet file"),
        ("in.ndjson", gzip.compress(b"x" * 10_000, mtime=0)[:-20], (), "cannot be unpacked"),
        ("in.dat", b"{}", (), "--format ndjson, csv, parquet"),
    ],
)
def test_a_file_that_is_not_what_it_says(
    tmp_path: Path, name: str, data: bytes, flags: tuple[str, ...], said: str
) -> None:
    """One line that says what is wrong with the file, and nothing stored."""
    (tmp_path / name).write_bytes(data)
    assert said in one_line(run("import", name, *flags, folder=tmp_path))
    run_well("db", "upgrade", folder=tmp_path)
    assert exported(tmp_path) == []


def test_a_file_that_is_not_there_makes_no_store(tmp_path: Path) -> None:
    """A mistyped name is reported, and leaves nothing behind; so does a store that is not there."""
    assert "cannot be read: No such file" in one_line(run("import", "in.ndjson", folder=tmp_path))
    assert "There is no database" in one_line(run("export", "--output", "x.csv", folder=tmp_path))
    assert list(tmp_path.iterdir()) == []


# --- a full disk -------------------------------------------------------------------------------


def test_an_export_onto_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """One line, and neither half a file nor its beginnings."""
    write(tmp_path, "in.ndjson", [full_line(number) for number in range(2_000)])
    run_well("import", "in.ndjson", folder=tmp_path)
    before = sorted(one.name for one in tmp_path.iterdir())

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = subprocess.run(
        [OPPSERVER, "export", "--output", "out.ndjson"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=small_files,
    )
    assert "out.ndjson cannot be written: File too large" in one_line(done)
    assert sorted(one.name for one in tmp_path.iterdir()) == before


# --- extras ------------------------------------------------------------------------------------


def test_parquet_without_its_extra_is_explained(tmp_path: Path) -> None:
    """Where pyarrow is not installed, the command to install it is named."""
    program = (
        "import sys; sys.modules['pyarrow'] = None;"
        "sys.argv = ['oppserver', 'import', 'in.parquet'];"
        "from oppserver.cli.main import main; main()"
    )
    (tmp_path / "in.parquet").write_bytes(b"PAR1")
    done = run_python(program, folder=tmp_path)
    assert "pip install pyarrow" in one_line(done)


@pytest.mark.parametrize(
    "dates",
    [
        pytest.param({"CreatedOn": "2023-04-06 15:23:34"}, id="O15"),
        pytest.param(
            {"CreatedOn": "1999-12-31 23:59:59", "ModifiedOn": "9999-12-31 23:59:59"}, id="O15 far"
        ),
        pytest.param({}, id="O15 not given"),
    ],
)
def test_o15_exported_parquet_has_the_types_of_fetched(
    tmp_path: Path, dates: dict[str, str]
) -> None:
    """The dates of the system are UTC moments, the code is a number; import reads it."""
    write(tmp_path, "one.ndjson", [line(1, Status="Open", **dates)])
    run_well("import", "one.ndjson", folder=tmp_path)
    run_well("export", "--output", "one.parquet", folder=tmp_path)
    run_well("export", "--output", "one.csv", folder=tmp_path)
    table = parquet.read_table(tmp_path / "one.parquet")
    types = {field.name: str(field.type) for field in table.schema}
    moments = [name for name, kind in types.items() if kind == "timestamp[ms, tz=UTC]"]
    assert moments == ["CreatedOn", "ModifiedOn"]
    assert types["EventCode"] == "int64"
    [row] = table.to_pylist()
    if dates:
        assert f"{row['CreatedOn']:%Y-%m-%d %H:%M:%S}" == dates["CreatedOn"]
    other = tmp_path / "other"
    other.mkdir()
    run_well("import", str(tmp_path / "one.parquet"), folder=other)
    run_well("export", "--output", "one.csv", folder=other)
    assert (other / "one.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()
