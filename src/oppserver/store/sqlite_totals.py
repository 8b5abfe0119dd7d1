"""How many rows searches have found: remembered by a connection until something is written.

Counting a million rows takes a third of the time of a large page of them, and a program that reads
page after page asks for the same number again and again.
"""

from collections import OrderedDict
from typing import Final

from oppserver.contract.limits import SQLITE_TOTALS_CHARACTERS_MAX, SQLITE_TOTALS_MAX
from oppserver.store.sqlite_library import sqlite3

Parameters = tuple[str | int, ...]


class Totals:
    """The totals that one connection remembers. Owner: that connection, in one thread at a time.

    ``PRAGMA data_version`` is another number after every commit of another connection, of this or
    another process; a connection that only reads has no commits of its own
    (sqlite.org/pragma.html#pragma_data_version). Within a transaction it is that of its moment.
    """

    def __init__(self) -> None:
        self._data_version = 0
        self._totals: Final[OrderedDict[tuple[str, Parameters], int]] = OrderedDict()

    def count(
        self, connection: sqlite3.Connection, where: str, parameters: Parameters, *, page_end: int
    ) -> int:
        """How many opportunities meet a condition at the moment of the connection's transaction.

        Remembers it when there are rows behind ``page_end``, so that another page may be asked for.
        """
        (data_version,) = connection.execute("PRAGMA data_version").fetchone()
        if data_version != self._data_version:
            self._totals.clear()
            self._data_version = data_version
        search = where, parameters
        known = self._totals.get(search)
        if known is not None:
            self._totals.move_to_end(search)
            return known
        statement = f"SELECT count(*) FROM opportunity AS o WHERE {where}"
        (total,) = connection.execute(statement, parameters).fetchone()
        if total > page_end and _is_short(search):
            self._totals[search] = total
            if len(self._totals) > SQLITE_TOTALS_MAX:
                self._totals.popitem(last=False)
        return int(total)


def _is_short(search: tuple[str, Parameters]) -> bool:
    where, parameters = search
    characters = len(where) + sum(len(str(parameter)) for parameter in parameters)
    return characters <= SQLITE_TOTALS_CHARACTERS_MAX
