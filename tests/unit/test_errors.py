"""The error tree and its table."""

import pytest

from oppserver.client import errors as client_errors
from oppserver.contract import errors
from oppserver.contract.errors import (
    HTTP_ERRORS,
    ApiError,
    InvalidCredentials,
    OppserverError,
    RateLimited,
    Unavailable,
)


def below(root: type[OppserverError]) -> list[type[OppserverError]]:
    """Every class of the tree below a root, once."""
    children = root.__subclasses__()
    found = children + [one for child in children for one in below(child)]
    return list(dict.fromkeys(found))


def test_every_error_of_the_api_is_in_the_table() -> None:
    """Once; a class that only narrows another answers with that one's type and status."""
    types = {error.exception_type: error for error in HTTP_ERRORS}
    assert len(types) == len(HTTP_ERRORS) == len(set(HTTP_ERRORS))
    for error in below(ApiError):
        assert issubclass(error, ApiError)
        assert issubclass(error, types[error.exception_type])
        assert error.status == types[error.exception_type].status


def test_the_table_is_by_status() -> None:
    """Every status is an error's, and every error has a type of the API's form and a meaning."""
    statuses = [error.status for error in HTTP_ERRORS]
    assert statuses == sorted(statuses)
    assert all(400 <= status < 600 for status in statuses)
    for error in HTTP_ERRORS:
        assert error.exception_type.startswith("MX")
        assert error.exception_type.endswith("Exception")
        assert error.meaning.endswith(".")


@pytest.mark.parametrize("error", below(OppserverError), ids=lambda error: error.__name__)
def test_every_error_is_of_this_one_tree(error: type[OppserverError]) -> None:
    """It stands in two modules, what a server or command says and what a client raises.

    Each says in words what it means.
    """
    branch = client_errors if issubclass(error, client_errors.ClientError) else errors
    assert error.__module__ == branch.__name__
    assert error.__doc__ or getattr(error, "meaning", "")


def test_what_can_be_tried_again_says_when() -> None:
    """429 and 503 carry Retry-After in whole seconds, at least one; the others carry nothing."""
    assert RateLimited(calls=25, window_s=5, retry_after_s=3).headers == {"Retry-After": "3"}
    assert int(Unavailable("x").headers["Retry-After"]) >= 1
    assert Unavailable("x", retry_after_s=9).headers == {"Retry-After": "9"}
    assert InvalidCredentials().headers == {}
