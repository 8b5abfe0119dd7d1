"""The obvious implementation: FastAPI and the ORM. ``python -m bench.peers.orm_server``.

What a good day's work gives: models for the tables, a session per request, ``select`` with ``IN``
in chunks, the owner loaded with ``selectinload``, dates written by Python, pydantic on the way in
and out, on uvicorn with uvloop and httptools. It has no keys, no rate limit, no limits on the body,
which is in its favour. It reads the same file as the product.
"""

import argparse
from collections.abc import Iterator
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy import DateTime, ForeignKey, Text, create_engine, select
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
    selectinload,
)

from bench.options import FIELDS
from bench.wire import PATH

_CHUNK_IDS = 500

_DRIVER = "pysqlite3.dbapi2" if find_spec("pysqlite3") else "sqlite3"


class Base(DeclarativeBase):
    """The models' base."""


class User(Base):
    """An owner."""

    __tablename__ = "user"
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    email: Mapped[str | None] = mapped_column(Text)


class StoredOpportunity(Base):
    """A row. Its 34 slots are added below, as columns of their own."""

    __tablename__ = "opportunity"
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    event_code: Mapped[int]
    lead_id: Mapped[str] = mapped_column(Text)
    lead_email: Mapped[str | None] = mapped_column(Text)
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("user.id"))
    owner: Mapped[User | None] = relationship()
    status: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    created_on: Mapped[datetime] = mapped_column(DateTime)
    modified_on: Mapped[datetime] = mapped_column(DateTime)
    created_by: Mapped[str | None] = mapped_column(Text)
    modified_by: Mapped[str | None] = mapped_column(Text)


for _slot in range(1, FIELDS + 1):
    setattr(StoredOpportunity, f"mx_custom_{_slot}", mapped_column(Text))


class ColumnsIn(BaseModel):
    """``Columns`` of a group."""

    Include_CSV: str


class GroupIn(BaseModel):
    """A group of the request."""

    EventCode: str
    ProspectActivityId: list[str]
    Columns: ColumnsIn


class BulkReadIn(BaseModel):
    """The request."""

    SearchParameters: list[GroupIn]


class OpportunityOut(BaseModel):
    """A row of the answer; what was not asked for is not set, and left out."""

    ProspectId: str
    EmailAddress: str | None
    ProspectActivityId: str
    CreatedOn: str | None = None
    ModifiedOn: str | None = None
    Owner: str | None = None
    OwnerEmailAddress: str | None = None
    Status: str | None = None
    OpportunityNote: str | None = None
    mx_Custom_1: str | None = None
    mx_Custom_2: str | None = None
    mx_Custom_3: str | None = None
    mx_Custom_4: str | None = None


class GroupOut(BaseModel):
    """An entry of the answer."""

    EventCode: str
    RecordCount: int
    Opportunities: list[OpportunityOut]


def _answer_date(moment: datetime) -> str:
    hour = moment.hour % 12 or 12
    half = "AM" if moment.hour < 12 else "PM"
    return (
        f"{moment.month}/{moment.day}/{moment.year} {hour}:{moment.minute:02}:{moment.second:02}"
        f" {half}"
    )


def _value(row: StoredOpportunity, name: str) -> str | None:
    match name:
        case "CreatedOn":
            return _answer_date(row.created_on)
        case "ModifiedOn":
            return _answer_date(row.modified_on)
        case "Owner":
            return row.owner_id
        case _:
            value: str | None = getattr(row, name.lower())
            return value


def _row(row: StoredOpportunity, names: list[str]) -> OpportunityOut:
    answer: dict[str, Any] = {
        "ProspectId": row.lead_id,
        "EmailAddress": row.lead_email,
        "ProspectActivityId": row.id,
    }
    for name in names:
        answer[name] = _value(row, name)
        if name == "Owner":
            answer["OwnerEmailAddress"] = row.owner.email if row.owner else None
    return OpportunityOut(**answer)


def _group(session: Session, group: GroupIn) -> GroupOut:
    names = group.Columns.Include_CSV.split(",")
    found: dict[str, StoredOpportunity] = {}
    for start in range(0, len(group.ProspectActivityId), _CHUNK_IDS):
        statement = (
            select(StoredOpportunity)
            .where(StoredOpportunity.id.in_(group.ProspectActivityId[start : start + _CHUNK_IDS]))
            .options(selectinload(StoredOpportunity.owner))
        )
        # the type is looked at here: asked for it too, SQLite would take the product's index of
        # types for the quicker way, which a server with a schema of its own would not have
        code = int(group.EventCode)
        found.update((row.id, row) for row in session.scalars(statement) if row.event_code == code)
    rows = [_row(found[one], names) for one in group.ProspectActivityId if one in found]
    return GroupOut(EventCode=group.EventCode, RecordCount=len(rows), Opportunities=rows)


def create_app(database: str) -> FastAPI:
    """The application."""
    engine = create_engine(
        f"sqlite:///{database}",
        # a SQLite as new as the product's, if there is one: what differs is the code
        module=import_module(_DRIVER),
        connect_args={"check_same_thread": False},
    )
    app = FastAPI()

    def session() -> Iterator[Session]:
        with Session(engine) as opened:
            yield opened

    def bulk_read(asked: BulkReadIn, opened: Annotated[Any, Depends(session)]) -> list[GroupOut]:
        return [_group(opened, group) for group in asked.SearchParameters]

    app.post(PATH, response_model_exclude_unset=True)(bulk_read)
    return app


def main() -> None:
    """Serves until it is told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", required=True)
    arguments = parser.parse_args()
    uvicorn.run(
        create_app(arguments.database),
        host="127.0.0.1",
        port=arguments.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
