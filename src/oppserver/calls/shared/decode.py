"""Decoding of bodies and queries. Errors name the place, and say what to do.

A member that a message does not have is refused by name: its value would be lost, and the caller
would not know. A message declares the members that it accepts without effect as ``Ignored``.
"""

import codecs
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, UnsetType, inspect

from oppserver.contract.errors import (
    BodyTooLarge,
    Fault,
    InvalidValue,
    MalformedBody,
    MissingAttribute,
    WrongContentType,
    WrongDataType,
)
from oppserver.contract.formats import Format, Wanted
from oppserver.contract.identifiers import GUID_HINT, canonical_guid
from oppserver.contract.names import did_you_mean, has_names, quoted, repeated_name
from oppserver.contract.problems import refusal
from oppserver.contract.values import literal_text

Message = TypeVar("Message")

# msgspec says "Object contains unknown field `X` - at `$.SearchParameters[0].Columns`"
_UNKNOWN_MEMBER: Final = re.compile(
    r"Object contains unknown field `(.*?)`(?: - at `\$([\w.\[\]]*)`)?", re.DOTALL
)

_STEP: Final = re.compile(r"\.(\w+)|\[\d+\]")


class Body(Generic[Message]):
    """The JSON body of a call: the message it holds, and whether it may be left out.

    ``message`` is the struct (or list of structs) of the body; OpenAPI's schema is made of it.
    """

    def __init__(self, message: type[Message], *, is_optional: bool = False) -> None:
        self.message: Final = message
        self.is_optional: Final = is_optional
        self._decoder: Final = msgspec.json.Decoder(message)

    def decode(self, body: bytes | None, *, content_type: str, body_bytes_max: int) -> Message:
        """Return the message of a body. ``body`` None: it was longer than ``body_bytes_max``.

        An optional body that is empty is read as ``{}``, and needs no content type.
        Raises an ApiError with status 400 or 413 that names the place and what was expected.
        """
        if body is None:
            raise BodyTooLarge(
                f"The body is larger than {body_bytes_max} bytes. Send or ask for less per call."
            )
        if self.is_optional and not body.strip():
            return self._decoder.decode(b"{}")
        _check_content_type(content_type)
        text = _text_of(body)
        if not text.strip():
            raise MalformedBody("The request has no body. Send the JSON that the call takes.")
        return decode_text(self._decoder, text, place="$", what="body")


def _check_content_type(content_type: str) -> None:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise WrongContentType(
            f"Content-Type is {quoted(media_type)}; set it to 'application/json'"
        )


def _text_of(body: bytes) -> str:
    try:
        return body.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedBody(f"The body is not UTF-8: invalid byte at {error.start}") from None


def decode_text(
    decoder: msgspec.json.Decoder[Message], text: str, *, place: str, what: str
) -> Message:
    """Return the message in a text. Errors call the text ``what``, and its place ``place``."""
    try:
        return _exact(decoder, text, decoder.decode(text), place)
    except msgspec.ValidationError as error:
        unknown = _UNKNOWN_MEMBER.fullmatch(str(error))
        if unknown is not None:
            raise _unknown_member(unknown[1], unknown[2] or "", decoder, place) from None
        raise WrongDataType(_wrong_type(str(error), place)) from None
    except msgspec.DecodeError as error:
        raise MalformedBody(f"The {what} is not JSON: {error}") from None
    except RecursionError:
        raise MalformedBody(f"The {what} is nested too deeply to be a request") from None


class _Seen(NamedTuple):
    """The members that a message has with a value, at least those that are counted; its floats."""

    members: int
    has_floats: bool


@lru_cache(maxsize=256)
def _defaults(kind: type[msgspec.Struct]) -> tuple[tuple[str, object], ...]:
    """The members of a struct, each with its default; UNSET for one that has to be given."""
    names, defaults = kind.__struct_fields__, kind.__struct_defaults__
    return tuple(zip(names, (UNSET,) * (len(names) - len(defaults)) + defaults, strict=True))


def _seen(message: object) -> _Seen:
    """Count the members of a message: fewer than the text has names, and one may be there twice.

    A member that has its default, or nothing, is not counted; then the text is looked at.
    """
    members, has_floats, left = 0, False, [message]
    while left:
        one = left.pop()
        if isinstance(one, msgspec.Struct):
            for name, default in _defaults(type(one)):
                value = getattr(one, name)
                if value is default or not value:
                    continue
                members += 1
                if not isinstance(value, (str, int)):
                    left.append(value)
        elif isinstance(one, list):
            if one and not isinstance(one[0], str):
                left += one
        elif isinstance(one, float):
            has_floats = True
    return _Seen(members, has_floats)


def _exact(
    decoder: msgspec.json.Decoder[Message], text: str, message: Message, place: str
) -> Message:
    """Return a decoded message, with the digits of its numbers as they are written.

    A float has 15 digits or so: the rest would be lost. Raises InvalidValue for a name that an
    object has twice: one of its values would be lost. Both are rare, and are looked for when the
    members and the names are not as many.
    """
    seen = _seen(message)
    if has_names(text, seen.members) and not seen.has_floats:
        return message
    repeated = repeated_name(text)
    if repeated is not None:
        raise InvalidValue(f"{place}{repeated} is there twice. Send it once.")
    if not seen.has_floats:
        return message
    exact = json.loads(text, parse_float=literal_text)
    return decoder.decode(json.dumps(exact))


def _wrong_type(reason: str, place: str) -> str:
    # msgspec says "Expected `str`, got `int` - at `$.SearchParameters[0].Columns`"
    expected, _, inside = reason.partition(" - at ")
    return f"{place}{inside.strip('`').removeprefix('$')}: {expected.replace('`', '')}"


def _unknown_member(
    name: str, inside: str, decoder: msgspec.json.Decoder[Any], place: str
) -> InvalidValue:
    known = list(_members(decoder.type, inside))
    return InvalidValue(
        f"{place}{inside}.{quoted(name)[1:-1]}: there is no such member here, so its value would be"
        f" lost.{did_you_mean(name, known)} Leave it out. Known here: {', '.join(known)}."
    )


def _members(form: Any, inside: str) -> Iterator[str]:
    """The names of a message's members at a place of a body, without the ignored ones."""
    found = [inspect.type_info(form)]
    for step in _STEP.finditer(inside):
        found = [one for form in found for one in _forms_in(form, step[1])]
    for message in found:
        if isinstance(message, inspect.StructType):
            yield from (
                field.encode_name
                for field in message.fields
                if not isinstance(field.type, inspect.RawType)
            )


def _forms_in(form: inspect.Type, name: str | None) -> Iterator[inspect.Type]:
    """The forms that a member can have; without a name, those of a list's items."""
    inner: inspect.Type | None = None
    if name is None and isinstance(form, inspect.ListType):
        inner = form.item_type
    elif isinstance(form, inspect.StructType):
        inner = next((one.type for one in form.fields if one.encode_name == name), None)
    if inner is not None:
        yield from inner.types if isinstance(inner, inspect.UnionType) else (inner,)


def mandatory(query: Mapping[str, str], name: str) -> str:
    """The value of a name, which the query has in lower case. Raises MissingAttribute."""
    value = query.get(name.lower(), "").strip()
    if not value:
        raise MissingAttribute(
            f"'{name}' is mandatory in the query",
            faults=[Fault(parameter=name, what="it is missing", hint="Add it to the query.")],
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
        fault = Fault(parameter=name, what=f"{quoted(text)} is not a GUID", hint=GUID_HINT)
        raise refusal(InvalidValue, [fault])
    return guid


def check_names(query: Mapping[str, str], names: Sequence[str]) -> None:
    """Check that the query has no other names: a misspelt one would be ignored in silence.

    Raises InvalidValue with each unknown name.
    """
    faults = [
        Fault(
            parameter=name,
            what="this call has no such parameter",
            hint=f"{did_you_mean(name, names).strip() or 'Leave it out.'}"
            f" The call takes {', '.join(names)}.",
        )
        for name in query
        if name not in names
    ]
    if faults:
        raise refusal(InvalidValue, faults)


def check_is_not_named(query: Mapping[str, str], hints: Mapping[str, str]) -> None:
    """Check that the query has no value under some names, which come with what to do instead.

    Such a value says what to write, or where; it must not be ignored. Raises InvalidValue.
    """
    for name, hint in hints.items():
        if query.get(name.lower(), "").strip():
            raise InvalidValue(f"query parameter '{name}': {hint}")


def number(
    query: Mapping[str, str], name: str, *, at_least: int, at_most: int, default: int
) -> int:
    """The whole number that a name has, or ``default``. Raises InvalidValue."""
    text = query.get(name.lower(), "").strip()
    if not text:
        return default
    found = whole_number(text, at_least=at_least, at_most=at_most)
    if found is None:
        fault = Fault(
            parameter=name,
            what=f"{quoted(text)} is not a whole number from {at_least:,} to {at_most:,}",
            hint="Use one, or leave it out.",
        )
        raise refusal(InvalidValue, [fault])
    return found


def whole_number(text: str, *, at_least: int, at_most: int) -> int | None:
    """Return the number that digits mean; None for any other text, and outside of the bounds."""
    digits = text.lstrip("0") or "0"
    is_number = text.isascii() and text.isdecimal() and len(digits) <= len(str(at_most))
    return int(digits) if is_number and at_least <= int(digits) <= at_most else None


def flag(query: Mapping[str, str], name: str) -> bool:
    """Return the value of a flag; false when the query does not have it. Raises InvalidValue."""
    value = query.get(name.lower(), "").strip().lower()
    if value in ("", "false", "0"):
        return False
    if value in ("true", "1"):
        return True
    what = f"{quoted(value)} is neither true nor false"
    raise InvalidValue(
        f"query parameter '{name}': {what}",
        faults=[Fault(parameter=name, what=what, hint="Use true or false, or leave it out.")],
    )


def wanted_rows(
    query: Mapping[str, str], chosen: Format, *, missing: bool = False, entity_tag: bool = False
) -> Wanted:
    """The form of rows that a query asks for. Raises InvalidValue.

    Options of other formats than the chosen one change nothing.
    """
    return Wanted(
        format=chosen,
        missing=missing,
        entity_tag=entity_tag,
        escapes_formulas=choice(query, "csv_formulas", ("keep", "escape")) == "escape",
        types_are_text=choice(query, "types", ("fields", "text")) == "text",
    )


def choice(query: Mapping[str, str], name: str, words: Sequence[str]) -> str:
    """Return the one of some words that a name has; the first by default. Raises InvalidValue."""
    value = query.get(name.lower(), "").strip().lower() or words[0]
    if value not in words:
        what = f"{quoted(value)} is unknown. Expected {', '.join(words)}"
        raise InvalidValue(
            f"query parameter '{name}': {what}",
            faults=[Fault(parameter=name, what=what, hint="Use one of them, or leave it out.")],
        )
    return value


Ignored: TypeAlias = msgspec.Raw | UnsetType
"""A member that programs are known to send, and that has no meaning here: it is accepted without
effect. The list "Members without effect" of docs/fidelity.md lists all of them."""
