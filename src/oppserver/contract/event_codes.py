"""Event codes as callers send them: text, looked up in the catalogue or refused."""

from typing import Final

from oppserver.contract.errors import UnknownEventCode
from oppserver.contract.limits import EVENT_CODE_MAX
from oppserver.contract.model import Catalogue
from oppserver.contract.names import quoted

_IN_ERROR_CODES_MAX: Final = 10


def event_code_of(text: str, catalogue: Catalogue, *, place: str) -> int:
    """The code of an opportunity type. Raises UnknownEventCode, with those there are."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(EVENT_CODE_MAX))
    code = int(text) if is_number else -1
    if code not in catalogue.types:
        codes = sorted(catalogue.types)[:_IN_ERROR_CODES_MAX]
        known = ", ".join(map(str, codes)) or "none"
        raise UnknownEventCode(
            f"{place}: {quoted(text)} is the event code of no opportunity type here."
            f" Known: {known}. 'oppserver type create CODE' adds one."
        )
    return code
