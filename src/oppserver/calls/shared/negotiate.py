"""Content negotiation: lists of names with weights, as in ``Accept`` and ``Accept-Encoding``.

RFC 9110, 12.4.2 and 12.5. Programs in use write weights that the RFC does not allow, so more is
accepted: ``.2`` (the default of old Java programs), ``0.``, more than three digits, an upper-case
``Q``, blanks and tabs around every sign, a weight in quotes. A weight below 0 is 0, one above 1 is
1. A weight that is no number is ignored: a caller who names something can take it.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from oppserver.contract.errors import Fault, NotAcceptable
from oppserver.contract.formats import ARROW_FORMATS, Format
from oppserver.contract.names import quoted
from oppserver.formats.arrow import has_arrow

_QUOTED: Final = r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)'
"""A quoted text (RFC 9110, 5.6.4); an open one ends with the header. No repetition gives back,
so the time grows linearly."""

_ELEMENT: Final = re.compile(rf'(?:[^,"]++|{_QUOTED})++', re.DOTALL)

_PARAMETER: Final = re.compile(rf'(?:[^;"]++|{_QUOTED})++', re.DOTALL)

_WEIGHT: Final = re.compile(r"-?(?:\d+(?:\.\d*)?|\.\d+)", re.ASCII)

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


_ANYTHING: Final = "*/*"


_ARROW_IS_MISSING: Final = (
    f" {' and '.join(ARROW_FORMATS)} need an extra where the server runs:"
    " pip install 'oppserver[arrow]'"
)


class _Range(NamedTuple):
    """A media range. ``precision``: 0 for ``*/*``, 1 for ``text/*``, 2 for a media type."""

    pattern: str
    precision: int
    weight: float


def negotiate(accept: str, formats: Sequence[Format]) -> Format:
    """Choose the format of an answer. ``formats`` empty: JSON, whatever ``Accept`` says.

    Formats of Arrow are offered where pyarrow is installed. Raises NotAcceptable.
    """
    if not formats:
        return Format.JSON
    offered = [one for one in formats if one not in ARROW_FORMATS or has_arrow()]
    return choose_format(accept, offered, lacks_arrow=len(offered) < len(formats))


def choose_format(accept: str, offered: Sequence[Format], *, lacks_arrow: bool = False) -> Format:
    """The offered format with the highest weight; of equal ones, and without ``Accept``, the first.

    The most precise range that matches a format gives its weight. Parameters other than the weight
    are ignored. Raises NotAcceptable, with the list of formats.
    """
    ranges = [_range(one) for one in preferences_in(accept)]
    if not ranges:
        return offered[0]
    best = max(offered, key=lambda one: _weight_of(one, ranges))  # max keeps the first of equals
    if _weight_of(best, ranges) > 0:
        return best
    raise NotAcceptable(
        f"Accept is {quoted(accept)}; this call answers {', '.join(offered)}."
        f"{_ARROW_IS_MISSING if lacks_arrow else ''}",
        faults=[
            Fault(
                header="Accept",
                what=f"{quoted(accept)} names no format of this call",
                hint=f"Use {', '.join(offered)}.",
            )
        ],
    )


def _range(one: Preference) -> _Range:
    # a bare * is what old Java programs send for */*
    pattern = _ANYTHING if one.name == "*" else one.name
    precision = 0 if pattern == _ANYTHING else 1 if pattern.endswith("/*") else 2
    return _Range(pattern, precision, one.weight)


def _weight_of(offered: Format, ranges: Sequence[_Range]) -> float:
    main = f"{offered.partition('/')[0]}/*"
    matching = [one for one in ranges if one.pattern in (offered, main, _ANYTHING)]
    if not matching:
        return 0.0
    precision = max(one.precision for one in matching)
    return max(one.weight for one in matching if one.precision == precision)
