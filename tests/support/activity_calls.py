"""The calls of activities, as a program would send them; in the world of ``writing.py``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from oppserver.contract.model import ActivityType
from tests.support import writing
from tests.support.databases import kept_in
from tests.support.lead_calls import saved
from tests.support.running import Answer, Server
from tests.support.writing import OWNER_EMAIL, fresh, store_of, well

SERVICE = "/v2/ProspectActivity.svc"
POST = f"{SERVICE}/Create"
RETRIEVE = f"{SERVICE}/Retrieve"
POST_ON = f"{SERVICE}/Bulk/CustomActivity/Add/ByOpportunityId"
LIST = "/v2/OpportunityManagement.svc/GetActivitiesOfOpportunity"

CALL = 200
MEETING = 201


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, folder_engine: str) -> Path:
    """A folder with the world's database, and two types of activities in it."""
    folder = kept_in(tmp_path_factory.mktemp("activities"), folder_engine)
    store = store_of(folder)
    writing.define(store)
    store.put_activity_types(
        [
            ActivityType(event_code=CALL, name="Call"),
            ActivityType(event_code=MEETING, name="Meeting"),
        ]
    )
    store.close()
    return folder


def new_lead(server: Server) -> str:
    """The id of a lead that has nothing on its timeline."""
    return saved(server, Phone=fresh())


def posted(server: Server, lead_id: str, code: Any = CALL, **message: Any) -> str:
    """The id of an activity that was posted on a lead."""
    body = {"RelatedProspectId": lead_id, "ActivityEvent": code, **message}
    return str(well(server.post(body, path=POST))["Message"]["Id"])


def post_on(server: Server, opportunity_id: str, *items: dict[str, Any]) -> Answer:
    return server.post(list(items), path=f"{POST_ON}?opportunityId={opportunity_id}")


def item(code: Any = CALL, **message: Any) -> dict[str, Any]:
    """An activity on an opportunity."""
    return {"ActivityEvent": code, "ActivityOwnerEmail": OWNER_EMAIL, **message}


def timeline(server: Server, lead_id: str, **message: Any) -> list[dict[str, Any]]:
    """A lead's timeline, all of it unless a page is asked for."""
    answer = well(server.post(message, path=f"{RETRIEVE}?leadId={lead_id}"))
    assert list(answer) == ["RecordCount", "ProspectActivities"]
    rows: list[dict[str, Any]] = answer["ProspectActivities"]
    assert "Paging" in message or answer["RecordCount"] == len(rows)
    return rows


def ids(rows: Sequence[dict[str, Any]], name: str = "Id") -> list[str]:
    return [row[name] for row in rows]


def listed(server: Server, opportunity_id: str, query: str = "", **message: Any) -> Any:
    """The activities of an opportunity."""
    return well(server.post(message, path=f"{LIST}?opportunityId={opportunity_id}{query}"))
