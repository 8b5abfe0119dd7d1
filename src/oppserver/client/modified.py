"""What was modified since a moment, the oldest first, whatever is modified meanwhile.

Pages by number would skip rows: one that is modified while its list is read leaves its place, and
all behind it move up. So the next page begins where the last one ended, at the moment of its last
row. Only rows of one second that do not fit into a page are read by number; their order differs
between requests on the hosted service (observed), so they are read until all are there.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from oppserver.client.bulk_read import Batch
from oppserver.client.calls import Call, not_understood
from oppserver.client.lists import PAGE_ROWS, modified_call
from oppserver.client.rows import Opportunity
from oppserver.contract.dates import to_stored

_NAME: Final = "RetrieveRecentlyModified"
_TRIES_MAX: Final = 5


class ModifiedPlan:
    """The calls for all of a span (stored form, both ends in it; None is open), and their rows.

    A row may be given twice, when it is modified while it is read.
    """

    def __init__(self, event_code: int, *, since: str | None, until: str | None) -> None:
        self._event_code: Final = event_code
        self._until: Final = until
        self._from = since
        self._second: _Second | None = None
        self._total: int | None = None
        self._is_done = False

    def next_call(self) -> Call[Batch] | None:
        """The next call; None when all was read."""
        if self._is_done:
            return None
        second = self._second
        return modified_call(
            self._event_code,
            from_date=second.moment if second else self._from,
            to_date=second.moment if second else self._until,
            page=second.page if second else 1,
            page_rows=PAGE_ROWS,
        )

    def took(self, batch: Batch) -> Batch:
        """The rows that are given, of the answer to the call that was made last.

        Their ``total`` is how many there were in the span when its reading began.
        """
        if self._total is None:
            self._total = batch.total
        return Batch(rows=self._rows_of(batch), total=self._total)

    def _rows_of(self, batch: Batch) -> Sequence[Opportunity]:
        if self._second is not None:
            return self._took_of_second(self._second, batch)
        moments = [_moment(row) for row in batch.rows]
        if any(after < before for before, after in pairwise(moments)):
            raise not_understood(_NAME, "its rows are not sorted by ModifiedOn, as was asked")
        if len(batch.rows) >= (batch.total or 0) or not batch.rows:
            self._is_done = True
            return batch.rows
        last = moments[-1]
        rows = [row for row, moment in zip(batch.rows, moments, strict=True) if moment < last]
        if rows:
            self._from = last
        else:
            self._second = _Second(last)
        return rows

    def _took_of_second(self, second: "_Second", batch: Batch) -> Sequence[Opportunity]:
        rows = second.took(batch)
        if rows is None:
            return ()
        self._second = None
        self._from = _next_second(second.moment)
        self._is_done = self._until is not None and self._from > self._until
        return rows


class _Second:
    """The rows of one second, page by page. Owner of what was read of them."""

    def __init__(self, moment: str) -> None:
        self.moment: Final = moment
        self.page = 1
        self._rows: dict[str, Opportunity] = {}
        self._read = 0
        self._tries = 1

    def took(self, batch: Batch) -> list[Opportunity] | None:
        """All rows of the second; None while there are more. Raises UnexpectedAnswer."""
        self._rows.update((row.id, row) for row in batch.rows)
        self._read += len(batch.rows)
        total = batch.total or 0
        if batch.rows and self._read < total:
            self.page += 1
            return None
        if len(self._rows) >= total:
            return list(self._rows.values())
        if self._tries == _TRIES_MAX:
            raise not_understood(
                _NAME,
                f"of {total} rows that were modified at {self.moment} it gave"
                f" {len(self._rows)} in {_TRIES_MAX} tries",
            )
        self._tries += 1
        self.page, self._read = 1, 0
        return None


def _moment(row: Opportunity) -> str:
    try:
        return to_stored(row["ModifiedOn"] or "")
    except (KeyError, ValueError):
        raise not_understood(_NAME, "a row has no ModifiedOn") from None


def _next_second(moment: str) -> str:
    return (datetime.fromisoformat(moment) + timedelta(seconds=1)).isoformat(sep=" ")
