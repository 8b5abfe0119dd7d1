"""The calls of details, types and metadata, described."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from oppserver.calls.shared.describe import (
    EVERY_BODY,
    GET_FILE_URL,
    GUID,
    TEXT,
    TEXT_OR_NULL,
    Description,
    Parameter,
    Schema,
    mandatory,
    member,
    object_of,
    optional,
    schema_of,
)
from oppserver.calls.shared.messages import SuccessWire
from oppserver.calls.types.activity_types import (
    ActivitySettingFound,
    CreatedTypeWire,
    render_setting,
)
from oppserver.calls.types.run import (
    FeatureWire,
    details_form,
    render_activity_types,
    render_details,
    render_type_metadata,
    render_types,
)
from oppserver.contract import errors, example, limits
from oppserver.contract.metadata import (
    NOTE_FIELD,
    ActivityTypeWire,
    FieldWire,
    MemberWire,
    OpportunityTypeWire,
)
from oppserver.contract.model import Catalogue, StoredOpportunity

_FIELD: Final[Schema] = schema_of(
    FieldWire, {name: mandatory() for name in MemberWire.__struct_fields__ if name != "Value"}
)

_RULES_TEXT: Final = "Each rule is the columns that are equal in duplicates. Ours."


def _type_schema(fields: Schema) -> Schema:
    texts = {"Description": mandatory(), "DisplayName": mandatory()}
    schema = schema_of(OpportunityTypeWire, {**texts, "DuplicateRules": mandatory(_RULES_TEXT)})
    return {**schema, "properties": {**schema["properties"], "Fields": fields}}


_DETAILS: Final[Schema] = object_of(
    ID=TEXT,
    Name=TEXT,
    DisplayName=TEXT,
    EventCode={"type": "integer"},
    RelatedProspectId=TEXT,
    OpportunityNote=TEXT_OR_NULL,
    CreatedOn=TEXT,
    ModifiedOn=TEXT,
    CreatedByName=TEXT_OR_NULL,
    ModifiedByName=TEXT_OR_NULL,
    Fields={"type": "array", "items": _FIELD},
)

# --- examples: what the real steps make of a small catalogue -------------------------------------

_EVENT_CODE: Final = example.TYPE.event_code

_NAME: Final = example.NAME_FIELD

_CATALOGUE: Final = Catalogue(
    version=1,
    types={_EVENT_CODE: example.TYPE},
    fields={_EVENT_CODE: {_NAME.schema_name: _NAME}},
    activity_types={example.ACTIVITY_TYPE.event_code: example.ACTIVITY_TYPE},
)

_OPPORTUNITY: Final = StoredOpportunity(
    id=example.OPPORTUNITY_ID,
    event_code=_EVENT_CODE,
    lead_id=example.LEAD_ID,
    status="Open",
    created_on="2023-04-06 15:23:34",
    modified_on="2023-04-06 15:23:34",
    slots={"mx_custom_1": example.OPPORTUNITY_NAME},
)


def _example(body: bytes) -> Any:
    return msgspec.json.decode(body)


DESCRIPTIONS: Final[Mapping[str, Description]] = {
    "GetOpportunityDetails": Description(
        summary="Get an opportunity by id",
        text="One opportunity: each field of its type, described and with its value.",
        query=(Parameter("OpportunityId", "The opportunity.", GUID, _OPPORTUNITY.id), GET_FILE_URL),
        response=_DETAILS,
        response_example=_example(
            render_details(_OPPORTUNITY, details_form(example.TYPE, [_NAME]))
        ),
        errors=(errors.MissingAttribute, errors.InvalidValue, errors.OpportunityNotFound),
    ),
    "GetOpportunityTypes": Description(
        summary="Get all opportunity types",
        text="All types, by event code. `Fields` is `null` here: each type's metadata has them.",
        response={"type": "array", "items": _type_schema({"type": "null"})},
        response_example=_example(render_types(_CATALOGUE)),
    ),
    "GetOpportunityTypeMetadata": Description(
        summary="Get the metadata of an opportunity type",
        text=(
            "A type and its fields: the note and the status first, then its own in their sequence."
            " `OptionSet` and `DependentOptionSet` are empty, or texts that hold a JSON array."
        ),
        query=(Parameter("code", "The type's event code.", TEXT, str(_EVENT_CODE)),),
        response=_type_schema({"type": "array", "items": _FIELD}),
        response_example=_example(render_type_metadata(_CATALOGUE, _EVENT_CODE)),
        errors=(errors.MissingAttribute, errors.UnknownEventCode),
    ),
    "IsOpportunityEnabled": Description(
        summary="Check whether opportunities are enabled",
        text="They are, on every server.",
        query=(optional("orgId", "Accepted, without effect.", TEXT, "1"),),
        response=schema_of(FeatureWire),
        response_example={"OpportunityManagement": "Enabled"},
    ),
    "CustomActivityGetActivitySetting": Description(
        summary="Get an activity type with its fields",
        text="Of an opportunity type too. Values of fields are not checked by their definition.",
        query=(
            Parameter(
                "code", "The type's event code.", TEXT, str(example.ACTIVITY_TYPE.event_code)
            ),
        ),
        response=object_of(
            ID=GUID,
            Name=TEXT,
            DisplayName=TEXT,
            Score={"type": "integer"},
            Fields={"type": "array", "items": {"type": "object"}},
        ),
        response_example=_example(
            render_setting(ActivitySettingFound(200, "Call", 0, [NOTE_FIELD]))
        ),
        errors=(errors.MissingAttribute, errors.UnknownEventCode),
    ),
    "CreateType": Description(
        summary="Create an activity type",
        text="Its code is the next one, from 200. No other activity type has the name.",
        members={
            "ActivityEventName": mandatory("The name."),
            "Score": member(f"0 to {limits.ACTIVITY_SCORE_MAX:,}."),
            "Direction": member("0 or 1."),
            "Fields": member(maxItems=limits.ACTIVITY_FIELDS_MAX),
            "Fields[].SchemaName": mandatory(
                f"`mx_Custom_1` to `mx_Custom_{limits.ACTIVITY_FIELDS_MAX}`."
            ),
            "Fields[].Value": member("Empty: a type has no values."),
        },
        request_example={
            "ActivityEventName": "Site visit",
            "Score": 10,
            "Direction": 1,
            "Fields": [{"SchemaName": "mx_Custom_1", "DisplayName": "Place", "DataType": "String"}],
        },
        response=schema_of(SuccessWire[CreatedTypeWire]),
        response_example={"Status": "Success", "Message": {"Id": 201}},
        errors=(*EVERY_BODY, errors.InvalidFieldValue, errors.DuplicateEntry, errors.LimitExceeded),
    ),
    "ActivityTypesGet": Description(
        summary="Get all types of activities",
        text="Activity types and opportunity types, with their fields.",
        response=schema_of(
            list[ActivityTypeWire],
            {
                "[].ActivityProperties": member(
                    "JSON: `FormMetaData`, an array of fields as in a type's metadata."
                )
            },
        ),
        response_example=_example(render_activity_types(_CATALOGUE)),
    ),
}
