"""From the bytes of a body to the message they hold, and how what is none is refused."""

import codecs
from typing import TypeVar

import msgspec

from oppserver.contract.errors import BodyTooLarge, MalformedBody, WrongContentType, WrongDataType
from oppserver.contract.names import quoted

_T = TypeVar("_T")


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
        raise WrongDataType(_wrong_type(str(error), place)) from None
    except msgspec.DecodeError as error:
        raise MalformedBody(f"The {what} is not JSON: {error}") from None
    except RecursionError:
        raise MalformedBody(f"The {what} is nested too deeply to be a request") from None


def _wrong_type(reason: str, place: str) -> str:
    # msgspec says "Expected `str`, got `int` - at `$.SearchParameters[0].Columns`"
    expected, _, inside = reason.partition(" - at ")
    return f"{place}{inside.strip('`').removeprefix('$')}: {expected.replace('`', '')}"
