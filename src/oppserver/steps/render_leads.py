"""From what was done with leads, and rows that the store rendered, to the bodies of answers."""

import msgspec

from oppserver.contract.model import RenderedRows


def render_lead_saved(lead_id: str, *, is_created: bool) -> bytes:
    """The body of ``Lead.CreateOrUpdate``."""
    return _success({"Id": lead_id, "AffectedRows": 1, "IsCreated": is_created})


def render_lead_updated() -> bytes:
    """The body of ``Lead.Update``."""
    return _success({"AffectedRows": 1})


def render_leads_by_ids(rows: RenderedRows, *, total: int) -> bytes:
    """The body of ``Leads/Retrieve/ByIds``. The rows are JSON already and are not looked into."""
    return b'{"RecordCount":%d,"Leads":%b}' % (total, rows.json)


def _success(message: dict[str, object]) -> bytes:
    return msgspec.json.encode({"Status": "Success", "Message": message})
