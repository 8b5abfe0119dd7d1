"""Files of types at their bounds; what else they say is tested as typed (test_type_commands.py)."""

import json
from typing import Any

import pytest

from oppserver.contract.errors import InvalidFile
from oppserver.contract.limits import DUPLICATE_RULES_MAX, EVENT_CODE_MAX, FIELD_OPTIONS_MAX
from oppserver.contract.model import Catalogue, Field
from oppserver.transfer.types import types_of

NOTHING = Catalogue(version=1, types={}, fields={})


def with_field(**members: Any) -> str:
    """A type with one field."""
    field = {"SchemaName": "mx_Custom_1", **members}
    return json.dumps({"EventCode": 1, "Fields": [field]})


def field_of(**members: Any) -> Field:
    """The field of a type with one field."""
    [one] = types_of(with_field(**members).encode(), NOTHING)
    [field] = one.fields
    return field


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ('{"EventCode": "\xff"}', "not JSON"),
        ("[" * 10_000, "not JSON"),
        ("12005", "$: Expected object, got int"),
        ('{"DisplayName": "Loan"}', "$: Object missing required field EventCode"),
        ('[{"EventCode": 1}, {"EventCode": "x"}]', "$[1].EventCode: Expected int, got str"),
        ('{"EventCode": -1}', "$.EventCode: -1 is not from 0"),
        (f'{{"EventCode": {EVENT_CODE_MAX + 1}}}', "$.EventCode: 2147483648 is not from 0"),
        ('{"EventCode": 1, "Fields": {}}', "$.Fields: Expected array | null, got object"),
        ('{"EventCode": 1, "Fields": [{}]}', "$.Fields[0]: Object missing required field"),
        ('{"EventCode": 1, "DisplayName": "\\u0007"}', "a line of text"),
        ('{"EventCode": 1, "Description": "\\u0000"}', "cannot be stored"),
        ('{"EventCode": 1, "DuplicateRules": [["Sttus"]]}', "Did you mean Status?"),
        ('{"EventCode": 1, "DuplicateRules": [[]]}', "at least one column"),
        (with_field(OptionSet="["), "$.Fields[0].OptionSet: the text is not JSON"),
        (with_field(OptionSet="[1]"), "$.Fields[0].OptionSet: '1' is not what options are"),
        (with_field(OptionSet="{}"), "$.Fields[0].OptionSet: '{}' is not what options are"),
        (with_field(DependentOptionSet="[{}]"), ".DependentOptionSet: '{}' is not what options"),
        (with_field(DependentOptionSet="1"), ".DependentOptionSet: '1' is not what options are"),
        (with_field(Sequence=-1), "the sequence -1 is not from 0"),
        (with_field(Sequence=2**70), "is not from 0"),
        (with_field(DisplayName="x" * 201), "201 characters"),
    ],
)
def test_what_is_no_type_is_refused_with_its_place(text: str, said: str) -> None:
    """The message says where and what was expected."""
    with pytest.raises(InvalidFile) as refused:
        types_of(text.encode("latin-1"), NOTHING)
    assert said in str(refused.value)


def test_a_dropdown_has_a_bound() -> None:
    """The limit of options is accepted; one more is refused."""
    options = [{"Value": f"Option {number}"} for number in range(FIELD_OPTIONS_MAX)]
    assert len(field_of(OptionSet=json.dumps(options)).options) == FIELD_OPTIONS_MAX
    with pytest.raises(InvalidFile, match="5,001 options"):
        field_of(OptionSet=json.dumps([*options, {"Value": "one more"}]))


def test_rules_have_a_bound() -> None:
    """The limit of rules is accepted; one more is refused."""
    names = [f"mx_Custom_{slot}" for slot in range(1, DUPLICATE_RULES_MAX + 2)]
    given = {"EventCode": 1, "Fields": [{"SchemaName": name} for name in names]}
    rules = [[name] for name in names]
    [one] = types_of(json.dumps(given | {"DuplicateRules": rules[1:]}).encode(), NOTHING)
    assert len(one.type.duplicate_rules) == DUPLICATE_RULES_MAX
    with pytest.raises(InvalidFile, match="11 duplicate rules"):
        types_of(json.dumps(given | {"DuplicateRules": rules}).encode(), NOTHING)


@pytest.mark.parametrize(
    ("given", "kept"),
    [(None, None), (0, None), (1, 1), ("200", 200), (32_000, None), (10**9, None)],
)
def test_a_length_within_that_of_any_text_is_kept(given: Any, kept: int | None) -> None:
    """A length that bounds nothing counts as none."""
    assert field_of(MaxFieldLength=given).max_length == kept


@pytest.mark.parametrize(
    ("members", "parent"),
    [
        ({"ParentField": "status"}, "Status"),
        ({"ParentField": "mx_Custom_9"}, None),
        ({"ParentField": "Owner"}, None),
        ({"ParentField": "nothing"}, None),
        ({"ParentField": "Status", "DataType": "Number"}, None),
    ],
)
def test_a_parent_that_cannot_be_is_left_out(members: Any, parent: str | None) -> None:
    """A parent is a dropdown with options, of a dropdown."""
    dependent = json.dumps([{"parent": "WON", "Options": ["a", {"Value": "A"}, {"Text": "b"}]}])
    field = field_of(**{"DependentOptionSet": dependent, **members})
    assert field.parent_field == parent
    assert field.dependent_options == ({"Won": ("a", "b")} if parent else {})


def test_fields_that_depend_on_each_other_are_refused() -> None:
    """A circle of parents is reported, not followed."""
    options = json.dumps([{"Value": "a"}])
    fields = [
        {"SchemaName": f"mx_Custom_{slot}", "OptionSet": options, "ParentField": f"mx_Custom_{up}"}
        for slot, up in ((1, 2), (2, 3), (3, 1))
    ]
    with pytest.raises(InvalidFile, match="depends on it"):
        types_of(json.dumps({"EventCode": 1, "Fields": fields}).encode(), NOTHING)
