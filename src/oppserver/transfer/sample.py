"""The definitions and the activity of the sample, which the demo and servers for tests have."""

from typing import TYPE_CHECKING, Any

import msgspec

from oppserver.contract import example, sample
from oppserver.contract.model import Activity, OpportunityType
from oppserver.store import Store
from oppserver.transfer.records import opportunity_of, typed_fields

if TYPE_CHECKING:
    from collections.abc import Mapping


def put_definitions(store: Store) -> None:
    """Put the sample's types, fields and activity into a store."""
    store.put_types(
        [
            OpportunityType(event_code=example.EVENT_CODE_WITHOUT_ROWS, name="Car loan"),
            example.TYPE,
            sample.TYPE,
        ]
    )
    store.put_fields([example.NAME_FIELD, *sample.FIELDS])
    store.put_activity_types([example.ACTIVITY_TYPE])
    activity = Activity(
        id=example.ACTIVITY_ID,
        event_code=example.ACTIVITY_TYPE.event_code,
        lead_id=example.LEAD_ID,
        created_on="2024-02-29 13:05:09",
        modified_on="2024-02-29 13:05:09",
        fields={"mx_Custom_1": "Called back"},
    )
    store.write(lambda transaction: transaction.write_activities([activity]))


def put_sample(store: Store, *, generated: int, now: str) -> None:
    """Put the whole sample into a store: definitions, the documented example, generated rows."""
    put_definitions(store)
    fields = typed_fields(store.catalogue())
    lines: list[Mapping[str, Any]] = [
        msgspec.json.decode(line) for line in sample.example_lines().splitlines()
    ]
    store.write_opportunities([opportunity_of(line, fields) for line in lines], now=now)
    store.write_opportunities(list(sample.opportunities(generated)), now=now)
