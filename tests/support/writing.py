"""A world to write into, and the calls that write, as a program would send them."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from oppserver.contract.model import DataType, Field, OpportunityType
from oppserver.store import Store, open_store
from tests.support.databases import database_of, kept_in
from tests.support.running import Answer, Keys, Server, asking, create_key, group, serving

SERVICE = "/v2/OpportunityManagement.svc"
CAPTURE = f"{SERVICE}/Capture"
UPDATE = f"{SERVICE}/Update"
BULK_UPDATE = f"{SERVICE}/Bulk/Update/ByOpportunityId"
BULK_ADD = f"{SERVICE}/Bulk/Add/ByLeadField"
DELETE = f"{SERVICE}/Delete"

DEAL = 12000
"""A type with a field of each kind, and no duplicate rule."""

UNIQUE = 12001
"""A type with duplicate rules, whose opportunities cannot be deleted."""

UNKNOWN_ID = "eeeeeeee-0000-4000-8000-00000000000e"
OWNER_EMAIL = "owner@example.com"

STAGES = {"Open": ("Prospecting", "Negotiation"), "Won": ("Closed",), "Lost": ("Dropped",)}

_numbers = count(1)


def field(slot: int, display_name: str, *, code: int = DEAL, **values: Any) -> Field:
    name = f"mx_Custom_{slot}"
    return Field(
        event_code=code, schema_name=name, display_name=display_name, sequence=slot, **values
    )


def field_set(code: int) -> list[Field]:
    """A custom field set in slot 13, with a member of each kind."""
    of_set = field(13, "Papers", code=code, data_type=DataType.CUSTOM_OBJECT)
    members: dict[str, dict[str, Any]] = {
        "Status": {"data_type": DataType.SEARCHABLE_DROPDOWN, "options": ("Pending", "Done")},
        "mx_CustomObject_1": {"display_name": "Kind"},
        "mx_CustomObject_2": {"data_type": DataType.NUMBER},
        "mx_CustomObject_10": {"data_type": DataType.DATE_TIME},
    }
    return [
        of_set,
        *(
            Field(
                event_code=code,
                schema_name=f"mx_Custom_13~{name}",
                sequence=sequence,
                **{"display_name": name, **values},
            )
            for sequence, (name, values) in enumerate(members.items())
        ),
    ]


def field_set_of(**members: Any) -> dict[str, Any]:
    """One of ``Fields``: members of the set; ``o1`` is ``mx_CustomObject_1``."""
    named = {
        f"mx_CustomObject_{name[1:]}" if name[1:].isdecimal() else name: value
        for name, value in members.items()
    }
    return {"SchemaName": "mx_Custom_13", "Value": "", "Fields": fields(**named)}


def define(store: Store) -> None:
    """The types and fields of the world."""
    store.put_types(
        [
            OpportunityType(event_code=DEAL, name="Deal"),
            OpportunityType(
                event_code=UNIQUE,
                name="Unique",
                can_delete=False,
                duplicate_rules=(("ProspectId", "mx_Custom_1"), ("mx_Custom_2",)),
            ),
        ]
    )
    dropdown = DataType.SEARCHABLE_DROPDOWN
    store.put_fields(
        [
            field(1, "Opportunity Name", is_mandatory=True, max_length=50),
            field(2, "Stage", data_type=dropdown, parent_field="Status", dependent_options=STAGES),
            field(3, "Source", data_type=dropdown, options=("Web", "Phone")),
            field(6, "Deal Size", data_type=DataType.NUMBER),
            field(8, "Closure Date", data_type=DataType.DATE_TIME),
            field(9, "Newsletter", data_type=DataType.BOOLEAN),
            field(10, "Remark"),
            field(11, "Twin"),
            field(12, "Twin"),
            *(field(slot, f"Field {slot}", code=UNIQUE) for slot in (1, 2, 3)),
            *(one for code in (DEAL, UNIQUE) for one in field_set(code)),
        ]
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, folder_engine: str) -> Path:
    """A folder with the world's database."""
    folder = kept_in(tmp_path_factory.mktemp("writing"), folder_engine)
    store = store_of(folder)
    define(store)
    store.close()
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """A server over the world, with a user's key; there is another user, an owner."""
    create_key(folder, email=OWNER_EMAIL)
    with serving(folder, keys=create_key(folder, email="writer@example.com")) as running:
        yield running


def store_of(folder: Path) -> Store:
    """The store of a folder."""
    return open_store(database_of(folder))


def fresh() -> str:
    """A text that no test has had."""
    return f"fresh {next(_numbers)}"


def fields(**values: Any) -> list[dict[str, Any]]:
    """``Fields`` of values by name; ``mx_Custom_N`` may be written ``cN``."""
    return [
        {
            "SchemaName": f"mx_Custom_{name[1:]}" if name[1:].isdecimal() else name,
            "Value": value,
        }
        for name, value in values.items()
    ]


def lead(**values: Any) -> list[dict[str, Any]]:
    """``LeadDetails`` of attributes by name."""
    return [{"Attribute": name, "Value": value} for name, value in values.items()]


def capturing(
    *,
    code: int = DEAL,
    lead: list[dict[str, Any]] | None = None,
    values: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The body of a capture: of a lead of its own, with what is mandatory."""
    required = {"Status": "Open", "c1": fresh()} if code == DEAL else {"Status": "Open"}
    details = lead or [{"Attribute": "EmailAddress", "Value": f"{fresh()}@example.com"}]
    return {
        "LeadDetails": details,
        "Opportunity": {
            "OpportunityEventCode": code,
            "Fields": fields(**required | (values or {})),
            **more,
        },
    }


def capture(server: Server, **what: Any) -> dict[str, Any]:
    """A capture that is answered 200."""
    return well(server.post(capturing(**what), path=CAPTURE))


def captured(server: Server, **what: Any) -> str:
    """The id of a new opportunity."""
    created = capture(server, **what)["CreatedOpportunityId"]
    assert isinstance(created, str)
    return created


def update(server: Server, one: str, **values: Any) -> Answer:
    """An update of fields by name."""
    message = {"ProspectOpportunityId": one, "Fields": fields(**values)}
    return server.post(message, path=UPDATE)


def delete(server: Server, one: str, *, keys: Keys | None = None, **headers: str) -> Answer:
    """A deletion."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.call(
        "GET", f"{DELETE}?Id={one}", headers={**(keys or server.keys).headers, **named}
    )


def well(answer: Answer) -> dict[str, Any]:
    """The message of an answer with status 200."""
    assert answer.status == 200, answer.body
    message: dict[str, Any] = answer.json
    return message


def row(server: Server, one: str, *columns: str, code: int = DEAL) -> dict[str, Any] | None:
    """An opportunity as the bulk read has it; None when it is not there."""
    asked = ",".join(columns) or "Status"
    answer = server.post(asking(group([one], asked, code=code)))
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.json[0]["Opportunities"]
    return found[0] if found else None


def value(server: Server, one: str, column: str, *, code: int = DEAL) -> str | None:
    """One value of an opportunity that is there."""
    found = row(server, one, column, code=code)
    assert found is not None
    text: str | None = found[column]
    return text
