"""Activities: from arguments to calls, from answers to results, and the methods of clients."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec

from oppserver.client.calls import ACTIVITIES, HostCall, decoded, reading_call, writing_call
from oppserver.client.conditions import EVERYTHING, Where, as_columns, as_event_code, guid_of
from oppserver.client.errors import InvalidCall
from oppserver.client.rows import text_of

T = TypeVar("T")

_SEARCH: Final = "Activity/Retrieve/BySearchParameter"

_DETAILS: Final = "GetActivityDetails"

_CREATE: Final = "CreateType"

_PAGE_ROWS: Final = 1_000


class ActivityPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of activities: values by name. ``total`` is the number of all that were found."""

    total: int
    activities: Sequence[Mapping[str, str | None]]


class _Page(msgspec.Struct):
    RecordCount: int = 0
    List: list[dict[str, Any]] | None = None


class _Field(msgspec.Struct):
    SchemaName: str
    Value: Any = None


class _Details(msgspec.Struct):
    ID: str | None = None
    Fields: list[_Field] | None = None


class _Code(msgspec.Struct):
    Id: int | str | None = None


class _Created(msgspec.Struct):
    Message: _Code | None = None


_PAGE: Final = msgspec.json.Decoder(_Page)

_FOUND: Final = msgspec.json.Decoder(_Details)

_CREATED: Final = msgspec.json.Decoder(_Created)


def search_activities_call(
    event_code: int | str, where: Where, columns: str | Iterable[str] | None, page: int
) -> HostCall[ActivityPage]:
    """The call for a page of the activities of a type that meet conditions."""
    code = int(as_event_code(event_code))
    message: dict[str, Any] = {
        "ActivityEvent": code,
        "AdvancedSearch": where.advanced_search(code),
        "Paging": {"PageIndex": page, "PageSize": _PAGE_ROWS},
    }
    if columns is not None:
        message["Columns"] = {"Include_CSV": as_columns(columns)}
    return reading_call(_SEARCH, message, _read_page, base=ACTIVITIES)


def activity_call(activity_id: str | UUID) -> HostCall[Mapping[str, str | None]]:
    """The call for one activity."""
    query = (("activityId", guid_of(activity_id, what="activity_id")),)
    return reading_call(_DETAILS, None, partial(_read_one), query=query, base=ACTIVITIES)


def create_type_call(name: str, fields: Mapping[str, str]) -> HostCall[int | None]:
    """The call for a new activity type; ``fields`` are display names by schema name."""
    if not name.strip():
        raise InvalidCall("name is empty: an activity type has a name.")
    message = {
        "ActivityEventName": name,
        "Fields": [{"SchemaName": key, "DisplayName": shown} for key, shown in fields.items()],
    }
    return writing_call(_CREATE, message, _read_code, base=ACTIVITIES)


def _read_page(body: bytes) -> ActivityPage:
    page = decoded(_PAGE, body, name=_SEARCH)
    rows = [{name: text_of(value) for name, value in row.items()} for row in page.List or ()]
    return ActivityPage(total=page.RecordCount, activities=rows)


def _read_one(body: bytes) -> Mapping[str, str | None]:
    found = decoded(_FOUND, body, name=_DETAILS)
    values = {field.SchemaName: text_of(field.Value) for field in found.Fields or ()}
    return {"ProspectActivityId": found.ID, **values}


def _read_code(body: bytes) -> int | None:
    message = decoded(_CREATED, body or b"{}", name=_CREATE).Message
    code = str(message.Id).strip() if message else ""
    return int(code) if code.isdecimal() else None


class ActivityMethods(ABC):
    """The methods of activities of a client."""

    @abstractmethod
    def _run(self, call: HostCall[T]) -> T: ...

    def search_activities(
        self,
        event_code: int | str,
        conditions: Where = EVERYTHING,
        *,
        columns: str | Iterable[str] | None = None,
        page: int = 1,
    ) -> ActivityPage:
        """Read a page of up to 1,000 activities of a type that meet conditions."""
        return self._run(search_activities_call(event_code, conditions, columns, page))

    def get_activity(self, activity_id: str | UUID) -> Mapping[str, str | None]:
        """Read one activity: its id and the values of its fields."""
        return self._run(activity_call(activity_id))

    def create_activity_type(
        self, name: str, fields: Mapping[str, str] | None = None
    ) -> int | None:
        """Create a type with display names of fields by schema name. Returns its code."""
        return self._run(create_type_call(name, fields or {}))


class AsyncActivityMethods(ABC):
    """The same methods of an asynchronous client."""

    @abstractmethod
    async def _run(self, call: HostCall[T]) -> T: ...

    async def search_activities(
        self,
        event_code: int | str,
        conditions: Where = EVERYTHING,
        *,
        columns: str | Iterable[str] | None = None,
        page: int = 1,
    ) -> ActivityPage:
        """The same as ``Client.search_activities``."""
        return await self._run(search_activities_call(event_code, conditions, columns, page))

    async def get_activity(self, activity_id: str | UUID) -> Mapping[str, str | None]:
        """The same as ``Client.get_activity``."""
        return await self._run(activity_call(activity_id))

    async def create_activity_type(
        self, name: str, fields: Mapping[str, str] | None = None
    ) -> int | None:
        """The same as ``Client.create_activity_type``."""
        return await self._run(create_type_call(name, fields or {}))
