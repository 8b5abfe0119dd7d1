"""Change numbers: how engines give them out, and what is stored of them.

The problem. Programs that keep a copy ask what changed since their last call, and caches ask
whether anything changed. Dates cannot tell: they have whole seconds, imports set them freely,
deletions leave none. A sequence gives numbers in another order than commits, so a reader could pass
over a number that becomes visible later.

The invariant. A reader whose snapshot has a change number sees every change with a lower one.

Why it holds. Every write that changes what an opportunity shows takes its numbers from the single
row of ``change_counter``, in its own transaction, and stores them on the rows and tombstones that
it writes. Writes run one at a time in every engine, so numbers rise in the order of commits. A
failed transaction gives its numbers back with everything else.

Only the last change of an id is stored: a state, not a log, so nothing has to be cut. An id that
once had another type has ``has_moved``; readers of one type get all such ids, or would keep them
for ever. An owner's new address changes no row; the counter records its number instead.

What breaks it. A program that writes to the tables without taking numbers; ``db check`` finds rows
without one. Shards, where a row becomes visible on each machine at another time than the number.
A promoted standby without the last writes, which gives their numbers again: cursors and caches
therefore hold for one timeline or one database identity.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection

from oppserver.store import schema
from oppserver.store.queries import Change, ChangeNumbers, ChangesPage

_LAST: Final = "SELECT last_number FROM change_counter"

_ADDRESSES: Final = (
    "UPDATE change_counter SET last_number = last_number + 1, addresses_number = last_number + 1"
)


def last_number(connection: Connection) -> int:
    """The number that was given last, in this transaction too."""
    number: int = connection.exec_driver_sql(_LAST).scalar_one()
    return number


def take_numbers(connection: Connection, count: int) -> int:
    """Take the next change numbers; return the number before the first of them."""
    # past SQLAlchemy, as every write has one; the number is written out, as engines differ in how
    # parameters are
    number: int = connection.exec_driver_sql(
        f"UPDATE change_counter SET last_number = last_number + {count:d} RETURNING last_number"
    ).scalar_one()
    return number - count


def addresses_have_changed(connection: Connection) -> None:
    """Notes that an owner's address is another one: rows show it, and are not numbered for it."""
    connection.exec_driver_sql(_ADDRESSES)


# --- reading them, past SQLAlchemy -------------------------------------------------------------

NUMBERS: Final = "SELECT last_number, addresses_number FROM change_counter"

IDENTITY: Final = "SELECT id FROM database_identity"

_MEMBERS: Final = "id, change_number, event_code, has_moved"

_OF_TYPE: Final = " AND (event_code = {place} OR has_moved)"

_PAGE: Final = (
    " WHERE change_number > {{place}} AND change_number <= {{place}}{of_type}"
    " ORDER BY change_number LIMIT {{place}}"
)


def changes_statement(place: str, *, of_type: bool) -> str:
    """The statement of a page of changes, by number. ``place`` is where a parameter goes.

    Each table gives a page of its own, in the order of its index, and the two are merged.
    """
    page = _PAGE.format(of_type=_OF_TYPE if of_type else "").format(place=place)
    return (
        f"SELECT * FROM (SELECT {_MEMBERS}, NULL AS deleted_on FROM opportunity{page}) AS o"
        f" UNION ALL SELECT * FROM (SELECT {_MEMBERS}, deleted_on FROM deleted_opportunity{page})"
        f" AS d ORDER BY change_number LIMIT {place}"
    )


def changes_parameters(page: ChangesPage) -> tuple[int, ...]:
    """The parameters of that statement."""
    of_type = () if page.event_code is None else (page.event_code,)
    of_table = (page.after, page.until, *of_type, page.limit)
    return (*of_table, *of_table, page.limit)


DELETED_ON: Final = schema.answer_form("c.deleted_on")
"""When a change's opportunity was deleted, in the form of answers."""


def kind_sql(event_code: int | None) -> str:
    """The SQL of what a change is to whoever reads those of a type, or of all."""
    moved = "" if event_code is None else f" WHEN c.event_code <> {event_code:d} THEN 'Moved'"
    return f"CASE WHEN c.deleted_on IS NOT NULL THEN 'Deleted'{moved} ELSE 'Upserted' END"


def change_of(row: Sequence[Any]) -> Change:
    """The change of a row of that statement."""
    return Change(
        id=row[0],
        number=row[1],
        event_code=row[2],
        has_moved=bool(row[3]),
        deleted_on=row[4],
    )


def numbers_of(row: Sequence[Any]) -> ChangeNumbers:
    """The numbers of a row of ``NUMBERS``."""
    return ChangeNumbers(last=row[0], addresses=row[1])
