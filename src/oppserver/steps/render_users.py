"""From users to the bodies of the calls that tell who they are."""

from collections.abc import Iterable
from typing import Final

import msgspec

from oppserver.contract.model import Role, User
from oppserver.contract.wire_users import (
    AccessKeyUserWire,
    CommonServiceUrlsWire,
    MobileServiceUrlsWire,
    UserWire,
)

_ADMINISTRATOR: Final = "Administrator"
_SALES_USER: Final = "Sales_User"
_ACTIVE: Final = 0
_INACTIVE: Final = 1


def render_users(users: Iterable[User]) -> bytes:
    """The body of ``Users.Get``, in the order of the users."""
    return msgspec.json.encode(
        [
            UserWire(
                ID=user.id,
                FirstName=user.first_name,
                LastName=user.last_name,
                EmailAddress=user.email,
                Role=_ADMINISTRATOR if user.is_administrator else _SALES_USER,
                StatusCode=_ACTIVE if user.is_active else _INACTIVE,
            )
            for user in users
        ]
    )


def render_access_key_user(user: User, *, role: Role, host: str) -> bytes:
    """The body of ``UserByAccessKey.Get`` for the user of a key with a role.

    ``host`` is where the caller has found us, empty when it did not say: where it is to go on.
    """
    return msgspec.json.encode(
        AccessKeyUserWire(
            Id=user.id,
            Name=user.name,
            Role=_ADMINISTRATOR if role is Role.ADMINISTRATOR else _SALES_USER,
            EmailAddress=user.email,
            TimeZone="UTC",
            Type="ApplicationUser",
            UserType="Regular",
            MobileServiceURLs=MobileServiceUrlsWire(),
            LSQCommonServiceURLs=CommonServiceUrlsWire(api=host or None, app=host or None),
        )
    )
