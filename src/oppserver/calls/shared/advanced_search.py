"""Parsing of searches by conditions: the condition language of the three ``BySearchParameter``.

``AdvancedSearch`` holds Conditions, each with rows. A row is one comparison; the base row names the
type. The later of two rows or Conditions names how they are joined. Where joiners contradict each
other, the language does not say which binds first, so they are refused: a guess could be a wrong
answer that nobody notices.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.calls.shared.call import Call
from oppserver.calls.shared.conditions import (
    OPERATORS,
    WITHOUT_OPERAND,
    comparison_named,
    values_in,
)
from oppserver.calls.shared.decode import Ignored, decode_text
from oppserver.calls.shared.messages import given, is_true, text_of
from oppserver.calls.shared.names import number_of
from oppserver.calls.shared.paging import AskedList, ListWire, asked_list
from oppserver.contract.errors import InvalidValue, LimitExceeded, MissingAttribute
from oppserver.contract.limits import (
    SEARCH_CONDITIONS_MAX,
    SEARCH_PAGE_ROWS_DEFAULT,
    SEARCH_VALUES_MAX,
)
from oppserver.contract.names import quoted
from oppserver.contract.values import FieldValue, Number, plain_text
from oppserver.store.queries import Comparison


class SearchWire(ListWire):
    """The body of ``Retrieve/BySearchParameter``. ``AdvancedSearch`` holds JSON in a text."""

    OpportunityEventCode: Number | UnsetType | None = UNSET
    AdvancedSearch: str | UnsetType | None = UNSET


class RowConditionWire(msgspec.Struct, forbid_unknown_fields=True):
    """One comparison: of ``LSO``, by ``Operator``, with ``RSO``."""

    SubConOp: str | UnsetType | None = UNSET
    LSO: str | UnsetType | None = UNSET
    LSO_Type: str | UnsetType | None = UNSET
    Operator: str | UnsetType | None = UNSET
    RSO: FieldValue | UnsetType = UNSET
    RSO_IsMailMerged: FieldValue | UnsetType = UNSET
    IsFilterCondition: Ignored = UNSET


class ConditionWire(msgspec.Struct, forbid_unknown_fields=True):
    """Comparisons that belong together."""

    Type: str | UnsetType | None = UNSET
    ConOp: str | UnsetType | None = UNSET
    RowCondition: list[RowConditionWire] | UnsetType | None = UNSET
    IsFilterCondition: Ignored = UNSET


class AdvancedSearchWire(msgspec.Struct, forbid_unknown_fields=True):
    """The object in the text ``AdvancedSearch``. Dates are UTC, whatever ``QueryTimeZone`` says."""

    GrpConOp: str | UnsetType | None = UNSET
    Conditions: list[ConditionWire] | UnsetType | None = UNSET
    QueryTimeZone: Ignored = UNSET
    IsFilterCondition: Ignored = UNSET


class AskedComparison(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison of a column with an operand, and its place in the search.

    An empty operand was sent; None was not. ``sent_type`` is the ``LSO_Type`` in lower case.
    """

    place: str
    name: str
    sent_type: str = ""
    comparison: Comparison
    operand: str | None


class AskedComparisons(msgspec.Struct, frozen=True, kw_only=True):
    """Comparisons of which all hold, or any."""

    comparisons: tuple[AskedComparison, ...]
    is_any: bool


class AskedConditions(msgspec.Struct, frozen=True, kw_only=True):
    """The conditions of a search: groups of which all hold, or any. ``today`` is the day in UTC."""

    today: date
    groups: tuple[AskedComparisons, ...]
    is_any: bool


class AskedSearch(AskedConditions, frozen=True, kw_only=True):
    """A search of one type."""

    event_code: str
    rows: AskedList


class Searched(NamedTuple):
    """The rows that conditions are about: the ``Type`` of conditions, and what columns are of.

    ``base`` is the name of the member whose event code the base row repeats; None: there is no base
    row. ``place`` is the place of the conditions in the body.
    """

    kind: str
    columns_of: str
    base: str | None
    place: str


OPPORTUNITIES: Final = Searched(
    "Activity", "the opportunity", "OpportunityEventCode", "$.AdvancedSearch"
)


_ADVANCED: Final = msgspec.json.Decoder(AdvancedSearchWire)

_BASE: Final = "activityevent"

_JOINERS: Final = {"and": False, "or": True}


class _Joiner(NamedTuple):
    """The joiner that a member names: whether one of the joined is enough, and the place."""

    is_any: bool
    place: str


def parse_search(call: Call, message: SearchWire) -> AskedSearch:
    """Parse a search. Raises an ApiError with status 400 or 413 that names the place."""
    code = text_of(message.OpportunityEventCode)
    if not code:
        raise MissingAttribute("'OpportunityEventCode' is mandatory: the code of the type")
    rows = asked_list(message, rows_default=SEARCH_PAGE_ROWS_DEFAULT)
    asked = parse_conditions(call, message.AdvancedSearch, OPPORTUNITIES, code=code)
    return AskedSearch(
        event_code=code,
        today=asked.today,
        groups=asked.groups,
        is_any=asked.is_any,
        rows=rows,
    )


def parse_conditions(
    call: Call, value: str | UnsetType | None, searched: Searched, *, code: str = ""
) -> AskedConditions:
    """Parse conditions in a text of JSON. ``code`` is what the base row repeats.

    Raises an ApiError with status 400 or 413 that names the place.
    """
    text = text_of(value)
    name = searched.place.rpartition(".")[2]
    if not text:
        raise MissingAttribute(
            f"'{name}' is mandatory: a text that holds JSON, an object of Conditions"
        )
    advanced = decode_text(_ADVANCED, text, place=searched.place, what=f"text in {name}")
    conditions = advanced.Conditions if isinstance(advanced.Conditions, list) else []
    _check_size(conditions, name)
    if searched.base is not None:
        _check_base(conditions, code, searched)
    groups = [
        _group(condition, searched, place=f"{searched.place}.Conditions[{index}]")
        for index, condition in enumerate(conditions)
    ]
    return AskedConditions(
        today=call.now.astimezone(UTC).date(),
        groups=tuple(group for group in groups if group.comparisons),
        is_any=_is_any_condition(advanced, conditions, groups, searched.place),
    )


def _check_size(conditions: Sequence[ConditionWire], name: str) -> None:
    rows = [row for condition in conditions for row in _rows(condition)]
    number = max(len(rows), len(conditions))
    if number > SEARCH_CONDITIONS_MAX:
        raise LimitExceeded(
            f"{name} has {number} conditions; one search takes {SEARCH_CONDITIONS_MAX}."
        )
    values = sum(len(values_in(text_of(row.RSO))) for row in rows)
    if values > SEARCH_VALUES_MAX:
        raise LimitExceeded(
            f"{name} compares with {values} values; one search takes {SEARCH_VALUES_MAX}."
        )


# --- the base row ------------------------------------------------------------------------------


def _check_base(conditions: Sequence[ConditionWire], code: str, searched: Searched) -> None:
    """Check that the conditions name the type as well. Raises InvalidValue with what to send.

    The message begins as the one of the hosted API (observed).
    """
    found = [row for condition in conditions for row in _rows(condition) if _is_base(row)]
    if not found or any(not _repeats(row, code) for row in found):
        raise InvalidValue(
            "AdvancedSearch criteria does not match ActivityEvent passed: the Conditions of"
            f' {searched.place} need a row {{"LSO": "ActivityEvent", "LSO_Type": "PAEvent",'
            f' "Operator": "eq", "RSO": {quoted(code)}}} with the code of {searched.base}'
        )


def _is_base(row: RowConditionWire) -> bool:
    return text_of(row.LSO).casefold() == _BASE


def _repeats(row: RowConditionWire, code: str) -> bool:
    comparison = OPERATORS.get(text_of(row.Operator).lower())
    repeated = number_of(str(row.RSO)) if isinstance(row.RSO, str | int) else None
    return comparison is Comparison.EQUAL and repeated is not None and repeated == number_of(code)


# --- rows --------------------------------------------------------------------------------------


def _group(condition: ConditionWire, searched: Searched, *, place: str) -> AskedComparisons:
    kind = text_of(condition.Type)
    if kind and kind.casefold() != searched.kind.casefold():
        raise InvalidValue(
            f"{place}.Type: conditions of type {quoted(kind)} are not supported. Send"
            f" '{searched.kind}', with columns of {searched.columns_of}."
        )
    members = [
        (row, f"{place}.RowCondition[{index}]")
        for index, row in enumerate(_rows(condition))
        if not (searched.base and _is_base(row)) and not _is_padding(row)
    ]
    joiners = [_joiner(row.SubConOp, place=f"{at}.SubConOp") for row, at in members]
    instead = "Put what belongs together into one Condition, with one SubConOp in all its rows."
    return AskedComparisons(
        comparisons=tuple(_comparison(row, place=at) for row, at in members),
        is_any=len(members) > 1 and _agreed(joiners, instead=instead),
    )


def _is_padding(row: RowConditionWire) -> bool:
    """Return whether a row compares nothing. The hosted pages send such rows (observed)."""
    return not (text_of(row.LSO) or text_of(row.Operator) or text_of(row.RSO))


def _comparison(row: RowConditionWire, *, place: str) -> AskedComparison:
    name = text_of(row.LSO)
    if not name:
        raise MissingAttribute(f"'LSO' is mandatory in {place}: the name of a column")
    operator = text_of(row.Operator)
    if not operator:
        raise MissingAttribute(f"'Operator' is mandatory in {place}: 'eq', for example")
    if is_true(row.RSO_IsMailMerged):
        raise InvalidValue(
            f"{place}.RSO_IsMailMerged: merged values are not supported. Send the value itself in"
            " RSO, and false here."
        )
    comparison = comparison_named(operator, place=f"{place}.Operator")
    operand = None
    if comparison not in WITHOUT_OPERAND:
        operand = row.RSO if row.RSO == "" else plain_text(given(row.RSO), place=f"{place}.RSO")
    return AskedComparison(
        place=place,
        name=name,
        sent_type=text_of(row.LSO_Type).lower(),
        comparison=comparison,
        operand=operand,
    )


# --- joiners -----------------------------------------------------------------------------------


def _is_any_condition(
    advanced: AdvancedSearchWire,
    conditions: Sequence[ConditionWire],
    groups: Sequence[AskedComparisons],
    place: str,
) -> bool:
    """Return whether one of the Conditions is enough. The base row alone does not count."""
    of_all = _joiner(advanced.GrpConOp, place=f"{place}.GrpConOp")
    each = [
        _joiner(condition.ConOp, place=f"{place}.Conditions[{index}].ConOp")
        for index, condition in enumerate(conditions)
    ]
    if sum(bool(group.comparisons) for group in groups) < 2:
        return False
    return _agreed(
        [of_all, *each[1:]],
        instead="Send one of the two in GrpConOp and in every ConOp; the rows of one Condition can"
        " be joined otherwise.",
    )


def _joiner(value: str | UnsetType | None, *, place: str) -> _Joiner | None:
    text = text_of(value)
    if not text:
        return None
    is_any = _JOINERS.get(text.lower())
    if is_any is None:
        raise InvalidValue(f"{place}: {quoted(text)} joins nothing. Send 'And' or 'Or'.")
    return _Joiner(is_any, place)


def _agreed(joiners: Iterable[_Joiner | None], *, instead: str) -> bool:
    """Return whether the joiners say that one is enough; without any, all have to hold."""
    said = [joiner for joiner in joiners if joiner is not None]
    other = next((joiner for joiner in said if joiner.is_any is not said[0].is_any), None)
    if other is not None:
        words = ("Or", "And") if said[0].is_any else ("And", "Or")
        raise InvalidValue(
            f"{other.place} is '{words[1]}', but {said[0].place} is '{words[0]}': what binds first"
            f" is not said. {instead}"
        )
    return bool(said) and said[0].is_any


def _rows(condition: ConditionWire) -> Sequence[RowConditionWire]:
    return condition.RowCondition if isinstance(condition.RowCondition, list) else ()
