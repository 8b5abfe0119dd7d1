"""How errors quote a caller's value and suggest what was meant."""

import difflib
from collections.abc import Iterable

from oppserver.contract.limits import IN_ERROR_NEIGHBOURS_MAX, IN_ERROR_VALUE_CHARACTERS_MAX


def quoted(value: object) -> str:
    """A caller's value in quotes, cut where it is long, with no control characters in it."""
    text = str(value)
    if len(text) > IN_ERROR_VALUE_CHARACTERS_MAX:
        text = text[:IN_ERROR_VALUE_CHARACTERS_MAX] + "…"
    return "'" + "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text) + "'"


def ascii_lower(text: str) -> str:
    """A text with the letters A to Z as a to z, and no other letter changed."""
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The known names that are most like a name, best first; empty when none is alike."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    matches = difflib.get_close_matches(
        name[:IN_ERROR_VALUE_CHARACTERS_MAX].casefold(), by_folded, n=IN_ERROR_NEIGHBOURS_MAX
    )
    return [by_folded[match] for match in matches]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` Did you mean A or B?`` with its leading blank, or nothing when no name is near."""
    near = nearest(name, known)
    return f" Did you mean {' or '.join(near)}?" if near else ""
