"""Event codes as callers send them: text, looked up in the catalogue or refused."""

from collections.abc import Iterable
from typing import Final

from oppserver.contract.activities import POSTED_NAMES
from oppserver.contract.errors import Fault, UnknownEventCode
from oppserver.contract.limits import EVENT_CODE_MAX
from oppserver.contract.model import Catalogue
from oppserver.contract.names import quoted
from oppserver.contract.problems import refusal

_IN_ERROR_CODES_MAX: Final = 10


def event_code_of(text: str, catalogue: Catalogue, *, place: str) -> int:
    """The code of an opportunity type. Raises UnknownEventCode, with those there are."""
    code = number_of(text)
    if code is None or code not in catalogue.types:
        raise UnknownEventCode(f"{place}: {_no_type(text)}. {_mend(catalogue)}")
    return code


def event_code_of_query(text: str, catalogue: Catalogue) -> int:
    """The code that ``event_code`` has in a query of ``/v1``. Raises as ``event_code_of``."""
    code = number_of(text)
    if code is None or code not in catalogue.types:
        fault = Fault(parameter="event_code", what=_no_type(text), mend=_mend(catalogue))
        raise refusal(UnknownEventCode, [fault])
    return code


def activity_code_of(text: str, catalogue: Catalogue, *, place: str) -> int:
    """The code of an activity type. Raises UnknownEventCode, with what to do."""
    code = number_of(text)
    if code is not None and code in catalogue.activity_types:
        return code
    if code is not None and code in catalogue.types:
        raise UnknownEventCode(
            f"{place}: {code} is an opportunity type. OpportunityManagement.svc/Capture posts"
            " opportunities."
        )
    if code is not None and code in POSTED_NAMES:
        raise UnknownEventCode(f"{place}: {code} is posted by the server alone.")
    raise UnknownEventCode(
        f"{place}: {quoted(text)} is the event code of no activity type here. Known:"
        f" {_listed(catalogue.activity_types)}. 'oppserver activity-type create CODE' adds one."
    )


def number_of(text: str) -> int | None:
    """The number of a code, whatever it is of; None when it is no number, or too large a one."""
    digits = text.strip()
    is_number = digits.isascii() and digits.isdecimal() and len(digits) <= len(str(EVENT_CODE_MAX))
    return int(digits) if is_number and int(digits) <= EVENT_CODE_MAX else None


def _no_type(text: str) -> str:
    return f"{quoted(text)} is the event code of no opportunity type here"


def _mend(catalogue: Catalogue) -> str:
    return f"Known: {_listed(catalogue.types)}. 'oppserver type create CODE' adds one."


def _listed(codes: Iterable[int]) -> str:
    return ", ".join(str(code) for code in sorted(codes)[:_IN_ERROR_CODES_MAX]) or "none"
