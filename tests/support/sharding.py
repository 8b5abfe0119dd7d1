"""The rules of a sharded database, and a look at every statement that PostgreSQL is asked.

The rules are those of Citus 14, as its documentation and its tests have them: what it refuses, and
what it does at a price that grows with the tables. ``broken_rules`` reads one statement;
``watched`` holds all that the process asks to them.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final
from unittest.mock import patch

import psycopg
import sqlglot
from sqlglot import exp

from oppserver.store.postgres.citus.layout import BY_ID

KEY: Final = "id"
_FUNCTIONS: Final = (
    *("now", "clock_timestamp", "statement_timestamp", "transaction_timestamp", "random"),
    *("gen_random_uuid", "nextval", "currval", "setval", "pg_notify"),
)
_CLOCKS: Final = (exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentTime, exp.Rand, exp.Uuid)
_PLAIN: Final = ("SET LOCAL", "BEGIN", "ROLLBACK", "COMMIT", "ANALYZE", "SAVEPOINT", "RELEASE")
"""The beginnings of statements that are of no table, or that Citus passes on as they are."""


class BrokenRule(AssertionError):
    """A statement that a sharded database would refuse, or pay for with a whole table."""


@contextmanager
def watched() -> Iterator[None]:
    """Whatever psycopg is asked in the block keeps the rules; raises BrokenRule at once."""
    with (
        patch.object(psycopg.Cursor, "execute", _looked_at(psycopg.Cursor.execute)),
        patch.object(psycopg.Cursor, "executemany", _looked_at(psycopg.Cursor.executemany)),
    ):
        yield


KNOWN: Final = {
    "db check, of a database that is not sharded": (
        r"^SELECT count\(\*\) FROM (opportunity|activity) LEFT JOIN",
        r"^(opportunity|activity) and \w+ are joined by something else than their ids$",
    ),
    "a search in the order of a lead's column, which a sharded database refuses": (
        r"^WITH page AS .*\(SELECT .* FROM lead AS l WHERE l\.id = o\.lead_id\).* AS key FROM",
        r"^a subquery of l names o outside of it$",
    ),
}
"""Statements that break a rule and may, and why. The documents say so too."""


def _is_known(text: str, rule: str) -> bool:
    return any(
        re.search(statement, text, re.DOTALL) and re.search(said, rule)
        for statement, said in KNOWN.values()
    )


def _looked_at(asked: Any) -> Any:
    def ask(cursor: Any, query: Any, *arguments: Any, **more: Any) -> Any:
        text = query.decode() if isinstance(query, bytes) else str(query)
        if found := [rule for rule in broken_rules(text) if not _is_known(text, rule)]:
            raise BrokenRule(f"{'; '.join(found)}: {text[:2_000]}")
        return asked(cursor, query, *arguments, **more)

    return ask


@lru_cache(maxsize=20_000)
def broken_rules(text: str) -> tuple[str, ...]:
    """The rules that a statement breaks; empty when it keeps them all."""
    if text.lstrip().upper().startswith(_PLAIN):
        return ()
    lowered = text.lower()
    found = [
        f"{word} is local to a machine, or refused"
        for word in ("advisory", "listen ", "notify ", "lock table", "merge into", "trigger")
        if word in lowered
    ]
    if re.search(r"\b(big|small)?serial\b", lowered):
        found.append("a column that a sequence numbers")
    if not any(table in lowered for table in BY_ID) and "create" not in lowered:
        return tuple(found)
    [statement] = sqlglot.parse(_read(text), dialect="postgres")
    assert isinstance(statement, exp.Expression), text
    if isinstance(statement, exp.Command):
        return (*found, f"it cannot be read: {text[:100]}")
    for rule in _RULES:
        found += rule(statement)
    return tuple(found)


def _read(text: str) -> str:
    """A statement with a value in each place of a parameter."""
    for place in ("%s", "%b", "%t"):
        text = text.replace(place, "$1")
    text = _named(text).replace("%%", "%")
    # the parser takes the ON of a conflict for that of a join, which a CROSS JOIN does not have
    return re.sub(r"(CROSS JOIN .* AS \w+) ON CONFLICT", r"\1 WHERE true ON CONFLICT", text)


def _named(text: str) -> str:
    parts = text.split("%(")
    return parts[0] + "".join(f"$1{part.partition(')')[2][1:]}" for part in parts[1:])


# --- what a statement is made of ---------------------------------------------------------------


def _sources(select: exp.Expression) -> list[tuple[exp.Expression, exp.Join | None]]:
    """The sources that a select, or an UPDATE, reads from directly, each with its join."""
    sources: list[tuple[exp.Expression, exp.Join | None]] = []
    if isinstance(select, exp.Update):
        sources.append((select.this, None))
    start = select.args.get("from_") or select.args.get("from")
    if start is not None:
        sources.append((start.this, None))
        sources += [(join.this, join) for join in start.this.args.get("joins") or ()]
    sources += [(join.this, join) for join in select.args.get("joins") or ()]
    return sources


def _is_spread(source: exp.Expression, ctes: frozenset[str]) -> bool:
    return isinstance(source, exp.Table) and source.name in BY_ID and source.name not in ctes


def _ctes(statement: exp.Expression) -> frozenset[str]:
    return frozenset(cte.alias for cte in statement.find_all(exp.CTE))


def _selects(statement: exp.Expression) -> Iterator[exp.Expression]:
    yield from statement.find_all(exp.Select)
    yield from statement.find_all(exp.Update)


def _keys_equal(select: exp.Expression, one: str, other: str) -> bool:
    """Return whether a select has the keys of two of its sources equal."""
    return any(
        {(side.table, side.name) for side in (equal.this, equal.expression) if _is_column(side)}
        == {(one, KEY), (other, KEY)}
        for equal in select.find_all(exp.EQ)
    )


def _is_column(part: object) -> bool:
    return isinstance(part, exp.Column)


# --- the rules ---------------------------------------------------------------------------------


def _joins_by_key(statement: exp.Expression) -> Iterator[str]:
    """Spread tables are joined with each other by their keys, and nothing keeps rows of others."""
    ctes = _ctes(statement)
    for select in _selects(statement):
        sources = _sources(select)
        spread = [one.alias_or_name for one, _ in sources if _is_spread(one, ctes)]
        for other in spread[1:]:
            if not any(_keys_equal(select, one, other) for one in spread if one != other):
                yield f"{spread[0]} and {other} are joined by something else than their ids"
        for place, (source, join) in enumerate(sources):
            side = join.side if join is not None else ""
            if side in ("RIGHT", "FULL") and spread:
                yield f"a {side} JOIN with a spread table"
            before = [one for one, _ in sources[:place]]
            is_kept = any(_is_spread(one, ctes) for one in before)
            if side == "LEFT" and _is_spread(source, ctes) and not is_kept:
                yield f"a LEFT JOIN to {source.name} of rows from elsewhere reads all of it"


def _subqueries_by_key(statement: exp.Expression) -> Iterator[str]:
    """A subquery of a spread table names what is outside of it by the key alone, or not at all."""
    ctes = _ctes(statement)
    for select in statement.find_all(exp.Select):
        if not isinstance(select.parent, exp.Subquery | exp.Exists | exp.In | exp.Lateral):
            continue
        own = {one.alias_or_name for one, _ in _sources(select)}
        spread = [one.alias_or_name for one, _ in _sources(select) if _is_spread(one, ctes)]
        inner = {
            one.alias_or_name for part in select.find_all(exp.Select) for one, _ in _sources(part)
        }
        outer = (
            {column.table for column in select.find_all(exp.Column) if column.table} - own - inner
        )
        for alias in spread:
            if outer and not any(_keys_equal(select, alias, other) for other in outer):
                yield f"a subquery of {alias} names {', '.join(sorted(outer))} outside of it"


def _no_locks(statement: exp.Expression) -> Iterator[str]:
    """``FOR UPDATE`` is for one row, and no row of a spread table is locked."""
    ctes = _ctes(statement)
    for select in statement.find_all(exp.Select):
        if select.args.get("locks") and any(_is_spread(one, ctes) for one, _ in _sources(select)):
            yield "FOR UPDATE over a spread table"


def _no_recursion(statement: exp.Expression) -> Iterator[str]:
    for with_ in statement.find_all(exp.With):
        if with_.recursive:
            yield "a recursive CTE"


def _time_is_a_parameter(statement: exp.Expression) -> Iterator[str]:
    """No function whose answer changes; a CASE of JSON and text is as it was."""
    for function in statement.find_all(exp.Func):
        name = function.name.lower() if isinstance(function, exp.Anonymous) else ""
        if isinstance(function, _CLOCKS) or name in _FUNCTIONS:
            yield f"{function.sql('postgres')} is not a parameter"


def _keys_stay(statement: exp.Expression) -> Iterator[str]:
    """The key is never set; a row that is inserted has one, and conflicts are of it."""
    for update in statement.find_all(exp.Update):
        if _is_spread(update.this, frozenset()):
            for setting in update.expressions:
                if setting.this.name == KEY:
                    yield f"{update.this.name}.{KEY} is set"
    for insert in statement.find_all(exp.Insert):
        into = insert.this
        table = into.this if isinstance(into, exp.Schema) else into
        if not _is_spread(table, frozenset()):
            continue
        names = [one.name for one in into.expressions] if isinstance(into, exp.Schema) else []
        if KEY not in names:
            yield f"a row of {table.name} is inserted without its {KEY}"
        conflict = insert.args.get("conflict")
        if conflict is not None:
            if [one.name for one in conflict.args.get("conflict_keys") or ()] != [KEY]:
                yield "a conflict of something else than the id"
            if any(setting.this.name == KEY for setting in conflict.expressions):
                yield f"{table.name}.{KEY} is set"


def _unique_by_key(statement: exp.Expression) -> Iterator[str]:
    """Unique columns include the key; nothing is numbered by the database."""
    for create in statement.find_all(exp.Create):
        text = create.sql("postgres").lower()
        if create.kind in ("TRIGGER", "SEQUENCE", "FUNCTION", "RULE"):
            yield f"CREATE {create.kind}"
        names = {column.name for column in create.find_all(exp.Column)}
        is_unique = create.args.get("unique") and any(f" {table}(" in text for table in BY_ID)
        if is_unique and KEY not in names:
            yield "a unique index without the key"
        if create.find(exp.ForeignKey, exp.Reference):
            yield "a foreign key"
        if create.find(exp.GeneratedAsIdentityColumnConstraint):
            yield "a column that a sequence numbers"


def _members_have_names(statement: exp.Expression) -> Iterator[str]:
    """A row of a subquery is taken whole only where it is selected: ``(SELECT t FROM (...) AS t)``.

    Anywhere else the subquery may be flattened, and a shard is sent ROW(...), without names.
    """
    ctes = _ctes(statement)
    for select in statement.find_all(exp.Select):
        sources = [one for one, _ in _sources(select)]
        sources += select.args.get("laterals") or ()
        rows = {one.alias_or_name for one in sources if _is_subquery(one, ctes)}
        for column in select.find_all(exp.Column):
            is_of_select = column.find_ancestor(exp.Select) is select
            name = _whole_row(column) if is_of_select else None
            if name in rows and not _is_row_alone(column):
                yield f"a row of {name} is taken whole, and its members may lose their names"
    for function in statement.find_all(exp.Anonymous):
        if function.name.lower() == "row" and _makes_json(function.parent):
            yield "a ROW has no names"


def _whole_row(column: exp.Column) -> str | None:
    """The source whose row a column may be; ``t.*`` in a list of columns is no row."""
    if isinstance(column.this, exp.Star):
        return None if isinstance(column.parent, exp.Select) else column.table
    return None if column.table else column.name


def _is_subquery(source: exp.Expression, ctes: frozenset[str]) -> bool:
    if isinstance(source, exp.Table):
        return source.name in ctes
    return isinstance(source, exp.Subquery | exp.Lateral)


def _is_row_alone(column: exp.Expression) -> bool:
    """Return whether a subquery selects the row, nothing else, from nothing else."""
    select = column.parent
    return (
        isinstance(select, exp.Select)
        and isinstance(select.parent, exp.Subquery)
        and not isinstance(select.parent.parent, exp.From | exp.Join | exp.CTE)
        and len(_sources(select)) == 1
    )


def _makes_json(function: object) -> bool:
    name = function.name if isinstance(function, exp.Anonymous) else type(function).__name__
    return "json" in name.lower()


_RULES: Final = (
    *(_members_have_names, _joins_by_key, _subqueries_by_key, _no_locks, _no_recursion),
    *(_time_is_a_parameter, _keys_stay, _unique_by_key),
)
