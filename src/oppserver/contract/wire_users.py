"""The messages of users, spelled as the API spells them, in the documented order."""

import msgspec


class UserWire(msgspec.Struct, frozen=True, kw_only=True):
    """A user in a list. ``StatusCode`` 0 is active, 1 is inactive."""

    ID: str
    FirstName: str | None
    LastName: str | None
    EmailAddress: str | None
    Role: str
    StatusCode: int
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
    Role: str
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
