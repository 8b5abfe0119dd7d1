"""What a call takes from its query: found, or refused with the name of what is missing or wrong."""

from collections.abc import Mapping

from oppserver.contract.errors import MissingAttribute
from oppserver.contract.identifiers import guid_at


def mandatory(query: Mapping[str, str], name: str) -> str:
    """The value of a name, which the query has in lower case. Raises MissingAttribute."""
    value = query.get(name.lower(), "").strip()
    if not value:
        raise MissingAttribute(f"'{name}' is mandatory in the query")
    return value


def mandatory_guid(query: Mapping[str, str], name: str) -> str:
    """The id that a name has, canonical. Raises MissingAttribute or InvalidValue."""
    return guid_at(mandatory(query, name), place=f"query parameter '{name}'")
