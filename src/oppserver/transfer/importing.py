"""Lines into a store: in batches, each whole or not at all, a line that cannot be named with why.

A batch is decoded while the store writes the one before: two are in memory at most, whatever the
size of the file.
"""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from oppserver.contract.errors import RejectedLine, StoppedImport
from oppserver.contract.model import StoredOpportunity, Written
from oppserver.store import Store
from oppserver.transfer.files import Line
from oppserver.transfer.records import opportunity_of


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """A line that did not become an opportunity, and why."""

    reason: str
    line: Line


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of an import: lines that are durable, and lines that were rejected.

    Lines of which nobody can say how many records they are count one by one.
    """

    created: int = 0
    replaced: int = 0
    rejected: int = 0

    @property
    def stored(self) -> int:
        """Lines that are in the store."""
        return self.created + self.replaced


class Import:
    """One import. ``done`` is what it has done, also when it was stopped or interrupted."""

    def __init__(
        self,
        store: Store,
        *,
        batch_rows: int,
        now: Callable[[], str],
        on_reject: Callable[[Rejection], None] | None,
    ) -> None:
        """``on_reject`` gets each bad line, in order; None stops at the first one."""
        self._store = store
        self._batch_rows = batch_rows
        self._now = now
        self._on_reject = on_reject
        self._rejected = 0
        self._written = Written(created=0, replaced=0)  # owner: _count, on a thread of the store

    @property
    def done(self) -> Imported:
        """Return the durable lines, and the number of rejected ones."""
        written = self._written
        return Imported(created=written.created, replaced=written.replaced, rejected=self._rejected)

    def run(self, lines: Iterable[Line]) -> Imported:
        """Imports all lines. Raises StoppedImport at a bad line, and what the store raises.

        Batches that were written before stay; the batch of the bad line is not written.
        """
        self._store.load(self._batches(lines), now=self._now, on_written=self._count)
        return self.done

    def _count(self, written: Written) -> None:
        before = self._written
        self._written = Written(
            created=before.created + written.created, replaced=before.replaced + written.replaced
        )

    def _batches(self, lines: Iterable[Line]) -> Iterator[list[StoredOpportunity]]:
        batch: list[StoredOpportunity] = []
        for line in lines:
            try:
                if isinstance(line.members, RejectedLine):
                    raise line.members
                batch.append(opportunity_of(line.members))
            except RejectedLine as error:
                self._reject(Rejection(reason=str(error), line=line))
            if len(batch) >= self._batch_rows:
                yield batch
                batch = []
        if batch:
            yield batch

    def _reject(self, rejection: Rejection) -> None:
        if self._on_reject is None:
            raise StoppedImport(f"{rejection.line.place}: {rejection.reason}")
        self._rejected += rejection.line.records
        self._on_reject(rejection)
