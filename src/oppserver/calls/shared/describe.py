"""The description of a call, and JSON schemas made of message structs.

A struct has the names and types of members. A description adds, by the member's path, what a struct
cannot express: texts, limits, and which members are mandatory.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, get_origin

import msgspec
from msgspec import NODEFAULT, inspect

from oppserver.contract import errors, limits
from oppserver.contract.errors import ApiError

Schema = Mapping[str, Any]


class Parameter(NamedTuple):
    """A name in the query. Names are matched without regard to case.

    ``example`` None: no value is good on every server, as with a cursor.
    """

    name: str
    text: str
    schema: Schema
    example: Any = None
    is_required: bool = True


class BodyForm(NamedTuple):
    """A form of the body of a stream.

    ``example`` None: it is binary, and a file of ``console/static/`` is the example.
    """

    text: str
    example: str | None = None
    example_file: str = ""


class Member(NamedTuple):
    """The part of a member's schema that its type does not give.

    ``is_mandatory``: parsing refuses a message without it. ``refuses_null``: null counts as
    missing. ``more`` are further keywords of JSON Schema.
    """

    text: str | None = None
    is_mandatory: bool = False
    refuses_null: bool = False
    more: Mapping[str, Any] = {}


_IGNORED: Final = Member("Accepted, without effect.")

Members = Mapping[str, Member]
"""By path: ``Paging.PageSize``; of the items of a list, ``SearchParameters[].EventCode``."""


class Description(NamedTuple):
    """The texts, examples and schemas of one call in the OpenAPI document.

    ``members`` belong to the body. ``response`` None: the answer is not JSON. ``errors`` lists only
    the errors that not every call, or every write, can get. ``takes`` has the forms of a stream's
    body; ``formats`` the answers beside JSON, by media type. ``headers`` are those that not every
    answer has. ``is_conditional``: the call may answer 304.
    """

    summary: str
    text: str
    errors: Sequence[type[ApiError]] = ()
    query: Sequence[Parameter] = ()
    members: Mapping[str, Member] = {}
    request_example: Any = None
    takes: Mapping[str, BodyForm] = {}
    response: Schema | None = None
    response_example: Any = None
    formats: Mapping[str, str] = {}
    headers: Sequence[str] = ()
    is_conditional: bool = False


def member(text: str | None = None, **more: Any) -> Member:
    """A member that may be left out."""
    return Member(text, more=more)


def mandatory(text: str | None = None, *, or_null: bool = False, **more: Any) -> Member:
    """A member that parsing demands; null counts as missing, unless ``or_null``."""
    return Member(text, is_mandatory=True, refuses_null=not or_null, more=more)


def schema_of(message: Any, members: Members | None = None) -> dict[str, Any]:
    """The JSON schema of a message: a struct, or a list of them, whose own path is empty.

    A member without a default is required; so is one whose default is sent.
    """
    unused = dict(members or {})
    schema = _member(inspect.type_info(message), "", unused)
    assert not unused, f"the message has no {', '.join(unused)}"
    return schema


_ORDER: Final = ("object", "array", "string", "integer", "number", "boolean", "null")

_PLAIN: Final[Mapping[type[inspect.Type], str]] = {
    inspect.StrType: "string",
    inspect.IntType: "integer",
    inspect.FloatType: "number",
    inspect.BoolType: "boolean",
    inspect.NoneType: "null",
}


def _schema(form: inspect.Type, path: str, members: dict[str, Member]) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    match form:
        case inspect.UnionType():
            schema = _union([_schema(one, path, members) for one in form.types])
        case inspect.StructType():
            schema = _object(form, path, members)
        case inspect.ListType():
            items = _member(form.item_type, f"{path}[]", members)
            schema = {"type": "array", "items": items}
        case inspect.DictType():
            values = _schema(form.value_type, f"{path}.*", members)
            schema = {"type": "object", "additionalProperties": values}
        case inspect.LiteralType():
            schema = _choice(form.values)
        case inspect.EnumType():
            schema = _choice([one.value for one in form.cls])
        case inspect.RawType() | inspect.CustomType():
            pass  # anything
        case _:
            schema = {"type": _PLAIN[type(form)]}
    return schema


_KINDS: Final[Mapping[type, str]] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
}


def _choice(values: Sequence[Any]) -> dict[str, Any]:
    """One value, or one of several, all of one type."""
    kind = _KINDS[type(values[0])]
    return {"type": kind, **({"const": values[0]} if len(values) == 1 else {"enum": list(values)})}


def _union(schemas: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One schema of several types. At most one of them is an object or an array."""
    merged: dict[str, Any] = {}
    types: set[str] = set()
    for one in schemas:
        merged |= one
        types.add(one["type"])
    if "number" in types:
        types.discard("integer")
    return merged | {"type": [one for one in _ORDER if one in types]}


def _object(form: inspect.StructType, path: str, members: dict[str, Member]) -> dict[str, Any]:
    struct = get_origin(form.cls) or form.cls
    omits_defaults = struct.__struct_config__.omit_defaults
    properties: dict[str, Any] = {}
    required = []
    for field in form.fields:
        name = field.encode_name
        at = f"{path}.{name}" if path else name
        has_default = (field.default, field.default_factory) != (NODEFAULT, NODEFAULT)
        is_sent = field.required or (has_default and not omits_defaults)
        if is_sent or (at in members and members[at].is_mandatory):
            required.append(name)
        properties[name] = _member(field.type, at, members)
        if omits_defaults and field.default is None:
            properties[name] = _without_null(properties[name])
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    if form.forbid_unknown_fields:
        schema["additionalProperties"] = False
    return schema


def _member(form: inspect.Type, path: str, members: dict[str, Member]) -> dict[str, Any]:
    is_ignored = isinstance(form, inspect.RawType) and not path.endswith("[]")
    described = members.pop(path, _IGNORED if is_ignored else Member())
    schema = _schema(form, path, members)
    if described.refuses_null:
        schema = _without_null(schema)
    if described.text is not None:
        schema["description"] = described.text
    return schema | dict(described.more)


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    types = schema.get("type")
    if not isinstance(types, list):
        return schema
    others = [one for one in types if one != "null"]
    return schema | {"type": others if len(others) > 1 else others[0]}


ALSO_TYPES: Final = "x-also-types"
"""The keyword for further types that a member accepts: generators of clients want one type."""


def with_one_type(schema: Schema, example: Any) -> dict[str, Any]:
    """Return a schema in which each member has one type, and may be null: that of the example.

    Further types that are accepted, such as text for a number, are in ``x-also-types``.
    """
    made = dict(schema)
    types = made.get("type")
    if isinstance(types, list) and len(others := [one for one in types if one != "null"]) > 1:
        chosen = _type_of(example, others)
        made["type"] = [chosen, "null"] if "null" in types else chosen
        made[ALSO_TYPES] = [one for one in others if one != chosen]
    if "properties" in made:
        values = example if isinstance(example, dict) else {}
        made["properties"] = {
            name: with_one_type(one, values.get(name)) for name, one in made["properties"].items()
        }
    if "items" in made:
        made["items"] = with_one_type(made["items"], _merged(example))
    return made


def _merged(items: Any) -> Any:
    """One example for the items of a list: objects are put together."""
    if not isinstance(items, list) or not items:
        return None
    if not isinstance(items[0], dict):
        return items[0]
    return {name: value for item in reversed(items) for name, value in item.items()}


def _type_of(example: Any, types: Sequence[str]) -> str:
    """The type of an example, else the plainest one: boolean for a flag, integer for a code."""
    kind = _KINDS.get(type(example))
    if kind == "integer" and "number" in types:
        kind = "number"
    if kind is not None and kind in types:
        return kind
    if "number" in types:
        return "string"
    return "boolean" if "boolean" in types else "integer"


# --- errors of many calls ------------------------------------------------------------------------

EVERY_CALL: Final[Sequence[type[ApiError]]] = (
    errors.MalformedHead,
    errors.InvalidCredentials,
    errors.RequestTimeout,
    errors.BodyTooLarge,
    errors.UrlTooLong,
    errors.RateLimited,
    errors.HeadTooLarge,
    errors.InternalFault,
    errors.Unavailable,
)

EVERY_WRITE: Final[Sequence[type[ApiError]]] = (errors.AccessDenied, errors.IdempotencyConflict)

EVERY_BODY: Final[Sequence[type[ApiError]]] = (
    errors.WrongContentType,
    errors.MalformedBody,
    errors.WrongDataType,
    errors.MissingAttribute,
    errors.InvalidValue,
    errors.UnsupportedMediaType,
)
"""The errors of calls that take a body of JSON."""

EVERY_VALUE: Final[Sequence[type[ApiError]]] = (
    *EVERY_BODY,
    errors.UnknownEventCode,
    errors.UnknownColumn,
    errors.InvalidFieldValue,
    errors.InvalidReference,
)
"""The errors of calls that write values of fields."""

# --- schemas and members of many calls -----------------------------------------------------------

GUID_TEXT: Final = "A GUID. Upper case, braces and missing dashes are accepted."

GUID: Final[Schema] = {"type": "string", "format": "uuid", "description": GUID_TEXT}

TEXT: Final[Schema] = {"type": "string"}

TEXT_OR_NULL: Final[Schema] = {"type": ["string", "null"]}

EVENT_CODE_TEXT: Final = "The event code of an opportunity type."

EVENT_CODE: Final[Schema] = {"type": "string", "description": EVENT_CODE_TEXT}

COUNT: Final[Schema] = {"type": "integer", "minimum": 0}

ROWS: Final[Schema] = {
    "type": "array",
    "items": {"type": "object", "additionalProperties": TEXT_OR_NULL},
}

GUID_MEMBER: Final = mandatory(GUID_TEXT, format="uuid")

EVENT_CODE_MEMBER: Final = mandatory(EVENT_CODE_TEXT)

FIELD_SET: Final = member("The members of a custom field set.")

PAGING: Final[Members] = {
    "Paging.PageIndex": member("From 1."),
    "Paging.PageSize": member(
        f"Rows of a page, at most {limits.PAGE_ROWS_MAX:,}; more is refused."
    ),
    "Paging.Offset": member("Number of the page, from 0."),
    "Paging.RowCount": member("Rows of a page, with `Offset`."),
}

SORTING: Final[Members] = {"Sorting.Direction": member("1 descending, 0 ascending.")}


def search_example(kind: str, *rows: Mapping[str, str], event_code: int | None = None) -> str:
    """An advanced search as the JSON text that calls take; one of a type begins with its code."""
    of_type = {"LSO": "ActivityEvent", "LSO_Type": "PAEvent", "Operator": "eq"}
    first = [] if event_code is None else [{**of_type, "RSO": f"{event_code}"}]
    more = [{"SubConOp": "And", **row} for row in rows] if first else list(rows)
    condition = {"Type": kind, "ConOp": "and", "RowCondition": [*first, *more]}
    return msgspec.json.encode({"GrpConOp": "And", "Conditions": [condition]}).decode()


def object_of(optional: Mapping[str, Schema] | None = None, **properties: Schema) -> Schema:
    """The schema of an object whose members are required, but for ``optional``."""
    return {
        "type": "object",
        "required": list(properties),
        "properties": {**properties, **(optional or {})},
    }


def optional(name: str, text: str, schema: Schema, example: Any = None) -> Parameter:
    """A parameter that may be left out."""
    return Parameter(name, text, schema, example, is_required=False)


def choice(name: str, text: str, *words: str) -> Parameter:
    """A parameter that is one of some words; the first is its default."""
    return optional(
        name, text, {"type": "string", "enum": list(words), "default": words[0]}, words[-1]
    )


def flag(name: str, text: str, *, default: bool = False, example: bool) -> Parameter:
    """A parameter that is true or false."""
    return optional(name, text, {"type": "boolean", "default": default}, example)


CSV_FORMULAS: Final = choice(
    "csv_formulas",
    "`escape` puts an apostrophe before values that a spreadsheet would calculate.",
    "keep",
    "escape",
)

TYPES: Final = choice(
    "types",
    "Of Arrow and Parquet: `fields` types columns by their fields, `text` has every value as it is"
    " stored.",
    "fields",
    "text",
)

GET_FILE_URL: Final = optional("getFileURL", "Accepted, without effect: no files.", TEXT, "true")
