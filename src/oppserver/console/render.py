"""Templates: where they are, and the filters that they share. Values are text, never markup."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import jinja2
import msgspec

from oppserver.contract.dates import to_stored

TEMPLATES: Final = Path(__file__).parent / "templates"


def rendered(template: str, values: Mapping[str, Any]) -> bytes:
    """Render a template."""
    return _environment().get_template(template).render(values).encode("utf-8", "replace")


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "count": _count,
        "bytes": _bytes,
        "time": _time,
        "moment": _moment,
        "date": _date,
        "pretty": pretty,
    }
    return environment


def _count(number: int) -> str:
    """``1,000,000``."""
    return f"{number:,}"


def _bytes(number: float) -> str:
    """``1.4 MB``; the units are powers of a thousand."""
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1_000:
            return (
                f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"
            )
        number /= 1_000
    return f"{number:.1f} TB"


def _time(seconds: float) -> str:
    """``13:05:09.123``, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S.%f")[:-3]


def _moment(seconds: float) -> str:
    """``2024-02-29 13:05:09``, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _date(text: str | None) -> str:
    """A date of an answer as ``2024-02-29 13:05:09``; other text as it is."""
    try:
        return to_stored(text or "")
    except ValueError:
        return text or ""


def pretty(text: str | bytes) -> str:
    """JSON with line breaks; other text, and JSON that was cut, as it is."""
    try:
        return (
            msgspec.json.format(text, indent=2).decode()
            if isinstance(text, bytes)
            else str(msgspec.json.format(text, indent=2))
        )
    except (msgspec.DecodeError, UnicodeDecodeError):
        return text if isinstance(text, str) else text.decode("utf-8", "replace")
