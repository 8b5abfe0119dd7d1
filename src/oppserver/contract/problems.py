"""Errors as problem documents (RFC 9457), for the calls of ``/v1``."""

import re
from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.contract.errors import HTTP_ERRORS, ApiError, Fault
from oppserver.contract.limits import IN_ERROR_FAULTS_MAX

PROBLEM: Final = "application/problem+json"

PROBLEMS_PATH: Final = "/problems"

_PROBLEM_PATH: Final = re.compile(r"/+v1(?:/.*)?", re.IGNORECASE | re.DOTALL)

_WORD_STARTS: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")

_E = TypeVar("_E", bound=ApiError)


def is_problem_path(path: str) -> bool:
    """Return true when errors at a path are problem documents: ``/v1`` and below, in any case."""
    return _PROBLEM_PATH.fullmatch(path) is not None


def refusal(kind: type[_E], faults: Sequence[Fault]) -> _E:
    """An error of one or several faults; the message has the first, and how many more there are."""
    first, *more = faults
    rest = f" There are {len(more)} more such faults." if more else ""
    return kind(f"{first}{rest}", faults=faults)


class ProblemWire(msgspec.Struct, kw_only=True):
    """The body of every error of ``/v1``: a problem document (RFC 9457, section 3.1).

    ``errors`` and ``moreErrors`` are ours: the faults, and how many more there are.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str | UnsetType = UNSET
    errors: list[Fault] | UnsetType = UNSET
    moreErrors: int | UnsetType = UNSET


def problem_of(error: ApiError, *, instance: str | None = None) -> ProblemWire:
    """The problem document of an error. ``instance``: a URI of this one occurrence."""
    faults = error.faults[:IN_ERROR_FAULTS_MAX]
    more = len(error.faults) - len(faults)
    return ProblemWire(
        type=problem_path(kind_of(error)),
        title=title_of(kind_of(error)),
        status=error.status,
        detail=str(error),
        instance=instance or msgspec.UNSET,
        errors=list(faults) or msgspec.UNSET,
        moreErrors=more or msgspec.UNSET,
    )


def kind_of(error: ApiError) -> type[ApiError]:
    """The class of the table that an error is of: a class below it only narrows it."""
    return next(kind for kind in HTTP_ERRORS if isinstance(error, kind))


def kind_named(name: str) -> type[ApiError] | None:
    """Return the error class whose problem type ends in a name; None for an unknown name."""
    return next((kind for kind in HTTP_ERRORS if name_of(kind) == name), None)


def problem_path(kind: type[ApiError]) -> str:
    """Return the path of the document about a class of errors: its problem type."""
    return f"{PROBLEMS_PATH}/{name_of(kind)}"


def name_of(kind: type[ApiError]) -> str:
    """Return the last part of the problem type of a class: ``unknown-column``."""
    return _words(kind, "-")


def title_of(kind: type[ApiError]) -> str:
    """The title, the same for each occurrence: ``Unknown column``."""
    return _words(kind, " ").capitalize()


def described_problem(kind: type[ApiError]) -> dict[str, str | int]:
    """Describe a problem type, for its own address."""
    return {
        "type": problem_path(kind),
        "title": title_of(kind),
        "status": kind.status,
        "meaning": kind.meaning,
    }


def all_problems() -> list[dict[str, str | int]]:
    """All problem types, by status."""
    return [described_problem(kind) for kind in HTTP_ERRORS]


def _words(kind: type[ApiError], between: str) -> str:
    return _WORD_STARTS.sub(between, kind.__name__).lower()


class ErrorWire(msgspec.Struct):
    """The body of every error, in the documented order of its members."""

    Status: str
    ExceptionType: str
    ExceptionMessage: str
