"""The two clients have the same methods with the same parameters."""

import inspect

import pytest

from oppserver.client import AsyncClient, AsyncRows, Client, Rows

PAIRS = [(Client, AsyncClient), (Rows, AsyncRows)]
NAMES = [(one, other, name) for one, other in PAIRS for name in sorted(vars(one)) if name[0] != "_"]


@pytest.mark.parametrize(("one", "other", "name"), NAMES)
def test_a_method_has_its_twin(one: type, other: type, name: str) -> None:
    """Both have the same parameters by name, kind and default."""
    mine = inspect.signature(getattr(one, name)).parameters
    twins = inspect.signature(getattr(other, name)).parameters
    shape = [(each.name, each.kind, each.default) for each in mine.values()]
    assert shape == [(each.name, each.kind, each.default) for each in twins.values()]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_neither_has_more(one: type, other: type) -> None:
    """Both have the same public methods."""
    public = [{name for name in vars(each) if name[0] != "_"} for each in (one, other)]
    assert public[0] == public[1]
    assert public[0]
