"""Types and columns as pages show them: by display name, with the schema name beside it."""

import re
from typing import Final, NamedTuple

from oppserver.calls.shared.names import every_column
from oppserver.contract.errors import ApiError
from oppserver.contract.identifiers import canonical_guid
from oppserver.contract.model import Catalogue, OpportunityType
from oppserver.contract.names import counted
from oppserver.formats.id_lines import BadId, CsvIds, LineIds, ndjson_ids, plain_ids


class ShownColumn(NamedTuple):
    """A column of a type: its schema name, and the name that people know it by."""

    name: str
    display_name: str


def chosen_type(text: str, catalogue: Catalogue) -> OpportunityType | None:
    """Return the type of an event code; without a code the first one, None for an unknown code."""
    if not text:
        return next((catalogue.types[code] for code in sorted(catalogue.types)), None)
    code = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1
    return catalogue.types.get(code)


def columns_of(event_code: int, catalogue: Catalogue) -> list[ShownColumn]:
    """The columns of a type: those of every type, then its own fields in their order."""
    fields = catalogue.fields.get(event_code, {})
    renamed = catalogue.renamed.get(event_code, {})
    shown = []
    for column in every_column(fields):
        field = renamed.get(column.name) or fields.get(column.name)
        shown.append(ShownColumn(column.name, field.display_name if field else column.name))
    return shown


# --- ids ----------------------------------------------------------------------------------------

_ID_NAMES: Final = frozenset({"prospectactivityid", "opportunityid", "id"})

_BETWEEN_IDS: Final = re.compile(r"[\s,;'\"()\[\]]+")

_BAD_SHOWN_MAX: Final = 3


def ids_of(text: str) -> tuple[list[str], str]:
    """The ids of a text, in order, and what is wrong with its lines; empty when nothing is.

    NDJSON, CSV and lines are read as ``/v1/opportunities/read`` reads them. A text of nothing but
    ids may have commas, quotes and brackets around them, as in SQL and in programs.
    """
    text = text.removeprefix("\ufeff")
    words = _BETWEEN_IDS.sub(" ", text).split()
    if words and words[0].casefold() in _ID_NAMES:
        words = words[1:]
    ids = [canonical_guid(word) for word in words]
    if None not in ids:
        return [one for one in ids if one is not None], ""
    reader = _reader_of(text)
    try:
        arrived = [reader.feed(text.encode("utf-8", "replace")), reader.end()]
    except ApiError as error:
        return [], str(error)
    bad = [one for part in arrived for one in part.bad]
    return [one for part in arrived for one in part.ids], _bad_text(bad)


def _reader_of(text: str) -> LineIds | CsvIds:
    if any(line.lstrip().startswith("{") for line in text.splitlines()):
        return ndjson_ids()
    return CsvIds() if "," in text.lstrip().partition("\n")[0] else plain_ids()


def _bad_text(bad: list[BadId]) -> str:
    if not bad:
        return ""
    shown = "; ".join(f"line {one.line}: {one.what}" for one in bad[:_BAD_SHOWN_MAX])
    more = len(bad) - _BAD_SHOWN_MAX
    if more > 0:
        shown += f"; and {counted(more, 'line')} more"
    return f"{shown}. Mend or delete it."
