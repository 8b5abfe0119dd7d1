"""From ``Accept`` to the format of an answer (RFC 9110, 12.5.1)."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from oppserver.contract.errors import Fault, NotAcceptable
from oppserver.contract.formats import ARROW_FORMATS, Format
from oppserver.contract.names import quoted
from oppserver.contract.preferences import Preference, preferences_in

_ANYTHING: Final = "*/*"


class _Range(NamedTuple):
    """A media range. ``precision``: how much of a media type it names, from 0 for ``*/*``."""

    pattern: str
    precision: int
    weight: float


def choose_format(accept: str, offered: Sequence[Format]) -> Format:
    """The offered format that weighs most; of several, the first. Nothing asked: the first.

    Of the ranges that match a format, the one that names most of it says its weight. Parameters
    other than the weight are not looked at. A range whose weight cannot be read excludes what it
    matches. Raises NotAcceptable, with the list of formats.
    """
    ranges = [_range(one) for one in preferences_in(accept)]
    if not ranges:
        return offered[0]
    best = max(offered, key=lambda one: _weight(one, ranges))  # max keeps the first of equals
    if _weight(best, ranges) > 0:
        return best
    raise NotAcceptable(
        f"Accept is {quoted(accept)}; this call answers {', '.join(offered)}.{_missing(offered)}",
        faults=[
            Fault(
                header="Accept",
                what=f"{quoted(accept)} names no format of this call",
                mend=f"Use {', '.join(offered)}.",
            )
        ],
    )


def _range(one: Preference) -> _Range:
    # a bare * is what old Java programs send for */*
    pattern = _ANYTHING if one.name == "*" else one.name
    precision = 0 if pattern == _ANYTHING else 1 if pattern.endswith("/*") else 2
    return _Range(pattern, precision, one.weight)


def _weight(offered: Format, ranges: Sequence[_Range]) -> float:
    main = f"{offered.partition('/')[0]}/*"
    matching = [one for one in ranges if one.pattern in (offered, main, _ANYTHING)]
    if not matching:
        return 0.0
    precision = max(one.precision for one in matching)
    return max(one.weight for one in matching if one.precision == precision)


def _missing(offered: Sequence[Format]) -> str:
    if Format.ARROW in offered:
        return ""
    return (
        f" {' and '.join(ARROW_FORMATS)} need an extra where the server runs:"
        " pip install 'oppserver[arrow]'"
    )
