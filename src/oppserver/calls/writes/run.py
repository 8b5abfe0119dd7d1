"""The calls that write opportunities: capture, update, both in bulk, and delete."""

from collections.abc import Mapping, Sequence
from typing import Final

from oppserver.calls.leads.save import save_lead
from oppserver.calls.shared.call import NO_BODY, Write, WriteContext
from oppserver.calls.shared.decode import Body, mandatory_guid
from oppserver.calls.shared.lookups import gone, leads_by_value, stored_opportunity, users_named
from oppserver.calls.shared.messages import success
from oppserver.calls.shared.names import DUPLICATE_DETECTED, OPPORTUNITY_CAPTURED, event_code_of
from oppserver.calls.writes.parse import (
    parse_bulk_add,
    parse_bulk_update,
    parse_capture,
    parse_update,
)
from oppserver.calls.writes.plan import (
    check_new,
    duplicate_values,
    encoded_alike,
    plan_capture,
    plan_change,
    plan_new,
    values_for_duplicate,
)
from oppserver.calls.writes.plan_values import owners_named, plan_values
from oppserver.calls.writes.render import (
    DeletedWire,
    UpdatedWire,
    render_bulk_add,
    render_bulk_update,
    render_capture,
)
from oppserver.calls.writes.wire import (
    AddWire,
    AskedAddition,
    AskedAdditions,
    AskedCapture,
    AskedUpdate,
    Capture,
    CaptureAction,
    CaptureResult,
    CaptureWire,
    SearchBy,
    UpdateWire,
)
from oppserver.contract.errors import AccessDenied, InvalidReference, InvalidValue
from oppserver.contract.model import Activity, Catalogue, Lead, StoredOpportunity
from oppserver.contract.names import quoted
from oppserver.store.port import Transaction


def capture(transaction: Transaction, asked: AskedCapture, context: WriteContext) -> bytes:
    """Create an opportunity and its lead, unless the opportunity would repeat a stored one."""
    saved = save_lead(transaction, asked.lead, now=context.now, new_id=context.new_id)
    catalogue = transaction.catalogue()
    planned = plan_capture(
        asked.opportunity,
        lead=saved.lead,
        catalogue=catalogue,
        users=users_named(transaction, owners_named(asked.opportunity.fields)),
        new_id=context.new_id(),
        now=context.now,
    )
    [captured] = _captured(transaction, [planned], catalogue, context)
    return render_capture(
        captured,
        is_lead_new=saved.is_created,
        flags=asked.opportunity.flags,
        request_id=context.request_id,
    )


def bulk_add(transaction: Transaction, asked: AskedAdditions, context: WriteContext) -> bytes:
    """Create up to 25 opportunities of leads that are stored, or none."""
    catalogue = transaction.catalogue()
    captures = _planned(transaction, asked, catalogue, context)
    return render_bulk_add(_captured(transaction, captures, catalogue, context))


def _planned(
    transaction: Transaction, asked: AskedAdditions, catalogue: Catalogue, context: WriteContext
) -> list[Capture]:
    owners = [name for one in asked.additions for name in owners_named(one.opportunity.fields)]
    users = users_named(transaction, owners)
    leads = leads_by_value(
        transaction, asked.search_by.stored, [one.lead_value for one in asked.additions]
    )
    return [
        plan_capture(
            one.opportunity,
            lead=_lead(one, leads, asked.search_by),
            catalogue=catalogue,
            users=users,
            new_id=context.new_id(),
            now=context.now,
        )
        for one in asked.additions
    ]


def _lead(one: AskedAddition, leads: Mapping[str, Lead], search_by: SearchBy) -> Lead:
    lead = leads.get(one.lead_value)
    if lead is None:
        raise InvalidReference(
            f"{one.lead_place}: there is no lead with {search_by.name} {quoted(one.lead_value)}."
            " Capture creates leads."
        )
    return lead


def _captured(
    transaction: Transaction,
    captures: Sequence[Capture],
    catalogue: Catalogue,
    context: WriteContext,
) -> list[CaptureResult]:
    """Run captures one after another: each sees the writes of those before it.

    Raises InvalidFieldValue when one cannot be stored.
    """
    capturing = _Capturing(transaction, catalogue, context)
    done = [capturing.capture(one) for one in captures]
    capturing.finish()
    return done


class _Capturing:
    """Captures under way. Owns the opportunities and activities that are not written yet.

    They are written before the store is asked for duplicates, and by ``finish``.
    """

    def __init__(
        self, transaction: Transaction, catalogue: Catalogue, context: WriteContext
    ) -> None:
        self._transaction = transaction
        self._catalogue = catalogue
        self._context = context
        self._unwritten: list[StoredOpportunity] = []
        self._activities: list[Activity] = []

    def capture(self, capture: Capture) -> CaptureResult:
        """Create the opportunity; if it is a duplicate, do to the stored one what the flags say."""
        fields = self._catalogue.fields[capture.event_code]
        new = plan_new(capture, fields, now=self._context.now, by=self._context.user_id)
        stored = self._duplicated(new)
        if stored is not None:
            return self._met(stored, capture)
        check_new(new, capture, fields)
        self._unwritten.append(new)
        activity_id = self._post(OPPORTUNITY_CAPTURED, new, on=capture.created_on)
        return CaptureResult(
            action=CaptureAction.CREATED,
            lead_id=capture.lead.id,
            opportunity_id=new.id,
            activity_id=activity_id,
        )

    def finish(self) -> None:
        """Write everything that is not written yet."""
        self._write()
        self._transaction.write_activities(self._activities)

    def _met(self, stored: StoredOpportunity, capture: Capture) -> CaptureResult:
        taken = values_for_duplicate(stored, capture.values, capture.flags)
        if taken:
            fields = self._catalogue.fields[stored.event_code]
            changed = plan_change(
                stored, taken, fields, now=self._context.now, by=self._context.user_id
            )
            self._unwritten.append(changed)
        is_reported = not capture.flags.do_not_post_duplicate_activity
        return CaptureResult(
            action=CaptureAction.UPDATED if taken else CaptureAction.NOTHING,
            lead_id=capture.lead.id,
            opportunity_id=stored.id,
            activity_id=self._post(DUPLICATE_DETECTED, stored, on=self._context.now)
            if is_reported
            else None,
        )

    def _duplicated(self, new: StoredOpportunity) -> StoredOpportunity | None:
        """The stored opportunity that a new one duplicates, by the first rule that matches."""
        for rule in self._catalogue.types[new.event_code].duplicate_rules:
            values = duplicate_values(new, rule)
            if values is None:
                continue
            self._write()
            for alike in encoded_alike(values):
                found = self._transaction.opportunity_like(new.event_code, alike)
                if found is not None:
                    return self._transaction.opportunities([found])[found]
        return None

    def _write(self) -> None:
        if self._unwritten:
            self._transaction.write_opportunities(self._unwritten, now=self._context.now)
            self._unwritten = []

    def _post(self, event_code: int, one: StoredOpportunity, *, on: str) -> str:
        activity = Activity(
            id=self._context.new_id(),
            event_code=event_code,
            lead_id=one.lead_id,
            opportunity_id=one.id,
            owner_id=one.owner_id,
            created_by=self._context.user_id,
            created_on=on,
            modified_on=on,
        )
        self._activities.append(activity)
        return activity.id


def update(transaction: Transaction, asked: AskedUpdate, context: WriteContext) -> bytes:
    """Write new values of one opportunity."""
    stored = stored_opportunity(transaction, asked.id, place="ProspectOpportunityId")
    _update_all(transaction, [asked], {asked.id: stored}, context)
    return success(UpdatedWire(asked.id))


def bulk_update(
    transaction: Transaction, asked: Sequence[AskedUpdate], context: WriteContext
) -> bytes:
    """Write new values of up to 25 opportunities, of all or of none."""
    ids = [one.id for one in asked]
    stored = transaction.opportunities(ids)
    for index, one in enumerate(ids):
        if one not in stored:
            raise InvalidReference(f"[{index}].ProspectOpportunityId: {gone(transaction, one)}")
    _update_all(transaction, asked, stored, context)
    return render_bulk_update(ids)


def _update_all(
    transaction: Transaction,
    asked: Sequence[AskedUpdate],
    stored: Mapping[str, StoredOpportunity],
    context: WriteContext,
) -> None:
    """Write the new values. ``stored`` has every opportunity that is asked for, by id.

    Raises an ApiError with status 400 that names the place.
    """
    catalogue = transaction.catalogue()
    users = users_named(transaction, [name for one in asked for name in owners_named(one.fields)])
    changed = []
    for one in asked:
        opportunity = stored[one.id]
        _check_type(one, opportunity, catalogue)
        fields = catalogue.fields[opportunity.event_code]
        values = plan_values(
            one.fields, event_code=opportunity.event_code, fields=fields, users=users
        )
        changed.append(
            plan_change(opportunity, values, fields, now=context.now, by=context.user_id)
        )
    transaction.write_opportunities(changed, now=context.now)


def _check_type(one: AskedUpdate, stored: StoredOpportunity, catalogue: Catalogue) -> None:
    if one.event_code is None:
        return
    event_code = event_code_of(one.event_code, catalogue, place=one.place)
    if event_code != stored.event_code:
        raise InvalidValue(
            f"{one.place}: the opportunity {one.id} is of type {stored.event_code}, not"
            f" {event_code}. Send its own type."
        )


def delete(transaction: Transaction, opportunity_id: str, context: WriteContext) -> bytes:
    """Delete one opportunity. Its tombstone stays."""
    stored = stored_opportunity(transaction, opportunity_id, place="query parameter 'Id'")
    event_code = stored.event_code
    if not transaction.catalogue().types[event_code].can_delete:
        raise AccessDenied(
            f"Opportunities of type {event_code} cannot be deleted."
            f" 'oppserver type create {event_code} --allow-delete' allows it."
        )
    transaction.delete_opportunities([opportunity_id], now=context.now, by=context.user_id)
    return success(DeletedWire())


CAPTURE: Final = Write(body=Body(CaptureWire), parse=parse_capture, write=capture)
UPDATE: Final = Write(body=Body(UpdateWire), parse=parse_update, write=update)
DELETE: Final = Write(
    body=NO_BODY, parse=lambda call, _: mandatory_guid(call.query, "Id"), write=delete
)
BULK_ADD: Final = Write(body=Body(list[AddWire]), parse=parse_bulk_add, write=bulk_add)
BULK_UPDATE: Final = Write(body=Body(list[UpdateWire]), parse=parse_bulk_update, write=bulk_update)
