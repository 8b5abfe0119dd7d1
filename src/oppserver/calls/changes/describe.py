"""Changes, described."""

from collections.abc import Mapping
from typing import Final

from oppserver.calls.changes.run import ChangesEndWire
from oppserver.calls.shared.describe import (
    EVENT_CODE,
    GUID,
    ROWS,
    TEXT,
    Description,
    Schema,
    flag,
    member,
    object_of,
    optional,
    schema_of,
)
from oppserver.contract import errors, example, limits
from oppserver.contract.formats import Format

_CURSOR: Final = "WyJjaGFuZ2VzIiwiMGQ4ZjFhNTItNmYwZS00YzM5LThkMGUtNmYwYjFjN2MyYTExIixudWxsLDQyXQ"

_COLUMNS: Final = optional(
    "columns",
    "The columns of rows, comma separated. None named: all of the type; of all types those that"
    " every type has.",
    {"type": "string"},
    "Status,Owner,ModifiedOn",
)

_CHANGE: Final[Schema] = object_of(
    Change={"type": "string", "enum": ["Upserted", "Deleted", "Moved"]},
    ProspectActivityId=GUID,
    EventCode=TEXT,
    optional={
        "DeletedOn": {**TEXT, "description": "Of `Deleted`."},
        "Opportunity": {**ROWS["items"], "description": "The row, of `Upserted`."},
    },
)

_END: Final = schema_of(
    ChangesEndWire,
    {
        "RecordCount": member(minimum=0),
        "HasMore": member("Whether there are more now. If not, ask again later."),
        "OwnerAddressesChanged": member(
            "Whether an owner has had another e-mail address since the cursor. Rows show it, and"
            " are not reported as changed for it."
        ),
    },
)

DESCRIPTIONS: Final[Mapping[str, Description]] = {
    "Changes": Description(
        summary="What has changed since a cursor",
        text=(
            "Opportunities in the order in which their last changes were committed, deletions"
            " among them. Without a cursor from the beginning: everything that is there, then what"
            " changes. Each opportunity comes once, at its latest place: what changed twice"
            " between two calls is told as it is now. `Upserted` has the row as it is; `Deleted` is"
            " gone; `Moved` is of another type now than the one that is asked for. The cursor of"
            " each answer asks for the next one; it is kept until then, and stays good."
        ),
        query=(
            optional(
                "cursor",
                "The `Cursor` of the answer before. `now` begins at the end.",
                {"type": "string"},
            ),
            optional(
                "event_code",
                "Changes of this type alone. A cursor goes on with what it began with.",
                EVENT_CODE,
                str(example.TYPE.event_code),
            ),
            _COLUMNS,
            optional(
                "limit",
                "Changes of an answer.",
                {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": limits.CHANGES_ROWS_MAX,
                    "default": limits.CHANGES_ROWS_DEFAULT,
                },
                500,
            ),
            flag(
                "rows",
                "Whether upserted opportunities come with their rows.",
                default=True,
                example=False,
            ),
        ),
        formats={
            Format.NDJSON: "A change on each line; the last line has the other members, as `End`."
        },
        response=object_of(
            Changes={"type": "array", "maxItems": limits.CHANGES_ROWS_MAX, "items": _CHANGE},
            **_END["properties"],
        ),
        response_example={
            "Changes": [
                {
                    "Change": "Upserted",
                    "ProspectActivityId": example.OPPORTUNITY_ID,
                    "EventCode": str(example.TYPE.event_code),
                    "Opportunity": {
                        "ProspectId": example.LEAD_ID,
                        "EmailAddress": example.LEAD_EMAIL,
                        "ProspectActivityId": example.OPPORTUNITY_ID,
                        "Status": "Won",
                    },
                }
            ],
            "RecordCount": 1,
            "HasMore": False,
            "OwnerAddressesChanged": False,
            "Cursor": _CURSOR,
        },
        errors=(
            errors.InvalidValue,
            errors.UnknownEventCode,
            errors.UnknownColumn,
            errors.NotAcceptable,
            errors.CursorGone,
        ),
    )
}
