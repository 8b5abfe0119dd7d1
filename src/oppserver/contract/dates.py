"""The API's date forms, read and written. All times are UTC; none carries a fraction of a second.

Three forms are read: ``YYYY-MM-DD HH:MM:SS`` (the form of requests, and the form that is stored,
because it sorts), RFC 3339 (``2023-04-06T15:23:34Z``, any offset, also ``+00`` and ``+0530`` as
databases write it, a fraction is cut off), and the form of answers, ``M/d/yyyy h:mm:ss AM/PM``.
Every number is checked here: versions of Python differ in what ``fromisoformat`` takes (hour 24).
"""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

STORED_FORM = "YYYY-MM-DD HH:MM:SS"

_STORED = re.compile(r"\d{4}-\d\d-\d\d (?:[01]\d|2[0-3]):\d\d:\d\d", re.ASCII)

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

_ANSWER = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4}) (\d{1,2}):(\d\d):(\d\d) (AM|PM)", re.ASCII | re.IGNORECASE
)

_HALF_DAYS = re.compile(
    r"(\d{4}-\d\d-\d\d) (\d{1,2}):(\d\d:\d\d) (AM|PM)", re.ASCII | re.IGNORECASE
)

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d+)?"
    r"(?: ?(?:[Zz]|UTC|([+-])(\d\d):?([0-5]\d)?))?",
    re.ASCII,
)


is_plainly_stored = re.compile(
    r"[12]\d{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)"
    r"|(?:0[13578]|1[02])-31) (?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d",
    re.ASCII,
).fullmatch
"""A quick test for the stored form: true for its dates but 29 February and years before 1000."""


def to_stored(text: str) -> str:
    """The stored form (``YYYY-MM-DD HH:MM:SS``, UTC) of a date in any of the three forms.

    Raises ValueError, which does not name the place, for other forms and impossible dates.
    """
    if _STORED.fullmatch(text):
        datetime.fromisoformat(text)  # is it in the calendar?
        return text
    if match := _ANSWER.fullmatch(text):
        month, day, year, hour, minute, second = (int(part) for part in match.groups()[:6])
        if not 1 <= hour <= 12:
            raise ValueError("the hour of a date with AM or PM is from 1 to 12")
        hour = hour % 12 + (12 if match[7].upper() == "PM" else 0)
        return _stored(datetime(year, month, day, hour, minute, second, tzinfo=UTC))
    if match := _RFC3339.fullmatch(text):
        year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        try:
            return _stored(moment - _offset(match) if match[7] else moment)
        except OverflowError:
            raise ValueError("the date is out of range in UTC") from None
    raise ValueError(
        f"not a date: expected {STORED_FORM}, RFC 3339 or M/d/yyyy h:mm:ss AM/PM (UTC)"
    )


def _offset(match: re.Match[str]) -> timedelta:
    offset = timedelta(hours=int(match[8]), minutes=int(match[9] or 0))
    if offset >= timedelta(days=1):
        raise ValueError("the offset from UTC is a day or more")
    return offset if match[7] == "+" else -offset


def datetime_to_stored(text: str) -> str:
    """Return the stored form of a date as callers write it; it may have blanks around it.

    As ``to_stored``, and: a day alone is its first second; ``YYYY-MM-DD hh:mm:ss AM/PM`` is read.
    """
    if is_plainly_stored(text):
        return text
    stripped = text.strip()
    if _DAY.fullmatch(stripped):
        return to_stored(f"{stripped} 00:00:00")
    if match := _HALF_DAYS.fullmatch(stripped):
        day, hour, rest, half = match.groups()
        stripped = f"{day[5:7]}/{day[8:]}/{day[:4]} {hour}:{rest} {half}"
    return to_stored(stripped)


class Span(NamedTuple):
    """The first and the last second of a date in a condition, to compare stored dates with."""

    first: str
    last: str


def span_of(text: str) -> Span:
    """Return the time span of a date in a condition: one second, or a day where no time is given.

    The forms are those of ``datetime_to_stored``. A day begins as ``YYYY-MM-DD``, which sorts
    before its midnight: a stored day without a time belongs to it. Raises ValueError.
    """
    stripped = text.strip()
    if _DAY.fullmatch(stripped):
        return Span(stripped, to_stored(f"{stripped} 23:59:59"))
    moment = datetime_to_stored(stripped)
    return Span(moment, moment)


def to_answer(stored: str) -> str:
    """``M/d/yyyy h:mm:ss AM/PM`` of a date in the stored form: ``4/6/2023 3:23:34 PM``.

    No padding of month, day and hour; midnight and noon are hour 12 (source: the documented page).
    """
    hour = int(stored[11:13])
    half = "AM" if hour < 12 else "PM"
    return (
        f"{int(stored[5:7])}/{int(stored[8:10])}/{stored[:4]}"
        f" {(hour + 11) % 12 + 1}{stored[13:19]} {half}"
    )


def to_ticks(stored: str) -> str:
    """``/Date(1680794614000+0000)/`` of a date in the stored form: milliseconds since 1970, UTC."""
    moment = datetime.fromisoformat(stored).replace(tzinfo=UTC)
    return f"/Date({int(moment.timestamp()) * 1_000}+0000)/"


def now_stored(now: datetime) -> str:
    """The stored form of an aware moment."""
    return _stored(now.astimezone(UTC))


def _stored(moment: datetime) -> str:
    # strftime does not pad years below 1000 on every platform; isoformat does
    return moment.replace(microsecond=0, tzinfo=None).isoformat(sep=" ")
