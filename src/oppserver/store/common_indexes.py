"""The indexes of searches that operators have added, as every engine remembers and builds them."""

import msgspec
from sqlalchemy import Connection, delete, insert, select

from oppserver.contract.searches import SearchIndex
from oppserver.store import tables


def select_search_indexes(connection: Connection) -> list[SearchIndex]:
    """What is remembered, by name."""
    statement = select(tables.search_index).order_by(tables.search_index.c.name)
    return [
        SearchIndex(name=row.name, columns=msgspec.json.decode(row.columns, type=tuple[str, ...]))
        for row in connection.execute(statement)
    ]


def insert_search_index(connection: Connection, index: SearchIndex) -> bool:
    """Remembers an index; False when there is one of that name."""
    if any(known.name == index.name for known in select_search_indexes(connection)):
        return False
    columns = msgspec.json.encode(index.columns).decode()
    connection.execute(insert(tables.search_index).values(name=index.name, columns=columns))
    return True


def delete_search_index(connection: Connection, name: str) -> bool:
    """Forgets an index; False when there is none of that name."""
    statement = delete(tables.search_index).where(tables.search_index.c.name == name)
    return connection.execute(statement).rowcount == 1


def create_statement(index: SearchIndex) -> str:
    """The SQL that builds an index.

    What is compared by equality is found in it of one type, in the order of ModifiedOn and the id.
    """
    columns = ("event_code", *index.columns, "modified_on", "id")
    assert all(name in tables.opportunity.columns for name in columns), index
    return f'CREATE INDEX "{index.name}" ON opportunity ({", ".join(columns)})'
