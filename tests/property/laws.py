"""The settings of laws: the number of examples, and values of the domain."""

import string
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from oppserver.store import Store
from tests.support.memory_store import MemoryDatabase, MemoryStore
from tests.support.running import SCALE
from tests.support.stores import ENGINES, scaled


def examples(number: int, *, steps: int = 30) -> settings:
    """The number of examples, times OPPSERVER_TEST_SCALE.

    The short form tries the same ones everywhere, so that it fails for a change and not by chance;
    a longer one searches anew each time.
    """
    return settings(
        max_examples=scaled(number),
        stateful_step_count=steps,
        deadline=None,
        derandomize=SCALE <= 1,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def texts(*, max_size: int = 20) -> SearchStrategy[str]:
    """Any text that a store keeps: no lone surrogates, no U+0000."""
    characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    return st.text(characters, max_size=max_size)


@st.composite
def spellings(draw: st.DrawFn, guid: str) -> str:
    """Any accepted spelling of a canonical GUID."""
    text = guid if draw(st.booleans()) else guid.replace("-", "")
    upper = draw(st.sets(st.integers(0, len(text) - 1), max_size=6) | st.just(set(range(99))))
    text = "".join(c.upper() if place in upper else c for place, c in enumerate(text))
    if draw(st.booleans()):
        text = "{" + text + "}"
    blanks = st.text(string.whitespace, max_size=2)
    return draw(blanks) + text + draw(blanks)


@st.composite
def cased(draw: st.DrawFn, name: str) -> str:
    """A name in any case, with blanks around it."""
    upper = draw(st.sets(st.integers(0, len(name) - 1)))
    text = "".join(c.upper() if place in upper else c.lower() for place, c in enumerate(name))
    blanks = st.sampled_from(["", "", " ", "\t", "\n "])
    return draw(blanks) + text + draw(blanks)


@contextmanager
def both(engine: str) -> Iterator[tuple[Store, Store]]:
    """A fresh store of an engine, and the model."""
    with tempfile.TemporaryDirectory() as folder:
        store = ENGINES[engine](Path(folder)).open()
        try:
            yield store, MemoryStore(MemoryDatabase())
        finally:
            store.close()
