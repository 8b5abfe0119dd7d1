"""Generated opportunities for the demo: random, but the same for the same seed."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from oppserver.contract.model import Field, Opportunity, OpportunityType

EVENT_CODE: Final = 12000

TYPE: Final = OpportunityType(event_code=EVENT_CODE, name="Home loan")

FIELDS: Final = tuple(
    Field(event_code=EVENT_CODE, schema_name=f"mx_Custom_{slot}", display_name=name, sequence=slot)
    for slot, name in enumerate(
        (
            "Opportunity name",
            "Stage",
            "Source",
            "Loss reason",
            "Description",
            "Expected deal size",
            "Actual deal size",
            "Expected closure date",
        ),
        start=1,
    )
)

_STAGES: Final = ("Prospecting", "Qualified", "Documents", "Sanctioned", "Disbursed")
_SOURCES: Final = ("Website", "Referral", "Branch", "Partner", "Campaign")
_STATUSES: Final = ("Open", "Open", "Open", "Won", "Lost")
_FIRST: Final = (
    "Asha",
    "Ben",
    "Chitra",
    "David",
    "Elena",
    "Farid",
    "Grace",
    "Hana",
    "Ivan",
    "Jaya",
)
_LAST: Final = ("Rao", "Miller", "Iyer", "Okafor", "Petrov", "Khan", "Silva", "Tanaka", "Novak")
_OWNERS: Final = 50
_EPOCH: Final = datetime(2023, 1, 1)  # noqa: DTZ001 (dates of rows are UTC and carry no zone)
_MINUTES: Final = 3 * 365 * 24 * 60


def opportunities(number: int, *, seed: int = 1) -> Iterator[Opportunity]:
    """So many opportunities of type 12000, each with a lead of its own and one of 50 owners."""
    chance = random.Random(seed)  # noqa: S311 (nothing secret)
    owners = [_guid(chance) for _ in range(_OWNERS)]
    for index in range(number):
        owner = chance.randrange(_OWNERS)
        created = _EPOCH + timedelta(minutes=chance.randrange(_MINUTES))
        modified = created + timedelta(minutes=chance.randrange(60 * 24 * 90))
        first, last = chance.choice(_FIRST), chance.choice(_LAST)
        size = f"{chance.randrange(50, 5_000) * 1_000}"
        status = chance.choice(_STATUSES)
        yield Opportunity(
            id=_guid(chance),
            event_code=EVENT_CODE,
            lead_id=_guid(chance),
            lead_email=f"{first}.{last}.{index}@example.com".lower(),
            owner_id=owners[owner],
            owner_email=f"owner{owner + 1}@example.com",
            status=status,
            created_on=created.isoformat(sep=" "),
            modified_on=modified.isoformat(sep=" "),
            slots={
                "mx_custom_1": f"{first} {last}, home loan",
                "mx_custom_2": chance.choice(_STAGES),
                "mx_custom_3": chance.choice(_SOURCES),
                "mx_custom_6": size,
                **({"mx_custom_7": size} if status == "Won" else {}),
                "mx_custom_8": (modified + timedelta(days=60)).isoformat(sep=" "),
            },
        )


def _guid(chance: random.Random) -> str:
    text = f"{chance.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
