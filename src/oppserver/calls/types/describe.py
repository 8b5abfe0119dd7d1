"""The calls of details, types and metadata, described."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from oppserver.calls.shared.describe import GUID, TEXT, TEXT_OR_NULL, Description, Parameter, Schema
from oppserver.calls.types.render import (
    details_form,
    render_activity_types,
    render_details,
    render_type_metadata,
    render_types,
)
from oppserver.contract import errors, example, metadata
from oppserver.contract.model import Catalogue, StoredOpportunity

_BOOLEAN: Final[Schema] = {"type": "boolean"}

_INTEGER: Final[Schema] = {"type": "integer"}

_SCHEMAS: Final[Mapping[type, Schema]] = {bool: _BOOLEAN, int: _INTEGER, str: TEXT}

_FIELD: Final[Schema] = {
    "type": "object",
    "required": list(metadata.NOTE_FIELD.__struct_fields__),
    "properties": {
        name: TEXT_OR_NULL if name == "Value" else _SCHEMAS[type(value)]
        for name, value in msgspec.structs.asdict(metadata.NOTE_FIELD).items()
    },
}


def _type_schema(fields: Schema) -> Schema:
    return {
        "type": "object",
        "required": [
            "AllowAttachments",
            "CanDelete",
            "Description",
            "DisplayName",
            "EventCode",
            "Fields",
            "DuplicateRules",
        ],
        "properties": {
            "AllowAttachments": _BOOLEAN,
            "CanDelete": _BOOLEAN,
            "Description": TEXT,
            "DisplayName": TEXT,
            "EventCode": _INTEGER,
            "Fields": fields,
            "DuplicateRules": {
                "type": "array",
                "items": {"type": "array", "items": TEXT},
                "description": "Each rule is the columns that are equal in duplicates. Ours.",
            },
        },
    }


_DETAILS: Final[Schema] = {
    "type": "object",
    "required": ["ID", "Name", "DisplayName", "EventCode", "RelatedProspectId", "Fields"],
    "properties": {
        "ID": TEXT,
        "Name": TEXT,
        "DisplayName": TEXT,
        "EventCode": _INTEGER,
        "RelatedProspectId": TEXT,
        "OpportunityNote": TEXT_OR_NULL,
        "Fields": {"type": "array", "items": _FIELD},
    },
}

_ACTIVITY_TYPE: Final[Schema] = {
    "type": "object",
    "required": ["ActivityEvent", "ActivityEventName", "DisplayName", "ActivityProperties"],
    "properties": {
        "ActivityEvent": _INTEGER,
        "ActivityEventName": TEXT,
        "DisplayName": TEXT,
        "EventType": _INTEGER,
        "EventDirection": _INTEGER,
        "Tags": {"type": "null"},
        "ActivityProperties": {
            "type": "string",
            "description": "JSON: `FormMetaData`, an array of fields as in a type's metadata.",
        },
    },
}

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
        query=(
            Parameter("OpportunityId", "The opportunity.", GUID, _OPPORTUNITY.id),
            Parameter(
                "getFileURL", "Accepted, without effect: no files.", TEXT, "true", is_required=False
            ),
        ),
        response=_DETAILS,
        response_example=_example(
            render_details(_OPPORTUNITY, details_form(example.TYPE, [_NAME])),
        ),
        errors=(errors.MissingAttribute, errors.InvalidValue, errors.OpportunityNotFound),
    ),
    "GetOpportunityTypes": Description(
        summary="Get all opportunity types",
        text="All types, by event code. `Fields` is `null` here: each type's metadata has them.",
        response={"type": "array", "items": _type_schema({"type": "null"})},
        response_example=_example(render_types(_CATALOGUE)),
        errors=(),
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
        query=(Parameter("orgId", "Accepted, without effect.", TEXT, "1", is_required=False),),
        response={
            "type": "object",
            "required": ["OpportunityManagement"],
            "properties": {"OpportunityManagement": {"const": "Enabled"}},
        },
        response_example={"OpportunityManagement": "Enabled"},
        errors=(),
    ),
    "ActivityTypesGet": Description(
        summary="Get all types of activities",
        text="Activity types and opportunity types, with their fields.",
        response={"type": "array", "items": _ACTIVITY_TYPE},
        response_example=_example(render_activity_types(_CATALOGUE)),
        errors=(),
    ),
}
