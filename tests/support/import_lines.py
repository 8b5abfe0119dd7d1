"""Lines of files, as ``oppserver import`` reads them."""

import json
from typing import Any

from tests.support.stores import guid, lead

CODE = 12000


def line(number: int, **members: Any) -> str:
    """An opportunity with what it has to have, and these members."""
    given = {"ProspectActivityId": guid(number), "EventCode": CODE, "ProspectId": lead(number)}
    return json.dumps(given | members)
