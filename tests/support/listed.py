"""A filled database for lists and searches: two types, fields of every data type, leads, owners.

A module of tests takes the fixtures over by name::

    folder, server = listed.folder, listed.server
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from oppserver.contract.model import (
    Activity,
    ActivityType,
    DataType,
    Field,
    Lead,
    OpportunityType,
    StoredOpportunity,
)
from oppserver.store import Store, open_store
from tests.support.databases import database_of, kept_in
from tests.support.running import Answer, Server, create_key, serving
from tests.support.stores import guid, key, lead, owner

LOAN, CAR, EMPTY = 12_000, 12_001, 12_002
CALL: Final = 201
JANE, JOE, NOBODY = lead(1), lead(2), lead(3)
ANN, BEN = owner(1), owner(2)
JANE_EMAIL: Final = "Jane@example.com"
UNKNOWN_ID: Final = "99999999-9999-4999-8999-999999999999"

OPPORTUNITIES: Final = "/v2/OpportunityManagement.svc"
OF_LEAD: Final = f"{OPPORTUNITIES}/GetOpportunitiesOfLead"
BY_LEAD_FIELD: Final = f"{OPPORTUNITIES}/GetOpportunitiesByUniqueLeadField"
SEARCH: Final = f"{OPPORTUNITIES}/Retrieve/BySearchParameter"
MODIFIED: Final = "/v2/ProspectActivity.svc/RetrieveRecentlyModified"

_FIELDS: Final = (
    (LOAN, 1, "Opportunity name", DataType.STRING),
    (LOAN, 2, "Stage", DataType.SEARCHABLE_DROPDOWN),
    (LOAN, 3, "Deal size", DataType.NUMBER),
    (LOAN, 4, "Closure date", DataType.DATE_TIME),
    (LOAN, 5, "Is hot", DataType.BOOLEAN),
    (LOAN, 6, "Source", DataType.STRING),
    (LOAN, 7, "Reference", DataType.STRING),
    (LOAN, 8, "Reference", DataType.STRING),
    (CAR, 1, "Car", DataType.STRING),
    (CAR, 3, "Colour", DataType.STRING),
    (CAR, 9, "Weight", DataType.NUMBER),
)


def _field(code: int, slot: int, name: str, data_type: DataType) -> Field:
    is_dropdown = data_type is DataType.SEARCHABLE_DROPDOWN
    return Field(
        event_code=code,
        schema_name=f"mx_Custom_{slot}",
        display_name=name,
        data_type=data_type,
        sequence=slot,
        options=("Prospecting", "Closed") if is_dropdown else (),
    )


def loan(number: int, lead_id: str = JANE, **values: Any) -> StoredOpportunity:
    """A loan that was modified in January on the day of its number, and created in December."""
    given: dict[str, Any] = {
        "id": guid(number),
        "event_code": LOAN,
        "lead_id": lead_id,
        "status": "Open",
        "created_on": f"2023-12-{31 - number:02d} 10:00:00",
        "modified_on": f"2024-01-{number:02d} 12:00:00",
    }
    return StoredOpportunity(**given | values)


def slots(**values: str) -> dict[str, str]:
    """Values by slot: ``_3="5"``."""
    return {f"mx_custom{name}": value for name, value in values.items()}


ROWS: Final = (
    loan(
        1,
        owner_id=ANN,
        note="First note",
        created_by=ANN,
        modified_by=BEN,
        slots=slots(_1="Home loan", _2="Prospecting", _3="9", _4="2024-03-01 00:00:00", _5="1"),
    ),
    loan(2, slots=slots(_1="home improvement", _2="Closed", _3="10.50", _4="2024-03-01 23:59:59")),
    loan(3, JOE, status="Won", owner_id=BEN, slots=slots(_1="100% loan", _3="-1", _5="0")),
    loan(4, JOE, status="Lost", slots=slots(_1="Car_loan", _3="n/a", _4="2024-03-02")),
    loan(5, status="Won", owner_id=ANN, slots=slots(_2="Old stage", _3="10.5", _6="Web")),
    StoredOpportunity(
        id=guid(6),
        event_code=CAR,
        lead_id=JANE,
        status="Open",
        created_on="2024-01-06 00:00:00",
        modified_on="2024-01-06 00:00:00",
        slots=slots(_1="Red car", _3="red", _9="5"),
    ),
)


def store_of(folder: Path) -> Store:
    """The store of a folder's database, to be closed by who asked for it."""
    return open_store(database_of(folder))


def fill(folder: Path) -> None:
    """Types, fields, leads, owners, opportunities and an activity."""
    store = store_of(folder)
    names = {LOAN: "Home loan", CAR: "Car", EMPTY: "Empty"}
    store.put_types([OpportunityType(event_code=code, name=name) for code, name in names.items()])
    store.put_activity_types([ActivityType(event_code=CALL, name="Call")])
    store.put_fields([_field(*one) for one in _FIELDS])
    store.add_key(
        key("AK1", user_id=ANN, email="ann@example.com"), first_name="Ann", last_name="Lee"
    )
    store.add_key(key("AK2", user_id=BEN, email="ben@example.com"))
    store.write(
        lambda transaction: transaction.write_leads(
            [
                Lead(
                    id=JANE,
                    email=JANE_EMAIL,
                    first_name="Jane",
                    last_name="Hewitt",
                    phone="+1-555-1",
                    mobile="5552",
                    created_on="2020-01-01 00:00:00",
                    attributes={"mx_City": "Oslo", "Source": "Lead source"},
                ),
                Lead(id=JOE, email="joe@example.com"),
                Lead(id=NOBODY, email="nobody@example.com", phone="0"),
            ]
        )
    )
    store.write_opportunities(ROWS, now="2024-05-05 05:05:05")
    store.write(
        lambda transaction: transaction.write_activities(
            [
                Activity(
                    id=guid(1, kind=4),
                    event_code=CALL,
                    lead_id=JANE,
                    note="Called",
                    owner_id=ANN,
                    created_on="2024-01-03 00:00:00",
                    modified_on="2024-01-07 00:00:00",
                    fields={"mx_Custom_1": "Back", "mx_Custom_7": "7"},
                )
            ]
        )
    )
    store.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, folder_engine: str) -> Path:
    """A folder with the filled database."""
    made = kept_in(tmp_path_factory.mktemp("listed"), folder_engine)
    fill(made)
    return made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """A running server over the filled database, with a reader's key."""
    keys = create_key(folder, role="reader", email="reader@example.com")
    with serving(folder, keys=keys) as running:
        yield running


# --- reading -----------------------------------------------------------------------------------


def rows_of(answer: Answer) -> list[dict[str, Any]]:
    """The rows of a list that was answered."""
    assert answer.status == 200, answer.body
    assert list(answer.json) == ["RecordCount", "List"]
    rows = answer.json["List"]
    assert isinstance(rows, list)
    return rows


def numbers_of(answer: Answer) -> list[int]:
    """The numbers of the opportunities of a list, in order."""
    return [int(row["OpportunityId"][:8], 16) for row in rows_of(answer)]


def refused(answer: Answer, exception_type: str, *words: str) -> None:
    """The answer is a 400 of a type, and its message has these words."""
    assert answer.status == 400, answer.body
    assert answer.exception_type == exception_type, answer.message
    for word in words:
        assert word in answer.message, answer.message
