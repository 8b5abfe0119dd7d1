"""The activities that the server posts itself: their event codes, and what they are called."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

OPPORTUNITY_CAPTURED: Final = 33
"""Posted with every new opportunity. Source: seen on timelines of real leads."""

DUPLICATE_DETECTED: Final = 34
"""Posted on the opportunity that a new one would have repeated. Ours: the documentation names such
an activity, no code of it is known; this is the next one."""

POSTED_NAMES: Final[Mapping[int, str]] = MappingProxyType(
    {
        OPPORTUNITY_CAPTURED: "Opportunity Captured",
        DUPLICATE_DETECTED: "Duplicate Opportunity Detected",
    }
)
"""What people call them, by event code."""
