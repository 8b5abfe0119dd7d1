"""What a call takes from its query: found, or refused with the name of what is missing or wrong."""

from collections.abc import Mapping, Sequence

from oppserver.contract.errors import Fault, InvalidValue, MissingAttribute
from oppserver.contract.formats import Format, Wanted
from oppserver.contract.identifiers import GUID_MEND, canonical_guid
from oppserver.contract.names import did_you_mean, quoted
from oppserver.contract.problems import refusal


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
    return _guid(mandatory(query, name), name)


def optional_guid(query: Mapping[str, str], name: str) -> str | None:
    """The id that a name has, canonical; None when it is not there. Raises InvalidValue."""
    text = query.get(name.lower(), "").strip()
    return _guid(text, name) if text else None


def _guid(text: str, name: str) -> str:
    guid = canonical_guid(text)
    if guid is None:
        fault = Fault(parameter=name, what=f"{quoted(text)} is not a GUID", mend=GUID_MEND)
        raise refusal(InvalidValue, [fault])
    return guid


def check_names(query: Mapping[str, str], names: Sequence[str]) -> None:
    """That the query has no other names: one that is misspelt would be passed over in silence.

    Raises InvalidValue with each that is not known.
    """
    faults = [
        Fault(
            parameter=name,
            what="this call has no such parameter",
            mend=f"{did_you_mean(name, names).strip() or 'Leave it out.'}"
            f" The call takes {', '.join(names)}.",
        )
        for name in query
        if name not in names
    ]
    if faults:
        raise refusal(InvalidValue, faults)


def check_is_not_named(query: Mapping[str, str], mends: Mapping[str, str]) -> None:
    """That the query has no value under some names, which are given with what to do instead.

    They say what is written, or where, and would be passed over in silence. Raises InvalidValue.
    """
    for name, mend in mends.items():
        if query.get(name.lower(), "").strip():
            raise InvalidValue(f"query parameter '{name}': {mend}")


def number(
    query: Mapping[str, str], name: str, *, at_least: int, at_most: int, default: int
) -> int:
    """The whole number that a name has, or ``default``. Raises InvalidValue."""
    text = query.get(name.lower(), "").strip()
    if not text:
        return default
    digits = text.lstrip("0") or "0"
    is_number = text.isascii() and text.isdecimal() and len(digits) <= len(str(at_most))
    if not is_number or not at_least <= int(digits) <= at_most:
        fault = Fault(
            parameter=name,
            what=f"{quoted(text)} is not a whole number from {at_least:,} to {at_most:,}",
            mend="Use one, or leave it out.",
        )
        raise refusal(InvalidValue, [fault])
    return int(digits)


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


def wanted_rows(
    query: Mapping[str, str], chosen: Format, *, ledger: bool = False, entity_tag: bool = False
) -> Wanted:
    """How rows are wanted: what a query says of their values in a format. Raises InvalidValue.

    A word that the chosen format has no use for changes nothing.
    """
    return Wanted(
        format=chosen,
        ledger=ledger,
        entity_tag=entity_tag,
        escapes_formulas=choice(query, "csv_formulas", ("keep", "escape")) == "escape",
        types_are_text=choice(query, "types", ("fields", "text")) == "text",
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
