"""SQL that both engines share: statements as named texts.

A statement can be pasted into SQLite's shell as it is: a parameter is ``:name``, and a list of
values is ``IN (SELECT value FROM json_each(:name))``. A connection to PostgreSQL translates just
these two (``postgres/connection.py``). Values are never written into a text.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class SqlConnection(Protocol):
    """A driver's connection. Whoever hands it out owns its transaction."""

    def rows(self, statement: str, /, **values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a statement; a value that is a list is the list of an ``IN``."""
        ...

    def run(self, statement: str, /, **values: object) -> int:
        """Run a statement; return the number of rows it has written."""
        ...

    def run_many(self, statement: str, batch: Sequence[Mapping[str, object]], /) -> None:
        """Run a statement once for each set of values, in order; nothing for none."""
        ...
