"""Leads and users: from arguments to calls, from answers to results, and the methods of clients."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Generator, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any, Final, Literal, TypeAlias, TypeVar
from uuid import UUID

import msgspec

from oppserver.client.calls import HostCall, decoded, not_understood, reading_call, writing_call
from oppserver.client.conditions import FieldValue, as_columns, guid_of, pairs, text_value
from oppserver.client.errors import InvalidCall
from oppserver.client.rows import text_of
from oppserver.contract.limits import BULK_WRITE_ROWS_MAX

T = TypeVar("T")

LeadRow: TypeAlias = dict[str, str | None]
"""A lead, or a user: values by name."""

UpdateBehavior: TypeAlias = Literal[
    "DoNotUpdate", "UpdateOnlyEmptyFields", "DoNotUpdateUniqueFields"
]

_LEAD_MANAGEMENT: Final = "/v2/LeadManagement.svc/"

_USER_MANAGEMENT: Final = "/v2/UserManagement.svc/"

_BULK: Final = "Lead/Bulk/CreateOrUpdate"

_RECENT: Final = "Leads.RecentlyModified"

_PAGE_ROWS: Final = 1_000


class SavedLead(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a write of a lead. ``error``: why the host refused it; else None."""

    id: str | None
    is_new: bool = False
    error: str | None = None


class LeadPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of leads. ``total`` is the number of all leads that were found."""

    total: int
    leads: Sequence[LeadRow]


class _Message(msgspec.Struct):
    Id: str | None = None
    RelatedId: str | None = None
    IsCreated: bool | None = None


class _Saved(msgspec.Struct):
    Message: _Message | None = None


class _Row(msgspec.Struct):
    LeadId: str | None = None
    LeadCreated: bool | None = None
    ExceptionType: str | None = None
    ErrorMessage: str | None = None


class _Property(msgspec.Struct):
    Attribute: str
    Value: Any = None


class _Properties(msgspec.Struct):
    LeadPropertyList: list[_Property]


class _Page(msgspec.Struct):
    RecordCount: int = 0
    Leads: list[_Properties] | None = None


_FLAT: Final = msgspec.json.Decoder(list[dict[str, Any]])

_SAVED: Final = msgspec.json.Decoder(_Saved)

_ROWS: Final = msgspec.json.Decoder(list[_Row])

_PAGE: Final = msgspec.json.Decoder(_Page)

# --- calls ---------------------------------------------------------------------------------------


def lead_call(
    lead_id: str | UUID | None, email: str | None, phone: str | None
) -> HostCall[LeadRow | None]:
    """The call for one lead by just one of its id, address and phone number."""
    given = [
        (name, parameter, value)
        for name, parameter, value in (
            ("Leads.GetById", "id", lead_id and guid_of(lead_id, what="lead_id")),
            ("Leads.GetByEmailaddress", "emailaddress", email),
            ("RetrieveLeadByPhoneNumber", "phone", phone),
        )
        if value
    ]
    if len(given) != 1:
        raise InvalidCall("Pass one of lead_id, email and phone.")
    [(name, parameter, value)] = given
    return reading_call(
        name, None, partial(_read_one, name), query=((parameter, value),), base=_LEAD_MANAGEMENT
    )


def quick_search_call(key: str) -> HostCall[list[LeadRow]]:
    """The call for the leads that have some words."""
    if not key.strip():
        raise InvalidCall("key is empty: pass a name, an address or a number.")
    name = "Leads.GetByQuickSearch"
    return reading_call(
        name, None, partial(_read_flat, name), query=(("key", key.strip()),), base=_LEAD_MANAGEMENT
    )


def modified_leads_call(
    since: datetime | date | str | None,
    until: datetime | date | str | None,
    columns: str | Iterable[str] | None,
    page: int,
) -> HostCall[LeadPage]:
    """The call for a page of the leads that were modified in a span."""
    ends = {"FromDate": text_value(since), "ToDate": text_value(until)}
    message: dict[str, Any] = {
        "Parameter": {name: one for name, one in ends.items() if one is not None},
        "Paging": {"PageIndex": page, "PageSize": _PAGE_ROWS},
    }
    if columns is not None:
        message["Columns"] = {"Include_CSV": as_columns(columns)}
    return reading_call(_RECENT, message, _read_page, base=_LEAD_MANAGEMENT)


def create_lead_call(attributes: Mapping[str, FieldValue]) -> HostCall[SavedLead]:
    """The call for a new lead."""
    name = "Lead.Create"
    read = partial(_read_saved, name, is_new=True)
    return writing_call(name, pairs(attributes, name="Attribute"), read, base=_LEAD_MANAGEMENT)


def capture_lead_call(
    attributes: Mapping[str, FieldValue], search_by: str | None, update: UpdateBehavior | None
) -> HostCall[SavedLead]:
    """The call that creates a lead, or changes the one that is found."""
    query = (("LeadUpdateBehavior", update),) if update else ()
    name = "Lead.Capture"
    read = partial(_read_saved, name, is_new=False)
    return writing_call(
        name, _attributes(attributes, search_by), read, query=query, base=_LEAD_MANAGEMENT
    )


def save_leads_calls(
    leads: Iterable[Mapping[str, FieldValue]], search_by: str | None
) -> Iterator[tuple[int, HostCall[list[SavedLead]]]]:
    """The calls that create or change any number of leads, 25 in each; the number and the call."""
    batch: list[list[dict[str, Any]]] = []
    for lead in leads:
        batch.append(_attributes(lead, search_by))
        if len(batch) == BULK_WRITE_ROWS_MAX:
            yield _bulk_call(batch)
            batch = []
    if batch:
        yield _bulk_call(batch)


def _bulk_call(batch: list[list[dict[str, Any]]]) -> tuple[int, HostCall[list[SavedLead]]]:
    read = partial(_read_rows, len(batch))
    return len(batch), writing_call(_BULK, batch, read, base=_LEAD_MANAGEMENT)


def user_call(user_id: str | UUID) -> HostCall[LeadRow | None]:
    """The call for one user."""
    name, query = "User/Retrieve/ByUserId", (("userId", guid_of(user_id, what="user_id")),)
    return reading_call(name, None, partial(_read_one, name), query=query, base=_USER_MANAGEMENT)


def _attributes(
    attributes: Mapping[str, FieldValue], search_by: str | None
) -> list[dict[str, Any]]:
    if not attributes:
        raise InvalidCall("A lead has no attributes: pass at least one.")
    named = pairs(attributes, name="Attribute")
    return [*named, {"Attribute": "SearchBy", "Value": search_by}] if search_by else named


# --- answers -------------------------------------------------------------------------------------


def _read_flat(name: str, body: bytes) -> list[LeadRow]:
    rows = decoded(_FLAT, body, name=name)
    return [
        {key: text_of(value) for key, value in row.items() if not isinstance(value, list | dict)}
        for row in rows
    ]


def _read_one(name: str, body: bytes) -> LeadRow | None:
    rows = _read_flat(name, body)
    return rows[0] if rows else None


def _read_page(body: bytes) -> LeadPage:
    page = decoded(_PAGE, body, name=_RECENT)
    leads = [
        {one.Attribute: text_of(one.Value) for one in lead.LeadPropertyList}
        for lead in page.Leads or ()
    ]
    return LeadPage(total=page.RecordCount, leads=leads)


def _read_saved(name: str, body: bytes, *, is_new: bool) -> SavedLead:
    message = decoded(_SAVED, body or b"{}", name=name).Message or _Message()
    created = is_new if message.IsCreated is None else message.IsCreated
    return SavedLead(id=message.RelatedId or message.Id, is_new=created)


def _read_rows(number: int, body: bytes) -> list[SavedLead]:
    rows = decoded(_ROWS, body or b"[]", name=_BULK)
    if len(rows) != number:
        raise not_understood(_BULK, f"{number} were sent, it has {len(rows)}")
    return [
        SavedLead(
            id=row.LeadId or None,
            is_new=bool(row.LeadCreated),
            error=None
            if row.ExceptionType is None
            else f"{row.ExceptionType}: {row.ErrorMessage or ''}",
        )
        for row in rows
    ]


# --- methods -------------------------------------------------------------------------------------


class LeadMethods(ABC):
    """The methods of leads and users of a client."""

    @abstractmethod
    def _run(self, call: HostCall[T]) -> T: ...

    @abstractmethod
    def _write_all(
        self, calls: Iterable[tuple[int, HostCall[T]]]
    ) -> Generator[tuple[int, T], None, None]: ...

    def get_lead(
        self,
        lead_id: str | UUID | None = None,
        *,
        email: str | None = None,
        phone: str | None = None,
    ) -> LeadRow | None:
        """Read the lead of an id, an address or a phone number; None when nobody has it."""
        return self._run(lead_call(lead_id, email, phone))

    def find_leads(self, key: str) -> list[LeadRow]:
        """Read the leads that have a name, an address or a number."""
        return self._run(quick_search_call(key))

    def get_modified_leads(
        self,
        since: datetime | date | str | None = None,
        until: datetime | date | str | None = None,
        *,
        columns: str | Iterable[str] | None = None,
        page: int = 1,
    ) -> LeadPage:
        """Read a page of up to 1,000 leads that were modified in a span, both ends included."""
        return self._run(modified_leads_call(since, until, columns, page))

    def create_lead(self, attributes: Mapping[str, FieldValue]) -> SavedLead:
        """Create a lead. Raises RequestRefused if another one has its address or number."""
        return self._run(create_lead_call(attributes))

    def capture_lead(
        self,
        attributes: Mapping[str, FieldValue],
        *,
        search_by: str | None = None,
        update: UpdateBehavior | None = None,
    ) -> SavedLead:
        """Create a lead, or change the one that is found; ``update`` says how much of it."""
        return self._run(capture_lead_call(attributes, search_by, update))

    def save_leads(
        self, leads: Iterable[Mapping[str, FieldValue]], *, search_by: str | None = None
    ) -> list[SavedLead]:
        """Create or change any number of leads, 25 per call; a refused one has its error.

        Raises WritesStopped if a later call fails.
        """
        calls = save_leads_calls(leads, search_by)
        return [one for _, saved in self._write_all(calls) for one in saved]

    def get_user(self, user_id: str | UUID) -> LeadRow | None:
        """Read a user; None when the id is unknown, or its user not active."""
        return self._run(user_call(user_id))


class AsyncLeadMethods(ABC):
    """The same methods of an asynchronous client."""

    @abstractmethod
    async def _run(self, call: HostCall[T]) -> T: ...

    @abstractmethod
    def _write_all(
        self, calls: Iterable[tuple[int, HostCall[T]]]
    ) -> AsyncGenerator[tuple[int, T], None]: ...

    async def get_lead(
        self,
        lead_id: str | UUID | None = None,
        *,
        email: str | None = None,
        phone: str | None = None,
    ) -> LeadRow | None:
        """The same as ``Client.get_lead``."""
        return await self._run(lead_call(lead_id, email, phone))

    async def find_leads(self, key: str) -> list[LeadRow]:
        """The same as ``Client.find_leads``."""
        return await self._run(quick_search_call(key))

    async def get_modified_leads(
        self,
        since: datetime | date | str | None = None,
        until: datetime | date | str | None = None,
        *,
        columns: str | Iterable[str] | None = None,
        page: int = 1,
    ) -> LeadPage:
        """The same as ``Client.get_modified_leads``."""
        return await self._run(modified_leads_call(since, until, columns, page))

    async def create_lead(self, attributes: Mapping[str, FieldValue]) -> SavedLead:
        """The same as ``Client.create_lead``."""
        return await self._run(create_lead_call(attributes))

    async def capture_lead(
        self,
        attributes: Mapping[str, FieldValue],
        *,
        search_by: str | None = None,
        update: UpdateBehavior | None = None,
    ) -> SavedLead:
        """The same as ``Client.capture_lead``."""
        return await self._run(capture_lead_call(attributes, search_by, update))

    async def save_leads(
        self, leads: Iterable[Mapping[str, FieldValue]], *, search_by: str | None = None
    ) -> list[SavedLead]:
        """The same as ``Client.save_leads``."""
        calls = save_leads_calls(leads, search_by)
        return [one async for _, saved in self._write_all(calls) for one in saved]

    async def get_user(self, user_id: str | UUID) -> LeadRow | None:
        """The same as ``Client.get_user``."""
        return await self._run(user_call(user_id))
