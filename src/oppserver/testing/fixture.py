"""The test's handle on its server."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Unpack
from uuid import UUID

from oppserver.calls.types.define import FieldChange
from oppserver.contract.dates import now_stored
from oppserver.contract.model import OpportunityType, Role
from oppserver.testing import filling
from oppserver.testing.faults import Faults
from oppserver.testing.host import LOG_LINES, Host
from oppserver.testing.journal import Journal
from oppserver.testing.options import OppserverOptions, OppserverUser, add_user, chosen
from oppserver.testing.world import Clock, Ids

if TYPE_CHECKING:
    from oppserver.client import AsyncClient, Client
    from oppserver.client.conditions import Value
    from oppserver.client.core import Options

TESTED_OPPORTUNITIES_SHOWN_MAX: Final = 100_000
"""Opportunities that a test gets in one list. Ours: more than tests put in, and some 100 MB."""


class OppserverFixture:
    """A running server, its keys, and what a test does with it.

    ``url``, ``access_key`` and ``secret_key`` stay the same for a whole run of tests; the rest is
    new for every test. All of it may be used from several threads. ``kept_in`` is a folder in which
    the next run finds what this one has made, to start quicker.
    """

    def __init__(self, options: OppserverOptions, *, kept_in: Path | None = None) -> None:
        self._options: Final = options
        self._host: Final = Host(chosen(options), kept_in=kept_in)
        self._clients: Final[list[Client]] = []

    def __repr__(self) -> str:
        return f"<oppserver at {self.url}, {len(self.calls)} calls>"

    # --- where it is, and who may call

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``: what takes the place of the API's host."""
        return self._host.url

    @property
    def user(self) -> OppserverUser:
        """The user who is there from the beginning, an administrator."""
        return self._host.user

    @property
    def access_key(self) -> str:
        """That user's access key."""
        return self.user.access_key

    @property
    def secret_key(self) -> str:
        """That user's secret key."""
        return self.user.secret_key

    @property
    def headers(self) -> dict[str, str]:
        """The headers that carry that user's keys."""
        return self.user.headers

    def client(self, **options: "Unpack[Options]") -> "Client":
        """A client of that user, closed when the test ends."""
        from oppserver.client import Client  # noqa: PLC0415 (loads when it is asked for)

        client = Client(self.url, self.access_key, self.secret_key, **options)
        self._clients.append(client)
        return client

    def async_client(self, **options: "Unpack[Options]") -> "AsyncClient":
        """An asynchronous client of that user, for an ``async with`` block."""
        from oppserver.client import AsyncClient  # noqa: PLC0415 (as above)

        return AsyncClient(self.url, self.access_key, self.secret_key, **options)

    # --- what a test controls

    @property
    def clock(self) -> Clock:
        """The server's clock."""
        return self._host.world.clock

    @property
    def ids(self) -> Ids:
        """The ids that the server makes."""
        return self._host.world.ids

    @property
    def faults(self) -> Faults:
        """The faults that calls meet."""
        return self._host.world.faults

    @property
    def calls(self) -> Journal:
        """The calls that came, as they are now."""
        return self._host.world.arrivals.journal()

    def forget_calls(self) -> None:
        """Empties the journal."""
        self._host.world.arrivals.clear()

    def reset(self, **options: Unpack[OppserverOptions]) -> None:
        """Begins anew: nothing is stored, counted, remembered or switched on.

        The plug-in does it before each test. Options that are not given are those that the server
        was made with.
        """
        self._close_clients()
        self._host.begin(chosen({**self._options, **options}))
        LOG_LINES.clear()

    def close(self) -> None:
        """Stops the server. The plug-in does it at the end."""
        self._close_clients()
        self._host.close()

    # --- data, straight into the store

    def add_type(
        self,
        event_code: int,
        name: str | None = None,
        *,
        fields: Mapping[str, str] | None = None,
        can_delete: bool = True,
        duplicate_rules: Iterable[Sequence[str]] = (),
    ) -> None:
        """An opportunity type. ``fields`` are text fields: display names by schema name."""
        filling.put_type(
            self._host.world,
            OpportunityType(
                event_code=event_code,
                name=name or f"Opportunity {event_code}",
                can_delete=can_delete,
            ),
            fields=fields or {},
            rules=duplicate_rules,
        )

    def add_field(  # noqa: PLR0913 (an argument for each property of a field)
        self,
        event_code: int,
        schema_name: str,
        display_name: str | None = None,
        *,
        data_type: str | None = None,
        is_mandatory: bool = False,
        options: Sequence[str] = (),
        default_option: str | None = None,
        max_length: int | None = None,
        parent_field: str | None = None,
        dependent_options: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """A field of a type, or another definition of one. Options make it a dropdown."""
        change = FieldChange(
            display_name=display_name,
            data_type=filling.data_type_of(data_type) if data_type else None,
            is_mandatory=is_mandatory,
            options=tuple(options) or None,
            default_option=default_option,
            max_length=max_length,
            parent_field=parent_field,
            dependent_options={
                value: tuple(some) for value, some in (dependent_options or {}).items()
            }
            or None,
        )
        filling.put_field(self._host.world, event_code, schema_name, change)

    def add_user(
        self,
        email: str,
        *,
        role: str = "user",
        first_name: str | None = None,
        last_name: str | None = None,
    ) -> OppserverUser:
        """A user with a key pair. ``role`` is administrator, user or reader."""
        world = self._host.world
        return add_user(
            world.store,
            email=email,
            role=Role(role),
            created_on=now_stored(world.clock.now()),
            user_id=world.ids.new_id(),
            first_name=first_name,
            last_name=last_name,
        )

    def add_lead(self, **attributes: "Value") -> str:
        """A lead with attributes by the API's names (``EmailAddress``, ``mx_City``); its id.

        ``ProspectID``, ``CreatedOn`` and ``ModifiedOn`` may be given, else they are made.
        """
        return filling.put_lead(self._host.world, attributes)

    def add_opportunity(self, event_code: int, **members: "Value") -> str:
        """An opportunity with members by the API's names (``Status``, ``mx_Custom_1``); its id.

        They are those of an import's line. ``ProspectActivityId``, the lead's ``ProspectId`` and
        ``Status`` may be given, else they are made, and so are the type, its fields, lead and owner
        where they are not there. As an import, it does not check values against fields.
        """
        return self.add_opportunities(event_code, [members])[0]

    def add_opportunities(
        self, event_code: int, rows: "Iterable[Mapping[str, Value]]"
    ) -> list[str]:
        """Many opportunities, as ``add_opportunity``, in one transaction; their ids in order."""
        return filling.put_opportunities(self._host.world, event_code, rows)

    # --- what is stored now

    def opportunity(self, opportunity_id: str | UUID) -> dict[str, str] | None:
        """Return the stored opportunity, by the API's names; dates as ``2026-11-24 15:00:00``.

        What is not set is left out. None when it is not there, or was deleted.
        """
        return filling.opportunity_in(self._host.world, opportunity_id)

    def opportunities(self, event_code: int | None = None) -> list[dict[str, str]]:
        """All opportunities of a type, or all there are, by id; at most a hundred thousand."""
        limit = TESTED_OPPORTUNITIES_SHOWN_MAX
        return filling.opportunities_in(self._host.world, event_code, limit)

    def lead(self, lead_id: str | UUID) -> dict[str, str] | None:
        """Return the stored lead, by the API's names; None when it does not exist."""
        return filling.lead_in(self._host.world, lead_id)

    # --- inside

    def report(self) -> str:
        """Return the report of a failed test: the calls, and the server's log."""
        return "\n".join([*map(str, self.calls), *LOG_LINES])

    def _close_clients(self) -> None:
        while self._clients:
            with suppress(RuntimeError):  # a test may have closed it
                self._clients.pop().close()
