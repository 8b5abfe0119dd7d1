"""A session over one open transaction, as far as all engines have the same."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from oppserver.contract.model import (
    Activity,
    Catalogue,
    KeptAnswer,
    Lead,
    Opportunity,
    Tombstone,
    User,
    Written,
)
from oppserver.store import common, common_session


class CommonSession(ABC):
    """The promises of ``port.Session``. The transaction is the caller's to begin and to end.

    It lets nobody else write from its beginning, so what it has read is true to its end.
    ``kept_catalogue`` is one that was read before, and then the one that was read last: it is of
    other readers' interest only when the transaction was committed.
    """

    def __init__(self, connection: Connection, kept_catalogue: Catalogue | None) -> None:
        self._connection = connection
        self._has_looked = False  # at the catalogue's version, which nobody else moves meanwhile
        self.kept_catalogue = kept_catalogue

    def catalogue(self) -> Catalogue:
        kept = self.kept_catalogue
        if kept is None or not self._has_looked:
            version = common.select_catalogue_version(self._connection)
            if kept is None or kept.version != version:
                kept = common.select_catalogue(self._connection)
            self.kept_catalogue = kept
            self._has_looked = True
        return kept

    # --- opportunities

    def opportunities(self, ids: Sequence[str]) -> dict[str, Opportunity]:
        return common_session.select_opportunities_of(self._connection, ids)

    def tombstones(self, ids: Sequence[str]) -> dict[str, Tombstone]:
        return common_session.select_tombstones(self._connection, ids)

    @abstractmethod
    def opportunity_like(self, event_code: int, values: Mapping[str, str]) -> str | None: ...

    @abstractmethod
    def write_opportunities(self, batch: Sequence[Opportunity], *, now: str) -> Written: ...

    @abstractmethod
    def delete_opportunities(self, ids: Sequence[str], *, now: str, by: str | None) -> int: ...

    # --- leads and users

    def leads(self, ids: Sequence[str]) -> dict[str, Lead]:
        return common_session.select_leads(self._connection, ids)

    def leads_by(self, stored: str, values: Sequence[str]) -> dict[str, Lead]:
        return common_session.select_leads_by(self._connection, stored, values)

    def write_leads(self, batch: Sequence[Lead]) -> None:
        changed = common_session.write_leads(self._connection, batch)
        if changed:
            self._write_addresses(changed)

    def _write_addresses(self, changed: Sequence[Lead]) -> None:
        common_session.write_addresses(self._connection, changed)

    def users(self, ids: Sequence[str]) -> dict[str, User]:
        return common_session.select_users(self._connection, ids)

    def users_by_email(self, emails: Sequence[str]) -> dict[str, User]:
        return common_session.select_users_by_email(self._connection, emails)

    # --- activities and kept answers

    def write_activities(self, batch: Sequence[Activity]) -> None:
        common_session.insert_activities(self._connection, batch)

    def kept_answer(self, key_sha256: str, *, not_before: str) -> KeptAnswer | None:
        return common_session.select_kept_answer(
            self._connection, key_sha256, not_before=not_before
        )

    def keep_answer(self, answer: KeptAnswer, *, not_before: str) -> None:
        common_session.insert_kept_answer(self._connection, answer, not_before=not_before)
