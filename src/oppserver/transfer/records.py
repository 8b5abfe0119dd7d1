"""From the members of lines to opportunities, and back.

A line has the API's names, in any case. A member that is null, empty or left out is not set.
True and false are ``1`` and ``0``. Values of fields get the stored form of their data type
(contract/values.py), as in writes; an option that a dropdown does not have is kept, as it may have
been one. What cannot be stored as it is meant is rejected with a reason: a name that is unknown or
given twice, an id that is no GUID, a value that does not fit its field, a value that is a list.

Lines with the same names are read together, column by column: what C can check of a whole column
costs a tenth of the same checks in Python. Each line is read as if it were alone.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from oppserver.contract import field_sets
from oppserver.contract.columns import CUSTOM_COLUMNS, SLOT_NAMES, SYSTEM_COLUMNS, column_named
from oppserver.contract.errors import InvalidFieldValue, RejectedLine
from oppserver.contract.field_sets import set_text, split_member
from oppserver.contract.limits import TEXT_CHARACTERS_MAX
from oppserver.contract.model import Catalogue, ColumnBlock, DataType, Field, StoredOpportunity
from oppserver.contract.names import did_you_mean, quoted
from oppserver.contract.values import (
    DATA_TYPES,
    form_test,
    formed_fields,
    matching,
    options_of,
    status_field,
    stored_set,
    stored_value,
)
from oppserver.transfer.values import READERS, TEXT, Column, Given, Reader

_MEMBER_ORDER: Final = (
    "ProspectActivityId",
    "EventCode",
    "ProspectId",
    "EmailAddress",
    "Owner",
    "OwnerEmailAddress",
    "Status",
    "CreatedOn",
    "CreatedBy",
    "ModifiedOn",
    "ModifiedBy",
    "OpportunityNote",
)

MEMBER_COLUMNS: Final = tuple(
    sorted(
        (column for column in SYSTEM_COLUMNS if column.name in _MEMBER_ORDER),
        key=lambda column: _MEMBER_ORDER.index(column.name),
    )
)
"""The members of a line that every type has, in the order in which they are written."""

_ALL_NAMES: Final = tuple(column.name for column in MEMBER_COLUMNS + CUSTOM_COLUMNS)

_MANDATORY: Final = MappingProxyType(
    {"ProspectActivityId": "id", "EventCode": "event_code", "ProspectId": "lead_id"}
)
"""The stored columns of the members that every line has, by name."""


class _Member(NamedTuple):
    """One name of a line: how it was written, and how its value is read.

    ``column`` is the stored column that it names. ``key`` is the own name of a member of a custom
    field set, empty for any other name: then the two are in ``stored`` together.
    """

    given: str
    column: str
    stored: str
    key: str
    reader: Reader


class _Typed(NamedTuple):
    """A field with a form, and the quick test of it."""

    field: Field
    is_in_form: Callable[[str], object]


TypedFields: TypeAlias = Mapping[int, Mapping[str, _Typed]]
"""The fields whose values have a form of their own: by event code, by stored name."""


_NO_FIELDS: Final[TypedFields] = MappingProxyType({})

_NO_SETS: Final[Mapping[int, Sequence["FieldSet"]]] = MappingProxyType({})


def typed_fields(catalogue: Catalogue) -> TypedFields:
    """The fields of all types that are more than text, Status among them."""
    return {
        code: {
            stored: _Typed(msgspec.structs.replace(field, max_length=None), form_test(field))
            for stored, field in formed_fields([status_field(code), *fields.values()]).items()
        }
        for code, fields in catalogue.fields.items()
    }


class FieldSet(NamedTuple):
    """A custom field set of a type: its stored column, its field, its members by own name."""

    stored: str
    field: Field
    members: Mapping[str, Field]


def sets_of(catalogue: Catalogue) -> dict[int, list[FieldSet]]:
    """The custom field sets of the types that have any."""
    found: dict[int, list[FieldSet]] = {}
    for code, fields in catalogue.fields.items():
        for name, field in fields.items():
            if field.data_type is DataType.CUSTOM_OBJECT:
                members = field_sets.members_of(fields.values(), name)
                found.setdefault(code, []).append(FieldSet(name.lower(), field, members))
    return found


def opportunity_of(
    members: Mapping[str, Any], fields: TypedFields = _NO_FIELDS, *, keeps_unfit: bool = False
) -> StoredOpportunity:
    """The opportunity of a line. Raises RejectedLine with the name of the member at fault.

    ``keeps_unfit``: a value that does not fit its field is kept as it is, and not rejected.
    """
    lines = AlikeLines(tuple(members), [tuple(members.values())], fields, keeps_unfit=keeps_unfit)
    for reason in lines.errors.values():
        raise RejectedLine(reason)
    [one] = ColumnBlock(range(1), lines.columns).opportunities()
    return one


_ALIKE_LINES_MIN: Final = 20
"""Lines with the same names from which on they are read by themselves. Ours: below, a check of a
whole column is no cheaper than checks of its values."""


def blocks_of(
    lines: Mapping[int, Mapping[str, Any]],
    fields: TypedFields = _NO_FIELDS,
    sets: Mapping[int, Sequence[FieldSet]] = _NO_SETS,
) -> tuple[list[ColumnBlock], dict[int, str]]:
    """The lines that can be stored, and the reasons why the others cannot, all by their places.

    ``lines`` are the members of lines by their places in a batch.
    """
    blocks: list[ColumnBlock] = []
    errors: dict[int, str] = {}
    for names, places in _by_names(lines).items():
        rows = [tuple(map(lines[place].get, names)) for place in places]
        alike = AlikeLines(names, rows, fields, sets)
        block = ColumnBlock(places, alike.columns)
        for row in alike.errors:
            one = lines[places[row]]
            if tuple(one) != names:  # of several faults, the first in its own order
                alone = AlikeLines(tuple(one), [tuple(one.values())], fields, sets)
                errors[places[row]] = alone.errors[0]
            else:
                errors[places[row]] = alike.errors[row]
        if alike.errors:
            block = block.where([row not in alike.errors for row in range(len(rows))])
        if block.places:
            blocks.append(block)
    return blocks, errors


def _by_names(lines: Mapping[int, Mapping[str, Any]]) -> dict[tuple[str, ...], list[int]]:
    """The places of lines by their names; those whose names few have, by the names of all of them.

    To have a name without a value is not to have it. Lines whose names are unknown, or spelled
    otherwise than in other lines, stay apart.
    """
    found: dict[tuple[str, ...], list[int]] = {}
    for place, members in lines.items():
        found.setdefault(tuple(members), []).append(place)
    spelled: dict[str, str] = {}
    few: list[int] = []
    for names, places in list(found.items()):
        if len(places) < _ALIKE_LINES_MIN and _is_spelled_as(names, spelled):
            few += found.pop(names)
    if few:
        found.setdefault(tuple(spelled.values()), []).extend(few)
    return found


def _is_spelled_as(names: Iterable[str], spelled: dict[str, str]) -> bool:
    """Return whether names can be read beside those that are known, and add them."""
    try:
        members = _shape(names)
    except RejectedLine:
        return False
    if any(spelled.get(one.column, one.given) != one.given for one in members):
        return False
    spelled.update((one.column, one.given) for one in members)
    return True


class AlikeLines:
    """Lines of a file that have the same names in the same order, read column by column.

    ``columns`` are by stored name, with None for what is not set. ``errors`` are the reasons why
    lines cannot be stored, by their index: of several, the first in the order of the names. Owner
    of both: this class.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        rows: Sequence[Sequence[Any]],
        fields: TypedFields = _NO_FIELDS,
        sets: Mapping[int, Sequence[FieldSet]] = _NO_SETS,
        *,
        keeps_unfit: bool = False,
    ) -> None:
        """``rows`` are the values of each line, in the order of ``names``."""
        self.columns: Final[dict[str, Column]] = {}
        self.errors: Final[dict[int, str]] = {}
        self._count: Final = len(rows)
        try:
            members = _shape(names)
        except RejectedLine as error:
            self.errors.update(dict.fromkeys(range(len(rows)), str(error)))
            return
        self._read(members, list(zip(*rows, strict=True)))
        self._check_owners()
        for code, indexes in self._by_code():
            if code in fields:
                self._give_form(fields[code], indexes, keeps_unfit=keeps_unfit)
        self._check_mandatory()
        for code, indexes in self._by_code() if sets else ():
            self._check_sets(sets.get(code, ()), indexes)

    def _read(self, members: Sequence[_Member], given: Sequence[Given]) -> None:
        of_sets: dict[str, dict[str, Column]] = {}
        for member, values in zip(members, given, strict=True):
            column = member.reader.quick(values)
            if column is None:
                column = self._read_each(member, values)
            if member.key:
                of_sets.setdefault(member.stored, {})[member.key] = column
            else:
                self.columns[member.stored] = column
        for stored, of_set in of_sets.items():
            self._add_set(stored, of_set)

    def _read_each(self, member: _Member, values: Given) -> Column:
        known: dict[str, Any] = {}
        column = []
        for index, value in enumerate(values):
            read = known.get(value) if type(value) is str else None
            if read is None:
                try:
                    read = member.reader.one(value)
                except ValueError as error:
                    self.errors.setdefault(index, f"{member.given}: {error}")
                if type(value) is str:
                    known[value] = read
            column.append(read)
        return column

    def _add_set(self, stored: str, of_set: Mapping[str, Column]) -> None:
        """Make the text of a set of its members."""
        column = list(self.columns.get(stored) or (None,) * self._count)
        name = SLOT_NAMES[stored]
        for index, values in enumerate(zip(*of_set.values(), strict=True)):
            members = {
                key: str(value)
                for key, value in zip(of_set, values, strict=True)
                if value is not None
            }
            if not members:
                continue
            text = set_text(members) or ""
            if column[index] is not None:
                reason = f"{name} and its members are given. Send the set, or the members."
                self.errors.setdefault(index, reason)
            elif len(text) > TEXT_CHARACTERS_MAX:
                reason = (
                    f"{name}: the set would have {len(text):,} characters; it may have"
                    f" {TEXT_CHARACTERS_MAX:,}"
                )
                self.errors.setdefault(index, reason)
            column[index] = text
        self.columns[stored] = column

    def _check_owners(self) -> None:
        emails = self.columns.get("owner_email", ())
        owners = self.columns.get("owner_id") or (None,) * len(emails)
        if not all(owners):
            for index, (owner, email) in enumerate(zip(owners, emails, strict=False)):
                if owner is None and email is not None:
                    reason = "OwnerEmailAddress is given without Owner: whose address is it?"
                    self.errors.setdefault(index, reason)

    def _by_code(self) -> Iterable[tuple[int, Sequence[int]]]:
        """The types of the lines, each with the indexes of its lines."""
        found: dict[int, list[int]] = {}
        for index, code in enumerate(self.columns.get("event_code", ())):
            found.setdefault(code, []).append(index)
        return found.items()

    def _give_form(
        self, typed: Mapping[str, _Typed], indexes: Sequence[int], *, keeps_unfit: bool
    ) -> None:
        """Give values the stored form of their fields."""
        for stored, (field, is_in_form) in typed.items():
            column = self.columns.get(stored)
            if column is None:
                continue
            unfit = [n for n in indexes if column[n] is not None and not is_in_form(column[n])]
            if unfit:
                self.columns[stored] = formed = list(column)
            for index in unfit:
                try:
                    formed[index] = _formed(column[index], field)
                except InvalidFieldValue as error:
                    if not keeps_unfit:
                        self.errors.setdefault(index, str(error))

    def _check_mandatory(self) -> None:
        for name, stored in _MANDATORY.items():
            column = self.columns.get(stored, (None,) * self._count)
            if not all(column):
                for index, value in enumerate(column):
                    if value is None:
                        self.errors.setdefault(index, f"{name} is missing")

    def _check_sets(self, sets: Sequence[FieldSet], indexes: Sequence[int]) -> None:
        """Give custom field sets their stored form."""
        for stored, field, members in sets:
            column = self.columns.get(stored, (None,) * self._count)
            filled = [n for n in indexes if column[n] is not None and n not in self.errors]
            if filled:
                self.columns[stored] = formed = list(column)
            for index in filled:
                try:
                    formed[index] = stored_set(
                        column[index], field, members, place=field.schema_name
                    )
                except InvalidFieldValue as error:
                    self.errors[index] = str(error)


def _formed(text: str, field: Field) -> str | None:
    """The stored form of a value; an unknown option as it is. Raises InvalidFieldValue."""
    if DATA_TYPES[field.data_type].has_options:
        return matching(text.strip(), options_of(field)) or text
    return stored_value(text, field, place=field.schema_name)


def members_of(one: StoredOpportunity) -> dict[str, str | int]:
    """The members of a line: what is set, system columns first, then slots by number."""
    members: dict[str, str | int] = {}
    for column in MEMBER_COLUMNS:
        value = getattr(one, column.stored)
        if value is not None:
            members[column.name] = value
    for stored, value in one.slots.items():
        members[SLOT_NAMES[stored]] = value
    return members


def check_names(names: Iterable[str]) -> None:
    """Raises RejectedLine when a line with these names cannot be an opportunity."""
    shape = _shape(tuple(names))
    stored = {member.stored for member in shape}
    for name, column in _MANDATORY.items():
        if column not in stored:
            raise RejectedLine(f"{name} is missing")


def _shape(names: Iterable[str]) -> Sequence[_Member]:
    """Return the meaning of a line with these names."""
    members: dict[str, _Member] = {}
    for given in names:
        member = _member(given)
        if member is None:
            raise RejectedLine(
                f"{quoted(given)} is no member of an opportunity.{did_you_mean(given, _ALL_NAMES)}"
            )
        same = members.setdefault(member.column, member)
        if same is not member:
            raise RejectedLine(f"{quoted(given)} and {quoted(same.given)} are the same member")
    return list(members.values())


@lru_cache(maxsize=4_096)
def _member(given: str) -> _Member | None:
    """Return the meaning of a name; None for an unknown one."""
    column = column_named(given)
    if column is None:
        return None
    stored, key = split_member(column.stored)
    return _Member(given, column.stored, stored, key, READERS.get(stored, TEXT))
