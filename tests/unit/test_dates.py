"""The API's date forms."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from oppserver.contract.dates import now_stored, to_answer, to_stored


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("2023-04-06 15:23:34", "2023-04-06 15:23:34"),
        ("2024-02-29 00:00:00", "2024-02-29 00:00:00"),
        ("0001-01-01 00:00:00", "0001-01-01 00:00:00"),
        ("2023-04-06T15:23:34Z", "2023-04-06 15:23:34"),
        ("2023-04-06t15:23:34z", "2023-04-06 15:23:34"),
        ("2023-04-06T15:23:34", "2023-04-06 15:23:34"),
        ("2023-04-06 15:23:34Z", "2023-04-06 15:23:34"),
        ("2023-04-06T15:23:34.999999999Z", "2023-04-06 15:23:34"),
        ("2023-04-06T15:23:34.5+05:30", "2023-04-06 09:53:34"),
        ("2023-01-01T00:00:00+05:30", "2022-12-31 18:30:00"),
        ("2023-12-31T23:00:00-01:00", "2024-01-01 00:00:00"),
        ("4/6/2023 3:23:34 PM", "2023-04-06 15:23:34"),
        ("04/06/2023 03:23:34 pm", "2023-04-06 15:23:34"),
        ("1/2/2023 12:00:00 AM", "2023-01-02 00:00:00"),
        ("1/2/2023 12:00:00 PM", "2023-01-02 12:00:00"),
        ("1/2/2023 12:59:59 AM", "2023-01-02 00:59:59"),
        ("1/2/2023 11:59:59 PM", "2023-01-02 23:59:59"),
    ],
)
def test_every_form_is_read(text: str, stored: str) -> None:
    """The stored form, RFC 3339 with any offset, and the form of answers mean the same moment."""
    assert to_stored(text) == stored


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2023-04-06",
        "2023-4-6 15:23:34",
        "2023-02-29 00:00:00",
        "2023-13-01 00:00:00",
        "2023-04-06 24:00:00",
        "2023-04-06T24:00:00Z",
        "2023-04-06 15:60:00",
        "2023-04-06 15:23:60",
        "0000-01-01 00:00:00",
        "10000-01-01 00:00:00",
        "2023-04-06 15:23:34 ",
        " 2023-04-06 15:23:34",
        "2023-04-06 15:23:34\n",
        "2023-04-06T15:23:34+25:00",
        "2023-04-06T15:23:34+0530",
        "2023-04-06T15:23:34.Z",
        "٢٠٢٣-04-06 15:23:34",
        "4/6/2023 0:00:00 AM",
        "4/6/2023 13:00:00 PM",
        "4/6/2023 3:23:34",
        "4/6/23 3:23:34 PM",
        "31/12/2023 3:23:34 PM",
        "2/29/2023 3:23:34 PM",
        "4/6/2023 3:60:34 PM",
        "4/6/2023  3:23:34 PM",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """A text in no form, or no date of the calendar, or out of range in UTC, is a ValueError."""
    with pytest.raises(ValueError, match=r"\w"):
        to_stored(text)


def test_the_documented_page_shows_the_form_of_answers() -> None:
    """The page's example: ``4/6/2023 3:23:34 PM``."""
    assert to_answer("2023-04-06 15:23:34") == "4/6/2023 3:23:34 PM"
    assert to_answer("2021-11-24 13:17:20") == "11/24/2021 1:17:20 PM"


def test_a_moment_is_stored_in_utc_without_a_fraction() -> None:
    """Any aware moment becomes UTC, whole seconds, rounded down."""
    moment = datetime(2024, 1, 1, 1, 2, 3, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert now_stored(moment) == "2023-12-31 23:02:03"
    assert now_stored(datetime(999, 1, 1, tzinfo=UTC)) == "0999-01-01 00:00:00"
