"""The fields of leads, LeadsMetaData.Get."""

from typing import Any

from oppserver.contract.leads import STANDARD_COLUMNS
from tests.support import writing
from tests.support.lead_calls import (
    BY_IDS,
    SERVICE,
    asking,
    refused,
    saved,
)
from tests.support.running import Server
from tests.support.writing import fresh, well

ENGINES = ["sqlite", "postgres"]

folder, server = writing.folder, writing.server


def fields(server: Server, query: str = "") -> Any:
    """The answer of LeadsMetaData.Get."""
    path = f"{SERVICE}/LeadsMetaData.Get{query}"
    answer = server.call("GET", path, headers=server.keys.headers)
    assert answer.status == 200, answer.body
    return answer.json


def test_the_fields_of_leads_are_listed(server: Server) -> None:
    """A bare array of all standard fields, with the documented members in their order."""
    listed = {one["SchemaName"]: one for one in fields(server)}
    assert list(listed) == [column.name for column in STANDARD_COLUMNS]
    phone = listed["Phone"]
    first = ["Entity", "SchemaName", "DisplayName", "DataType", "IsMandatory", "MaxLength"]
    assert list(phone)[: len(first)] == first
    assert phone["DisplayName"] == "Phone Number"
    assert (phone["DataType"], phone["RenderTypeTextValue"]) == ("Phone", "Phone")
    assert (phone["IsMandatory"], phone["MaxLength"]) == (False, "32000")
    assert listed["ModifiedOn"]["DataType"] == "Date"
    assert listed["SourceReferrerURL"]["DisplayName"] == "Source Referrer URL"
    identifiers = [name for name, one in listed.items() if one["IsLeadIdentifier"]]
    assert identifiers == ["ProspectID", "EmailAddress", "Phone", "Mobile"]
    assert len({one["EntityAttributeId"] for one in listed.values()}) == len(listed)


def test_every_listed_field_can_be_read(server: Server) -> None:
    """A program that asks for all listed fields gets each of them."""
    one = saved(server, Phone=fresh())
    names = [field["SchemaName"] for field in fields(server)]
    [row] = well(server.post(asking(one, columns=",".join(names)), path=BY_IDS))["Leads"]
    assert list(row) == names


def test_one_field_is_an_array_of_one(server: Server) -> None:
    """By its schema name in any case; a custom field needs no definition to be described."""
    [phone] = fields(server, "?SchemaName=PHONE&excludeOptionSets=1")
    assert phone in fields(server)
    [city] = fields(server, "?schemaName=mx_Home_City")
    assert (city["SchemaName"], city["DisplayName"]) == ("mx_Home_City", "Home City")
    assert city["DataType"] == "Text"


def test_an_unknown_field_is_a_400_that_names_the_nearest(server: Server) -> None:
    """Not an empty array: the program would go on without the field."""
    path = f"{SERVICE}/LeadsMetaData.Get?schemaName=Fone"
    answer = server.call("GET", path, headers=server.keys.headers)
    refused(answer, "UnknownAttribute", "'schemaName': 'Fone' is no attribute of a lead")
    assert "Did you mean Phone" in answer.json["ExceptionMessage"]
