"""Frozen values of writes: what was asked, and what was found out before anything is written."""

from collections.abc import Mapping

import msgspec

from oppserver.contract.model import Lead


class LeadDetails(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller says of one lead.

    ``values`` is what it takes, by stored name (``contract/leads.py``); None clears. ``searches``
    is what it is looked for by, of ``id``, ``email``, ``phone`` and ``mobile``; the first that
    finds one counts. ``id`` is the one that was given; a new lead may take it if ``may_take_id``.
    ``owner`` is as given, an id or an address. ``place`` is where the lead stands in the body.
    """

    values: Mapping[str, str | None]
    searches: Mapping[str, str]
    id: str | None
    may_take_id: bool
    owner: str | None
    place: str


class FoundLead(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored around one ``LeadDetails``.

    ``lead`` is the one that was looked for, ``of_id`` the one of the id that was given. ``taken``
    has, by stored name, the leads that have what this one would take.
    """

    lead: Lead | None
    of_id: Lead | None
    taken: Mapping[str, Lead]
