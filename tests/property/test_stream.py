"""Laws of streams: every line is accounted for, whatever comes and in whatever pieces."""

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oppserver.calls.run import open_stream
from oppserver.calls.streams.run import READ_STREAM, ReadStream
from oppserver.contract.limits import STREAM_UNIT_IDS
from oppserver.store import Store
from tests.support import calling, stores
from tests.support.stores import NOW, guid, opportunity

database, store = stores.database, stores.store

ROWS = 40
lines = st.lists(
    st.one_of(
        st.integers(0, 2 * ROWS).map(guid),
        st.integers(0, ROWS).map(lambda n: f" {{{guid(n).upper()}}}"),
        st.sampled_from(["", "x", "\N{SNOWMAN}", guid(1)[:-1], guid(1) + "0"]),
    ),
    max_size=60,
)


def opened(store: Store, **query: str) -> ReadStream:
    call = calling.a_call(
        "ReadOpportunities",
        query={"event_code": "12000", "columns": "Status", **query},
        content_type="text/plain",
    )
    return open_stream(READ_STREAM, call, calling.services_of(store))


def answered(stream: ReadStream, pieces: Sequence[bytes], *, pauses: bool) -> list[Any]:
    """The records of a stream whose body comes in pieces."""
    body = stream.begin()
    for batches in arriving(stream, pieces, pauses=pauses):
        for batch in batches:
            body += stream.render(batch, stream.fetch(batch))
    return [json.loads(line) for line in (body + stream.end()).splitlines()]


def arriving(stream: ReadStream, pieces: Sequence[bytes], *, pauses: bool) -> Iterator[Any]:
    for piece in pieces:
        stream.feed(piece)
        while (batches := stream.next()) is not None:
            yield batches
        if pauses:
            yield stream.pause()
    yield stream.finish()


def cut(body: bytes, places: Sequence[int]) -> list[bytes]:
    ends = [0, *sorted({place % (len(body) + 1) for place in places}), len(body)]
    return [body[start:end] for start, end in pairwise(ends)]


@pytest.fixture
def filled(store: Store) -> Store:
    """Some ids are there, some of another type, some deleted, the others never were."""
    calling.add_key(store)
    here = [opportunity(n, status="Open") for n in range(ROWS)]
    store.write_opportunities(here, now=NOW)
    other = [opportunity(n, event_code=12001) for n in range(ROWS, ROWS + 10)]
    store.write_opportunities(other, now=NOW)
    store.delete_opportunities([guid(n) for n in range(5)], now=NOW, by=None)
    return store


def test_every_line_is_accounted_for(filled: Store) -> None:
    """Rows and Missing are what was asked, each once; the counts and the digest are of them."""

    @settings(max_examples=60, deadline=None)
    @given(lines, st.lists(st.integers(0, 3_000), max_size=5), st.booleans())
    def law(asked: list[str], places: list[int], pauses: bool) -> None:
        body = "\n".join(asked).encode()
        stream = opened(filled, on_error="skip", missing="true", columns="Status,Version")
        *found, last = answered(stream, cut(body, places), pauses=pauses)
        rows = [one for one in found if "Missing" not in one]
        missing = [one["Missing"] for one in found if "Missing" in one]
        ids = [line.strip(" {}").lower() for line in asked]
        good = list(dict.fromkeys(one for one in ids if len(one) == 36 and one.isascii()))
        told = [one["ProspectActivityId"] for one in missing if one["Reason"] != "NotAnId"]
        assert sorted([row["ProspectActivityId"] for row in rows] + told) == sorted(good)
        bad = [one["Line"] for one in missing if one["Reason"] == "NotAnId"]
        assert bad == [number for number, one in enumerate(ids, start=1) if one and one not in good]
        end = last["End"]
        assert end["Requested"] == len(good) == end["Found"] + end["Missing"]
        assert (end["Found"], end["Skipped"]) == (len(rows), len(bad))
        full = sum(bool(one) for one in ids)
        assert end["Requested"] + end["Repeated"] + end["Skipped"] == full
        versions = "".join(f"{row['ProspectActivityId']} {row['Version']}\n" for row in rows)
        assert end["Digest"] == sha256(versions.encode()).hexdigest()

    law()


def test_the_pieces_of_a_body_change_nothing(filled: Store) -> None:
    """Rows, counts and digest are the same, however it was cut and whenever it paused."""

    @settings(max_examples=30, deadline=None)
    @given(
        st.lists(st.integers(0, ROWS), max_size=30),
        st.lists(st.integers(0, 200_000), max_size=4),
        st.booleans(),
    )
    def law(numbers: list[int], places: list[int], pauses: bool) -> None:
        around = [guid(9)] * (STREAM_UNIT_IDS - 10)
        body = "\n".join([*around, *map(guid, numbers)]).encode()
        whole = answered(opened(filled), [body], pauses=False)
        assert answered(opened(filled), cut(body, places), pauses=pauses) == whole

    law()
