"""Copies that are kept by changes and exports are the store, whoever writes meanwhile.

Writers and readers race; what is drawn from chance is drawn from few ids, so that they meet.
"""

import json
import random
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from oppserver.calls.changes.run import CHANGES
from oppserver.calls.run import open_stream, run
from oppserver.calls.shared.call import Call
from oppserver.calls.streams import run as stream_calls
from oppserver.calls.streams.run import EXPORT
from oppserver.contract.model import Lead, StoredOpportunity
from oppserver.store import Store
from tests.support import calling
from tests.support.calling import ACCESS_KEY, add_key
from tests.support.stores import (
    ENGINES,
    LATER,
    NOW,
    Database,
    by_column,
    everything,
    field,
    guid,
    lead,
    scaled,
)

IDS = 60
CODES = (12_000, 12_001)
COLUMNS = "Status,EventCode,EmailAddress,mx_Custom_1"
ONE_TYPE = CODES[0]

Row = Mapping[str, str | None]
Replica = dict[str, Row]


# --- those who write ---------------------------------------------------------------------------


def _some(dice: random.Random, *, at_most: int = 4) -> list[int]:
    return [dice.randrange(IDS) for _ in range(dice.randint(1, at_most))]


def _one(dice: random.Random, number: int) -> StoredOpportunity:
    return StoredOpportunity(
        id=guid(number),
        event_code=dice.choice((CODES[0], CODES[0], CODES[1])),
        lead_id=lead(number % 7),
        lead_email=dice.choice((None, None, "a@example.com", "b@example.com")),
        status=dice.choice(("Open", "Won", "Lost")),
        slots={"mx_custom_1": str(dice.randrange(1_000))},
    )


def _write(store: Store, dice: random.Random) -> None:
    store.write_opportunities([_one(dice, number) for number in _some(dice)], now=NOW)


def _delete(store: Store, dice: random.Random) -> None:
    store.delete_opportunities([guid(one) for one in _some(dice)], now=LATER, by=None)


def _load(store: Store, dice: random.Random) -> None:
    batches = [[_one(dice, number) for number in _some(dice, at_most=20)] for _ in range(3)]
    store.load(by_column(batches), now=lambda: NOW, on_written=lambda _: None)


def _rename(store: Store, dice: random.Random) -> None:
    one = Lead(id=lead(dice.randrange(7)), email=dice.choice(("c@example.com", "d@example.com")))
    store.write(lambda transaction: transaction.write_leads([one]))


WRITES: tuple[Callable[[Store, random.Random], None], ...] = (
    *[_write] * 5,
    *[_delete] * 3,
    _load,
    _rename,
)


def _writing(store: Store, seed: int, turns: int) -> None:
    dice = random.Random(seed)
    for _ in range(turns):
        dice.choice(WRITES)(store, dice)


# --- those who read ----------------------------------------------------------------------------


def _call(name: str, query: Mapping[str, str], accept: str = "application/json") -> Call:
    return calling.a_call(name, query=query, accept=accept)


class Follower:
    """One who keeps a copy by changes, of one type or of all."""

    def __init__(self, store: Store, dice: random.Random, *, code: int | None) -> None:
        self._services = calling.services_of(store)
        self._dice = dice
        self._query = {"columns": COLUMNS} | ({} if code is None else {"event_code": str(code)})
        self.cursor: str | None = None
        self.replica: Replica = {}

    def step(self) -> bool:
        """Reads a page; whether there may be more."""
        query = self._query | {"limit": str(self._dice.choice((1, 2, 5, 50)))}
        if self.cursor is not None:
            query["cursor"] = self.cursor
        page = json.loads(run(CHANGES, _call("Changes", query), self._services)[0].body)
        seen = [one["ProspectActivityId"] for one in page["Changes"]]
        assert len(seen) == len(set(seen)), "an id comes once in a page"
        for one in page["Changes"]:
            if one["Change"] == "Upserted":
                self.replica[one["ProspectActivityId"]] = one["Opportunity"]
            else:
                self.replica.pop(one["ProspectActivityId"], None)
        self.cursor = page["Cursor"]
        return bool(page["HasMore"])


def _exported(store: Store) -> tuple[Replica, str]:
    """All of a type, and the cursor of the changes since its beginning."""
    query = {"event_code": str(ONE_TYPE), "columns": COLUMNS}
    stream = open_stream(
        EXPORT, _call("Export", query, "application/x-ndjson"), calling.services_of(store)
    )
    parts = [stream.begin()]
    while batches := stream.more():
        parts += [stream.render(batch, stream.fetch(batch)) for batch in batches]
    *rows, end = map(json.loads, b"".join([*parts, stream.end()]).splitlines())
    ids = [row["ProspectActivityId"] for row in rows]
    assert ids == sorted(set(ids)), "an id comes once in an export"
    return {row["ProspectActivityId"]: row for row in rows}, end["End"]["ChangesCursor"]


def _following(follower: Follower, writers: list["Future[None]"]) -> None:
    is_last = False
    while not is_last:
        is_last = all(one.done() for one in writers)
        while follower.step():
            pass


def _exporting(store: Store, seed: int, writers: list["Future[None]"]) -> list[Follower]:
    """Exports while others write; what each becomes when it follows the changes from there on."""
    copies: list[Follower] = []
    while not copies or not all(one.done() for one in writers):
        rows, cursor = _exported(store)
        copy = Follower(store, random.Random(seed), code=ONE_TYPE)
        copy.replica, copy.cursor = rows, cursor
        copies.append(copy)
    return copies[:: max(1, len(copies) // 5)]


# --- the law -----------------------------------------------------------------------------------


def _held(store: Store, *, code: int | None) -> Replica:
    return {
        one.id: {
            "ProspectActivityId": one.id,
            "ProspectId": one.lead_id,
            "EmailAddress": one.lead_email,
            "EventCode": str(one.event_code),
            "Status": one.status,
            "mx_Custom_1": one.slots.get("mx_custom_1"),
        }
        for one in everything(store)
        if code in (None, one.event_code)
    }


def _is_copy(follower: Follower, store: Store, *, code: int | None) -> None:
    while follower.step():
        pass
    assert follower.replica == _held(store, code=code)


@pytest.mark.parametrize("engine", ENGINES)
def test_copies_are_the_store_while_others_write(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever follows changes, or exports and then follows, has all rows as they are, and no more.

    Three write: they create, replace, delete, write again, load, move to another type, and give
    leads other addresses. Two follow, and one exports again and again.
    """
    monkeypatch.setattr(stream_calls, "STREAM_UNIT_IDS", 7)  # an export takes several pages
    database: Database = ENGINES[engine](tmp_path)
    for seed in range(scaled(3)):
        _race(database, seed)


def _race(database: Database, seed: int) -> None:
    stores = [database.open() for _ in range(4)]
    if stores[0].key(ACCESS_KEY) is None:
        add_key(stores[0])
    stores[0].put_fields([field(1), field(1, event_code=CODES[1])])
    followers = {
        code: Follower(stores[3], random.Random(seed), code=code) for code in (None, ONE_TYPE)
    }
    with ThreadPoolExecutor(6) as pool:
        writers = [
            pool.submit(_writing, store, seed * 10 + place, 40)
            for place, store in enumerate(stores[:3])
        ]
        following = [pool.submit(_following, one, writers) for one in followers.values()]
        exporting = pool.submit(_exporting, stores[3], seed, writers)
        for done in (*writers, *following):
            done.result()
        copies = exporting.result()
    for code, follower in followers.items():
        _is_copy(follower, stores[3], code=code)
    for copy in copies:
        _is_copy(copy, stores[3], code=ONE_TYPE)
    assert stores[0].check() == []
    for store in stores:
        store.close()
