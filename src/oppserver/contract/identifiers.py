"""GUIDs: the accepted forms, and the stored and answered form.

Canonical is lower case with dashes. Upper case, braces and missing dashes are accepted.
"""

import re
from collections.abc import Sequence

from oppserver.contract.errors import InvalidValue
from oppserver.contract.names import quoted

GUID_HINT = "Expected a form like 24cf277e-70fe-4b2f-a9c2-9a68f45feaba"

CANONICAL = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

_CANONICAL_LENGTH = 36

_ONE = re.compile(CANONICAL)

_DASHES = (8, 13, 18, 23)

_DIGITS = b"0123456789abcdef"

_BARE = re.compile(r"[0-9a-f]{32}")


def canonical_guid(text: str) -> str | None:
    """The canonical form of a GUID in any accepted form, or None when it is no GUID."""
    if _ONE.fullmatch(text):
        return text
    lowered = text.strip().lower()
    if lowered.startswith("{") and lowered.endswith("}"):
        lowered = lowered[1:-1]
    if _ONE.fullmatch(lowered):
        return lowered
    if _BARE.fullmatch(lowered):
        return "-".join((lowered[:8], lowered[8:12], lowered[12:16], lowered[16:20], lowered[20:]))
    return None


def all_canonical(texts: Sequence[str]) -> bool:
    """Return true when every text is a GUID in canonical form already.

    All of them at once, a line each: where dashes and line ends have to be there is one, and every
    other character is a digit. 0.1 ms for 2,000, where 2,000 matches take 0.7 ms.
    """
    count = len(texts)
    try:
        lines = "\n".join(texts).encode("ascii")
    except UnicodeEncodeError:
        return False
    stride = _CANONICAL_LENGTH + 1
    return not texts or (
        len(lines) == stride * count - 1
        and all(lines[place::stride] == b"-" * count for place in _DASHES)
        and lines[_CANONICAL_LENGTH::stride] == b"\n" * (count - 1)
        and len(lines.translate(None, _DIGITS)) == (len(_DASHES) + 1) * count - 1
    )


def guid_at(text: str, *, place: str) -> str:
    """The canonical form of a GUID. Raises InvalidValue that names the place."""
    guid = canonical_guid(text)
    if guid is None:
        raise InvalidValue(f"{place}: {quoted(text)} is not a GUID. {GUID_HINT}")
    return guid


def distinct_guids(texts: Sequence[str], *, place: str) -> list[str]:
    """The canonical forms of GUIDs, each once, in order. Raises as ``guid_at``."""
    if not all_canonical(texts):
        texts = [guid_at(text, place=f"{place}[{index}]") for index, text in enumerate(texts)]
    return list(dict.fromkeys(texts))
