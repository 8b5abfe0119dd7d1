"""Laws of types: export and import, what any file gets, and details against an oracle."""

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from oppserver.calls.types.run import details_form, render_details
from oppserver.contract.errors import InvalidFile
from oppserver.contract.metadata import DETAIL_FIELDS, NOTE_FIELD, STATUS_FIELD, own_fields
from oppserver.contract.model import (
    STATUSES,
    Catalogue,
    DataType,
    Field,
    OpportunityType,
    StoredOpportunity,
)
from oppserver.contract.names import ascii_lower
from oppserver.transfer.types import exported_type, types_of
from tests.property.laws import examples, texts
from tests.support.stores import guid, lead

CODE = 12_000
NOTHING = Catalogue(version=1, types={}, fields={})

lines = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(
    lambda text: bool(text.strip())
)
option_lists = st.lists(lines, max_size=4, unique_by=ascii_lower).map(tuple)
slots = st.integers(1, 250)


@st.composite
def fields(draw: st.DrawFn, slot: int, parents: dict[str, tuple[str, ...]]) -> Field:
    """Any field; a dropdown may depend on one of the parents, given with their options."""
    data_type = draw(st.sampled_from(list(DataType)))
    is_dropdown = data_type is DataType.SEARCHABLE_DROPDOWN
    options = draw(option_lists) if is_dropdown else ()
    parent = draw(st.none() | st.sampled_from(sorted(parents))) if options else None
    dependent: dict[str, tuple[str, ...]] = {}
    if parent is not None:
        some = st.lists(st.sampled_from(options), unique=True).map(tuple)
        dependent = draw(st.dictionaries(st.sampled_from(parents[parent]), some))
    return Field(
        event_code=CODE,
        schema_name=f"mx_Custom_{slot}",
        display_name=draw(lines),
        data_type=data_type,
        is_mandatory=draw(st.booleans()),
        sequence=draw(st.integers(0, 2**31 - 1)),
        options=options,
        default_option=draw(st.none() | st.sampled_from(options)) if options else None,
        max_length=draw(st.none() | st.integers(12, 31_999)),
        parent_field=parent,
        dependent_options=dependent,
    )


@st.composite
def catalogues(draw: st.DrawFn) -> Catalogue:
    """A type with any fields and rules."""
    of_type: dict[str, Field] = {}
    parents: dict[str, tuple[str, ...]] = {"Status": STATUSES}
    for slot in draw(st.lists(slots, max_size=5, unique=True)):
        field = of_type[f"mx_Custom_{slot}"] = draw(fields(slot, parents))
        if field.options:
            parents[field.schema_name] = field.options
    columns = st.sampled_from(["ProspectId", "Owner", "Status", *of_type])
    rules = st.lists(columns, min_size=1, max_size=3, unique=True).map(tuple)
    one = OpportunityType(
        event_code=CODE,
        name=draw(lines),
        description=draw(texts()),
        can_delete=draw(st.booleans()),
        duplicate_rules=tuple(draw(st.lists(rules, max_size=3, unique=True))),
    )
    return Catalogue(version=1, types={CODE: one}, fields={CODE: of_type})


@given(catalogue=catalogues())
@examples(150)
def test_an_import_of_an_export_is_the_type_again(catalogue: Catalogue) -> None:
    """The export of any type makes it again, and nothing of it is reported as lost."""
    text = msgspec.json.encode(exported_type(catalogue, CODE))
    [imported] = types_of(text, NOTHING)
    assert imported.type == catalogue.types[CODE]
    assert {field.schema_name: field for field in imported.fields} == catalogue.fields[CODE]
    assert imported.lost == {}


# --- any file ----------------------------------------------------------------------------------

scalars: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | texts()
    | st.sampled_from(["Status", "mx_Custom_1", "mx_custom_2", "mx_Custom_300", "Owner", "", "[]"])
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["Value", "Order"]), inner)
    ),
    max_leaves=5,
)
option_texts = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Value", "Text", "Order", "Parent", "parent", "Options", "Open"]),
            inner,
        )
    ),
    max_leaves=8,
).map(json.dumps)
likely_fields = st.fixed_dictionaries(
    {"SchemaName": st.sampled_from(["Status", "mx_Custom_1", "mx_custom_2", "mx_Custom_300", "x"])},
    optional={
        "DisplayName": lines | anything,
        "DataType": st.sampled_from([*DataType, "Product"]) | anything,
        "IsMandatory": st.booleans() | anything,
        "Sequence": st.integers(0, 9) | anything,
        "ParentField": st.sampled_from(["Status", "mx_Custom_1", "mx_Custom_2"]) | anything,
        "OptionSet": option_texts | anything,
        "DependentOptionSet": option_texts | anything,
        "MaxFieldLength": st.integers(0, 99) | anything,
        "Other": anything,
    },
)
likely_types = st.fixed_dictionaries(
    {"EventCode": st.integers(0, 9) | scalars},
    optional={
        "DisplayName": lines | anything,
        "Description": texts() | anything,
        "CanDelete": st.booleans() | anything,
        "Fields": st.lists(likely_fields, max_size=3) | anything,
        "DuplicateRules": st.lists(st.lists(lines)) | anything,
    },
)


@given(content=likely_types | st.lists(likely_types, max_size=2) | anything)
@examples(400)
def test_any_file_is_types_or_refused(content: Any) -> None:
    """Whatever JSON it is: types that can be exported and imported again, or one clear refusal."""
    try:
        imported = types_of(json.dumps(content).encode(), NOTHING)
    except InvalidFile as error:
        assert str(error)
        return
    for one in imported:
        code = one.type.event_code
        of_type = {field.schema_name: field for field in one.fields}
        catalogue = Catalogue(version=1, types={code: one.type}, fields={code: of_type})
        [again] = types_of(msgspec.json.encode(exported_type(catalogue, code)), NOTHING)
        assert (again.type, again.fields, again.lost) == (one.type, one.fields, {})


# --- details -----------------------------------------------------------------------------------


@given(
    catalogue=catalogues(),
    values=st.dictionaries(slots.map(lambda slot: f"mx_custom_{slot}"), texts()),
    note=st.none() | texts() | st.just('"Value":null'),
    status=st.none() | st.sampled_from(STATUSES),
)
@examples(100)
def test_details_are_the_fields_with_their_values(
    catalogue: Catalogue, values: dict[str, str], note: str | None, status: str | None
) -> None:
    """The bytes put together are the same as each field's message with its value, encoded."""
    dates = {"CreatedOn": "2024-02-29 13:05:09", "ModifiedOn": "2024-03-01 00:00:00"}
    one = StoredOpportunity(
        id=guid(1),
        event_code=CODE,
        lead_id=lead(1),
        note=note,
        status=status,
        created_on=dates["CreatedOn"],
        modified_on=dates["ModifiedOn"],
        slots=values,
    )
    own = list(catalogue.fields[CODE].values())
    form = details_form(catalogue.types[CODE], own)
    found = json.loads(render_details(one, form))
    system = {"ActivityEvent_Note": note, "Status": status, **dates}
    messages = [NOTE_FIELD, STATUS_FIELD, *DETAIL_FIELDS, *own_fields(own)]
    assert found["Fields"] == [
        {
            **msgspec.to_builtins(message),
            "Value": system.get(message.SchemaName, values.get(message.SchemaName.lower())),
        }
        for message in messages
    ]
    assert (found["ID"], found["RelatedProspectId"]) == (guid(1), lead(1))
    assert found["Name"] == found["DisplayName"] == catalogue.types[CODE].name
    assert found["OpportunityNote"] == note
