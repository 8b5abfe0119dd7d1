"""Numbers with commas, on every way into the server: signs of thousands, or a 400."""

from typing import Any

import pytest

from tests.support import writing
from tests.support.advanced_search import BASE, condition, posted, row
from tests.support.lead_calls import GET, looking, saved
from tests.support.running import Answer, Server
from tests.support.writing import (
    BULK_ADD,
    BULK_UPDATE,
    CAPTURE,
    DEAL,
    captured,
    capturing,
    fields,
    fresh,
    update,
    value,
)

folder, server = writing.folder, writing.server

NUMBERS = {
    "1,000": "1000",
    "1,00,000": "100000",
    "12,34,567.89": "1234567.89",
    "-1,234,567": "-1234567",
    "200,000": "200000",
}
NO_NUMBERS = [
    *("1499,90", "1,2,3", "1.499,90", "0,500", "1 499,90", "\u0661\u0662"),
    *(",5", "5,", "1,,000", "1,0000"),
]


def writes(server: Server, number: Any) -> list[Answer]:
    """A number as the deal size of an opportunity, by each call that writes one."""
    phone = fresh()
    saved(server, Phone=phone)
    one = captured(server)
    sizes = fields(c6=number)
    addition = fields(Status="Open", c1=fresh(), c6=number)
    in_bulk = {"ProspectOpportunityId": one, "OpportunityEventCode": DEAL, "Fields": sizes}
    added = {"SearchByValue": phone, "OpportunityEventCode": DEAL, "Fields": addition}
    named = [{"SchemaName": "deal size", "Value": number}]
    return [
        server.post(capturing(values={"c6": number}), path=CAPTURE),
        update(server, one, c6=number),
        server.post({"ProspectOpportunityId": one, "Fields": named}, path=writing.UPDATE),
        server.post([in_bulk], path=BULK_UPDATE),
        server.post([added], path=f"{BULK_ADD}?SearchBy=Phone"),
    ]


@pytest.mark.parametrize("number", NO_NUMBERS)
def test_v3_a_comma_that_is_no_sign_of_thousands_is_refused(number: str, server: Server) -> None:
    """By every call that writes a number, and as what a search compares with."""
    search = {"Conditions": [condition(BASE, row("mx_Custom_6", "gt", number))]}
    for answer in [*writes(server, number), posted(server, search, code=DEAL)]:
        assert answer.status == 400, answer.body
        assert answer.exception_type == "MXInvalidActivityFieldsException"
        assert "expected a number like 200000, 200,000 or -12.5" in answer.message


@pytest.mark.parametrize(("number", "stored"), NUMBERS.items())
def test_a_number_with_signs_of_thousands_is_stored_without(
    number: str, stored: str, server: Server
) -> None:
    """In groups of three digits, or of two before the last, as in India; searches take both."""
    for answer in writes(server, number):
        assert answer.status == 200, answer.body
    one = captured(server, values={"c6": number})
    assert value(server, one, "mx_Custom_6") == stored
    for written in (number, stored):
        search = {"Conditions": [condition(BASE, row("mx_Custom_6", "eq", written))]}
        rows = posted(server, search, code=DEAL).json["List"]
        assert one in [found["OpportunityId"] for found in rows]


def test_leads_are_compared_with_a_number_however_it_is_written(server: Server) -> None:
    """With and without signs of thousands."""
    lead_id = saved(server, Phone=fresh(), mx_Turnover="1500")
    for written in ("1,000", "1000", "1,499.90"):
        answer = server.post(looking("mx_Turnover", ">", written), path=GET)
        assert [found["ProspectID"] for found in answer.json] == [lead_id]
    assert server.post(looking("mx_Turnover", ">", "2,000"), path=GET).json == []
