"""Errors that quote a value and suggest names."""

import pytest

from oppserver.contract.names import did_you_mean, nearest, quoted


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x", "'x'"),
        (12, "'12'"),
        ("", "''"),
        ("a\nb\x1b[31m\u202e", "'a\ufffdb\ufffd[31m\ufffd'"),
        ("ünï", "'ünï'"),
        ("x" * 80, "'" + "x" * 80 + "'"),
        ("x" * 81, "'" + "x" * 80 + "…'"),
    ],
)
def test_a_value_is_quoted_short_and_printable(value: object, expected: str) -> None:
    """Long values are cut; control characters and those that turn text around are replaced."""
    assert quoted(value) == expected


def test_near_names_are_suggested_best_first() -> None:
    """At most three names that are alike, in any case; nothing when none is."""
    known = ["CreatedOn", "CreatedBy", "ModifiedOn", "Owner", "mx_Custom_1"]
    assert nearest("createdon", known)[0] == "CreatedOn"
    assert len(nearest("mx_Custom_9", [f"mx_Custom_{n}" for n in range(250)])) == 3
    assert nearest("zzz", known) == []
    assert nearest("", known) == []
    assert did_you_mean("Ownr", known) == " Did you mean Owner?"
    assert did_you_mean("CreatedO", known) == " Did you mean CreatedOn or CreatedBy?"
    assert did_you_mean("zzz", known) == ""
