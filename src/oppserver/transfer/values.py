"""The values of the members of lines: one by one, or a whole column of them at once."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from math import isnan
from types import MappingProxyType, NoneType
from typing import Any, Final, NamedTuple, TypeAlias

from oppserver.contract.dates import datetime_to_stored, is_plainly_stored
from oppserver.contract.identifiers import all_canonical, canonical_guid
from oppserver.contract.limits import EVENT_CODE_MAX, TEXT_CHARACTERS_MAX
from oppserver.contract.names import quoted
from oppserver.contract.values import scalar_text

_GUID_BYTES: Final = 16

Given: TypeAlias = Sequence[Any]
"""The values of one member in some lines, as a decoder made them."""

Column: TypeAlias = Sequence[Any]
"""The same in the stored form, texts or whole numbers; None is not set."""


class Reader(NamedTuple):
    """The two ways to read a member.

    ``quick`` reads a whole column; None when a value of it needs a closer look. ``one`` reads any
    value, and raises ValueError with what is wrong with it.
    """

    quick: Callable[[Given], Column | None]
    one: Callable[[Any], str | int | None]


# --- one value ---------------------------------------------------------------------------------


def _text(value: object) -> str | None:
    """Any scalar as text."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        if isinstance(value, bool):
            return "1" if value else "0"
        if isinstance(value, (float, Decimal)) and isnan(value):
            return None
        if isinstance(value, (int, float, Decimal)):
            return scalar_text(value)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "surrogateescape")
    if not isinstance(value, str):
        raise ValueError(  # noqa: TRY004 (this error describes a line)
            "a text, a number, true or false is expected, not a list or an object"
        )
    if len(value) > TEXT_CHARACTERS_MAX:
        raise ValueError(f"{len(value):,} characters; a value has at most {TEXT_CHARACTERS_MAX:,}")
    if "\0" in value:
        raise ValueError("the character U+0000 cannot be stored")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("not UTF-8") from None
    return value


def _guid(value: object) -> str | None:
    if isinstance(value, bytes) and len(value) == _GUID_BYTES:
        value = value.hex()
    text = _text(value)
    if text is None:
        return None
    guid = canonical_guid(text)
    if guid is None:
        raise ValueError(f"{quoted(text)} is no GUID")
    return guid


def _date(value: object) -> str | None:
    text = _text(value)
    if text is None:
        return None
    try:
        return datetime_to_stored(text) if text.strip() else None
    except ValueError as error:
        raise ValueError(f"{quoted(text)}: {error}") from None


def _event_code(value: object) -> int | None:
    text = _text(value)
    if text is None:
        return None
    digits = text.strip()
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 10):
        raise ValueError(f"{quoted(text)} is no event code, a whole number such as 12000")
    code = int(digits)
    if code > EVENT_CODE_MAX:
        raise ValueError(f"{code} is larger than {EVENT_CODE_MAX}")
    return code


# --- a whole column ----------------------------------------------------------------------------

_TEXTS: Final = frozenset({str, NoneType})


def _texts(values: Given) -> Column | None:
    """Texts as they are, an empty one as None."""
    if not _TEXTS.issuperset(map(type, values)):
        return None
    filled = _filled(values)
    joined = "".join(filled)
    if "\0" in joined or not (len(joined) <= TEXT_CHARACTERS_MAX or _are_short(filled)):
        return None
    if not joined.isascii():
        try:
            joined.encode()
        except UnicodeEncodeError:
            return None
    return values if filled is values else [value or None for value in values]


def _filled(values: Column) -> Sequence[str]:
    return values if all(values) else [value for value in values if value]


def _are_short(texts: Sequence[str]) -> bool:
    return max(map(len, texts)) <= TEXT_CHARACTERS_MAX


def _guids(values: Given) -> Column | None:
    texts = _texts(values)
    return texts if texts is not None and all_canonical(_filled(texts)) else None


def _dates(values: Given) -> Column | None:
    texts = _texts(values)
    return texts if texts is not None and all(map(is_plainly_stored, _filled(texts))) else None


def _event_codes(values: Given) -> Column | None:
    is_whole = {int}.issuperset(map(type, values))
    return values if is_whole and min(values) >= 0 and max(values) <= EVENT_CODE_MAX else None


TEXT: Final = Reader(_texts, _text)

READERS: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        "id": Reader(_guids, _guid),
        "event_code": Reader(_event_codes, _event_code),
        "lead_id": Reader(_guids, _guid),
        "owner_id": Reader(_guids, _guid),
        "created_on": Reader(_dates, _date),
        "modified_on": Reader(_dates, _date),
    }
)
"""The readers by stored column; all others are ``TEXT``."""
