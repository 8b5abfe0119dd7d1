"""Numbers as callers write them: what is read is what was meant, or it is refused."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from oppserver.client.rows import Opportunity
from oppserver.contract.values import plain_number
from tests.property.laws import examples


@st.composite
def grouped(draw: st.DrawFn) -> tuple[str, str]:
    """A whole number with signs of thousands, and the same without: groups of 3, or of 2 before."""
    digits = str(draw(st.integers(1_000, 10**30)))
    groups, rest = [digits[-3:]], digits[:-3]
    sizes = draw(st.sampled_from([(3,), (2,), (2, 3)]))
    while len(rest) > 3:
        size = draw(st.sampled_from(sizes))
        groups.insert(0, rest[-size:])
        rest = rest[:-size]
    if rest and rest[0] == "0":  # a group of 2 has left zeros in front, as no number has
        rest = "1" + rest[1:]
    groups.insert(0, rest)
    return ",".join(groups), "".join(groups)


@given(
    grouped(), st.sampled_from(["", "-", "+"]), st.from_regex(r"(\.[0-9]{1,6})?", fullmatch=True)
)
@examples(300)
def test_signs_of_thousands_change_no_number(
    whole: tuple[str, str], sign: str, fraction: str
) -> None:
    """With a sign before and decimals behind; the client reads the same."""
    written = f"{sign}{whole[0]}{fraction}"
    meant = Decimal(f"{sign}{whole[1]}{fraction}")
    assert Decimal(plain_number(written) or "") == meant
    assert Opportunity({"mx_Custom_6": written}).number("mx_Custom_6") == meant


@given(st.text(st.sampled_from("0123456789,,,..-+ \u0661"), max_size=14) | st.text(max_size=8))
@examples(1000)
def test_a_comma_anywhere_else_is_refused(text: str) -> None:
    """An accepted number has its commas where thousands have them, and all digits of the text."""
    number = plain_number(text)
    if number is None:
        return
    whole, _, fraction = text.lstrip("+-").partition(".")
    first, *groups = whole.split(",")
    assert "," not in fraction
    assert Decimal(number) == Decimal(text.replace(",", ""))
    if groups:
        assert len(groups[-1]) == 3
        assert all(len(group) in (2, 3) for group in groups)
        assert 1 <= len(first) <= 3
        assert first[0] != "0"


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2), st.integers(1, 3))
@examples(200)
def test_a_decimal_comma_is_refused_or_has_three_digits(value: Decimal, places: int) -> None:
    """Half of the world writes 1499,90: it is never read as 149990."""
    whole, _, fraction = f"{value:f}".partition(".")
    written = f"{whole},{fraction.ljust(places, '0')[:places]}"
    assert (plain_number(written) is None) or places == 3
