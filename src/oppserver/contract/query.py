"""What a call takes from its query: found, or refused with the name of what is missing or wrong."""

from collections.abc import Mapping, Sequence

from oppserver.contract.errors import Fault, InvalidValue, MissingAttribute
from oppserver.contract.identifiers import guid_at
from oppserver.contract.names import quoted


def mandatory(query: Mapping[str, str], name: str) -> str:
    """The value of a name, which the query has in lower case. Raises MissingAttribute."""
    value = query.get(name.lower(), "").strip()
    if not value:
        raise MissingAttribute(
            f"'{name}' is mandatory in the query",
            faults=[Fault(parameter=name, what="it is missing", mend="Add it to the query.")],
        )
    return value


def mandatory_guid(query: Mapping[str, str], name: str) -> str:
    """The id that a name has, canonical. Raises MissingAttribute or InvalidValue."""
    return guid_at(mandatory(query, name), place=f"query parameter '{name}'")


def flag(query: Mapping[str, str], name: str) -> bool:
    """Whether a name is true; not when it is not there. Raises InvalidValue."""
    value = query.get(name.lower(), "").strip().lower()
    if value in ("", "false", "0"):
        return False
    if value in ("true", "1"):
        return True
    what = f"{quoted(value)} is neither true nor false"
    raise InvalidValue(
        f"query parameter '{name}': {what}",
        faults=[Fault(parameter=name, what=what, mend="Use true or false, or leave it out.")],
    )


def choice(query: Mapping[str, str], name: str, words: Sequence[str]) -> str:
    """Which of some words a name has; the first when it is not there. Raises InvalidValue."""
    value = query.get(name.lower(), "").strip().lower() or words[0]
    if value not in words:
        what = f"{quoted(value)} is none of {', '.join(words)}"
        raise InvalidValue(
            f"query parameter '{name}': {what}",
            faults=[Fault(parameter=name, what=what, mend="Use one of them, or leave it out.")],
        )
    return value
