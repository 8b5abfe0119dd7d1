"""A typed client of this API, synchronous and asynchronous, for this server and the hosted service.

It imports nothing of the server. docs/client.md shows its use.
"""

from oppserver.client.async_client import AsyncClient
from oppserver.client.bulk_read import Batch
from oppserver.client.client import Client
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
    WriteUnconfirmed,
)
from oppserver.client.exchange import Retry
from oppserver.client.pace import RateLimit
from oppserver.client.results import AsyncRows, Rows
from oppserver.client.rows import Opportunity

__all__ = [
    "AccessRefused",
    "AsyncClient",
    "AsyncRows",
    "Batch",
    "Client",
    "ClientError",
    "HostError",
    "HostFailed",
    "HostUnavailable",
    "HostUnreachable",
    "InvalidCall",
    "KeysRefused",
    "NotFound",
    "Opportunity",
    "RateLimit",
    "RateLimitExceeded",
    "RequestRefused",
    "Retry",
    "Rows",
    "UnexpectedAnswer",
    "WriteUnconfirmed",
]
