"""A session of the model of a store: it works on a copy, which becomes the store's at its end."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from oppserver.contract.model import (
    Activity,
    ActivityType,
    Catalogue,
    Lead,
    Role,
    StoredOpportunity,
    Tombstone,
    User,
    Written,
)
from oppserver.contract.names import ascii_lower
from oppserver.store.queries import IdempotencyRecord
from tests.support.memory_state import (
    State,
    delete_all,
    number_addresses,
    put_activity_types,
    with_emails,
    write_all,
)

_T = TypeVar("_T")


class MemoryTransaction:
    """The promises of ``port.Transaction`` on a state that is its own."""

    def __init__(self, state: State) -> None:
        self._state = state

    def catalogue(self) -> Catalogue:
        return self._state.catalogue()

    # --- opportunities

    def opportunities(self, ids: Sequence[str]) -> dict[str, StoredOpportunity]:
        there = self._state.opportunities
        return {one: with_emails(there[one], self._state) for one in ids if one in there}

    def tombstones(self, ids: Sequence[str]) -> dict[str, Tombstone]:
        return {one: self._state.deleted[one] for one in ids if one in self._state.deleted}

    def opportunity_like(self, event_code: int, values: Mapping[str, str]) -> str | None:
        alike = [
            (one.created_on, one.id)
            for one in self._state.opportunities.values()
            if one.event_code == event_code
            and values.items() <= _stored_values(with_emails(one, self._state)).items()
        ]
        return min(alike)[1] if alike else None

    def write_opportunities(self, batch: Sequence[StoredOpportunity], *, now: str) -> Written:
        return write_all(self._state, batch, now=now)

    def delete_opportunities(self, ids: Sequence[str], *, now: str, by: str | None) -> int:
        return delete_all(self._state, ids, now=now, by=by)

    # --- leads and users

    def leads(self, ids: Sequence[str]) -> dict[str, Lead]:
        return {one: self._state.leads[one] for one in ids if one in self._state.leads}

    def leads_by(self, stored: str, values: Sequence[str]) -> dict[str, Lead]:
        fold = ascii_lower if stored == "email" else str
        by_value = _first_by(
            (fold(value), lead)
            for _, lead in sorted(self._state.leads.items())
            if (value := getattr(lead, stored)) is not None
        )
        return {one: by_value[fold(one)] for one in values if fold(one) in by_value}

    def write_leads(self, batch: Sequence[Lead]) -> None:
        before = {one.id: one.email for one in self._state.leads.values()}
        for one in batch:
            self._state.leads[one.id] = one
            if one.owner_id is not None:
                self._state.users.setdefault(one.owner_id, User(id=one.owner_id, email=None))
        number_addresses(self._state, before=before)

    def users(self, ids: Sequence[str]) -> dict[str, User]:
        there = self._state.users
        return {one: self._with_role(there[one]) for one in ids if one in there}

    def users_by_email(self, emails: Sequence[str]) -> dict[str, User]:
        by_email = _first_by(
            (ascii_lower(user.email), user)
            for _, user in sorted(self._state.users.items())
            if user.email is not None
        )
        return {
            one: self._with_role(by_email[ascii_lower(one)])
            for one in emails
            if ascii_lower(one) in by_email
        }

    def _with_role(self, user: User) -> User:
        is_administrator = any(
            key.user_id == user.id and key.role is Role.ADMINISTRATOR and key.revoked_on is None
            for key in self._state.keys.values()
        )
        return msgspec.structs.replace(user, is_administrator=is_administrator)

    # --- activities and kept answers

    def put_activity_types(self, types: Sequence[ActivityType]) -> None:
        put_activity_types(self._state, types)

    def write_activities(self, batch: Sequence[Activity]) -> None:
        self._state.activities.update((one.id, one) for one in batch)

    def idempotency_record(self, key_sha256: str, *, not_before: str) -> IdempotencyRecord | None:
        kept = self._state.kept_answers.get(key_sha256)
        return kept if kept is not None and kept.created_on >= not_before else None

    def put_idempotency_record(self, answer: IdempotencyRecord, *, not_before: str) -> None:
        kept = self._state.kept_answers
        self._state.kept_answers = {
            key: one for key, one in kept.items() if one.created_on >= not_before
        } | {answer.key_sha256: answer}


def _stored_values(one: StoredOpportunity) -> dict[str, str | None]:
    return {**msgspec.structs.asdict(one), **one.slots}


def _first_by(pairs: Iterable[tuple[str, _T]]) -> dict[str, _T]:
    """The first value of each key."""
    first: dict[str, _T] = {}
    for key, value in pairs:
        first.setdefault(key, value)
    return first
