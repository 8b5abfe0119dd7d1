"""Whatever is stored comes out of an export, and an import of it stores the same."""

import io
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oppserver.contract.model import StoredOpportunity
from oppserver.store import Store, open_store
from oppserver.transfer.files import Format
from oppserver.transfer.lines import read_csv, read_ndjson, read_parquet
from oppserver.transfer.store import Import, export
from tests.support.running import SCALE
from tests.support.stores import ENGINES, NOW, everything, guid, lead, owner

texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20
)
dates = st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat(sep=" "))


@st.composite
def opportunities(draw: st.DrawFn, number: int) -> StoredOpportunity:
    """Any opportunity of a few leads and owners, with any text in it."""
    owner_number = draw(st.none() | st.integers(0, 2))
    owner_id = None if owner_number is None else owner(owner_number)
    return StoredOpportunity(
        id=guid(number),
        event_code=draw(st.sampled_from([12_000, 12_001, 0])),
        lead_id=lead(draw(st.integers(0, 3))),
        lead_email=draw(st.none() | texts),
        owner_id=owner_id,
        owner_email=draw(st.none() | texts) if owner_id else None,
        status=draw(st.none() | texts),
        note=draw(st.none() | texts),
        created_on=draw(st.none() | dates),
        modified_on=draw(st.none() | dates),
        created_by=draw(st.none() | texts),
        modified_by=draw(st.none() | texts),
        slots=draw(
            st.dictionaries(
                st.integers(1, 250).map(lambda slot: f"mx_custom_{slot}"), texts, max_size=4
            )
        ),
    )


batches = st.lists(st.integers(0, 30), max_size=12, unique=True).flatmap(
    lambda numbers: st.tuples(*(opportunities(number) for number in numbers))
)


def imported(store: Store, exported: bytes, form: Format, folder: Path) -> int:
    """Imports a file in batches of a few lines; how many lines."""
    job = Import(store, batch_rows=3, now=lambda: NOW, on_reject=None)
    if form is Format.NDJSON:
        return job.run(read_ndjson(io.BytesIO(exported), "file")).stored
    if form is Format.CSV:
        return job.run(read_csv(io.BytesIO(exported), "file")).stored
    path = folder / "file.parquet"
    path.write_bytes(exported)
    return job.run(read_parquet(path)).stored


def exported(store: Store, form: Format) -> bytes:
    file = io.BytesIO()
    export(store, file, form=form, event_code=None, on_page=lambda _: None)
    return file.getvalue()


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "memory"])
@given(batches, st.sampled_from(Format))
@settings(max_examples=int(60 * SCALE), deadline=None)
def test_an_export_imports_as_the_same(
    engine: str, batch: Sequence[StoredOpportunity], form: Format
) -> None:
    """From SQLite into each engine, in every format, with every text.

    Also what looks like a quote, a line end or nothing.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        first = open_store(f"sqlite:///{folder}/first.db")
        second = ENGINES[engine](folder).open()
        first.write_opportunities(batch, now=NOW)
        file = exported(first, form)
        assert imported(second, file, form, folder) == len(batch)
        assert everything(second) == everything(first)
        assert exported(second, form) == file
        first.close()
        second.close()
