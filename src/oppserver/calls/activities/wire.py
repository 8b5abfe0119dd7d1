"""The messages of the calls of activities, spelled as the API spells them."""

from msgspec import UNSET, Struct, UnsetType

from oppserver.calls.shared.decode import Ignored
from oppserver.calls.shared.paging import PagingWire
from oppserver.calls.writes.wire import FieldValueWire
from oppserver.contract.values import FieldValue, Number


class ActivityWire(Struct, forbid_unknown_fields=True):
    """The body of ``ProspectActivity.svc/Create``."""

    RelatedProspectId: str | UnsetType | None = UNSET
    RelatedOpportunityId: str | UnsetType | None = UNSET
    EmailAddress: FieldValue | UnsetType = UNSET
    FirstName: FieldValue | UnsetType = UNSET
    LastName: FieldValue | UnsetType = UNSET
    Phone: FieldValue | UnsetType = UNSET
    ActivityEvent: Number | UnsetType | None = UNSET
    ActivityNote: FieldValue | UnsetType = UNSET
    ActivityDateTime: str | UnsetType | None = UNSET
    Fields: list[FieldValueWire] | UnsetType | None = UNSET
    ProcessFilesAsync: Ignored = UNSET
    IncludeLeadScore: Ignored = UNSET
    ValidateDropDownOptions: Ignored = UNSET


class OpportunityActivityWire(Struct, forbid_unknown_fields=True):
    """One entry of ``Bulk/CustomActivity/Add/ByOpportunityId``."""

    ActivityEvent: Number | UnsetType | None = UNSET
    ActivityNote: FieldValue | UnsetType = UNSET
    ActivityOwnerEmail: str | UnsetType | None = UNSET
    ActivityDateTime: str | UnsetType | None = UNSET
    Fields: list[FieldValueWire] | UnsetType | None = UNSET
    ProcessFilesAsync: Ignored = UNSET
    IncludeLeadScore: Ignored = UNSET
    ValidateDropDownOptions: Ignored = UNSET


class TimelineParameterWire(Struct, forbid_unknown_fields=True):
    """``Parameter`` of ``ProspectActivity.svc/Retrieve``."""

    ActivityEvent: Number | UnsetType | None = UNSET


class TimelineWire(Struct, forbid_unknown_fields=True):
    """The body of ``ProspectActivity.svc/Retrieve``."""

    Parameter: TimelineParameterWire | UnsetType | None = UNSET
    Paging: PagingWire | UnsetType | None = UNSET


# --- answers -----------------------------------------------------------------------------------


class KeyValueWire(Struct):
    """One of ``Data``."""

    Key: str
    Value: str | None


class TimelineRowWire(Struct):
    """One activity of a lead's timeline, in the documented order of its members.

    ``ActivityFields`` is there where the activity has any.
    """

    Id: str
    EventCode: int
    EventName: str
    ActivityScore: int
    CreatedOn: str
    ActivityType: int
    IsEmailType: bool
    Type: str
    SessionId: str
    TrackLocation: int
    Latitude: str | None
    Longitude: str | None
    ModifiedOn: str
    RelatedProspectId: str
    Data: list[KeyValueWire]
    ActivityFields: dict[str, str | None] | UnsetType = UNSET


class TimelineAnswerWire(Struct):
    """The answer of ``ProspectActivity.svc/Retrieve``."""

    RecordCount: int
    ProspectActivities: list[TimelineRowWire]


class ActivityListWire(Struct):
    """The answer of ``GetActivitiesOfOpportunity``."""

    RecordCount: int
    List: list[dict[str, str | None]]


class AddedActivityWire(Struct):
    """What became of one entry of ``Bulk/CustomActivity/Add/ByOpportunityId``."""

    ProspectActivityId: str


class AddedActivitiesWire(Struct):
    """The answer of ``Bulk/CustomActivity/Add/ByOpportunityId``."""

    Response: list[AddedActivityWire]


class ModifiedActivityWire(Struct):
    """One activity of ``RetrieveRecentlyModified``; the two members of its type are ours."""

    Id: str
    EventCode: int
    EventName: str
    RelatedProspectId: str
    CreatedOn: str
    ModifiedOn: str
    Fields: list[KeyValueWire]


class ModifiedActivitiesWire(Struct):
    """The body of an answer of ``RetrieveRecentlyModified``."""

    RecordCount: int
    ProspectActivities: list[ModifiedActivityWire]
