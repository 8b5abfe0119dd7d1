"""Dates, GUIDs and names: every form means one thing, and nothing else is taken."""

import json
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oppserver.contract.columns import CUSTOM_COLUMNS, SYSTEM_COLUMNS, Column, column_named
from oppserver.contract.dates import now_stored, to_answer, to_stored
from oppserver.contract.identifiers import all_canonical, canonical_guid
from oppserver.contract.names import has_names
from oppserver.store import Store
from tests.property.laws import cased, examples, spellings
from tests.support import stores
from tests.support.stores import ENGINES, NOW, entry, guid, opportunity

FIRST, LAST = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)  # noqa: DTZ001 (Hypothesis's)

moments = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda m: timezone(timedelta(minutes=m)))


# --- dates -------------------------------------------------------------------------------------


@given(moments)
@examples(300)
def test_a_moment_survives_every_form(moment: datetime) -> None:
    """Stored, answered, and read again in each form, it is the same second."""
    stored = now_stored(moment)
    whole = moment.replace(microsecond=0)
    assert datetime.fromisoformat(stored).replace(tzinfo=UTC) == whole
    assert to_stored(stored) == stored
    assert to_stored(to_answer(stored)) == stored
    assert to_stored(moment.isoformat()) == stored
    assert to_stored(moment.isoformat().replace("+00:00", "Z")) == stored


@given(st.datetimes(FIRST + timedelta(days=1), LAST - timedelta(days=1), timezones=offsets))
@examples(300)
def test_an_offset_is_taken_off(moment: datetime) -> None:
    """A moment written with any offset is stored as that moment in UTC."""
    assert to_stored(moment.isoformat()) == now_stored(moment)


@given(moments, moments)
@examples(200)
def test_stored_dates_sort_as_time_does(one: datetime, other: datetime) -> None:
    """Dates sort as text, which is how every engine compares them."""
    one, other = one.replace(microsecond=0), other.replace(microsecond=0)
    assert (now_stored(one) < now_stored(other)) == (one < other)


@given(moments)
@examples(300)
def test_an_answered_date_is_as_a_person_would_write_it(moment: datetime) -> None:
    """Month, day and hour without padding, the hour of a twelve-hour clock."""
    halves = moment.strftime("%I %p").split()
    assert to_answer(now_stored(moment)) == (
        f"{moment.month}/{moment.day}/{moment.year:04d}"
        f" {int(halves[0])}:{moment.minute:02d}:{moment.second:02d} {halves[1]}"
    )


near_dates = st.from_regex(
    r"[01]?\d{1,4}[-/]\d{1,2}[-/]\d{1,4}[ tT]\d{1,2}:\d\d:\d\d"
    r"( [ap]m|\.\d{1,9})?(z|[+-]\d\d:?\d\d)?",
    fullmatch=True,
)


@given(st.text(max_size=30) | near_dates)
@example("2023-04-06T15:23:34+23:60")
@example("0001-01-01T00:00:00+00:01")
@example("9999-12-31T23:59:59.999999-23:59")
@examples(600)
def test_any_text_is_a_date_or_refused(text: str) -> None:
    """An accepted date has the stored form and is in the calendar; all else is a ValueError."""
    try:
        stored = to_stored(text)
    except ValueError:
        return
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", stored, re.ASCII)
    assert to_stored(stored) == stored


@pytest.fixture(scope="module", params=ENGINES)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """A store of each engine, shared by examples: each writes over the last."""
    opened = ENGINES[request.param](tmp_path_factory.mktemp("dates")).open()
    yield opened
    opened.close()


@given(moments=st.lists(moments, min_size=1, max_size=200))
@examples(20)
def test_a_store_answers_dates_as_we_would(store: Store, moments: list[datetime]) -> None:
    """The form that an engine renders when it writes is the form that ``to_answer`` gives."""
    dates = [now_stored(moment) for moment in moments]
    batch = [
        opportunity(number, created_on=date, modified_on=other)
        for number, (date, other) in enumerate(zip(dates, reversed(dates), strict=True))
    ]
    store.write_opportunities(batch, now=NOW)
    ids = [guid(number) for number in range(len(dates))]
    [rows] = stores.rows(store, entry(ids, "CreatedOn", "ModifiedOn"))
    answers = [to_answer(date) for date in dates]
    assert [row["CreatedOn"] for row in rows] == answers
    assert [row["ModifiedOn"] for row in rows] == answers[::-1]


# --- GUIDs -------------------------------------------------------------------------------------


@given(st.uuids().map(str).flatmap(lambda one: st.tuples(st.just(one), spellings(one))))
@examples(300)
def test_every_spelling_of_a_guid_is_one_id(pair: tuple[str, str]) -> None:
    """Case, braces, dashes and blanks around do not make another id."""
    canonical, spelled = pair
    assert canonical_guid(spelled) == canonical


near_guids = st.from_regex(r"\{?[0-9a-fA-F-]{30,38}\}?", fullmatch=True)


@given(st.text(max_size=40) | near_guids)
@example("urn:uuid:24cf277e-70fe-4b2f-a9c2-9a68f45feaba")
@example("24cf277e70fe-4b2f-a9c2-9a68f45feaba")
@example("24cf277e-70fe-4b2f-a9c2-9a68f45feab\u0661")
@examples(600)
def test_any_text_is_a_guid_or_none(text: str) -> None:
    """An accepted id has the canonical form and the digits of the text; others read it alike."""
    canonical = canonical_guid(text)
    if canonical is None:
        return
    assert str(uuid.UUID(text.strip())) == canonical
    assert canonical_guid(canonical) == canonical
    assert re.sub(r"[\s{}-]", "", text).lower() == canonical.replace("-", "")


some_texts = st.uuids().map(str) | near_guids | st.sampled_from(["", "\n", f"{guid(1)}\n{guid(2)}"])


@given(st.lists(some_texts | st.uuids().map(str), max_size=5))
@examples(400)
def test_many_are_canonical_when_each_is(texts: list[str]) -> None:
    """The quick look at all of them finds what a look at each finds."""
    assert all_canonical(texts) == all(canonical_guid(text) == text for text in texts)


# --- columns -----------------------------------------------------------------------------------

columns = st.sampled_from(SYSTEM_COLUMNS + CUSTOM_COLUMNS)


@given(columns.flatmap(lambda one: st.tuples(st.just(one), cased(one.name))))
@examples(300)
def test_every_spelling_of_a_name_is_one_column(pair: tuple[Column, str]) -> None:
    """Case and blanks around do not make another column."""
    column, spelled = pair
    assert column_named(spelled) == column


# --- names in JSON -----------------------------------------------------------------------------

json_texts = st.text('a":\\ {},\n', max_size=6).map(json.dumps)
json_scalars = json_texts | st.sampled_from(["1", "1.5", "null", "true"])
json_names = st.sampled_from(["a", "b", 'c"', "d\\", ":", "e:"]).map(json.dumps)
blanks = st.sampled_from(["", "", "", " ", "\n"])


def containers(inside: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    members = st.tuples(json_names, blanks, blanks, inside)
    return st.lists(inside, max_size=3).map(lambda ones: f"[{','.join(ones)}]") | st.lists(
        members.map(lambda one: f"{one[0]}{one[1]}:{one[2]}{one[3]}"), max_size=4
    ).map(lambda ones: f"{{{','.join(ones)}}}")


@given(st.recursive(json_scalars, containers, max_leaves=12))
@examples(600)
def test_a_text_never_seems_to_have_fewer_names(text: str) -> None:
    """A name that is there twice would be overlooked where fewer members fitted the count."""
    names = 0

    def count(pairs: list[tuple[str, Any]]) -> None:
        nonlocal names
        names += len(pairs)

    json.loads(text, object_pairs_hook=count)
    assert not any(has_names(text, fewer) for fewer in range(names))
