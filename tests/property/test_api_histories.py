"""Random histories of writes over a socket: what is read is what a simple model has.

Everything is drawn from few leads, values and ids, so that the calls meet.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from oppserver.contract.dates import to_stored
from tests.property.api_model import (
    COLUMNS,
    DATES,
    UNIQUE_CHOICES,
    Entry,
    Given,
    Lead,
    Model,
    Refused,
    Row,
    additions,
    deal_values,
    flags,
    numbers,
    sent_fields,
)
from tests.property.laws import examples
from tests.support import writing
from tests.support.listed import OF_LEAD, SEARCH
from tests.support.running import Answer, Server, asking, group
from tests.support.writing import (
    BULK_ADD,
    BULK_UPDATE,
    CAPTURE,
    DEAL,
    UNIQUE,
    UNKNOWN_ID,
    UPDATE,
    delete,
)

ENGINES = ["sqlite", "postgres"]

folder, server = writing.folder, writing.server

# --- writes ------------------------------------------------------------------------------------


class Writes(RuleBasedStateMachine):
    """The calls that write: the server takes what the model takes, and says the same of it."""

    server: Server
    histories: Iterator[int]

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.history = next(self.histories)

    def unique(self, values: Mapping[str, Given]) -> dict[str, Given]:
        """The values with those that a rule compares made this history's own."""
        name = "mx_Custom_2"
        given = values.get(name)
        if given is None or given.sent is None:
            return dict(values)
        own = f"{given.sent} {self.history}"
        return {**values, name: Given(own, own)}

    def email(self, number: int) -> str:
        return f"{number}@{self.history}.example.com"

    def id_of(self, number: int) -> str:
        """Mostly one of the opportunities that are there; one that was, or never was."""
        known = [*list(self.model.rows) * 3, *self.model.deleted, UNKNOWN_ID]
        return known[number % len(known)]

    def tried(self, change: Callable[[Model], Any], answer: Answer) -> bool:
        """Return whether the model takes a change; the server has answered accordingly."""
        try:
            change(deepcopy(self.model))
        except Refused:
            assert answer.status in (400, 403, 404), answer.body
            return False
        assert answer.status == 200, answer.body
        return True

    def created_on(self, ids: list[str | None]) -> dict[str, str]:
        """When opportunities were created, as the server has it."""
        found = self.read([one for one in ids if one is not None])
        return {one: row["CreatedOn"] or "" for one, row in found.items()}

    def read(self, ids: list[str]) -> dict[str, Row]:
        """The answer of the bulk read for the ids."""
        if not ids:
            return {}
        columns = ",".join(COLUMNS)
        deal_columns, unique_columns = columns, ",".join(COLUMNS[:7])
        answer = self.server.post(
            asking(
                group(ids, deal_columns, code=DEAL),
                group(ids, unique_columns, code=UNIQUE),
            )
        )
        assert answer.status == 200, answer.body
        rows = [row for entry in answer.json for row in entry["Opportunities"]]
        for row in rows:
            row.pop("Owner", None)
        return {row.pop("ProspectActivityId"): dict.fromkeys(COLUMNS) | row for row in rows}

    @initialize()
    def something_is_there(self) -> None:
        """A deal and an opportunity that others may repeat, both of one lead."""
        required = {"Status": Given("Open", "Open"), "mx_Custom_1": Given("x", "x")}
        for code, more in ((DEAL, {}), (UNIQUE, {"mx_Custom_2": Given("x", "x")})):
            addition = (code, required | more)
            self.capture(addition=addition, lead=0, phone=0, flags={}, date=DATES[1])

    @rule(
        addition=additions,
        lead=st.integers(0, 2),
        phone=st.none() | st.integers(0, 1),
        flags=flags,
        date=st.none() | st.sampled_from(DATES),
    )
    def capture(
        self,
        addition: tuple[int, dict[str, Given]],
        lead: int,
        phone: int | None,
        flags: dict[str, bool],
        date: str | None,
    ) -> None:
        code, values = addition[0], addition[1]
        values = self.unique(values) if code == UNIQUE else values
        email, number = self.email(lead), None if phone is None else f"{phone} {self.history}"
        found = self.model.lead(email=email, phone=number)
        details = writing.lead(EmailAddress=email)
        if number is not None:
            details += writing.lead(SearchBy="Phone", Phone=number)
        opportunity = {"OpportunityEventCode": code, "Fields": sent_fields(values), **flags}
        if date is not None:
            opportunity["OpportunityDateTime"] = date
        answer = self.server.post(
            {"LeadDetails": details, "Opportunity": opportunity}, path=CAPTURE
        )

        def done(model: Model, lead_id: str, new_id: str, created_on: str) -> tuple[str, int]:
            kept_phone = found.phone if found and number is None else number
            model.put_lead(Lead(lead_id, email, kept_phone))
            return model.capture(Entry(code, lead_id, values, flags), new_id, created_on)

        lead_id = found.id if found else "new"
        if not self.tried(lambda model: done(model, lead_id, "new", "1/1/2020 0:00:00 AM"), answer):
            return
        message = answer.json
        if found is not None:
            assert message["RelatedProspectId"] == found.id
        new_id = message["CreatedOpportunityId"]
        created_on = self.created_on([new_id]).get(new_id, "")
        one, action = done(self.model, message["RelatedProspectId"], new_id, created_on)
        assert message["PrimaryAction"] == action
        assert message["IsUnique"] == (action == 1)
        assert (new_id or message["ConflictedOpportunityId"]) == one
        if date is not None and action == 1:
            assert to_stored(created_on) == date

    @precondition(lambda self: self.model.leads)
    @rule(entries=st.lists(st.tuples(additions, st.integers(0, 2), flags), min_size=1, max_size=4))
    def bulk_add(
        self, entries: list[tuple[tuple[int, dict[str, Given]], int, dict[str, bool]]]
    ) -> None:
        planned, messages = [], []
        for (code, given), number, all_flags in entries:
            values = self.unique(given) if code == UNIQUE else given
            lead = self.model.leads[number % len(self.model.leads)]
            own_flags = {
                name: flag for name, flag in all_flags.items() if name != "OverwriteFields"
            }
            planned.append(Entry(code, lead.id, values, own_flags))
            messages.append(
                {
                    "SearchByValue": lead.email,
                    "OpportunityEventCode": code,
                    "Fields": sent_fields(values),
                    **own_flags,
                }
            )
        answer = self.server.post(messages, path=f"{BULK_ADD}?SearchBy=EmailAddress")

        def done(model: Model, ids: list[str], dates: Mapping[str, str]) -> list[tuple[str, int]]:
            return [
                model.capture(entry, one, dates.get(one, "1/1/9999 1:00:00 AM"))
                for entry, one in zip(planned, ids, strict=True)
            ]

        temporary = [f"new {number}" for number in range(len(planned))]
        if not self.tried(lambda model: done(model, temporary, {}), answer):
            return
        rows = answer.json["Response"]
        ids = [one["CreatedOpportunityId"] for one in rows]
        expected = done(self.model, ids, self.created_on(ids))
        assert [
            (
                one["CreatedOpportunityId"] or one["ConflictedOpportunityId"],
                one["AdditionalDetails"][0]["PostDeDupActionPerformed"],
            )
            for one in rows
        ] == expected

    @precondition(lambda self: self.model.codes)
    @rule(number=numbers, values=deal_values)
    def update(self, number: int, values: dict[str, Given]) -> None:
        one = self.id_of(number)
        values = self.fitting(one, values)
        answer = self.server.post(
            {"ProspectOpportunityId": one, "Fields": sent_fields(values)}, path=UPDATE
        )
        if self.tried(lambda model: model.update(one, values), answer):
            self.model.update(one, values)

    @precondition(lambda self: self.model.codes)
    @rule(updates=st.dictionaries(numbers, deal_values, min_size=1, max_size=4))
    def bulk_update(self, updates: dict[int, dict[str, Given]]) -> None:
        by_id = {self.id_of(number): values for number, values in updates.items()}
        planned = {one: self.fitting(one, values) for one, values in by_id.items()}
        answer = self.server.post(
            [
                {
                    "ProspectOpportunityId": one,
                    "OpportunityEventCode": self.model.codes.get(one, DEAL),
                    "Fields": sent_fields(values),
                }
                for one, values in planned.items()
            ],
            path=BULK_UPDATE,
        )

        def done(model: Model) -> None:
            for one, values in planned.items():
                model.update(one, values)

        if self.tried(done, answer):
            done(self.model)

    def fitting(self, one: str, values: Mapping[str, Given]) -> dict[str, Given]:
        """The values for fields that the opportunity's type has."""
        if self.model.codes.get(one, DEAL) == DEAL:
            return dict(values)
        given = {name: value for name, value in values.items() if name in UNIQUE_CHOICES}
        texts = {
            name: Given(value.sent, value.sent or None)
            for name, value in given.items()
            if name.startswith("mx_")
        }
        return self.unique(given | texts)

    @precondition(lambda self: self.model.rows)
    @rule(number=numbers)
    def delete(self, number: int) -> None:
        one = self.id_of(number)
        if self.tried(lambda model: model.delete(one), delete(self.server, one)):
            self.model.delete(one)


# --- reads -------------------------------------------------------------------------------------


class History(Writes):
    """The calls that read: each is a rule or an invariant of its own, and changes nothing."""

    def ids(self, code: int, is_meant: Callable[[Row], bool]) -> list[str]:
        """The opportunities of a type that are meant, oldest first, then by id."""
        meant = [
            (to_stored(row["CreatedOn"] or ""), one)
            for one, row in self.model.rows.items()
            if self.model.codes[one] == code and is_meant(row)
        ]
        return [one for _, one in sorted(meant)]

    @rule(
        code=st.sampled_from([DEAL, UNIQUE]),
        status=st.sampled_from(["Open", "Won", "Lost"]),
        name=st.none() | st.sampled_from(["a", "x"]),
    )
    def search(self, code: int, status: str, name: str | None) -> None:
        """By status and name, among the opportunities of this history."""
        rows = [
            ("ActivityEvent", "eq", str(code)),
            ("EmailAddress", "contains", self.email(0)[1:]),
            ("Status", "eq", status),
            ("mx_Custom_1", "isnull", None) if name is None else ("mx_Custom_1", "eq", name),
        ]
        conditions = [{"LSO": lso, "Operator": operator, "RSO": rso} for lso, operator, rso in rows]
        search = {"GrpConOp": "And", "Conditions": [{"RowCondition": conditions}]}
        answer = self.server.post(
            {
                "OpportunityEventCode": code,
                "AdvancedSearch": json.dumps(search),
                "Sorting": {"ColumnName": "CreatedOn", "Direction": "0"},
            },
            path=SEARCH,
        )
        assert listed(answer) == self.ids(
            code, lambda row: (row["Status"], row["mx_Custom_1"]) == (status, name)
        )

    @precondition(lambda self: self.model.leads)
    @rule(number=st.integers(0, 2), code=st.sampled_from([DEAL, UNIQUE]))
    def opportunities_of_lead(self, number: int, code: int) -> None:
        """The opportunities of one type."""
        lead_id = self.model.leads[number % len(self.model.leads)].id
        answer = self.server.post(
            {"Sorting": {"ColumnName": "CreatedOn", "Direction": "0"}},
            path=f"{OF_LEAD}?leadId={lead_id}&opportunityType={code}",
        )
        assert listed(answer) == self.ids(code, lambda row: row["ProspectId"] == lead_id)

    @invariant()
    def the_bulk_read_has_what_the_model_has(self) -> None:
        assert self.read([*self.model.rows, *self.model.deleted]) == self.model.rows


def listed(answer: Answer) -> list[str]:
    """The ids of a list that is answered whole."""
    assert answer.status == 200, answer.body
    ids = [row["OpportunityId"] for row in answer.json["List"]]
    assert answer.json["RecordCount"] == len(ids)
    return ids


def test_what_is_read_is_what_was_written(server: Server, folder: Path) -> None:
    """Whatever is captured, added, updated and deleted, in any order, over a socket."""

    class OnServer(History):
        pass

    OnServer.server = server
    OnServer.histories = count()
    run_state_machine_as_test(OnServer, settings=examples(50, steps=20))
    store = writing.store_of(folder)
    assert store.check() == []
    store.close()
