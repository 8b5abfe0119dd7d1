"""Whether a call is tried again, and when. Pure: chance comes in as a number from 0 to 1."""

from typing import Final

import msgspec

from oppserver.client.answers import Problem

FIRST_WAIT_S: Final = 0.5
WAIT_S_MAX: Final = 20.0
"""Seconds of back-off at most; a host that asks for longer in Retry-After is obeyed."""

_JITTER_S: Final = 0.5


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """For how many seconds a call is tried again; 0: never."""

    retry_for_s: float


def wait_before_retry(
    problem: Problem, *, retries: Retries, attempt: int, elapsed_s: float, chance: float
) -> float | None:
    """Seconds until the next try; None when there is none.

    ``attempt`` counts the tries that have failed, from 1, and ``elapsed_s`` since the first one.
    The wait doubles with each try up to a bound, half of it by chance, so that clients that failed
    together do not come back together. A host's own ``Retry-After`` is kept, and a little more.
    """
    if not problem.is_temporary:
        return None
    if problem.retry_after_s is not None:
        wait_s = problem.retry_after_s + chance * _JITTER_S
    else:
        bound_s = min(WAIT_S_MAX, FIRST_WAIT_S * 2.0 ** min(attempt - 1, 30))
        wait_s = bound_s * (0.5 + 0.5 * chance)
    return wait_s if elapsed_s + wait_s <= retries.retry_for_s else None
