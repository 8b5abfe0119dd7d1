"""The calls of leads, described."""

from collections.abc import Mapping
from typing import Final

import msgspec

from oppserver.calls.leads.fields import LeadFieldWire, render_lead_fields
from oppserver.calls.leads.parse import UpdateBehavior
from oppserver.calls.leads.reads import OPERATORS
from oppserver.calls.leads.run import (
    LeadCapturedWire,
    LeadCreatedWire,
    LeadRowWire,
    LeadSavedWire,
    LeadUpdatedWire,
)
from oppserver.calls.shared.describe import (
    COUNT,
    EVERY_BODY,
    FIELD_SET,
    GUID,
    GUID_TEXT,
    PAGING,
    ROWS,
    SORTING,
    TEXT,
    TEXT_OR_NULL,
    Description,
    Members,
    Parameter,
    Schema,
    mandatory,
    member,
    object_of,
    optional,
    schema_of,
    search_example,
)
from oppserver.calls.shared.messages import SuccessWire
from oppserver.calls.shared.paging import IGNORED_COLUMNS
from oppserver.contract import errors, example, limits
from oppserver.contract.leads import STANDARD_COLUMNS, UNIQUE_COLUMNS

_ATTRIBUTES: Final[Members] = {
    "": member(maxItems=limits.LEAD_ATTRIBUTES_MAX),
    "[].Attribute": mandatory(
        "A schema name, in any case, or a display name; `mx_` and a word for a custom one."
        f" `SearchBy` names one of {', '.join(UNIQUE_COLUMNS)}."
    ),
    "[].Value": mandatory("Empty and null clear the attribute.", or_null=True),
    "[].Fields": FIELD_SET,
}

_ATTRIBUTES_EXAMPLE: Final = [
    {"Attribute": "EmailAddress", "Value": example.LEAD_EMAIL},
    {"Attribute": "FirstName", "Value": "Jane"},
    {"Attribute": "mx_City", "Value": "Pune"},
    {"Attribute": "SearchBy", "Value": "EmailAddress"},
]

_POST_UPDATED_LEAD: Final = optional(
    "postUpdatedLead", "Accepted, without effect: there are no automations.", TEXT, "false"
)

_INCLUDE_CSV: Final = (
    f"The attributes to answer, comma separated, at most {limits.LEAD_ATTRIBUTES_MAX}. Unknown"
    f" ones are left out and named in `{IGNORED_COLUMNS}`."
)

_LEAD_ROWS: Final[Schema] = {
    **ROWS,
    "description": "Leads as flat objects. Dates are `YYYY-MM-DD HH:MM:SS.000`, UTC.",
}

_ROW_EXAMPLE: Final = {
    "ProspectID": example.LEAD_ID,
    "FirstName": "Jane",
    "LastName": None,
    "EmailAddress": example.LEAD_EMAIL,
    "CreatedOn": "2024-02-29 13:05:09.000",
}

_WRITE_ERRORS: Final = (
    *EVERY_BODY,
    errors.UnknownColumn,
    errors.InvalidFieldValue,
    errors.InvalidReference,
    errors.DuplicateEntry,
    errors.LimitExceeded,
)

_NEW_EXAMPLE: Final = [
    {"Attribute": "FirstName", "Value": "Max"},
    {"Attribute": "LastName", "Value": "Moritz"},
    {"Attribute": "mx_City", "Value": "Pune"},
]

_CONDITIONS_EXAMPLE: Final = search_example(
    "Lead", {"LSO": "EmailAddress", "Operator": "eq", "RSO": example.LEAD_EMAIL}
)

_PROPERTIES: Final[Schema] = object_of(
    RecordCount={**COUNT, "description": "Of all leads found, not of this page."},
    optional={
        "Leads": {
            "type": "array",
            "description": "Absent when no lead was modified.",
            "items": object_of(
                LeadPropertyList={
                    "type": "array",
                    "items": object_of(Attribute=TEXT, Value=TEXT_OR_NULL),
                }
            ),
        }
    },
)

_PROPERTIES_EXAMPLE: Final = {
    "RecordCount": 1,
    "Leads": [
        {
            "LeadPropertyList": [
                {"Attribute": name, "Value": value} for name, value in _ROW_EXAMPLE.items()
            ]
        }
    ],
}

DESCRIPTIONS: Final[Mapping[str, Description]] = {
    "LeadCreateOrUpdate": Description(
        summary="Create or update a lead",
        text=(
            "The lead is found by what `SearchBy` names; without it by its `ProspectID`, or its"
            " e-mail address, phone or mobile number, in this order. One that is not found is"
            " created."
        ),
        members=_ATTRIBUTES,
        request_example=_ATTRIBUTES_EXAMPLE,
        response=schema_of(
            SuccessWire[LeadSavedWire], {"Message.Id": member(GUID_TEXT, format="uuid")}
        ),
        response_example={
            "Status": "Success",
            "Message": {"Id": example.LEAD_ID, "AffectedRows": 1, "IsCreated": True},
        },
        errors=_WRITE_ERRORS,
        query=(_POST_UPDATED_LEAD,),
    ),
    "LeadUpdate": Description(
        summary="Update a lead",
        text="Sets attributes of the lead of an id.",
        members=_ATTRIBUTES,
        request_example=_ATTRIBUTES_EXAMPLE[:3],
        response=schema_of(SuccessWire[LeadUpdatedWire]),
        response_example={"Status": "Success", "Message": {"AffectedRows": 1}},
        errors=_WRITE_ERRORS,
        query=(Parameter("leadId", "The lead.", GUID, example.LEAD_ID), _POST_UPDATED_LEAD),
    ),
    "LeadsGetById": Description(
        summary="Get a lead by id",
        text="All that is known of a lead. What is no lead's id gets an empty array.",
        response={**_LEAD_ROWS, "maxItems": 1},
        response_example=[_ROW_EXAMPLE],
        errors=(errors.MissingAttribute,),
        query=(Parameter("id", "The lead.", TEXT, example.LEAD_ID),),
    ),
    "LeadsGet": Description(
        summary="Search leads by one attribute",
        text=(
            "Without a `LookupName`, all leads. Without columns, all that is known of each. Without"
            " `Sorting`, in the order of their ids."
        ),
        members={
            "Parameter.LookupValue": member("With LIKE: `text%` begins with, `%text%` contains."),
            "Parameter.SqlOperator": member(f"One of {' '.join(OPERATORS)} LIKE. Without it: =."),
            "Query": member("Refused: put `Parameter` into the body itself.", **{"not": {}}),
            "Columns.Include_CSV": member(_INCLUDE_CSV),
            **SORTING,
            **PAGING,
        },
        request_example={
            "Parameter": {
                "LookupName": "EmailAddress",
                "LookupValue": example.LEAD_EMAIL,
                "SqlOperator": "=",
            },
            "Columns": {"Include_CSV": ",".join(_ROW_EXAMPLE)},
            "Sorting": {"ColumnName": "CreatedOn", "Direction": "1"},
            "Paging": {"PageIndex": 1, "PageSize": limits.LEADS_PAGE_ROWS_DEFAULT},
        },
        response=_LEAD_ROWS,
        response_example=[_ROW_EXAMPLE],
        errors=(*EVERY_BODY, errors.UnknownColumn, errors.InvalidFieldValue, errors.LimitExceeded),
        headers=(IGNORED_COLUMNS,),
    ),
    "LeadsRetrieveByIds": Description(
        summary="Get leads in bulk by ids",
        text=(
            f"Up to {limits.LEADS_BY_IDS_MAX:,} leads in one call, in the order of the ids. Ids"
            " that are not here are left out, repeated ones are answered once. `RecordCount` is the"
            " number of those that are here."
        ),
        members={
            "SearchParameters": mandatory(),
            "SearchParameters.LeadIds": mandatory(minItems=1),
            "SearchParameters.LeadIds[]": member(GUID_TEXT, format="uuid"),
            "Columns": mandatory(),
            "Columns.Include_CSV": mandatory(_INCLUDE_CSV, minLength=1),
            **PAGING,
        },
        request_example={
            "SearchParameters": {"LeadIds": [example.LEAD_ID, example.OTHER_LEAD_ID]},
            "Columns": {"Include_CSV": ", ".join(_ROW_EXAMPLE)},
            "Paging": {"PageIndex": 1, "PageSize": 1000},
        },
        response=object_of(RecordCount=COUNT, Leads=_LEAD_ROWS),
        response_example={"RecordCount": 1, "Leads": [_ROW_EXAMPLE]},
        errors=(*EVERY_BODY, errors.LimitExceeded),
        headers=(IGNORED_COLUMNS,),
    ),
    "LeadCapture": Description(
        summary="Capture a lead",
        text=(
            "The lead is found by what `SearchBy` names; without it by its id, e-mail address or"
            " phone, in this order. One that is not found is created. A lead of the id with another"
            " address is another lead; a lead that is found keeps its `Source`."
        ),
        members=_ATTRIBUTES,
        request_example=_ATTRIBUTES_EXAMPLE[:3],
        response=schema_of(
            SuccessWire[LeadCapturedWire],
            {
                "Message.Id": member("The lead's id.", format="uuid"),
                "Message.RelatedId": member("The lead's id.", format="uuid"),
            },
        ),
        response_example={
            "Status": "Success",
            "Message": {"Id": example.LEAD_ID, "RelatedId": example.LEAD_ID, "IsCreated": False},
        },
        errors=_WRITE_ERRORS,
        query=(
            optional(
                "LeadUpdateBehavior",
                "What a lead that is found takes. Absent: all attributes.",
                {"type": "string", "enum": [one.value for one in UpdateBehavior]},
                UpdateBehavior.ONLY_EMPTY.value,
            ),
            optional("SearchBy", "As in the body.", TEXT, "EmailAddress"),
        ),
    ),
    "LeadCreate": Description(
        summary="Create a lead",
        text=(
            "At least one of `FirstName`, `LastName`, `EmailAddress`, `Phone` has a value. No other"
            " lead has the address or the phone number."
        ),
        members={**_ATTRIBUTES, "[].Attribute": mandatory("As in `Lead.CreateOrUpdate`.")},
        request_example=_NEW_EXAMPLE,
        response=schema_of(
            SuccessWire[LeadCreatedWire], {"Message.Id": member(GUID_TEXT, format="uuid")}
        ),
        response_example={"Status": "Success", "Message": {"Id": example.LEAD_ID}},
        errors=_WRITE_ERRORS,
    ),
    "LeadBulkCreateOrUpdate": Description(
        summary="Create or update leads in bulk",
        text=(
            f"1 to {limits.BULK_WRITE_ROWS_MAX} leads in turn, each as `Lead.CreateOrUpdate`. A"
            " lead that is refused has its error in its place, and the others are written."
        ),
        members={
            "": member(minItems=1, maxItems=limits.BULK_WRITE_ROWS_MAX),
            **{f"[]{path}": one for path, one in _ATTRIBUTES.items() if path},
        },
        request_example=[_ATTRIBUTES_EXAMPLE, _ATTRIBUTES_EXAMPLE[:2]],
        response=schema_of(list[LeadRowWire], {"[].RowNumber": member("From 1.", minimum=1)}),
        response_example=[
            {
                "RowNumber": 1,
                "LeadId": example.LEAD_ID,
                "LeadCreated": False,
                "LeadUpdated": True,
                "AffectedRows": 1,
            }
        ],
        errors=(*EVERY_BODY, errors.LimitExceeded),
    ),
    "LeadsRecentlyModified": Description(
        summary="Get the leads that were modified in a span",
        text=(
            f"Newest change first, {limits.LEADS_PAGE_ROWS_DEFAULT} rows a page unless it is said"
            " otherwise. Without columns, all that is known of each."
        ),
        members={
            "Parameter.FromDate": member("UTC; belongs to the span. Absent: open."),
            "Parameter.ToDate": member("As FromDate. A day alone is the whole day."),
            "Columns.Include_CSV": member(_INCLUDE_CSV),
            **SORTING,
            **PAGING,
        },
        request_example={
            "Parameter": {"FromDate": "2023-04-01 00:00:00", "ToDate": "2033-04-30 23:59:59"},
            "Columns": {"Include_CSV": ",".join(_ROW_EXAMPLE)},
            "Paging": {"PageIndex": 1, "PageSize": 1000},
        },
        response=_PROPERTIES,
        response_example=_PROPERTIES_EXAMPLE,
        errors=(*EVERY_BODY, errors.UnknownColumn, errors.LimitExceeded),
        headers=(IGNORED_COLUMNS,),
    ),
    "LeadsRetrieveBySearchParameter": Description(
        summary="Search leads by conditions",
        text=(
            "Conditions are those of the search of opportunities, with `Type` Lead, columns of"
            f" leads, and no base row. {limits.SEARCH_PAGE_ROWS_DEFAULT:,} rows a page unless it is"
            " said otherwise, by id. There are no lists of leads."
        ),
        members={
            "SearchParameters": mandatory(),
            "SearchParameters.AdvancedSearchTextNew": mandatory(
                "JSON: `GrpConOp`, and `Conditions` of `Type` (Lead), `ConOp` and `RowCondition`."
            ),
            "SearchParameters.ListId": member("Refused: there are no lists."),
            "SearchParameters.SearchText": member("Refused, unless empty."),
            "Columns.Include_CSV": member(f"{_INCLUDE_CSV} `*`: everything known."),
            **SORTING,
            **PAGING,
        },
        request_example={
            "SearchParameters": {
                "DefinitionType": "1",
                "AdvancedSearchTextNew": _CONDITIONS_EXAMPLE,
            },
            "Columns": {"Include_CSV": ",".join(_ROW_EXAMPLE)},
            "Paging": {"PageIndex": 1, "PageSize": 1000},
        },
        response=_PROPERTIES,
        response_example=_PROPERTIES_EXAMPLE,
        errors=(
            *EVERY_BODY,
            errors.UnknownColumn,
            errors.InvalidFieldValue,
            errors.InvalidReference,
            errors.LimitExceeded,
        ),
        headers=(IGNORED_COLUMNS,),
    ),
    "LeadsGetByEmailaddress": Description(
        summary="Get a lead by e-mail address",
        text="All that is known of it; an unknown address gets an empty array.",
        response={**_LEAD_ROWS, "maxItems": 1},
        response_example=[_ROW_EXAMPLE],
        errors=(errors.MissingAttribute, errors.InvalidFieldValue),
        query=(Parameter("emailaddress", "In any case.", TEXT, example.LEAD_EMAIL),),
    ),
    "RetrieveLeadByPhoneNumber": Description(
        summary="Get a lead by phone or mobile number",
        text=(
            "With or without country code, blanks and hyphens. Of several leads the one with the"
            " latest activity; an unknown number gets an empty array."
        ),
        response={**_LEAD_ROWS, "maxItems": 1},
        response_example=[_ROW_EXAMPLE],
        errors=(errors.MissingAttribute, errors.InvalidValue, errors.InvalidFieldValue),
        query=(Parameter("phone", "The number.", TEXT, "+91-9876543210"),),
    ),
    "LeadsGetByQuickSearch": Description(
        summary="Search leads by some words",
        text=(
            "Leads that have each word in a name, the e-mail address or a number, in any case; or"
            f" have the phone number. At most {limits.QUICK_SEARCH_ROWS_MAX}, by id."
        ),
        response={**_LEAD_ROWS, "maxItems": limits.QUICK_SEARCH_ROWS_MAX},
        response_example=[_ROW_EXAMPLE],
        errors=(errors.MissingAttribute, errors.InvalidFieldValue, errors.LimitExceeded),
        query=(Parameter("key", "Words, an address or a number.", TEXT, "janehewitt"),),
    ),
    "LeadsMetaDataGet": Description(
        summary="Get the fields of leads",
        text=(
            "The standard fields. A custom one (`mx_` and a word) needs no definition: it is"
            " described when `schemaName` names it, and is not among all fields. Values are texts;"
            " they are not checked by `DataType`."
        ),
        query=(
            optional("schemaName", "Only this field, in any case.", TEXT, "Phone"),
            optional("excludeOptionSets", "Accepted, without effect: no dropdowns.", TEXT, "1"),
        ),
        response=schema_of(list[LeadFieldWire]),
        response_example=msgspec.json.decode(render_lead_fields(STANDARD_COLUMNS[4:5])),
        errors=(errors.UnknownColumn,),
    ),
}
