"""The documented page's example, as files: what is stored, what is asked, what is answered.

Import ``opportunities.ndjson`` (which creates type 12003), create type 12001, and ``request.json``
gets ``response.json``: value for value and key order included.
"""

from importlib.resources import files
from typing import Final

EVENT_CODE_WITHOUT_ROWS: Final = 12001
"""The type that the request names and that has no opportunity in the example."""


def opportunities() -> bytes:
    """The lines to import, NDJSON."""
    return files(__name__).joinpath("opportunities.ndjson").read_bytes()


def request() -> bytes:
    """The body of the call, JSON."""
    return files(__name__).joinpath("request.json").read_bytes()


def response() -> bytes:
    """The body of its answer, JSON."""
    return files(__name__).joinpath("response.json").read_bytes()
