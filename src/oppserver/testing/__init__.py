"""A real server for tests of this API's callers.

docs/testing.md shows its use.
The pytest plug-in (``oppserver/pytest_plugin.py``) is its way in. Nothing that serves production
may import this room: faults, resets and other clocks are not in a server that was started to serve.
"""

from oppserver.testing.faults import Fault, Faults
from oppserver.testing.fixture import OppserverFixture
from oppserver.testing.journal import Journal, ReceivedCall
from oppserver.testing.options import OppserverOptions, OppserverUser
from oppserver.testing.world import Clock, Ids

__all__ = [
    "Clock",
    "Fault",
    "Faults",
    "Ids",
    "Journal",
    "OppserverFixture",
    "OppserverOptions",
    "OppserverUser",
    "ReceivedCall",
]
