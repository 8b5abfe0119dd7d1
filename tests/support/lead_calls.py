"""The calls of leads, as a program would send them; in the world of ``writing.py``."""

from typing import Any

from tests.support.running import Answer, Server
from tests.support.writing import lead, well

SERVICE = "/v2/LeadManagement.svc"
SAVE = f"{SERVICE}/Lead.CreateOrUpdate"
BY_IDS = f"{SERVICE}/Leads/Retrieve/ByIds"
GET = f"{SERVICE}/Leads.Get"


def save(server: Server, **attributes: Any) -> Answer:
    """A lead of these attributes is created or updated."""
    return server.post(lead(**attributes), path=SAVE)


def saved(server: Server, **attributes: Any) -> str:
    """The id of a lead that was created or updated."""
    return str(well(save(server, **attributes))["Message"]["Id"])


def change(server: Server, lead_id: str, **attributes: Any) -> Answer:
    return server.post(lead(**attributes), path=f"{SERVICE}/Lead.Update?leadId={lead_id}")


def by_id(server: Server, lead_id: str) -> Any:
    """The answer of GetById."""
    path = f"{SERVICE}/Leads.GetById?id={lead_id}"
    answer = server.call("GET", path, headers=server.keys.headers)
    assert answer.status == 200, answer.body
    return answer.json


def known(server: Server, lead_id: str) -> dict[str, Any]:
    """Everything that is known of a lead that is here."""
    [row] = by_id(server, lead_id)
    assert isinstance(row, dict)
    return {name: value for name, value in row.items() if value is not None}


def asking(*ids: str, columns: str = "ProspectID", **more: Any) -> dict[str, Any]:
    """The body of a read by ids."""
    return {"SearchParameters": {"LeadIds": list(ids)}, "Columns": {"Include_CSV": columns}, **more}


def looking(name: Any, operator: Any, value: Any, **more: Any) -> dict[str, Any]:
    """The body of a search."""
    parameter = {"LookupName": name, "LookupValue": value, "SqlOperator": operator}
    return {"Parameter": parameter, **more}


def found(server: Server, name: Any, operator: Any, value: Any, **more: Any) -> list[str]:
    """The ids of the leads that a search finds, in order."""
    answer = server.post(looking(name, operator, value, **more), path=GET)
    assert answer.status == 200, answer.body
    return [row["ProspectID"] for row in answer.json]


def refused(answer: Answer, exception_type: str, message: str, *, status: int = 400) -> None:
    """The answer is a refusal of this type, and what it says holds the message."""
    assert answer.status == status, answer.body
    assert answer.exception_type == f"MX{exception_type}Exception"
    assert message in answer.message, answer.message
