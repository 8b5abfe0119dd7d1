"""Every id accounted for: how many were found, and why the others are not there."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain

from oppserver.contract.dates import to_answer
from oppserver.contract.model import Counts, Plan, PlannedEntry, Whereabouts
from oppserver.contract.wire import MissingWire

Where = Mapping[str, Whereabouts]


def ids_asked(plan: Plan) -> Sequence[str]:
    """The distinct ids of a call, in the order in which they were asked for."""
    if len(plan.asked) == 1:
        return plan.asked[0]
    return list(dict.fromkeys(chain.from_iterable(plan.asked)))


def needs_whereabouts(plan: Plan, counts: Sequence[int], *, ledger: bool) -> bool:
    """Whether rows by entry do not say enough to count ids, or to account for them.

    They do not when an id may stand in two entries, and for the ledger, when an id is missing. With
    several entries an id may be missing in one and be found in another, so they are always read.
    """
    if len(plan.entries) == 1:
        return ledger and counts[0] < len(plan.asked[0])
    return ledger or _may_answer_twice(plan.entries)


def count_ids(plan: Plan, counts: Sequence[int], where: Where | None) -> Counts:
    """How many distinct ids were asked for, and how many of them are answered anywhere.

    ``counts``: the rows of each entry. ``where`` as ``needs_whereabouts`` says.
    """
    asked = ids_asked(plan)
    if where is None or not _may_answer_twice(plan.entries):
        return Counts(requested=len(asked), found=sum(counts))
    codes = {entry.event_code for entry in plan.entries}
    found = sum(one.deleted_on is None and one.event_code in codes for one in where.values())
    return Counts(requested=len(asked), found=found)


def missing_of(plan: Plan, where: Where | None) -> list[list[MissingWire]]:
    """For each entry the ids that its group asked for and that are not in it, in their order.

    Rows of an entry that its group asked for, and these, are what it asked for: each id once.
    ``where`` as ``needs_whereabouts`` says: without it nothing is missing.
    """
    if where is None:
        return [[] for _ in plan.entries]
    places: defaultdict[int, list[tuple[int, frozenset[str]]]] = defaultdict(list)
    for index, entry in enumerate(plan.entries):
        places[entry.event_code].append((index, frozenset(entry.ids)))
    return [
        [
            _missing(one, where.get(one), places)
            for one in asked
            if not _is_of(where.get(one), entry.event_code)
        ]
        for entry, asked in zip(plan.entries, plan.asked, strict=True)
    ]


def _is_of(there: Whereabouts | None, event_code: int) -> bool:
    return there is not None and there.deleted_on is None and there.event_code == event_code


def _missing(
    one: str,
    there: Whereabouts | None,
    places: Mapping[int, Sequence[tuple[int, frozenset[str]]]],
) -> MissingWire:
    if there is None:
        return MissingWire(ProspectActivityId=one, Reason="NotFound")
    if there.deleted_on is not None:
        return MissingWire(
            ProspectActivityId=one,
            Reason="Deleted",
            EventCode=str(there.event_code),
            DeletedOn=to_answer(there.deleted_on),
        )
    of_its_type = places.get(there.event_code, ())
    return MissingWire(
        ProspectActivityId=one,
        Reason="OtherEventCode",
        EventCode=str(there.event_code),
        AnsweredIn=next((index for index, ids in of_its_type if one in ids), None),
    )


def _may_answer_twice(entries: Sequence[PlannedEntry]) -> bool:
    ids: defaultdict[int, list[Sequence[str]]] = defaultdict(list)
    for entry in entries:
        ids[entry.event_code].append(entry.ids)
    return any(
        len(of_type) > 1 and sum(map(len, of_type)) > len(set(chain.from_iterable(of_type)))
        for of_type in ids.values()
    )
