"""``Update``: new values of one opportunity."""

from pathlib import Path
from typing import Any

import pytest

from tests.support import writing
from tests.support.running import Answer, Server, create_key
from tests.support.writing import (
    DEAL,
    OWNER_EMAIL,
    UNIQUE,
    UNKNOWN_ID,
    UPDATE,
    captured,
    delete,
    fields,
    row,
    store_of,
    update,
    value,
    well,
)

ENGINES = ["sqlite", "postgres"]

folder, server = writing.folder, writing.server

OLD = "2020-01-01 00:00:00"


def refused(answer: Answer, *, status: int = 400) -> str:
    """The message of an answer that is not 200."""
    assert answer.status == status, answer.body
    return answer.message


def test_only_what_is_passed_changes(server: Server) -> None:
    """The rest stays; null and an empty text clear; the answer has the id."""
    one = captured(
        server, values={"c3": "Web", "c6": 7, "c10": "x", "Owner": OWNER_EMAIL}, OpportunityNote="n"
    )
    columns = "Status,OpportunityNote,Owner,mx_Custom_1,mx_Custom_3,mx_Custom_6,mx_Custom_10"
    before = row(server, one, columns)
    answer = update(server, one, c6=None, c10="", Status="won", c3="PHONE")
    assert well(answer) == {"Status": "Success", "Message": {"Id": one, "AffectedRows": 1}}
    assert before is not None
    changed = {"mx_Custom_6": None, "mx_Custom_10": None, "Status": "Won", "mx_Custom_3": "Phone"}
    assert row(server, one, columns) == before | changed


def test_an_update_is_dated_and_signed(server: Server, folder: Path) -> None:
    """ModifiedOn is now and ModifiedBy the caller; those of the creation stay."""
    one = captured(server, OpportunityDateTime=OLD)
    other = create_key(folder, email="other@example.com")
    store = store_of(folder)
    store.write(
        lambda transaction: transaction.write_opportunities(
            [
                type(stored)(
                    **{name: getattr(stored, name) for name in stored.__struct_fields__}
                    | {"modified_on": OLD}
                )
                for stored in transaction.opportunities([one]).values()
            ],
            now=OLD,
        )
    )
    store.close()
    before = row(server, one, "CreatedOn,CreatedBy,ModifiedOn,ModifiedBy")
    message = {"ProspectOpportunityId": one, "Fields": fields(c10="x")}
    well(server.post(message, path=UPDATE, keys=other))
    after = row(server, one, "CreatedOn,CreatedBy,ModifiedOn,ModifiedBy")
    assert before is not None
    assert after is not None
    assert {name for name in before if before[name] != after[name]} == {"ModifiedOn", "ModifiedBy"}
    assert after["CreatedBy"] == before["ModifiedBy"]


@pytest.mark.parametrize("note", ["new", ""])
def test_the_note(note: str, server: Server) -> None:
    """A member of its own: empty clears it, null says nothing."""
    one = captured(server, OpportunityNote="old")
    message: dict[str, Any] = {"ProspectOpportunityId": one, "OpportunityNote": note}
    well(server.post(message, path=UPDATE))
    assert value(server, one, "OpportunityNote") == (note or None)
    message = {"ProspectOpportunityId": one, "OpportunityNote": None, "Fields": fields(c10="x")}
    well(server.post(message, path=UPDATE))
    assert value(server, one, "OpportunityNote") == (note or None)


def test_the_owner(server: Server) -> None:
    """By address or id, under either of its names; cleared by null."""
    one = captured(server)
    for name, given in (("Owner", OWNER_EMAIL.upper()), ("OwnerEmailAddress", OWNER_EMAIL)):
        well(update(server, one, Owner=None))
        assert value(server, one, "Owner") is None
        well(update(server, one, **{name: given}))
        assert value(server, one, "OwnerEmailAddress") == OWNER_EMAIL
    owner = value(server, one, "Owner")
    assert owner is not None
    well(update(server, one, Owner="{" + owner.upper() + "}"))
    assert value(server, one, "Owner") == owner


def test_an_id_in_another_form(server: Server) -> None:
    """Upper case, without dashes: it is the same opportunity."""
    one = captured(server)
    assert well(update(server, one.upper().replace("-", ""), c10="x"))["Message"]["Id"] == one
    assert value(server, one, "mx_Custom_10") == "x"


def test_a_type_that_is_sent_has_to_be_its_own(server: Server) -> None:
    """Update does not ask for it; a wrong one is a mistake."""
    one = captured(server)
    message: dict[str, Any] = {"ProspectOpportunityId": one, "Fields": fields(c10="x")}
    well(server.post(message | {"OpportunityEventCode": str(DEAL)}, path=UPDATE))
    answer = server.post(message | {"OpportunityEventCode": UNIQUE}, path=UPDATE)
    assert refused(answer).startswith(
        f"OpportunityEventCode: the opportunity {one} is of type 12000, not 12001."
    )


# --- dependent values


def test_a_change_of_the_parent_checks_its_dependents(server: Server) -> None:
    """A stage that does not go with the new status is refused, unless it changes too."""
    one = captured(server, values={"c2": "Negotiation"})
    assert refused(update(server, one, Status="Won")).startswith(
        "Fields[0].Value: mx_Custom_2 (Stage) 'Negotiation' does not go with Status 'Won', which"
        " takes 'Closed'. Send a value of mx_Custom_2"
    )
    assert value(server, one, "Status") == "Open"
    well(update(server, one, Status="Won", c2="closed"))
    assert value(server, one, "mx_Custom_2") == "Closed"
    well(update(server, one, c2=None, Status="Lost"))
    well(update(server, one, Status="Open"))
    assert refused(update(server, one, c2="Closed")).startswith("Fields[0].Value: mx_Custom_2")


def test_a_dependent_that_nobody_touches_is_not_checked(server: Server, folder: Path) -> None:
    """Imported values do not stand in the way of other changes."""
    one = captured(server)
    store = store_of(folder)
    store.write(
        lambda transaction: transaction.write_opportunities(
            [
                type(stored)(
                    **{name: getattr(stored, name) for name in stored.__struct_fields__}
                    | {"slots": {**stored.slots, "mx_custom_2": "Imported"}}
                )
                for stored in transaction.opportunities([one]).values()
            ],
            now=OLD,
        )
    )
    store.close()
    well(update(server, one, c10="x"))
    assert value(server, one, "mx_Custom_2") == "Imported"


# --- errors


@pytest.mark.parametrize(
    ("message", "exception_type", "expected"),
    [
        ({}, "MXMandatoryAttributeMissing", "'ProspectOpportunityId' is mandatory"),
        (
            {"ProspectOpportunityId": "7"},
            "MXInvalidInput",
            "ProspectOpportunityId: '7' is not a GUID",
        ),
        (
            {"ProspectOpportunityId": UNKNOWN_ID},
            "MXMandatoryAttributeMissing",
            "Fields has no entry, and there is no OpportunityNote",
        ),
        (
            {"ProspectOpportunityId": UNKNOWN_ID, "Fields": [{"SchemaName": "Status"}]},
            "MXMandatoryAttributeMissing",
            "'Value' is mandatory in Fields[0]",
        ),
        ([], "MXInvalidDataType", "$: Expected object"),
    ],
)
def test_a_bad_body_is_a_400_that_names_the_place(
    message: Any, exception_type: str, expected: str, server: Server
) -> None:
    """Each kind of mistake, its type and what the message begins with."""
    answer = server.post(message, path=UPDATE)
    assert refused(answer).startswith(expected)
    assert answer.exception_type == f"{exception_type}Exception"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"Status": None},
            "Field name : 'Status' of datatype : 'SearchableDropdown' is mandatory.",
        ),
        ({"c1": ""}, "Field name : 'mx_Custom_1' of datatype : 'String' is mandatory. Fields[0]"),
        ({"c6": "many"}, "Fields[0].Value: 'many' does not fit mx_Custom_6 (Deal Size, Number)"),
        ({"ProspectId": UNKNOWN_ID}, "Fields[0].SchemaName: ProspectId is set by the server."),
        ({"Remrk": "x"}, "Fields[0].SchemaName: 'Remrk' is no field of type 12000. Did you mean R"),
    ],
)
def test_a_bad_value_changes_nothing(values: dict[str, Any], expected: str, server: Server) -> None:
    """Also the good values beside it are not written."""
    one = captured(server, values={"c10": "before"})
    assert refused(update(server, one, **values, c10="after")).startswith(expected)
    assert value(server, one, "mx_Custom_10") == "before"


def test_an_unknown_opportunity_is_404(server: Server) -> None:
    """The message has the id."""
    answer = update(server, UNKNOWN_ID, c10="x")
    assert refused(answer, status=404) == (
        f"ProspectOpportunityId: there is no opportunity {UNKNOWN_ID}. Check the id."
    )
    assert answer.exception_type == "MXOpportunityNotFoundException"


def test_a_deleted_opportunity_is_404_that_says_when_and_by_whom(
    server: Server, folder: Path
) -> None:
    """By a caller, with the address; by a command, which is nobody."""
    one, other = captured(server), captured(server)
    well(delete(server, one))
    store = store_of(folder)
    store.delete_opportunities([other], now=OLD, by=None)
    store.close()
    answer = update(server, one, c10="x")
    message = refused(answer, status=404)
    assert message.startswith(
        f"ProspectOpportunityId: the opportunity {one} of type 12000 ('Deal') was deleted on 2"
    )
    assert message.endswith(" (UTC) by writer@example.com.")
    assert refused(update(server, other, c10="x"), status=404) == (
        f"ProspectOpportunityId: the opportunity {other} of type 12000 ('Deal') was deleted on"
        f" {OLD} (UTC)."
    )


def test_a_reader_cannot_update(server: Server, folder: Path) -> None:
    """403, and nothing changes."""
    one = captured(server, values={"c10": "before"})
    keys = create_key(folder, role="reader", email="reader@example.com")
    message = {"ProspectOpportunityId": one, "Fields": fields(c10="after")}
    assert server.post(message, path=UPDATE, keys=keys).status == 403
    assert value(server, one, "mx_Custom_10") == "before"
