"""Activity types: created, and described with their fields."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from uuid import NAMESPACE_URL, uuid5

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.calls.shared.call import Call, WriteContext
from oppserver.calls.shared.decode import mandatory, whole_number
from oppserver.calls.shared.messages import flag_at, given, success, text_of
from oppserver.calls.shared.names import POSTED_NAMES, activity_code_of, number_of
from oppserver.calls.types.define import check_name
from oppserver.contract.columns import slot_of
from oppserver.contract.errors import (
    DuplicateEntry,
    InvalidInput,
    InvalidValue,
    LimitExceeded,
    MissingAttribute,
)
from oppserver.contract.limits import (
    ACTIVITY_FIELDS_MAX,
    ACTIVITY_SCORE_MAX,
    EVENT_CODE_MAX,
    TEXT_CHARACTERS_MAX,
)
from oppserver.contract.metadata import NOTE_FIELD, FieldWire, fields_of_type
from oppserver.contract.model import (
    ActivityField,
    ActivitySettings,
    ActivityType,
    Catalogue,
)
from oppserver.contract.names import quoted
from oppserver.contract.values import FieldValue, plain_text
from oppserver.store.port import Transaction

# --- created -----------------------------------------------------------------------------------


class NewActivityFieldWire(msgspec.Struct, forbid_unknown_fields=True):
    """One of the fields of a new type."""

    SchemaName: str | UnsetType | None = UNSET
    DisplayName: str | UnsetType | None = UNSET
    Value: FieldValue | UnsetType = UNSET
    DataType: str | UnsetType | None = UNSET
    IsMandatory: FieldValue | UnsetType = UNSET
    ShowInForm: FieldValue | UnsetType = UNSET
    Sequence: FieldValue | UnsetType = UNSET
    OptionSet: str | UnsetType | None = UNSET


class NewActivityTypeWire(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``CreateType``."""

    ActivityEventName: str | UnsetType | None = UNSET
    Score: FieldValue | UnsetType = UNSET
    Description: str | UnsetType | None = UNSET
    Direction: FieldValue | UnsetType = UNSET
    TrackLocation: FieldValue | UnsetType = UNSET
    AllowAttachments: FieldValue | UnsetType = UNSET
    ShowInActivityGrid: FieldValue | UnsetType = UNSET
    CanDeleteActivity: FieldValue | UnsetType = UNSET
    Fields: list[NewActivityFieldWire] | UnsetType | None = UNSET


class NewActivityType(NamedTuple):
    """An activity type to be created; the server gives it a code."""

    name: str
    settings: ActivitySettings


class CreatedTypeWire(msgspec.Struct, frozen=True):
    """``Message`` of ``CreateType``: the code of the new type."""

    Id: int


FIRST_CODE: Final = 200
"""The lowest code of types that are created. Source: observed."""


def parse_new_type(_: Call, message: NewActivityTypeWire) -> NewActivityType:
    """Parse a ``CreateType``. Raises an ApiError with status 400 that names the place."""
    name = text_of(message.ActivityEventName)
    if not name:
        raise MissingAttribute("'ActivityEventName' is mandatory: the name of the type")
    _check_name(name, "$.ActivityEventName")
    settings = ActivitySettings(
        score=_number(message.Score, "$.Score", at_most=ACTIVITY_SCORE_MAX),
        description=_text(message.Description, "$.Description"),
        direction=_number(message.Direction, "$.Direction", at_most=1),
        track_location=flag_at(message.TrackLocation, place="$.TrackLocation"),
        allow_attachments=flag_at(message.AllowAttachments, place="$.AllowAttachments"),
        show_in_activity_grid=flag_at(message.ShowInActivityGrid, place="$.ShowInActivityGrid"),
        can_delete=flag_at(message.CanDeleteActivity, place="$.CanDeleteActivity"),
        fields=_fields(message.Fields or ()),
    )
    return NewActivityType(name, settings)


def _fields(fields: Sequence[NewActivityFieldWire]) -> tuple[ActivityField, ...]:
    if len(fields) > ACTIVITY_FIELDS_MAX:
        raise LimitExceeded(
            f"$.Fields has {len(fields)} fields; an activity type takes {ACTIVITY_FIELDS_MAX}."
        )
    made: dict[str, ActivityField] = {}
    for index, field in enumerate(fields):
        one = _field(field, index, place=f"$.Fields[{index}]")
        if one.schema_name in made:
            raise InvalidValue(f"$.Fields[{index}].SchemaName: {one.schema_name} is named twice")
        made[one.schema_name] = one
    return tuple(made.values())


def _field(field: NewActivityFieldWire, index: int, *, place: str) -> ActivityField:
    name = text_of(field.SchemaName)
    if not name:
        raise MissingAttribute(f"'SchemaName' is mandatory in {place}")
    slot = slot_of(name)
    if slot is None or slot > ACTIVITY_FIELDS_MAX:
        raise InvalidValue(
            f"{place}.SchemaName: {quoted(name)} is no field. Expected mx_Custom_1 to"
            f" mx_Custom_{ACTIVITY_FIELDS_MAX}"
        )
    if text_of(field.Value):
        raise InvalidValue(f"{place}.Value: a type has no values. Leave it out.")
    schema_name = f"mx_Custom_{slot}"
    display_name = text_of(field.DisplayName) or schema_name
    data_type = text_of(field.DataType) or "String"
    _check_name(display_name, f"{place}.DisplayName")
    _check_name(data_type, f"{place}.DataType")
    shown = given(field.ShowInForm)
    return ActivityField(
        schema_name=schema_name,
        display_name=display_name,
        data_type=data_type,
        is_mandatory=flag_at(field.IsMandatory, place=f"{place}.IsMandatory"),
        show_in_form=shown is None or flag_at(shown, place=f"{place}.ShowInForm"),
        sequence=_number(
            field.Sequence, f"{place}.Sequence", at_most=EVENT_CODE_MAX, default=index + 1
        ),
        option_set=_text(field.OptionSet, f"{place}.OptionSet"),
    )


def _check_name(name: str, place: str) -> None:
    try:
        check_name(name, place=f"{place}:")
    except InvalidInput as error:  # the rule of commands, as an answer
        raise InvalidValue(str(error)) from None


def _text(value: str | UnsetType | None, place: str) -> str:
    text = plain_text(given(value), place=place) or ""
    assert len(text) <= TEXT_CHARACTERS_MAX, "plain_text checks the length"
    return text


def _number(value: FieldValue | UnsetType, place: str, *, at_most: int, default: int = 0) -> int:
    text = text_of(value)
    if not text:
        return default
    found = whole_number(text, at_least=0, at_most=at_most)
    if found is None:
        raise InvalidValue(f"{place}: {quoted(text)} is not a whole number from 0 to {at_most:,}")
    return found


def write_new_type(transaction: Transaction, asked: NewActivityType, _: WriteContext) -> bytes:
    """Create an activity type. Raises DuplicateEntry when another one has the name."""
    catalogue = transaction.catalogue()
    folded = asked.name.casefold()
    for one in catalogue.activity_types.values():
        if one.name.casefold() == folded:
            raise DuplicateEntry(
                f"$.ActivityEventName: {quoted(asked.name)} is the name of the activity type"
                f" {one.event_code}. Use it, or send another name."
            )
    code = _new_code(catalogue)
    created = ActivityType(event_code=code, name=asked.name, settings=asked.settings)
    transaction.put_activity_types([created])
    return success(CreatedTypeWire(code))


def _new_code(catalogue: Catalogue) -> int:
    """The lowest code above those of all activity types that nothing else has."""
    code = max([FIRST_CODE - 1, *catalogue.activity_types]) + 1
    while code in catalogue.types or code in POSTED_NAMES:
        code += 1
    if code > EVENT_CODE_MAX:
        raise LimitExceeded(f"There is no code above {EVENT_CODE_MAX} for another activity type.")
    return code


# --- described ---------------------------------------------------------------------------------


def activity_fields(one: ActivityType) -> list[FieldWire]:
    """The fields of an activity type: the note, then its own in their sequence."""
    own = one.settings.fields if one.settings else ()
    return [NOTE_FIELD, *(_field_wire(field) for field in sorted(own, key=_place))]


def _place(field: ActivityField) -> tuple[int, int]:
    return field.sequence, slot_of(field.schema_name) or 0


def _field_wire(field: ActivityField) -> FieldWire:
    return FieldWire(
        SchemaName=field.schema_name,
        InternalName=field.schema_name,
        DisplayName=field.display_name,
        DataType=field.data_type,
        IsMandatory=field.is_mandatory,
        ShowInForm=field.show_in_form,
        Sequence=field.sequence,
        OptionSet=field.option_set,
        MaxFieldLength=TEXT_CHARACTERS_MAX,
    )


class ActivitySettingFound(NamedTuple):
    """A type whose activities are described: its code, name, score and fields."""

    event_code: int
    name: str
    score: int
    fields: Sequence[FieldWire]


def parse_setting(call: Call, _: None) -> str:
    """Parse a ``GetActivitySetting``. Raises MissingAttribute."""
    return mandatory(call.query, "code")


def plan_setting(asked: str, catalogue: Catalogue) -> ActivitySettingFound:
    """Find the type of a code; an opportunity type too. Raises UnknownEventCode."""
    code = number_of(asked)
    if code is not None and code in catalogue.types:
        fields = fields_of_type(
            catalogue.fields.get(code, {}).values(), catalogue.renamed.get(code, {})
        )
        return ActivitySettingFound(code, catalogue.types[code].name, 0, fields)
    code = activity_code_of(asked, catalogue, place="query parameter 'code'")
    one = catalogue.activity_types[code]
    score = one.settings.score if one.settings else 0
    return ActivitySettingFound(code, one.name, score, activity_fields(one))


_MORE: Final[dict[str, Any]] = {
    "StringRenderType": "",
    "IsViewRestrictedField": False,
    "IsSortable": True,
    "IsEncrypted": False,
    "DisplayValue": None,
    "IsMasked": False,
}
"""Members of a field that only this call has. Source: observed."""


def render_setting(found: ActivitySettingFound) -> bytes:
    """The body of ``GetActivitySetting``."""
    fields = [
        {
            name: value
            for name, value in msgspec.to_builtins(field).items()
            if name != "CustomObjectType"
        }
        | _MORE
        for field in found.fields
    ]
    return msgspec.json.encode(
        {
            "ID": str(uuid5(NAMESPACE_URL, f"activity-type/{found.event_code}")),
            "Name": found.name,
            "DisplayName": found.name,
            "Score": found.score,
            "Fields": fields,
        }
    )
