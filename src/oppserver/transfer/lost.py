"""Facts in a type's file that this server does not keep, found by comparing the two forms."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from oppserver.contract.columns import MEMBER_SIGN, column_named, is_system, schema_name_of
from oppserver.contract.errors import InvalidFile
from oppserver.contract.field_sets import member_key, split_member
from oppserver.contract.names import quoted

_COMPARED_ELSEWHERE: Final = frozenset(
    (
        "EventCode",
        "Fields",
        "DuplicateRules",
        "SchemaName",
        "Value",
        "OptionSet",
        "DependentOptionSet",
        "CustomObjectFormProperties",
    )
)

_SHOWN_MAX: Final = 3

_OF_NO_ACCOUNT: Final = frozenset(("Value", "Order", "CanDelete", "CanEdit"))
"""Members of an option that its place and its being there say already, or that are of no option."""


def lost_of_type(given: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, list[str]]:
    """List the lost facts of a type, each with the schema names of the fields that lose it.

    ``given`` and ``kept`` have the form of ``GetOpportunityTypeMetadata``, decoded; ``given`` is
    known to be of it. No names: it is the type itself that loses it.
    """
    lost: dict[str, list[str]] = {label: [] for label in _lost_members(given, kept)}
    kept_fields = {field["SchemaName"]: field for field in kept["Fields"]}
    for field in given.get("Fields") or []:
        column = column_named(field["SchemaName"])
        if column is None:
            lost.setdefault("everything", []).append(quoted(field["SchemaName"]))
        elif column.name in kept_fields or not is_system(column):
            for name, label in _lost_of_field_and_members(field, kept_fields):
                lost.setdefault(label, []).append(name)
    return lost


def _lost_of_field_and_members(
    given: Mapping[str, Any], kept_fields: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    """The names of a field and its members, each with a lost fact."""
    column = column_named(given["SchemaName"])
    assert column is not None, "the field is kept"
    of_set, key = split_member(schema_name_of(column))
    kept = kept_fields[of_set]
    members = {one["SchemaName"]: one for one in _members(kept)}
    if key:
        yield from ((column.name, label) for label in _lost_of_field(given, members[key]))
        return
    yield from ((column.name, label) for label in _lost_of_field(given, kept))
    for one in _members(given):
        own = member_key(one["SchemaName"])
        name = f"{column.name}{MEMBER_SIGN}{own or one['SchemaName']}"
        if own is None:
            yield quoted(name)[1:-1], "everything"
        else:
            yield from ((name, label) for label in _lost_of_field(one, members[own]))


def _members(field: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The members of a custom field set; none of any other field."""
    of_set = field.get("CustomObjectFormProperties") or {"FieldProperties": {}}
    return of_set["FieldProperties"].get("FormMetaData") or ()


def _lost_of_field(given: Mapping[str, Any], kept: Mapping[str, Any]) -> Iterator[str]:
    yield from _lost_members(given, kept)
    yield from _lost_options(
        decoded_options(given.get("OptionSet"), ""), decoded_options(kept["OptionSet"], "")
    )
    dependent = dependent_options_in(given.get("DependentOptionSet"), "")
    if dependent and dependent != dependent_options_in(kept["DependentOptionSet"], ""):
        yield "DependentOptionSet"


def _lost_members(given: Mapping[str, Any], kept: Mapping[str, Any]) -> Iterator[str]:
    for name, value in given.items():
        if name not in _COMPARED_ELSEWHERE and _is_lost(value, kept.get(name)):
            yield f"{_bare(name)} {_shown(value)}".rstrip()


def _bare(name: str) -> str:
    """Return a name of the file, short and printable."""
    return quoted(name)[1:-1]


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return quoted(value) if isinstance(value, str | int) else ""


def _lost_options(given: Sequence[Any], kept: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    kept_by_value = {option["Value"]: option for option in kept}
    without: list[str] = []
    members: dict[str, None] = {}
    for option in given:
        given_members = option if isinstance(option, dict) else {"Value": option}
        value = given_members.get("Value") or given_members.get("Text") or ""
        if value in kept_by_value:
            members.update(dict.fromkeys(_lost_of_option(given_members, kept_by_value[value])))
        else:
            without.append(quoted(value))
    if without:
        more = f" and {len(without) - _SHOWN_MAX} more" if len(without) > _SHOWN_MAX else ""
        yield f"options {', '.join(without[:_SHOWN_MAX])}{more}"
    yield from members


def _lost_of_option(given: Mapping[str, Any], kept: Mapping[str, Any]) -> Iterator[str]:
    for name, value in given.items():
        is_shown_as_it_is = name == "Text" and value == kept["Value"]
        if name not in _OF_NO_ACCOUNT and not is_shown_as_it_is and _is_lost(value, kept.get(name)):
            yield f"{_bare(name)} of options"


def _is_lost(given: Any, kept: Any) -> bool:
    """Return true when a value says something that the kept one does not."""
    if given is False:
        return kept is True
    says_nothing = given in (None, "", 0, [], {})
    return not says_nothing and str(given).casefold() != str(kept).casefold()


def options_in(text: str | None, place: str) -> list[str]:
    """The values of an ``OptionSet``, in the order that they say."""
    return [_value(one, place) for one in decoded_options(text, place)]


def default_in(text: str | None, place: str) -> str | None:
    """The value of the first option of an ``OptionSet`` that says it is the default."""
    for one in decoded_options(text, place):
        if isinstance(one, dict) and one.get("IsDefault") is True:
            return _value(one, place) or None
    return None


def decoded_options(text: str | None, place: str) -> list[Any]:
    """The options of an ``OptionSet`` as they stand there, in the order that they say."""
    return _ordered(_decoded(text, place), place)


def dependent_options_in(text: str | None, place: str) -> dict[str, list[str]]:
    """The values of a ``DependentOptionSet`` by the parent's value.

    It is an array of objects of ``Parent`` and ``Options``, or an object by the parent's value:
    public client code reads both.
    """
    found = _decoded(text, place)
    if isinstance(found, list):
        found = {_parent(one, place): one.get("Options") for one in found}
    if not isinstance(found, dict):
        raise _no_options(found, place)
    return {
        parent: [_value(one, place) for one in _ordered(some or [], place)]
        for parent, some in found.items()
    }


def _decoded(text: str | None, place: str) -> Any:
    if not (text or "").strip():
        return []
    try:
        return msgspec.json.decode(text or "")
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise InvalidFile(f"{place}: the text is not JSON: {error}") from None


def _ordered(options: Any, place: str) -> list[Any]:
    if not isinstance(options, list):
        raise _no_options(options, place)
    return sorted(options, key=_order)


def _order(option: Any) -> int:
    order = option.get("Order") if isinstance(option, dict) else None
    return order if isinstance(order, int) else 0


def _parent(entry: Any, place: str) -> str:
    parent = (entry.get("Parent") or entry.get("parent")) if isinstance(entry, dict) else None
    if not isinstance(parent, str):
        raise _no_options(entry, place)
    return parent


def _value(option: Any, place: str) -> str:
    """An option's value: its text where it has no other."""
    value = (option.get("Value") or option.get("Text")) if isinstance(option, dict) else option
    if value is not None and not isinstance(value, str):
        raise _no_options(option, place)
    return value or ""


def _no_options(found: object, place: str) -> InvalidFile:
    return InvalidFile(f"{place}: {quoted(found)} is not what options are: objects with a Value")
