"""Values that a call does not keep are refused by name: unknown members, field sets, other places.

The messages are taken from the table of routes, so that a new one is tried as well.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import inspect

from oppserver.api.routes import ROUTES
from oppserver.calls.bulk_read.parse import GetOpportunitiesByIdWire
from oppserver.calls.shared.advanced_search import AdvancedSearchWire
from oppserver.calls.shared.call import Stream
from tests.support import activity_calls, writing
from tests.support.activity_calls import (
    new_lead,
)
from tests.support.messages import (
    INVALID,
    Place,
    all_that_is_here,
    calls,
    post,
    refused,
    with_member,
)
from tests.support.running import Server
from tests.support.writing import (
    UPDATE,
    captured,
)

folder, server = activity_calls.folder, writing.server

FIDELITY = Path(__file__).parents[3] / "docs" / "fidelity.md"


NAMES = list(calls("", ""))


# --- the messages of a body --------------------------------------------------------------------


def forms_in(form: inspect.Type) -> list[inspect.Type]:
    return list(form.types) if isinstance(form, inspect.UnionType) else [form]


def places(body: Any, form: inspect.Type, path: tuple[str | int, ...] = ()) -> Iterator[Place]:
    """Every message of a body, the condition language in its text included."""
    for one in forms_in(form):
        if isinstance(one, inspect.ListType) and isinstance(body, list):
            for index, inner in enumerate(body):
                yield from places(inner, one.item_type, (*path, index))
        elif isinstance(one, inspect.StructType) and isinstance(body, dict):
            yield Place(path, one)
            for field in one.fields:
                name = field.encode_name
                is_search = name == "AdvancedSearch"
                inner_form = inspect.type_info(AdvancedSearchWire) if is_search else field.type
                yield from places(body.get(name), inner_form, (*path, name))


def messages_of(form: inspect.Type) -> set[type]:
    """Every message that a form can hold."""
    found: set[type] = set()
    for one in forms_in(form):
        if isinstance(one, inspect.ListType):
            found |= messages_of(one.item_type)
        elif isinstance(one, inspect.StructType):
            found.add(one.cls)
            for field in one.fields:
                found |= messages_of(field.type)
    return found


def ignored(form: inspect.StructType) -> set[str]:
    """The members that a message knows and has no use for."""
    return {field.encode_name for field in form.fields if isinstance(field.type, inspect.RawType)}


# --- unknown members ---------------------------------------------------------------------------


def test_every_message_is_tried() -> None:
    """Whatever a call decodes is in the calls of this module, with all that it can hold."""
    decoded = messages_of(inspect.type_info(AdvancedSearchWire))  # a text within a body
    for route in ROUTES:
        if not isinstance(route.operation, Stream):  # a stream of ids has no message
            decoded |= messages_of(inspect.type_info(route.operation.body.message))
    tried: set[type] = set()
    for call in calls("", "").values():
        tried |= {place.form.cls for place in places(call.body, inspect.type_info(call.form))}
    assert decoded - tried == messages_of(inspect.type_info(GetOpportunitiesByIdWire))


@pytest.mark.parametrize("name", NAMES)
def test_a_member_that_a_message_does_not_have_is_refused(name: str, server: Server) -> None:
    """In every place of every call, whatever its value is; nothing is written."""
    lead_id = new_lead(server)
    call = calls(lead_id, captured(server))[name]
    assert post(server, call, call.body).status == 200
    before = all_that_is_here(server)
    for place in places(call.body, inspect.type_info(call.form)):
        for value in ("x", 1, True, {"Value": "N"}, [{"SchemaName": "mx_Custom_1"}]):
            body = with_member(call.body, place.path, "mx_Unheard", value)
            refused(post(server, call, body), INVALID, f"{place.shown}.mx_Unheard: there is no")
    assert all_that_is_here(server) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_misspelt_member_is_told_what_was_meant(name: str, server: Server) -> None:
    """Members are told apart by case, as the documentation spells them."""
    lead_id = new_lead(server)
    call = calls(lead_id, captured(server))[name]
    for place in places(call.body, inspect.type_info(call.form)):
        known_name = next(field.encode_name for field in place.form.fields)
        body = with_member(call.body, place.path, known_name.lower(), "x")
        answer = post(server, call, body)
        refused(answer, INVALID, f"{place.shown}.{known_name.lower()}", f"mean {known_name}")


def test_a_name_that_is_no_name_is_quoted(server: Server) -> None:
    """Whatever stands in it, and however long it is."""
    for member in ("", "` - at `$.Fields", "a\nb\0c", "\ud800", "ü" * 5_000):
        answer = server.post({"ProspectOpportunityId": "x", member: 1}, path=UPDATE)
        assert answer.status == 400, answer.body
        assert len(answer.message) < 500
        assert answer.message.isprintable()


# --- members without effect --------------------------------------------------------------------


def documented() -> set[tuple[str, str, str]]:
    """Call, place and member of each row of the list in the documents."""
    text = FIDELITY.read_text(encoding="utf-8")
    section = text.partition("### Members without effect")[2].partition("\n##")[0]
    found: set[tuple[str, str, str]] = set()
    for one in section.split("\n- ")[1:]:
        where, _, members = one.partition(": ")
        [name, place] = re.findall(r"`([^`]+)`", where)
        found |= {(name, place, member) for member in re.findall(r"`([^`]+)`", members)}
    return found


def test_members_without_effect_are_documented() -> None:
    """The list has each of them, and no other."""
    known_here = {
        (name, re.sub(r"\d+", "", place.shown), member)
        for name, call in calls("", "").items()
        for place in places(call.body, inspect.type_info(call.form))
        for member in ignored(place.form)
    }
    assert documented() == known_here


@pytest.mark.parametrize("name", sorted({name for name, *_ in documented()}))
def test_members_without_effect_are_accepted(name: str, server: Server) -> None:
    """Whatever their value is: the call is answered as it is without them."""
    lead_id = new_lead(server)
    call = calls(lead_id, captured(server))[name]
    for place in places(call.body, inspect.type_info(call.form)):
        for member in ignored(place.form):
            for value in (True, "1", None, {"a": [1]}):
                body = with_member(call.body, place.path, member, value)
                assert post(server, call, body).status == 200
