"""From the query and the headers of a read of many ids to what was asked."""

from collections.abc import Mapping
from typing import Final

from oppserver.contract.errors import Fault, UnsupportedMediaType
from oppserver.contract.formats import Format
from oppserver.contract.names import quoted
from oppserver.contract.problems import refusal
from oppserver.contract.query import check_names, choice, flag, mandatory, wanted_rows
from oppserver.contract.streams import AskedStream, IdFormat

_SPELLINGS: Final[Mapping[str, IdFormat]] = {
    **{str(one): one for one in IdFormat},
    "application/ndjson": IdFormat.NDJSON,
    "application/jsonl": IdFormat.NDJSON,
    "": IdFormat.PLAIN,
}
"""Media types that stand for a form; without one, ids are lines, as ``curl -T`` sends a file."""

_NAMES: Final = (
    "event_code",
    "columns",
    "ledger",
    "on_error",
    "csv_formulas",
    "csv_end",
    "types",
)


def parse_stream(query: Mapping[str, str], chosen: Format) -> AskedStream:
    """What a read of a stream asks. Raises an ApiError with status 400 that names the parameter."""
    check_names(query, _NAMES)
    return AskedStream(
        event_code=mandatory(query, "event_code"),
        columns=query.get("columns", ""),
        wanted=wanted_rows(query, chosen, ledger=flag(query, "ledger")),
        skips_bad_ids=choice(query, "on_error", ("stop", "skip")) == "skip",
        has_end_record=choice(query, "csv_end", ("none", "record")) == "record",
    )


def parse_id_format(content_type: str, content_encoding: str, *, has_arrow: bool) -> IdFormat:
    """The form in which ids come. Raises UnsupportedMediaType, with the list."""
    coding = content_encoding.strip().lower()
    if coding not in ("", "identity"):
        raise refusal(
            UnsupportedMediaType,
            [
                Fault(
                    header="Content-Encoding",
                    what=f"{quoted(coding)} is not decoded here",
                    mend="Send the ids as they are.",
                )
            ],
        )
    media_type = content_type.partition(";")[0].strip().lower()
    found = _SPELLINGS.get(media_type)
    if found is None or (found is IdFormat.ARROW and not has_arrow):
        taken = [one for one in IdFormat if has_arrow or one is not IdFormat.ARROW]
        raise refusal(
            UnsupportedMediaType,
            [
                Fault(
                    header="Content-Type",
                    what=f"{quoted(media_type)} is no form of ids",
                    mend=f"Send {', '.join(taken)}.",
                )
            ],
        )
    return found
