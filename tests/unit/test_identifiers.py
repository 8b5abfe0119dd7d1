"""GUIDs."""

import pytest

from oppserver.contract.identifiers import all_canonical, canonical_guid

CANONICAL = "24cf277e-70fe-4b2f-a9c2-9a68f45feaba"


@pytest.mark.parametrize(
    "text",
    [
        CANONICAL,
        CANONICAL.upper(),
        "{" + CANONICAL + "}",
        "{" + CANONICAL.upper() + "}",
        CANONICAL.replace("-", ""),
        "{" + CANONICAL.replace("-", "") + "}",
        f"  {CANONICAL}\n",
    ],
)
def test_accepted_forms(text: str) -> None:
    """Upper case, braces, missing dashes and blanks around are accepted."""
    assert canonical_guid(text) == CANONICAL


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        CANONICAL[:-1],
        CANONICAL + "0",
        CANONICAL.replace("2", "g"),
        "{" + CANONICAL,
        CANONICAL + "}",
        "{{" + CANONICAL + "}}",
        "{ " + CANONICAL + " }",
        CANONICAL.replace("-", "", 1),
        CANONICAL.replace("-", "_"),
        CANONICAL.replace("2", "٢"),
        CANONICAL.replace("-", "\n"),
        "urn:uuid:" + CANONICAL,
    ],
)
def test_anything_else_is_no_guid(text: str) -> None:
    """A text in no accepted form is None."""
    assert canonical_guid(text) is None


def test_many_are_canonical_when_each_is() -> None:
    """``all_canonical`` is true of canonical texts only, also where a line end could deceive it."""
    assert all_canonical([CANONICAL])
    assert all_canonical([CANONICAL] * 2_000)
    assert all_canonical([])
    assert not all_canonical([CANONICAL, CANONICAL.upper()])
    assert not all_canonical([f"{CANONICAL}\n{CANONICAL}"])
    assert not all_canonical([f"{CANONICAL}\n{CANONICAL}", ""])
    assert not all_canonical([CANONICAL, ""])
    assert not all_canonical([""])
