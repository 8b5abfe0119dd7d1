"""From the bytes of a body to the message they hold, and how what is none is refused.

A member that a message does not have is refused by name: its value would be lost, and the caller
would not know. The messages that know a member and have no use for it say so (``wire.Ignored``).
"""

import codecs
import re
from collections.abc import Iterator
from typing import Any, Final, TypeVar

import msgspec
from msgspec import inspect

from oppserver.contract.errors import (
    BodyTooLarge,
    InvalidValue,
    MalformedBody,
    WrongContentType,
    WrongDataType,
)
from oppserver.contract.names import did_you_mean, quoted

_T = TypeVar("_T")

# msgspec says "Object contains unknown field `X` - at `$.SearchParameters[0].Columns`"
_UNKNOWN_MEMBER: Final = re.compile(
    r"Object contains unknown field `(.*?)`(?: - at `\$([\w.\[\]]*)`)?", re.DOTALL
)
_STEP: Final = re.compile(r"\.(\w+)|\[\d+\]")


def decode_body(
    decoder: msgspec.json.Decoder[_T], body: bytes | None, *, content_type: str, body_bytes_max: int
) -> _T:
    """The message of a body. ``body`` None: it was longer than ``body_bytes_max``.

    Raises an ApiError with status 400 or 413 that names the place and what was expected.
    """
    if body is None:
        raise BodyTooLarge(
            f"The body is larger than {body_bytes_max} bytes. Send or ask for less per call."
        )
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise WrongContentType(
            f"Content-Type is {quoted(media_type)}; set it to 'application/json'"
        )
    try:
        text = body.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedBody(f"The body is not UTF-8: byte {error.start} is none of it") from None
    if not text.strip():
        raise MalformedBody("The request has no body. Send the JSON that the call takes.")
    return decode_text(decoder, text, place="$", what="body")


def decode_optional_body(
    decoder: msgspec.json.Decoder[_T], body: bytes | None, *, content_type: str, body_bytes_max: int
) -> _T:
    """The message of a body that may be empty, as ``{}`` is; an empty one needs no content type."""
    if body is not None and not body.strip():
        return decoder.decode(b"{}")
    return decode_body(decoder, body, content_type=content_type, body_bytes_max=body_bytes_max)


def decode_text(decoder: msgspec.json.Decoder[_T], text: str, *, place: str, what: str) -> _T:
    """The message of a text, which stands at ``place`` and is called ``what`` in errors."""
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        unknown = _UNKNOWN_MEMBER.fullmatch(str(error))
        if unknown is not None:
            raise _unknown_member(unknown[1], unknown[2] or "", decoder, place) from None
        raise WrongDataType(_wrong_type(str(error), place)) from None
    except msgspec.DecodeError as error:
        raise MalformedBody(f"The {what} is not JSON: {error}") from None
    except RecursionError:
        raise MalformedBody(f"The {what} is nested too deeply to be a request") from None


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
    """The names that the message has at a place of a body, without those that it has no use for."""
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
