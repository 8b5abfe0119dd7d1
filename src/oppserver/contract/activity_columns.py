"""The columns of an activity in lists: from a requested name to the one it is answered under.

Names are matched without regard to case or blanks around them, as those of opportunities are.
"""

from types import MappingProxyType
from typing import Final

from oppserver.contract.columns import column_named, slot_of

COLUMNS: Final = (
    "ProspectId",
    "ProspectActivityId",
    "RelatedProspectId",
    "OpportunityId",
    "ActivityEvent",
    "ActivityEventName",
    "ActivityEvent_Note",
    "Status",
    "Owner",
    "CreatedBy",
    "CreatedOn",
    "ModifiedOn",
)
"""What every activity has, in the order in which it is answered."""

IDENTITY: Final = COLUMNS[:2]
"""What every row starts with, asked for or not."""

_BY_FOLDED_NAME: Final = MappingProxyType({name.casefold(): name for name in COLUMNS})


def activity_column_named(name: str) -> str | None:
    """The canonical name of a column; None when no activity has it."""
    if slot_of(name) is not None:
        column = column_named(name)
        return None if column is None else column.name
    return _BY_FOLDED_NAME.get(name.strip().casefold())
