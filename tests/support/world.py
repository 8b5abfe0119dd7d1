"""A filled database: the page's example, and opportunities that show every rule of a row."""

from pathlib import Path

from oppserver.contract import example
from oppserver.contract.model import DataType, Field, OpportunityType, StoredOpportunity
from oppserver.store import open_store
from tests.support.databases import database_of
from tests.support.running import run_well

WIDE_CODE = 12100
WIDE_ID = "aaaaaaaa-0000-4000-8000-000000000001"
SPARSE_ID = "aaaaaaaa-0000-4000-8000-000000000002"
DELETED_ID = "aaaaaaaa-0000-4000-8000-000000000003"
OTHER_CODE = 12200
OTHER_ID = "bbbbbbbb-0000-4000-8000-000000000001"
LEAD_ID = "cccccccc-0000-4000-8000-000000000001"
OWNER_ID = "dddddddd-0000-4000-8000-000000000001"

NOTE = 'He said "yes"\\no,\n\tthen {left} \N{SNOWMAN} \x01'


def fill(folder: Path, url: str | None = None) -> None:
    """The page's example, and opportunities that show every rule of a row.

    Into the database of a URL, or the folder's.
    """
    url = url or database_of(folder)
    (folder / "opportunities.ndjson").write_bytes(example.opportunities())
    run_well("import", "opportunities.ndjson", "--database", url, folder=folder)
    run_well("type", "create", "12001", "--database", url, folder=folder)
    store = open_store(url)
    store.put_types([OpportunityType(event_code=WIDE_CODE, name="Wide")])
    store.put_fields(
        [
            Field(
                event_code=WIDE_CODE,
                schema_name=f"mx_Custom_{slot}",
                display_name=f"Field {slot}",
                data_type=DataType.DATE_TIME if slot == 8 else DataType.STRING,
                sequence=slot,
            )
            for slot in range(1, 251)
        ]
    )
    store.write_opportunities(
        [
            StoredOpportunity(
                id=WIDE_ID,
                event_code=WIDE_CODE,
                lead_id=LEAD_ID,
                lead_email="wide@example.com",
                owner_id=OWNER_ID,
                owner_email="owner@example.com",
                status="Open",
                note=NOTE,
                created_on="2024-02-29 00:00:00",
                modified_on="2024-12-01 12:05:09",
                created_by="creator",
                modified_by="modifier",
                slots={
                    f"mx_custom_{slot}": "2024-03-01 07:08:09" if slot == 8 else f"value {slot}"
                    for slot in range(1, 251)
                },
            ),
            StoredOpportunity(
                id=SPARSE_ID,
                event_code=WIDE_CODE,
                lead_id=LEAD_ID,
                created_on="2024-01-01 23:59:59",
            ),
            StoredOpportunity(id=DELETED_ID, event_code=WIDE_CODE, lead_id=LEAD_ID),
            StoredOpportunity(id=OTHER_ID, event_code=OTHER_CODE, lead_id=LEAD_ID),
        ],
        now="2024-05-05 05:05:05",
    )
    store.delete_opportunities([DELETED_ID], now="2024-06-06 06:06:06", by=None)
    store.close()
