"""``oppserver index`` as typed, and that searches go on meanwhile."""

import json
from pathlib import Path

import pytest

from oppserver.cli.indexes import SEARCH_INDEX_COLUMNS_MAX, SEARCH_INDEXES_MAX, search_index_over
from tests.support import listed
from tests.support.running import create_key, run, run_well, serving


def test_an_index_is_added_listed_and_dropped(tmp_path: Path) -> None:
    """Columns in any case; it is there for the next command, and for the check."""
    added = run_well("index", "add", "status", " MX_CUSTOM_4 ", folder=tmp_path)
    assert added == "index search_status_mx_custom_4 over Status, mx_Custom_4\n"
    again = run_well("index", "add", "Status", "mx_Custom_4", folder=tmp_path)
    assert again == "index search_status_mx_custom_4 over Status, mx_Custom_4 is there already\n"
    run_well("index", "add", "Owner", folder=tmp_path)
    table = run_well("index", "list", folder=tmp_path).splitlines()
    assert [line.split() for line in table] == [
        ["name", "columns"],
        ["search_owner_id", "Owner"],
        ["search_status_mx_custom_4", "Status,", "mx_Custom_4"],
    ]
    assert json.loads(run_well("index", "list", "--json", folder=tmp_path)) == [
        {"name": "search_owner_id", "columns": ["Owner"]},
        {"name": "search_status_mx_custom_4", "columns": ["Status", "mx_Custom_4"]},
    ]
    assert run_well("db", "check", folder=tmp_path) == "ok\n"
    assert run_well("index", "drop", "search_owner_id", folder=tmp_path) == (
        "dropped search_owner_id\n"
    )
    assert "search_owner_id" not in run_well("index", "list", folder=tmp_path)


def test_a_store_without_added_indexes_says_so(tmp_path: Path) -> None:
    """On stderr, so that a pipe gets nothing."""
    run_well("db", "upgrade", folder=tmp_path)
    done = run("index", "list", folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "No index was added.\n")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (["Statsu"], ["'Statsu'", "Did you mean Status"]),
        (["OpportunityNote"], ["'OpportunityNote'", "Status"]),
        (["ProspectId"], ["'ProspectId'"]),
        (["ModifiedOn"], ["'ModifiedOn'"]),
        (["EmailAddress"], ["'EmailAddress'"]),
        (["mx_Custom_251"], ["'mx_Custom_251'"]),
        (["CreatedOn"], ["CreatedOn is indexed"]),
        (["Status", "STATUS"], ["named twice"]),
        (
            [f"mx_Custom_{slot}" for slot in range(1, SEARCH_INDEX_COLUMNS_MAX + 2)],
            [f"1 to {SEARCH_INDEX_COLUMNS_MAX}", str(SEARCH_INDEX_COLUMNS_MAX + 1)],
        ),
    ],
)
def test_columns_that_cannot_be_indexed_are_refused(
    columns: list[str], words: list[str], tmp_path: Path
) -> None:
    """With the reason, or the names that can be."""
    done = run("index", "add", *columns, folder=tmp_path)
    assert done.returncode == 1
    for word in words:
        assert word in done.stderr, done.stderr


def test_indexes_have_a_number(tmp_path: Path) -> None:
    """One more than the limit is refused; the refusal says what to do."""
    store = listed.store_of(tmp_path)
    for slot in range(1, SEARCH_INDEXES_MAX + 1):
        store.add_search_index(search_index_over([f"mx_Custom_{slot}"]))
    store.close()
    done = run("index", "add", "Status", folder=tmp_path)
    assert done.returncode == 1
    assert f"There are {SEARCH_INDEXES_MAX} indexes" in done.stderr
    assert "index list" in done.stderr


def test_an_index_that_is_not_there_cannot_be_dropped(tmp_path: Path) -> None:
    """Named; those that every store has are no operator's."""
    run_well("db", "upgrade", folder=tmp_path)
    for name in ("search_status", "opportunity_by_lead"):
        done = run("index", "drop", name, folder=tmp_path)
        assert done.returncode == 1
        assert f"'{name}'" in done.stderr


def test_a_running_server_answers_the_same_before_and_after(tmp_path: Path) -> None:
    """Indexes come and go while it runs."""
    listed.fill(tmp_path)
    keys = create_key(tmp_path, role="reader")
    row = {"LSO": "ActivityEvent", "Operator": "eq", "RSO": listed.LOAN}
    status = {"LSO": "Status", "Operator": "eq", "RSO": "Open"}
    advanced = json.dumps({"Conditions": [{"RowCondition": [row, status]}]})
    body = {"OpportunityEventCode": listed.LOAN, "AdvancedSearch": advanced}
    with serving(tmp_path, keys=keys) as server:
        first = server.post(body, path=listed.SEARCH)
        assert listed.numbers_of(first) == [2, 1]
        run_well("index", "add", "Status", folder=tmp_path)
        assert server.post(body, path=listed.SEARCH).json == first.json
        run_well("index", "drop", "search_status", folder=tmp_path)
        assert server.post(body, path=listed.SEARCH).json == first.json
