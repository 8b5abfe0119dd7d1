"""The calls of the API: their paths and methods, and the operation behind each."""

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from oppserver.operations.bulk_read import bulk_read
from oppserver.operations.call import Call, Services


class Route(NamedTuple):
    """One call: ``name`` is what logs, metrics and the OpenAPI document call it.

    ``writes``: it changes what is stored, so a reader's key may not call it, and it takes an
    ``Idempotency-Key``.
    """

    name: str
    method: Literal["GET", "POST"]
    path: str
    operation: Callable[[Call, Services], bytes]
    writes: bool = False


ROUTES: Final = (
    Route(
        name="GetOpportunitiesById",
        method="POST",
        path="/v2/OpportunityManagement.svc/GetOpportunitiesById",
        operation=bulk_read,
    ),
)
