"""Indexes that operators add: over which columns there can be one, and what it is called."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from oppserver.contract.columns import CUSTOM_COLUMNS, SYSTEM_COLUMNS
from oppserver.contract.errors import InvalidInput
from oppserver.contract.limits import SEARCH_INDEX_COLUMNS_MAX
from oppserver.contract.names import did_you_mean
from oppserver.contract.searches import SearchIndex

_STORED: Final = (
    "status",
    "owner_id",
    "created_on",
    "created_by",
    "modified_by",
)
"""The system columns that can be indexed. Of the others, an index has the type before its columns,
ModifiedOn and the id behind them; leads and their addresses have indexes; a note is too long."""

_BY_FOLDED_NAME: Final = MappingProxyType(
    {
        column.name.casefold(): column
        for column in (*SYSTEM_COLUMNS, *CUSTOM_COLUMNS)
        if column.stored in _STORED or column in CUSTOM_COLUMNS
    }
)
_NAMES: Final = MappingProxyType(
    {column.stored: column.name for column in _BY_FOLDED_NAME.values()}
)


def search_index_over(names: Sequence[str]) -> SearchIndex:
    """The index over columns, in this order. Raises InvalidInput when there can be none."""
    if not 0 < len(names) <= SEARCH_INDEX_COLUMNS_MAX:
        raise InvalidInput(
            f"An index is over 1 to {SEARCH_INDEX_COLUMNS_MAX} columns, and these are"
            f" {len(names)}. Take those that searches compare by equality."
        )
    stored = tuple(_stored(name) for name in names)
    if len(set(stored)) < len(stored):
        raise InvalidInput(f"A column is named twice in {', '.join(names)}. Name each once.")
    if stored == ("created_on",):
        raise InvalidInput("CreatedOn is indexed for every type from the start.")
    return SearchIndex(name="_".join(("search", *stored)), columns=stored)


def indexed_names(index: SearchIndex) -> list[str]:
    """The columns of an index by the names of the API."""
    return [_NAMES[stored] for stored in index.columns]


def _stored(name: str) -> str:
    column = _BY_FOLDED_NAME.get(name.strip().casefold())
    if column is None:
        known = [known.name for known in _BY_FOLDED_NAME.values()]
        raise InvalidInput(
            f"There can be no index over '{name}'.{did_you_mean(name, known)}"
            f" There can be over {', '.join(known[: len(_STORED)])} and mx_Custom_N."
        )
    return column.stored
