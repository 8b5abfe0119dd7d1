"""A typed client of this API, synchronous and asynchronous.

It speaks to this server and the hosted service.
It imports nothing of the server. docs/client.md shows how to use it.
"""

from oppserver.client.activities import ActivityPage
from oppserver.client.bulk_read import Batch
from oppserver.client.client import AsyncClient, Client
from oppserver.client.conditions import AnyOf, Condition, Where, any_of, field, where
from oppserver.client.core import Options
from oppserver.client.details import FieldInfo, OpportunityDetails, TypeInfo
from oppserver.client.errors import (
    AccessRefused,
    ClientError,
    HostError,
    HostFailed,
    HostUnavailable,
    HostUnreachable,
    InvalidCall,
    KeysRefused,
    NotFound,
    RateLimitExceeded,
    RequestRefused,
    UnexpectedAnswer,
    WritesStopped,
    WriteUnconfirmed,
)
from oppserver.client.exchange import Retry
from oppserver.client.leads import LeadPage, SavedLead
from oppserver.client.lists import ListOptions
from oppserver.client.rate_limiter import RateLimit
from oppserver.client.results import AsyncRows, Rows
from oppserver.client.rows import Opportunity
from oppserver.client.writes import Addition, Captured, NewActivity, Overlap, Update

__all__ = [
    "AccessRefused",
    "ActivityPage",
    "Addition",
    "AnyOf",
    "AsyncClient",
    "AsyncRows",
    "Batch",
    "Captured",
    "Client",
    "ClientError",
    "Condition",
    "FieldInfo",
    "HostError",
    "HostFailed",
    "HostUnavailable",
    "HostUnreachable",
    "InvalidCall",
    "KeysRefused",
    "LeadPage",
    "ListOptions",
    "NewActivity",
    "NotFound",
    "Opportunity",
    "OpportunityDetails",
    "Options",
    "Overlap",
    "RateLimit",
    "RateLimitExceeded",
    "RequestRefused",
    "Retry",
    "Rows",
    "SavedLead",
    "TypeInfo",
    "UnexpectedAnswer",
    "Update",
    "Where",
    "WriteUnconfirmed",
    "WritesStopped",
    "any_of",
    "field",
    "where",
]
