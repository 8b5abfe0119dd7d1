"""From ids as they come to batches: cut into units that count as a call, repeats left out."""

from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec

from oppserver.contract.errors import ApiError, InvalidValue
from oppserver.contract.limits import STREAM_UNIT_IDS
from oppserver.contract.problems import refusal
from oppserver.contract.streams import Arrived, BadId


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Ids to be read at once, distinct, in order, and what else has come with them.

    ``unit``: which unit of the stream it is of, from 0. ``lines``: how many have come, ids and bad
    ones. ``refusal``: the stream ends here, with it.
    """

    unit: int
    ids: Sequence[str] = ()
    lines: int = 0
    bad: Sequence[BadId] = ()
    refusal: ApiError | None = None


class Gathering:
    """Batches of the ids of one stream.

    A unit is so many lines, whenever they come, so what is a repeat does not depend on timing: an
    id that comes again in its unit is read once. Memory: the ids of one unit.
    """

    def __init__(self, *, skips_bad_ids: bool) -> None:
        self._skips_bad_ids = skips_bad_ids
        self._unit = 0
        self._lines = 0  # of the unit, like the next three
        self._ids: dict[str, None] = {}
        self._given_ids = 0
        self._given_lines = 0
        self._bad: list[BadId] = []

    def add(self, arrived: Arrived) -> Iterator[Batch]:
        """The batches that are full now; the last of them may refuse the rest."""
        start = 0
        for one in arrived.bad:
            yield from self._add_ids(arrived.ids[start : one.at])
            start = one.at
            if not self._skips_bad_ids:
                yield from self.rest()
                faults = [bad.fault for bad in arrived.bad]
                yield Batch(unit=self._unit, refusal=refusal(InvalidValue, faults))
                return
            self._bad.append(one)
            self._lines += 1
            if self._lines == STREAM_UNIT_IDS:
                yield self._end_unit()
        yield from self._add_ids(arrived.ids[start:])

    def rest(self) -> Iterator[Batch]:
        """What has come and is in no batch yet, if there is any."""
        if self._lines > self._given_lines:
            yield self._batch()

    def _add_ids(self, ids: Sequence[str]) -> Iterator[Batch]:
        while ids:
            room = STREAM_UNIT_IDS - self._lines
            self._ids.update(dict.fromkeys(ids[:room]))
            self._lines += min(room, len(ids))
            ids = ids[room:]
            if self._lines == STREAM_UNIT_IDS:
                yield self._end_unit()

    def _batch(self) -> Batch:
        ids = list(islice(self._ids, self._given_ids, None))
        lines = self._lines - self._given_lines
        batch = Batch(unit=self._unit, ids=ids, lines=lines, bad=self._bad)
        self._given_ids, self._given_lines, self._bad = len(self._ids), self._lines, []
        return batch

    def _end_unit(self) -> Batch:
        batch = self._batch()
        self._unit += 1
        self._ids = {}
        self._lines = self._given_ids = self._given_lines = 0
        return batch
