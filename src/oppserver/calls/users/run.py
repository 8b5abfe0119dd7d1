"""``Users.Get``: all users. ``UserByAccessKey.Get``: the user of the keys of a call."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from oppserver.calls.shared.call import NO_BODY, Call, Read, Services, parse_nothing
from oppserver.calls.shared.decode import mandatory
from oppserver.calls.shared.describe import TEXT, Description, Parameter, member, schema_of
from oppserver.contract import errors, example
from oppserver.contract.identifiers import canonical_guid
from oppserver.contract.model import Role, User

RoleName: TypeAlias = Literal["Administrator", "Sales_User"]


class UserWire(msgspec.Struct, frozen=True, kw_only=True):
    """A user in a list. ``StatusCode`` 0 is active, 1 is inactive."""

    ID: str
    FirstName: str | None
    LastName: str | None
    EmailAddress: str | None
    Role: RoleName
    StatusCode: Literal[0, 1]
    Tag: None = None
    IsPhoneCallAgent: bool = False


class MobileServiceUrlsWire(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses of services that are not here."""

    ReportsURL: None = None
    FileUploadURL: None = None
    MobileNotificationURL: None = None


class CommonServiceUrlsWire(msgspec.Struct, frozen=True, kw_only=True):
    """The hosts that a program is to call, without a scheme."""

    api: str | None
    app: str | None
    tracking: None = None


class AccessKeyUserWire(msgspec.Struct, frozen=True, kw_only=True):
    """The user behind the keys of a call. What is not kept here is null; so is every secret."""

    Class: None = None
    Group: None = None
    SubRegionId: None = None
    Id: str
    Name: str | None
    PassPhrase: None = None
    Role: RoleName
    EmailAddress: str | None
    SessionId: None = None
    TimeZone: str
    TokenId: None = None
    Type: str
    OrgDisplayName: None = None
    OrgId: None = None
    OrgShortCode: None = None
    OrgUniqueName: None = None
    DefaultCountryCode: None = None
    Website: None = None
    Street1: None = None
    Street2: None = None
    City: None = None
    State: None = None
    Country: None = None
    Phone: None = None
    Fax: None = None
    Zip: None = None
    AssociatedPhoneNumbers: None = None
    RestrictedFeatures: None = None
    CustomerType: None = None
    Plan: None = None
    UserType: str
    MobileServiceURLs: MobileServiceUrlsWire
    LSQCommonServiceURLs: CommonServiceUrlsWire


def _role_name(*, is_administrator: bool) -> RoleName:
    return "Administrator" if is_administrator else "Sales_User"


def render_users(users: Iterable[User]) -> bytes:
    """The body of ``Users.Get``, in the order of the users."""
    return msgspec.json.encode(
        [
            UserWire(
                ID=user.id,
                FirstName=user.first_name,
                LastName=user.last_name,
                EmailAddress=user.email,
                Role=_role_name(is_administrator=user.is_administrator),
                StatusCode=0 if user.is_active else 1,
            )
            for user in users
        ]
    )


def render_access_key_user(user: User, *, role: Role, host: str) -> bytes:
    """The body of ``UserByAccessKey.Get`` for the user of a key with a role.

    ``host`` is the host of the call, empty when the caller did not send it.
    """
    return msgspec.json.encode(
        AccessKeyUserWire(
            Id=user.id,
            Name=user.name,
            Role=_role_name(is_administrator=role is Role.ADMINISTRATOR),
            EmailAddress=user.email,
            TimeZone="UTC",
            Type="ApplicationUser",
            UserType="Regular",
            MobileServiceURLs=MobileServiceUrlsWire(),
            LSQCommonServiceURLs=CommonServiceUrlsWire(api=host or None, app=host or None),
        )
    )


def _read_users(_: None, services: Services) -> Sequence[User]:
    return services.store.users()


USERS: Final = Read(
    body=NO_BODY,
    parse=parse_nothing,
    read=_read_users,
    render=lambda _, users: render_users(users),
)


class AskedAccessKeyUser(NamedTuple):
    """The user of a call's keys: the id, the role of the key, and the host that was called."""

    user_id: str
    role: Role
    host: str


def _parse_access_key_user(call: Call, _: None) -> AskedAccessKeyUser:
    assert call.principal is not None, "a call is identified before it is parsed"
    return AskedAccessKeyUser(call.principal.user_id, call.principal.role, call.host)


def _read_access_key_user(asked: AskedAccessKeyUser, services: Services) -> User:
    [user] = services.store.users([asked.user_id])
    return user


ACCESS_KEY_USER: Final = Read(
    body=NO_BODY,
    parse=_parse_access_key_user,
    read=_read_access_key_user,
    render=lambda asked, user: render_access_key_user(user, role=asked.role, host=asked.host),
)


# --- one user ----------------------------------------------------------------------------------


class GroupWire(msgspec.Struct, frozen=True):
    """A group of users. No server has any yet."""

    Id: str
    Name: str


class UserDetailsWire(msgspec.Struct, frozen=True, kw_only=True):
    """A user whole, in the documented members. What is not kept here is empty."""

    UserId: str
    FirstName: str
    LastName: str
    EmailAddress: str
    AssociatedPhoneNumbers: str = ""
    DateFormat: str = ""
    TimeZone: str = "UTC"
    Role: RoleName
    CompanyName: str = ""
    ManagerUserId: str = ""
    ManagerName: str = ""
    Address: str = ""
    City: str = ""
    State: str = ""
    Country: str = ""
    ZipCode: str = ""
    OrgId: int = 0
    UserType: int = 0
    IsPhoneCallAgent: bool = False
    TelephonyAgentId: str = ""
    PhoneMain: str = ""
    PhoneMobile: str = ""
    PhoneOthers: str = ""
    IsCheckedIn: bool = False
    LastCheckedOn: str = ""
    LastCheckedIpAddress: str = ""
    AvailabilityStatus: str = ""
    Designation: str = ""
    Department: str = ""
    OfficeLocationName: str = ""
    Skills: str = ""
    SalesRegions: str = ""
    mx_Custom_1: str = ""
    mx_Custom_2: str = ""
    mx_Custom_3: str = ""
    mx_Custom_4: str = ""
    mx_Custom_5: str = ""
    mx_Custom_6: str = ""
    mx_Custom_7: str = ""
    mx_Custom_8: str = ""
    mx_Custom_9: str = ""
    mx_Custom_10: str = ""
    TeamId: str = ""
    TeamName: str = ""
    Groups: list[GroupWire] = []


def render_user_details(users: Iterable[User]) -> bytes:
    """The body of ``User/Retrieve/ByUserId``: inactive users are left out."""
    return msgspec.json.encode(
        [
            UserDetailsWire(
                UserId=user.id,
                FirstName=user.first_name or "",
                LastName=user.last_name or "",
                EmailAddress=user.email or "",
                Role=_role_name(is_administrator=user.is_administrator),
            )
            for user in users
            if user.is_active
        ]
    )


def _parse_user_id(call: Call, _: None) -> Sequence[str]:
    """Return the user's id; nothing for an invalid id, so that no user is found."""
    user_id = canonical_guid(mandatory(call.query, "userId"))
    return [] if user_id is None else [user_id]


def _read_users_of(ids: Sequence[str], services: Services) -> Sequence[User]:
    return services.store.users(ids) if ids else []


USER_BY_ID: Final = Read(
    body=NO_BODY,
    parse=_parse_user_id,
    read=_read_users_of,
    render=lambda _, users: render_user_details(users),
)

# --- described -----------------------------------------------------------------------------------

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
        response=schema_of(list[UserWire], {"[].StatusCode": member("0 active, 1 inactive.")}),
        response_example=msgspec.json.decode(render_users([_ADA])),
    ),
    "UserRetrieveByUserId": Description(
        summary="Get a user by id",
        text="An unknown or inactive user gets an empty array. What is not kept here is empty.",
        response={**schema_of(list[UserDetailsWire]), "maxItems": 1},
        response_example=msgspec.json.decode(render_user_details([_ADA])),
        errors=(errors.MissingAttribute,),
        query=(Parameter("userId", "The user.", TEXT, _ADA.id),),
    ),
    "UserByAccessKeyGet": Description(
        summary="Get the user behind the keys",
        text="What is not kept here is `null`; so is every secret.",
        response=schema_of(
            AccessKeyUserWire,
            {"LSQCommonServiceURLs.api": member("The host that this call was sent to.")},
        ),
        response_example=msgspec.json.decode(
            render_access_key_user(_ADA, role=Role.ADMINISTRATOR, host="127.0.0.1:8080")
        ),
    ),
}
