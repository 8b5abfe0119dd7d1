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

from typing import Final

from oppserver.store import schema
from oppserver.store.queries import Change, ChangeNumbers, ChangesPage
from oppserver.store.sql import SqlConnection

_LAST: Final = "SELECT last_number FROM change_counter"

_TAKE: Final = "UPDATE change_counter SET last_number = last_number + :count RETURNING last_number"

_ADDRESSES: Final = (
    "UPDATE change_counter SET last_number = last_number + 1, addresses_number = last_number + 1"
)


def last_number(connection: SqlConnection) -> int:
    """The number that was given last, in this transaction too."""
    [(number,)] = connection.rows(_LAST)
    return int(number)


def take_numbers(connection: SqlConnection, count: int) -> int:
    """Take the next change numbers; return the number before the first of them."""
    [(number,)] = connection.rows(_TAKE, count=count)
    return int(number) - count


def addresses_have_changed(connection: SqlConnection) -> None:
    """Notes that an owner's address is another one: rows show it, and are not numbered for it."""
    connection.run(_ADDRESSES)


# --- reading them ------------------------------------------------------------------------------

_NUMBERS: Final = "SELECT last_number, addresses_number FROM change_counter"

_IDENTITY: Final = "SELECT id FROM database_identity"

_MEMBERS: Final = "id, change_number, event_code, has_moved"

_PAGE: Final = (
    " WHERE change_number > CAST(:after AS bigint) AND change_number <= CAST(:until AS bigint){}"
    " ORDER BY change_number LIMIT :limit"
)

_CHANGES: Final = (
    f"SELECT * FROM (SELECT {_MEMBERS}, NULL AS deleted_on FROM opportunity{_PAGE}) AS o"
    f" UNION ALL SELECT * FROM (SELECT {_MEMBERS}, deleted_on FROM deleted_opportunity{_PAGE})"
    " AS d ORDER BY change_number LIMIT :limit"
)
"""Each table gives a page of its own, in the order of its index, and the two are merged."""

_OF_ALL: Final = _CHANGES.format("", "")
"""A page of changes, by number. Parameters: those of ``changes_parameters``."""

_OF_TYPE: Final = _CHANGES.format(*[" AND (event_code = :event_code OR has_moved)"] * 2)


def changes_statement(event_code: int | None) -> str:
    """The statement of a page of changes of a type, or of all."""
    return _OF_ALL if event_code is None else _OF_TYPE


def changes_parameters(page: ChangesPage) -> dict[str, int]:
    """The parameters of that statement."""
    asked = {"after": page.after, "until": page.until, "limit": page.limit}
    return asked if page.event_code is None else asked | {"event_code": page.event_code}


DELETED_ON: Final = schema.answer_form("c.deleted_on")
"""When a change's opportunity was deleted, in the form of answers."""


def kind_sql(event_code: int | None) -> str:
    """The SQL of what a change is to whoever reads those of a type, or of all."""
    moved = "" if event_code is None else f" WHEN c.event_code <> {event_code:d} THEN 'Moved'"
    return f"CASE WHEN c.deleted_on IS NOT NULL THEN 'Deleted'{moved} ELSE 'Upserted' END"


def select_changes(connection: SqlConnection, page: ChangesPage) -> list[Change]:
    """A page of changes, by number."""
    found = connection.rows(changes_statement(page.event_code), **changes_parameters(page))
    return [
        Change(
            id=row[0], number=row[1], event_code=row[2], has_moved=bool(row[3]), deleted_on=row[4]
        )
        for row in found
    ]


def select_change_numbers(connection: SqlConnection) -> ChangeNumbers:
    """Return the last change numbers."""
    [(last, addresses)] = connection.rows(_NUMBERS)
    return ChangeNumbers(last=last, addresses=addresses)


def select_identity(connection: SqlConnection) -> str:
    """The database's random name."""
    [(identity,)] = connection.rows(_IDENTITY)
    return str(identity)
