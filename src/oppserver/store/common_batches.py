"""How batches of opportunities are written in every engine alike: in statements on many rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import compress
from operator import attrgetter
from typing import Final, NamedTuple, TypeVar

from oppserver.contract.model import Opportunity
from oppserver.store import tables
from oppserver.store.common import OPPORTUNITY_COLUMNS, Brought, runs_without_repeats

_ALWAYS: Final = ("id", "event_code", "lead_id", "lead_email", "created_on", "modified_on")
_SOMETIMES: Final = ("owner_id", "status", "note", "created_by", "modified_by")
_NOT_REPLACED: Final = ("id", "version", "has_moved")  # has_moved is what both rows say together
_ID: Final = attrgetter("id")


class Shape(NamedTuple):
    """What a statement for some rows is made of: the columns that any of them sets, in order.

    ``kept``: the columns that a row keeps when it is replaced.
    """

    others: tuple[str, ...]
    slots: tuple[str, ...]
    kept: frozenset[str]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a row, in the order of its values."""
        return _ALWAYS + self.others + self.slots

    @property
    def replaced(self) -> list[str]:
        """The columns that a row that is there takes over."""
        return [
            name
            for name in OPPORTUNITY_COLUMNS
            if name not in _NOT_REPLACED and name not in self.kept
        ]


HAS_MOVED: Final = (
    "has_moved = opportunity.has_moved OR opportunity.event_code <> excluded.event_code"
)
"""What a row that is replaced takes on beside the columns: whether its type is another one now."""

MOVED_AGAIN: Final = (
    "has_moved = opportunity.has_moved OR d.has_moved OR opportunity.event_code <> d.event_code"
)
"""The same of a row that was deleted before; ``d`` is its tombstone."""

Row = tuple[object, ...]
_Prepared = TypeVar("_Prepared")


def write_in_turn(
    batches: Iterable[Sequence[Opportunity]],
    *,
    prepare: Callable[[Sequence[Opportunity]], _Prepared],
    write: Callable[[_Prepared], None],
) -> None:
    """Writes batches in order, on a thread of its own, while the next one is made ready."""
    with ThreadPoolExecutor(1, thread_name_prefix="load") as writer:
        under_way: Future[None] | None = None
        for batch in batches:
            prepared = prepare(batch)
            if under_way is not None:
                under_way.result()
            under_way = writer.submit(write, prepared)
        if under_way is not None:
            under_way.result()


def shaped(
    batch: Sequence[Opportunity], brought: Brought, *, now: str
) -> list[tuple[Shape, list[Row]]]:
    """The batch as statements in order: what each is made of, and its rows, by id.

    Rows in the order of their ids touch each page of the index once.
    """
    return [
        (shape, [_values(one, shape, brought.leads, now) for one in group])
        for run in runs_without_repeats(batch)
        for shape, group in _by_shape(sorted(run, key=_ID)).items()
    ]


def _by_shape(rows: Sequence[Opportunity]) -> dict[Shape, list[Opportunity]]:
    """Rows by the dates that they leave as they are; one set of columns for all."""
    used = set().union(*(one.slots for one in rows))
    slots = tuple(name for name in tables.SLOT_NAMES if name in used)
    others = tuple(
        name for name in _SOMETIMES if any(getattr(one, name) is not None for one in rows)
    )
    by_dates: dict[tuple[bool, bool], list[Opportunity]] = {}
    for one in rows:
        missing = one.created_on is None, one.modified_on is None
        by_dates.setdefault(missing, []).append(one)
    return {
        Shape(others, slots, frozenset(compress(("created_on", "modified_on"), missing))): group
        for missing, group in by_dates.items()
    }


def _values(one: Opportunity, shape: Shape, lead_emails: Mapping[str, str | None], now: str) -> Row:
    created_on = one.created_on or now
    modified_on = one.modified_on or created_on
    lead_email = lead_emails[one.lead_id]
    return (
        *(one.id, one.event_code, one.lead_id, lead_email, created_on, modified_on),
        *(getattr(one, name) for name in shape.others),
        *map(one.slots.get, shape.slots),
    )
