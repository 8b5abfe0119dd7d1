"""A type defined whole by the commands, with an opportunity of each kind.

A module of tests takes the fixtures over by name::

    made, copied = typed.made, typed.copied
"""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from oppserver.contract.model import Catalogue, StoredOpportunity
from oppserver.store import open_store
from tests.support import stores
from tests.support.databases import database_of
from tests.support.running import one_line, run_well

if TYPE_CHECKING:
    import subprocess

CODE = 12_005
SET_ID = "eeeeeeee-0000-4000-8000-000000000001"
UNSET_ID = "eeeeeeee-0000-4000-8000-000000000002"
NAMED_ID = "eeeeeeee-0000-4000-8000-000000000004"
DELETED_ID = "eeeeeeee-0000-4000-8000-000000000003"
LEAD_ID = "ffffffff-0000-4000-8000-000000000001"
OWNER_ID = "ffffffff-0000-4000-8000-000000000002"
USER_ID = "ffffffff-0000-4000-8000-000000000003"
NOTE = '"quoted", \\ and\nnew'
NAME = 'Jane\'s "home" \\ \N{SNOWMAN} "Value":null'

COMMANDS = (
    ("type", "create", str(CODE), "--name", "Loan", "--description", "All loans"),
    ("field", "add", str(CODE), "mx_Custom_1", "--display-name", "Name", "--mandatory"),
    ("field", "add", str(CODE), "mx_Custom_1", "--max-length", "90", "--sequence", "3"),
    (
        *("field", "add", str(CODE), "mx_Custom_2", "--display-name", 'The "Stage"'),
        *("--parent", "Status", "--sequence", "2"),
        *("--dependent-option", "Open=New,Called", "--dependent-option", "won=Paid"),
    ),
    ("field", "add", str(CODE), "mx_Custom_6", "--data-type", "Number", "--sequence", "1"),
    ("type", "create", str(CODE), "--no-allow-delete", "--duplicate-rule", "prospectid,name"),
    ("activity-type", "create", "202", "--name", "Call"),
    ("activity-type", "create", "201", "--name", "Visit"),
)


def define(folder: Path) -> None:
    """Runs the commands and writes the opportunities."""
    for command in COMMANDS:
        run_well(*command, folder=folder)
    store = open_store(database_of(folder))
    store.write_opportunities(
        [
            StoredOpportunity(
                id=SET_ID,
                event_code=CODE,
                lead_id=LEAD_ID,
                owner_id=OWNER_ID,
                owner_email="owner@example.com",
                status="Open",
                note=NOTE,
                created_on="2024-02-29 00:00:00",
                modified_on="2024-12-01 12:05:09",
                created_by="creator",
                modified_by="modifier",
                slots={"mx_custom_1": NAME, "mx_custom_2": "New", "mx_custom_6": "250000.50"},
            ),
            StoredOpportunity(id=UNSET_ID, event_code=CODE, lead_id=LEAD_ID),
            StoredOpportunity(
                id=NAMED_ID,
                event_code=CODE,
                lead_id=LEAD_ID,
                created_on="1969-12-31 23:59:59",
                created_by=USER_ID,
                modified_by=OWNER_ID,
            ),
            StoredOpportunity(id=DELETED_ID, event_code=CODE, lead_id=LEAD_ID),
        ],
        now="2024-05-05 05:05:05",
    )
    ann = stores.key("AK9", user_id=USER_ID, email="ann@example.com")
    store.add_key(ann, first_name="Ann", last_name="Lee")
    store.delete_opportunities([DELETED_ID], now="2024-06-06 06:06:06", by=OWNER_ID)
    store.close()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where it is defined; for looking, and for what is refused."""
    folder = tmp_path_factory.mktemp("made")
    define(folder)
    return folder


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    """A folder with a copy of that, to be changed."""
    shutil.copy(made / "oppserver.db", tmp_path)
    return tmp_path


def catalogue(folder: Path) -> Catalogue:
    """Everything that is defined in a folder."""
    store = open_store(database_of(folder))
    try:
        return store.catalogue()
    finally:
        store.close()


def shown(folder: Path, code: int = CODE) -> dict[str, Any]:
    """A type as ``type show --json`` prints it."""
    found: dict[str, Any] = json.loads(run_well("type", "show", str(code), "--json", folder=folder))
    return found


def refusal(done: "subprocess.CompletedProcess[str]") -> str:
    """The one line of a command that was refused."""
    return one_line(done).removeprefix("oppserver: ")
