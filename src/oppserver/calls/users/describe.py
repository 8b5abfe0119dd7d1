"""The calls of users, described."""

from collections.abc import Mapping
from typing import Final

import msgspec

from oppserver.calls.shared.describe import TEXT, TEXT_OR_NULL, Description, Schema
from oppserver.calls.users.run import render_access_key_user, render_users
from oppserver.contract import example
from oppserver.contract.model import Role, User

_USER: Final[Schema] = {
    "type": "object",
    "required": ["ID", "FirstName", "LastName", "EmailAddress", "Role", "StatusCode"],
    "properties": {
        "ID": TEXT,
        "FirstName": TEXT_OR_NULL,
        "LastName": TEXT_OR_NULL,
        "EmailAddress": TEXT_OR_NULL,
        "Role": {"enum": ["Administrator", "Sales_User"]},
        "StatusCode": {"enum": [0, 1], "description": "0 active, 1 inactive."},
        "Tag": {"type": "null"},
        "IsPhoneCallAgent": {"type": "boolean"},
    },
}

_ACCESS_KEY_USER: Final[Schema] = {
    "type": "object",
    "required": ["Id", "Name", "Role", "EmailAddress", "LSQCommonServiceURLs"],
    "properties": {
        "Id": TEXT,
        "Name": TEXT_OR_NULL,
        "Role": {"enum": ["Administrator", "Sales_User"]},
        "EmailAddress": TEXT_OR_NULL,
        "PassPhrase": {"type": "null"},
        "SessionId": {"type": "null"},
        "TokenId": {"type": "null"},
        "TimeZone": TEXT,
        "LSQCommonServiceURLs": {
            "type": "object",
            "properties": {
                "api": {**TEXT_OR_NULL, "description": "The host that this call was sent to."}
            },
        },
    },
}

_ADA: Final = User(
    id="7f6c0f5e-0d5b-4c55-8a0b-2d6f3f1f9b21",
    email=example.USER_EMAIL,
    first_name="Ada",
    last_name="Lovelace",
    is_administrator=True,
)

DESCRIPTIONS: Final[Mapping[str, Description]] = {
    "UsersGet": Description(
        summary="Get all users",
        text="Owners of opportunities and those behind keys, by id.",
        response={"type": "array", "items": _USER},
        response_example=msgspec.json.decode(render_users([_ADA])),
        errors=(),
    ),
    "UserByAccessKeyGet": Description(
        summary="Get the user behind the keys",
        text="What is not kept here is `null`; so is every secret.",
        response=_ACCESS_KEY_USER,
        response_example=msgspec.json.decode(
            render_access_key_user(_ADA, role=Role.ADMINISTRATOR, host="127.0.0.1:8080")
        ),
        errors=(),
    ),
}
