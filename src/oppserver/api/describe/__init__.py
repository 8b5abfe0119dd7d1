"""What the OpenAPI document says of each call, by the name of its route.

The schemas promise what is checked; the checks stand in steps/, the bounds in contract/limits.py.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from oppserver.api.describe import (
    activities,
    bulk_read,
    changes,
    leads,
    lists,
    types,
    users,
    writes,
)
from oppserver.api.describe.description import EVERY_CALL, EVERY_WRITE, Description, Parameter

__all__ = ["DESCRIPTIONS", "EVERY_CALL", "EVERY_WRITE", "Description", "Parameter"]

DESCRIPTIONS: Final[Mapping[str, Description]] = MappingProxyType(
    {
        **bulk_read.DESCRIPTIONS,
        **writes.DESCRIPTIONS,
        **types.DESCRIPTIONS,
        **users.DESCRIPTIONS,
        **lists.DESCRIPTIONS,
        **leads.DESCRIPTIONS,
        **activities.DESCRIPTIONS,
        **changes.DESCRIPTIONS,
    }
)
