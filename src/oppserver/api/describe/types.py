"""The calls of details, types and metadata, described."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from oppserver.api.describe.description import (
    GUID,
    TEXT,
    TEXT_OR_NULL,
    Description,
    Parameter,
    Schema,
)
from oppserver.contract import errors, metadata
from oppserver.contract.model import ActivityType, Catalogue, Field, Opportunity, OpportunityType
from oppserver.steps.render_details import details_form, render_details
from oppserver.steps.render_types import (
    render_activity_types,
    render_type_metadata,
    render_types,
)

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

_TYPE: Final = OpportunityType(event_code=12003, name="Home loan")
_NAME: Final = Field(
    event_code=12003, schema_name="mx_Custom_1", display_name="Opportunity name", sequence=1
)
_CATALOGUE: Final = Catalogue(
    version=1,
    types={12003: _TYPE},
    fields={12003: {"mx_Custom_1": _NAME}},
    activity_types={201: ActivityType(event_code=201, name="Visit")},
)
_OPPORTUNITY: Final = Opportunity(
    id="24cf277e-70fe-4b2f-a9c2-9a68f45feaba",
    event_code=12003,
    lead_id="a368678f-1e81-4fb8-af0a-4b896f6330e1",
    status="Open",
    created_on="2023-04-06 15:23:34",
    modified_on="2023-04-06 15:23:34",
    slots={"mx_custom_1": "Jane's home loan"},
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
            render_details(_OPPORTUNITY, details_form(_TYPE, [_NAME])),
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
        query=(Parameter("code", "The type's event code.", TEXT, "12003"),),
        response=_type_schema({"type": "array", "items": _FIELD}),
        response_example=_example(render_type_metadata(_CATALOGUE, 12003)),
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
