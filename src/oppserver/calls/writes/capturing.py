"""Creation of opportunities that are no duplicates, for capture and bulk add."""

from collections.abc import Sequence

from oppserver.calls.shared.call import WriteContext
from oppserver.calls.shared.names import DUPLICATE_DETECTED, OPPORTUNITY_CAPTURED
from oppserver.calls.writes.plan import (
    check_new,
    duplicate_values,
    plan_change,
    plan_new,
    values_for_duplicate,
)
from oppserver.calls.writes.wire import Capture, CaptureAction, CaptureResult
from oppserver.contract.model import Activity, Catalogue, StoredOpportunity
from oppserver.store.port import Transaction


def captured_all(
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
        self._session = transaction
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
        self._session.write_activities(self._activities)

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
            found = self._session.opportunity_like(new.event_code, values)
            if found is not None:
                return self._session.opportunities([found])[found]
        return None

    def _write(self) -> None:
        if self._unwritten:
            self._session.write_opportunities(self._unwritten, now=self._context.now)
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
