"""The table of data types, and the stored form of the values that callers send.

A value is a text, a number, a boolean or null. An empty text and null clear the field. Texts are
compared with options without regard to the case of A to Z, and stored in the option's spelling.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

import msgspec

from oppserver.contract.columns import MEMBER_SIGN, column_named
from oppserver.contract.dates import (
    Span,
    datetime_to_stored,
    is_plainly_stored,
    span_of,
    to_answer,
    to_stored,
)
from oppserver.contract.errors import ApiError, InvalidFieldValue
from oppserver.contract.field_sets import member_key, members_in, set_text
from oppserver.contract.formats import Kind
from oppserver.contract.limits import (
    IN_ERROR_OPTIONS_MAX,
    NUMBER_DECIMALS_MAX,
    NUMBER_WHOLE_DIGITS_MAX,
    TEXT_CHARACTERS_MAX,
)
from oppserver.contract.model import STATUSES, DataType, Field
from oppserver.contract.names import ascii_lower, comparable, did_you_mean, quoted

# --- what several calls take -------------------------------------------------------------------

Number: TypeAlias = int | str
"""A number as number or as text: callers are known to send both."""

FieldValue: TypeAlias = str | int | float | bool | None
"""A field's value as callers send it. A text is stored; how, the field's data type says."""

_NUMBER: Final = re.compile(r"([+-]?)(\d*|[1-9]\d{0,2}(?:,\d{2,3})*,\d{3})((?:\.\d*)?)", re.ASCII)
"""Commas only where they are signs of thousands: the last group has 3 digits, those before it 2 or
3 (``2,00,000`` is an Indian 200,000), and the first does not begin with 0. Any other comma could be
a decimal sign, as half of the world writes it: ``1499,90`` read as 149990 is a hundredfold mistake.
"""

_IN_FORM: Final = re.compile(r"[1-9]\d{0,17}|0", re.ASCII)
"""Most numbers: whole, and in their form already."""

_EXPONENT: Final = re.compile(r"[+-]?\d+(?:\.\d*)?[eE][+-]?\d{1,3}", re.ASCII)

_BOOLEANS: Final = MappingProxyType(
    {"true": "1", "1": "1", "yes": "1", "false": "0", "0": "0", "no": "0"}
)


def status_field(event_code: int) -> Field:
    """The definition of Status, which every type has."""
    return Field(
        event_code=event_code,
        schema_name="Status",
        display_name="Status",
        data_type=DataType.SEARCHABLE_DROPDOWN,
        is_mandatory=True,
        options=STATUSES,
        default_option=STATUSES[0],
    )


def plain_text(value: FieldValue, *, place: str, characters_max: int | None = None) -> str | None:
    """A value as text; None when it is null or empty.

    Numbers are plain decimals, booleans ``true`` and ``false``. Raises InvalidFieldValue when it is
    too long, or no engine could store it.
    """
    if value is None or value == "":
        return None
    text = value if isinstance(value, str) else scalar_text(value)
    allowed = TEXT_CHARACTERS_MAX if characters_max is None else characters_max
    if len(text) > allowed:
        raise InvalidFieldValue(
            f"{place} has {len(text)} characters; it takes {allowed}. Send a shorter value."
        )
    if "\0" in text:
        raise InvalidFieldValue(f"{place} has the character U+0000 in it. Send it without.")
    return text


def stored_value(value: FieldValue, field: Field, *, place: str) -> str | None:
    """Return the stored form of a value of a field; None when it clears the field.

    Which options go with the value of the field's parent is not looked at. Raises InvalidFieldValue
    with the place and what the field takes.
    """
    text = plain_text(value, place=place, characters_max=field.max_length)
    parse = DATA_TYPES[field.data_type].parse
    if text is None or parse is None:
        return text
    if isinstance(value, bool) and field.data_type is not DataType.BOOLEAN:
        raise _refused(place, text, field, "true and false go with fields of type Boolean")
    stripped = text.strip()
    return parse(stripped, field, place) if stripped else None


def stored_set(
    value: FieldValue, field: Field, members: Mapping[str, Field], *, place: str
) -> str | None:
    """Return the stored text of a whole custom field set, sent as the text of a JSON object.

    ``members`` are by their own names. None when no member is set. Raises InvalidFieldValue.
    """
    texts = members_in(stored_value(value, field, place=place))
    for key in texts:
        if key not in members:
            raise InvalidFieldValue(
                f"{place}: {key} is no member of {field.schema_name} ({field.display_name})."
                f" 'oppserver field add {field.event_code} {field.schema_name}{MEMBER_SIGN}{key}'"
                " adds it."
            )
    return set_text(
        {
            key: stored_value(text, members[key], place=f"{place}, {key}")
            for key, text in texts.items()
        }
    )


def span_at(text: str, *, place: str, error: type[ApiError] = InvalidFieldValue) -> Span:
    """Return the span of time that a date means in a comparison. Raises the given error."""
    try:
        return span_of(text)
    except ValueError:
        raise error(
            f"{place}: {quoted(text)} is no date. Send one like 2024-02-29 13:05:09 or 2024-02-29"
            " (UTC)."
        ) from None


def plain_number(text: str) -> str | None:
    """A number in its one form, a plain decimal like ``-12.5``; None when the text is no number.

    It has no signs of thousands, no zeros in front, none at the end of its decimals: equal numbers
    are equal texts.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    digits, fraction = match[2].replace(",", ""), match[3].strip(".")
    if not (digits or fraction):
        return None
    whole, decimals = digits.lstrip("0") or "0", fraction.rstrip("0")
    number = f"{whole}.{decimals}" if decimals else whole
    return f"-{number}" if match[1] == "-" and number != "0" else number


def scalar_text(value: float | bool | Decimal) -> str:
    """The text of a number or a boolean: a plain decimal of its exact value, ``true``, ``false``.

    A float is the shortest decimal that means it. Raises ValueError for infinity and NaN.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not number.is_finite():
        raise ValueError(f"{value} is no number that can be stored")
    text = format(number, "f")
    return plain_number(text) or text


def literal_text(literal: str) -> str:
    """The text of a number as JSON writes it: its digits, without an exponent."""
    return format(Decimal(literal), "f") if "e" in literal.lower() else literal


def has_form(field: Field) -> bool:
    """Return whether values of a field have a form of their own. Sets have their own rules."""
    is_set = field.data_type is DataType.CUSTOM_OBJECT or MEMBER_SIGN in field.schema_name
    return bool(DATA_TYPES[field.data_type].parse) and not is_set


def formed_fields(fields: Iterable[Field]) -> dict[str, Field]:
    """The fields whose values have a form of their own, by stored column."""
    return {
        column.stored: field
        for field in fields
        if has_form(field) and (column := column_named(field.schema_name))
    }


def form_test(field: Field) -> Callable[[str], object]:
    """Return a quick test that is true for most values that have the form of a field already."""
    match field.data_type:
        case DataType.NUMBER:
            return _IN_FORM.fullmatch
        case DataType.BOOLEAN:
            return frozenset({"0", "1"}).__contains__
        case DataType.SEARCHABLE_DROPDOWN:
            return frozenset(field.options).__contains__
        case DataType.DATE_TIME:
            return is_plainly_stored
    return frozenset[str]().__contains__


def kept_value(text: str, field: Field) -> str | None:
    """The stored form of a value that is stored already; None when it does not fit its field.

    Reads numbers with an exponent too: older versions stored those of typed files.
    """
    if DATA_TYPES[field.data_type].is_number and _EXPONENT.fullmatch(text):
        text = literal_text(text)
    try:
        stored = stored_value(text, msgspec.structs.replace(field, max_length=None), place="")
    except InvalidFieldValue:
        return None
    return text if stored is None else stored


def options_of(field: Field) -> tuple[str, ...]:
    """All options of a dropdown, for every value of its parent; empty when it takes any value."""
    dependent = (option for options in field.dependent_options.values() for option in options)
    return field.options or tuple(dict.fromkeys(dependent))


def matching(text: str, options: Sequence[str]) -> str | None:
    """Return the option that a text means, in the option's spelling; None without a match.

    Neither the case of A to Z counts, nor how an accent is encoded (Unicode, NFC).
    """
    if text in options:
        return text
    folded = comparable(text)
    return next((option for option in options if comparable(option) == folded), None)


def listed(options: Iterable[str]) -> str:
    """Options as an error names them: the first ones."""
    known = list(options)
    shown = ", ".join(quoted(option) for option in known[:IN_ERROR_OPTIONS_MAX])
    more = len(known) - IN_ERROR_OPTIONS_MAX
    return f"{shown} and {more} more" if more > 0 else shown or "none"


# --- the table of data types -------------------------------------------------------------------


def _number(text: str, field: Field, place: str) -> str:
    if _IN_FORM.fullmatch(text):
        return text
    number = plain_number(text)
    if number is None:
        hint = " Write the decimals behind a point: 1499.90." if "," in text else ""
        why = f"expected a number like 200000, 200,000 or -12.5.{hint}"
        raise _refused(place, text, field, why)
    whole, _, decimals = number.lstrip("-").partition(".")
    if len(whole) > NUMBER_WHOLE_DIGITS_MAX:
        why = f"{len(whole)} digits before the point; it takes {NUMBER_WHOLE_DIGITS_MAX}"
        raise _refused(place, text, field, f"{why}. Send it to a field of type String.")
    if len(decimals) > NUMBER_DECIMALS_MAX:
        why = f"{len(decimals)} digits behind the point; it takes {NUMBER_DECIMALS_MAX}"
        raise _refused(place, text, field, f"{why}. Round it.")
    return number


def _date(text: str, field: Field, place: str) -> str:
    try:
        return datetime_to_stored(text)
    except ValueError:
        raise _refused(
            place, text, field, "expected a date (UTC) like 2024-02-29 13:05:09 or 2024-02-29"
        ) from None


def _boolean(text: str, field: Field, place: str) -> str:
    stored = _BOOLEANS.get(ascii_lower(text))
    if stored is None:
        raise _refused(place, text, field, "expected true or false, 1 or 0, yes or no")
    return stored


def _option(text: str, field: Field, place: str) -> str:
    options = options_of(field)
    if not options:
        return text
    option = matching(text, options)
    if option is None:
        raise _refused(
            place, text, field, f"it takes {listed(options)}.{did_you_mean(text, options)}"
        )
    return option


_SET: Final = msgspec.json.Decoder(dict[str, FieldValue])


def _set(text: str, field: Field, place: str) -> str | None:
    """The text of a custom field set; its members are not checked by their own fields."""
    try:
        given = _SET.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        why = 'expected JSON, an object of its members: {"mx_CustomObject_1": "x"}'
        raise _refused(place, text, field, why) from None
    members: dict[str, str | None] = {}
    for name, value in given.items():
        key = member_key(name)
        if key is None or key in members:
            why = f"{quoted(name)} is {'there twice' if key else 'no member of a set'}"
            raise _refused(place, text, field, why)
        members[key] = plain_text(value, place=f"{place}, {key}")
    return set_text(members)


def _refused(place: str, text: str, field: Field, why: str) -> InvalidFieldValue:
    return InvalidFieldValue(
        f"{place}: {quoted(text)} does not fit {field.schema_name}"
        f" ({field.display_name}, {field.data_type.value}): {why}"
    )


def _text_operand(text: str, _: Field, __: str) -> Span:
    return Span(text, text)


def _number_operand(text: str, field: Field, place: str) -> Span:
    number = plain_number(text.strip())  # the bounds of stored numbers do not bind operands
    return _stored_operand(text, field, place) if number is None else Span(number, number)


def _stored_operand(text: str, field: Field, place: str) -> Span:
    # the limit of stored values does not bind operands
    stored = stored_value(text, msgspec.structs.replace(field, max_length=None), place=place)
    assert stored is not None, "an operand is not empty"
    return Span(stored, stored)


def _option_operand(text: str, field: Field, _: str) -> Span:
    # a former option may still be stored
    option = matching(text.strip(), options_of(field)) or text
    return Span(option, option)


def _date_operand(text: str, _: Field, place: str) -> Span:
    return span_at(text, place=place)


def _date_answer(stored: str) -> str:
    """A date in the form of answers; a text imported before its field was a date is unchanged."""
    try:
        return to_answer(to_stored(stored))
    except ValueError:
        return stored


class DataTypeRules(NamedTuple):
    """One row of the table of data types.

    ``parse`` makes the stored form of a text without blanks around it; None: any text is stored as
    it is. ``operand`` makes the stored values that an operand of a comparison means: the first and
    the last of a span. Both take the text, its field and its place, and raise InvalidFieldValue.
    ``kind`` is the type in Arrow and Parquet. ``answer`` makes the form of a stored value on a
    lead's timeline. ``is_number``: compared and sorted as numbers. ``has_options``: a dropdown.
    """

    parse: Callable[[str, Field, str], str | None] | None = None
    operand: Callable[[str, Field, str], Span] = _text_operand
    kind: Kind = Kind.TEXT
    answer: Callable[[str], str] = str
    is_number: bool = False
    has_options: bool = False


DATA_TYPES: Final[Mapping[DataType, DataTypeRules]] = MappingProxyType(
    {
        DataType.STRING: DataTypeRules(),
        DataType.NUMBER: DataTypeRules(
            parse=_number, operand=_number_operand, kind=Kind.NUMBER, is_number=True
        ),
        DataType.DATE_TIME: DataTypeRules(
            parse=_date, operand=_date_operand, kind=Kind.MOMENT, answer=_date_answer
        ),
        DataType.BOOLEAN: DataTypeRules(parse=_boolean, operand=_stored_operand, kind=Kind.BOOLEAN),
        DataType.SEARCHABLE_DROPDOWN: DataTypeRules(
            parse=_option, operand=_option_operand, has_options=True
        ),
        DataType.CUSTOM_OBJECT: DataTypeRules(parse=_set),
    }
)
"""All data types. Everything that depends on the type of a field reads it here."""
