"""What a caller likes best: lists of names with weights, as in ``Accept`` and ``Accept-Encoding``.

RFC 9110, 12.4.2 and 12.5. Programs in use write weights that the RFC does not know, so they are
read with patience: ``.2`` (the default of old Java programs), ``0.``, more than three digits, an
upper-case ``Q``, blanks and tabs around every sign, a weight in quotes. A weight outside of 0 to 1
is the nearer of the two. What is no number says nothing: its name counts as one without a weight,
because a caller who names something can take it.
"""

import re
from typing import Final, NamedTuple

_QUOTED: Final = r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)'
"""A quoted text (RFC 9110, 5.6.4); one that nobody closes ends where the header does. Every quote
begins one and no repetition gives back, so the time grows as the length does."""

_ELEMENT: Final = re.compile(rf'(?:[^,"]++|{_QUOTED})++', re.DOTALL)
_PARAMETER: Final = re.compile(rf'(?:[^;"]++|{_QUOTED})++', re.DOTALL)
_WEIGHT: Final = re.compile(r"-?(?:\d+\.?\d*|\.\d+)", re.ASCII)
_WITHOUT_WEIGHT: Final = 1.0


class Preference(NamedTuple):
    """One element of a list: its name in lower case, and its weight from 0, "never", to 1."""

    name: str
    weight: float


def preferences_in(header: str) -> list[Preference]:
    """The elements of a list that have a name, in order; parameters beside the weight are left out.

    Several lines of one header are one list, joined by commas (RFC 9110, 5.3).
    """
    elements = (element.partition(";") for element in _ELEMENT.findall(header))
    return [
        Preference(name, _weight(parameters))
        for before, _, parameters in elements
        if (name := before.strip().lower())
    ]


def _weight(parameters: str) -> float:
    """The first weight among the parameters of an element."""
    for parameter in _PARAMETER.findall(parameters):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            return _number(value.strip().strip('"'))
    return _WITHOUT_WEIGHT


def _number(text: str) -> float:
    if not _WEIGHT.fullmatch(text):
        return _WITHOUT_WEIGHT
    return min(max(float(text), 0.0), 1.0)
