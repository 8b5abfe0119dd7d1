"""Lists of what a caller likes best, as ``Accept`` and ``Accept-Encoding`` have them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oppserver.calls.shared.negotiate import Preference, preferences_in


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", []),
        (" , ;q=1, ", []),
        ("*; q=.2", [("*", 0.2)]),
        ("A/B", [("a/b", 1.0)]),
        ("a;q=0.5;x=1, b;x=1;q=0.25", [("a", 0.5), ("b", 0.25)]),
        ("a;q=0.1;q=0.9", [("a", 0.1)]),
        ('a;x="b,c;q=0.1";q=.3,d', [("a", 0.3), ("d", 1.0)]),
        ('a;x="\\",b";q=.3', [("a", 0.3)]),
        ('a;x="b, c;q=0', [("a", 1.0)]),
        ("a;q=0,5", [("a", 0.0), ("5", 1.0)]),
    ],
)
def test_a_list_is_read(header: str, expected: list[tuple[str, float]]) -> None:
    """Names in lower case, weights, and commas in quotes that separate nothing."""
    assert preferences_in(header) == [Preference(*one) for one in expected]


@given(st.text(st.sampled_from(list(' ,;"\\q=Q.01-*/ax\t\u0661')), max_size=40) | st.text())
def test_any_text_is_a_list(header: str) -> None:
    """Every element has a name, and a weight from 0 to 1."""
    for name, weight in preferences_in(header):
        assert name
        assert 0 <= weight <= 1


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a/b", "*/*", "gzip"]),
            st.decimals(0, 1, places=3),
            st.sampled_from([";q={}", "; Q = {}", '\t;\tq="{}" ', ";x=1;q={};y=2"]),
            st.booleans(),
        )
    )
)
def test_a_weight_is_read_in_every_spelling(given: list[tuple[str, object, str, bool]]) -> None:
    """Without its leading 0, in quotes, among other parameters."""
    elements = [
        name + form.format(str(weight).removeprefix("0") if short else weight)
        for name, weight, form, short in given
    ]
    expected = [(name, float(str(weight))) for name, weight, *_ in given]
    assert preferences_in(",".join(elements)) == expected
