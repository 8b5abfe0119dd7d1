"""The work of ``fetch``: chunks of ids that are not finished yet, from a host into a file."""

from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Final

import msgspec

from oppserver.cli.fetch_formats import Encoding
from oppserver.client import (
    AccessRefused,
    Batch,
    Client,
    ClientError,
    HostUnreachable,
    InvalidCall,
    KeysRefused,
    RequestRefused,
)
from oppserver.client.bulk_read import BulkPlan
from oppserver.transfer.id_files import Ids
from oppserver.transfer.resumable import Resumable

_FAILURES_IN_A_ROW_MAX: Final = 3
"""Calls that fail one after the other, each after all its tries: then the host is down."""

_ENDS_ALL: Final = (KeysRefused, AccessRefused, InvalidCall)


class State(Enum):
    """The end of a fetch."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"


class Progress(msgspec.Struct, kw_only=True):
    """The finished ids and rows, of this run and of those before."""

    ids: int = 0
    rows: int = 0
    missing: int = 0


class FetchJob:
    """One run. ``error`` is the last that ended a call, ``resumed`` the calls of earlier runs."""

    def __init__(
        self,
        *,
        ids: Ids,
        output: Resumable,
        encoding: Encoding,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._ids: Final = ids
        self._output: Final = output
        self._encoding: Final = encoding
        self._on_progress: Final = on_progress
        self.progress: Final = Progress()
        self.error: ClientError | None = None
        self.resumed: Final = len(output.finished)
        for number, entry in output.finished.items():
            self._count(number, rows=entry.rows, missing=len(entry.missing))

    @property
    def total(self) -> int:
        """All ids."""
        return len(self._ids)

    @property
    def repeated(self) -> int:
        """Lines of the ids' file with an id that was there before."""
        return self._ids.repeated

    @property
    def part(self) -> Path | None:
        """The file with the rows until the output is whole; None where nothing is kept."""
        return self._output.part

    @property
    def state(self) -> State:
        """The state of the fetch: PARTIAL when some chunks are finished and others are not."""
        if len(self._output.finished) == self._ids.chunks:
            return State.COMPLETE
        return State.PARTIAL if self._output.finished else State.FAILED

    def run(self, client: Client, plan: BulkPlan) -> None:
        """Reads what is not finished, in order. A chunk that fails is left for the next run.

        Ends early when the host refuses everything, or fails at several chunks in a row.
        """
        left = deque(n for n in range(self._ids.chunks) if n not in self._output.finished)
        failures_in_a_row = 0
        while left and failures_in_a_row < _FAILURES_IN_A_ROW_MAX:
            before = len(left)
            rows = client.get_opportunities(
                self._ids_of(tuple(left)),
                event_code=plan.event_code,
                columns=plan.columns,
                on_missing=_drop,
            )
            try:
                for batch in rows.batches():
                    self._finish(left[0], batch)
                    left.popleft()
            except ClientError as error:
                self.error = error
                if isinstance(error, _ENDS_ALL) or self._is_refused_whole(error):
                    return
                failures_in_a_row = failures_in_a_row + 1 if len(left) == before else 1
                left.popleft()
            finally:
                rows.close()

    def missing(self) -> Iterator[str]:
        """The ids that the host does not have, of finished chunks, in the order of the ids."""
        for _, entry in sorted(self._output.finished.items()):
            yield from entry.missing

    def _is_refused_whole(self, error: ClientError) -> bool:
        """Return true when no call was good: the host is away, or takes no call of this kind."""
        is_lasting = isinstance(error, (RequestRefused, HostUnreachable))
        return is_lasting and not self._output.finished

    def _ids_of(self, chunks: tuple[int, ...]) -> Iterator[str]:
        """The ids of chunks: each is full but the last, so that each becomes one call."""
        for number in chunks:
            yield from self._ids.chunk(number)

    def _finish(self, number: int, batch: Batch) -> None:
        data = self._encoding.chunk(batch.rows)
        self._output.add(number, data, rows=len(batch.rows), missing=batch.missing)
        self._count(number, rows=len(batch.rows), missing=len(batch.missing))

    def _count(self, number: int, *, rows: int, missing: int) -> None:
        self.progress.ids += self._ids.size(number)
        self.progress.rows += rows
        self.progress.missing += missing
        self._on_progress(self.progress)


def _drop(_: object) -> None:
    """Missing ids are in the journal."""
