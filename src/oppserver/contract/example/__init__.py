"""The documented page's example: opportunities, a request, its response.

Import ``opportunities.ndjson`` (which creates type 12003), create type 12001, and ``request.json``
gets ``response.json``: value for value and key order included.

The examples of the OpenAPI document name these opportunities, and the demo stores them: there each
example gets an answer.
"""

from importlib.resources import files
from typing import Final

from oppserver.contract.model import ActivityType, Field, OpportunityType

TYPE: Final = OpportunityType(event_code=12003, name="Mortgage")

NAME_FIELD: Final = Field(
    event_code=12003, schema_name="mx_Custom_1", display_name="Opportunity name", sequence=1
)

ACTIVITY_TYPE: Final = ActivityType(event_code=200, name="Call")

OPPORTUNITY_ID: Final = "24cf277e-70fe-4b2f-a9c2-9a68f45feaba"

OTHER_OPPORTUNITY_ID: Final = "67db1ccf-ea8b-41b8-9bc2-4cdbe2391a0d"

DELETED_OPPORTUNITY_ID: Final = "5b0ee3a9-4f0c-4d53-9a3e-6f4f0a5c9a10"
"""The one that the example of ``Delete`` deletes. No other example names it, so that they can be
tried in any order."""

ACTIVITY_ID: Final = "c0a8f1d2-3b4e-4f6a-9d7c-1e2f3a4b5c6d"
"""An activity on the first lead, in the demo."""

LEAD_ID: Final = "a368678f-1e81-4fb8-af0a-4b896f6330e1"

OTHER_LEAD_ID: Final = "332c7a9f-6451-11ea-8109-022edb41208c"

LEAD_EMAIL: Final = "janehewitt@example.com"

OPPORTUNITY_NAME: Final = "Jane's home loan"

USER_EMAIL: Final = "ada@example.com"

EVENT_CODE_WITHOUT_ROWS: Final = 12001
"""The type that the request names and that has no opportunity in the example."""


def opportunities() -> bytes:
    """The lines to import, NDJSON."""
    return files(__name__).joinpath("opportunities.ndjson").read_bytes()


def request() -> bytes:
    """The body of the call, JSON."""
    return files(__name__).joinpath("request.json").read_bytes()


def response() -> bytes:
    """The body of its answer, JSON."""
    return files(__name__).joinpath("response.json").read_bytes()
