"""Statements of the store, translated for PostgreSQL's driver."""

import pytest

from oppserver.store.postgres.connection import translated


@pytest.mark.parametrize(
    ("statement", "asked"),
    [
        ("SELECT 1", "SELECT 1"),
        ("WHERE a = :one AND b = :one", "WHERE a = %(one)s AND b = %(one)s"),
        ("WHERE a IN (SELECT value FROM json_each(:ids))", "WHERE a = ANY(%(ids)s)"),
        ("SELECT :rows::jsonb, a::text", "SELECT %(rows)s::jsonb, a::text"),
        ("SELECT a % 12", "SELECT a %% 12"),
        ("SELECT ':no', a AS \":no\", :yes", "SELECT ':no', a AS \":no\", %(yes)s"),
        ("SELECT 'it''s :no', :yes", "SELECT 'it''s :no', %(yes)s"),
    ],
)
def test_parameters_are_translated(statement: str, asked: str) -> None:
    """Names and lists take the driver's form; casts, quoted texts and names stay as they are."""
    assert translated(statement).decode() == asked
