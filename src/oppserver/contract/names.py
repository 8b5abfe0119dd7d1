"""Callers' values in errors: quoted, shortened, with suggestions."""

import difflib
import json
import unicodedata
from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

from oppserver.contract.limits import IN_ERROR_NEIGHBOURS_MAX, IN_ERROR_VALUE_CHARACTERS_MAX

_COMPARED_CHARACTERS_MAX: Final = 40
"""Characters of a name that are compared. Chosen: the time grows with their square, and every name
of the API is shorter."""

_COMPARED_NAMES_MAX: Final = 600
"""Names that one is compared with. Chosen: all columns of an opportunity and the display names of
its fields; a dropdown may have 5,000 options, and comparing with all of them takes seconds."""


_FORMS: Final = ("NFC", "NFD")


def quoted(value: object) -> str:
    """A caller's value in quotes, cut where it is long, with no control characters in it."""
    text = str(value)
    if len(text) > IN_ERROR_VALUE_CHARACTERS_MAX:
        text = text[:IN_ERROR_VALUE_CHARACTERS_MAX] + "…"
    return "'" + "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text) + "'"


def counted(number: int, noun: str) -> str:
    """A number and its noun, such as ``1 line``, ``2,000 lines``, ``0 opportunities``."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun[:-1]}ies" if noun.endswith("y") else f"{number:,} {noun}s"


def ascii_lower(text: str) -> str:
    """A text with the letters A to Z as a to z, and no other letter changed."""
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def comparable(text: str) -> str:
    """A text to compare names and options by: A to Z as a to z, accents in one form (NFC)."""
    return ascii_lower(text if text.isascii() else unicodedata.normalize("NFC", text))


def encodings(text: str) -> list[str]:
    """A text with its accents encoded in the ways that programs send them, as given first."""
    if text.isascii():
        return [text]
    return list(dict.fromkeys([text, *(unicodedata.normalize(form, text) for form in _FORMS)]))


def has_names(text: str | bytes, number: int) -> bool:
    """Return whether a text of JSON is sure to have some number of names, and no more.

    A quote and a colon end a name; where a backslash is before them, they are within a value. A
    text with a blank before a colon, or with two backslashes and a quote, is not looked at closely.
    """
    line = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if line.count(b":") == number:  # none in a value; quick also for thousands of ids
        return True
    if b" :" in line or b"\t:" in line or b"\n:" in line or b"\r:" in line or b'\\\\"' in line:
        return False
    return line.count(b'":') - line.count(b'\\":') == number


def repeated_name(text: str | bytes) -> str | None:
    """The place of a name that an object of a JSON text has twice, like ``.Fields[0].Value``.

    None when all names of each object are distinct. Raises as ``json.loads``.
    """
    return _repeated_in(json.loads(text, object_pairs_hook=_Members))


class _Members(dict[str, Any]):
    """The members of an object of JSON; of a name that is there twice, the last."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        names = [name for name, _ in pairs] if len(pairs) > len(self) else []
        self.repeated = next((name for name in names if names.count(name) > 1), None)


def _repeated_in(value: Any) -> str | None:
    if isinstance(value, _Members):
        if value.repeated is not None:
            return f".{quoted(value.repeated)[1:-1]}"
        inside = ((f".{quoted(name)[1:-1]}", one) for name, one in value.items())
    elif isinstance(value, list):
        inside = ((f"[{index}]", one) for index, one in enumerate(value))
    else:
        return None
    for place, one in inside:
        if (found := _repeated_in(one)) is not None:
            return place + found
    return None


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The known names that are most like a name, best first; empty when no name is similar."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    folded = name[:_COMPARED_CHARACTERS_MAX].casefold()
    compared: Iterable[str] = by_folded
    if len(by_folded) > _COMPARED_NAMES_MAX:  # then those with the same beginning are enough
        alike = (one for one in by_folded if one[:1] == folded[:1])
        compared = islice(alike, _COMPARED_NAMES_MAX)
    matches = difflib.get_close_matches(folded, compared, n=IN_ERROR_NEIGHBOURS_MAX)
    return [by_folded[match] for match in matches]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` Did you mean A or B?`` with its leading blank, or nothing when no name is near."""
    near = nearest(name, known)
    return f" Did you mean {' or '.join(near)}?" if near else ""
