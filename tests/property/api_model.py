"""A model of the calls that write, in the words of the documents; and what is sent to them.

It shares nothing with the server.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from hypothesis import strategies as st

from oppserver.contract.dates import to_stored
from tests.support.writing import (
    DEAL,
    OWNER_EMAIL,
    STAGES,
    UNIQUE,
)

Row = dict[str, str | None]
"""An opportunity as the bulk read answers it, but for ModifiedOn."""

COLUMNS: Final = (
    *("Status", "OpportunityNote", "OwnerEmailAddress", "CreatedOn"),
    *("mx_Custom_1", "mx_Custom_2", "mx_Custom_3", "mx_Custom_6", "mx_Custom_10"),
)
RULES: Final = (("ProspectId", "mx_Custom_1"), ("mx_Custom_2",))
DATES: Final = ["2020-01-01 00:00:00", "2021-01-01 00:00:00", "2021-01-01 00:00:01"]


class Refused(Exception):
    """The model does not take a call; the server has to answer 400 or 404."""


class Given(NamedTuple):
    """A value as it is sent, and as it is stored; ``is_bad``: it is refused."""

    sent: Any
    stored: str | None = None
    is_bad: bool = False


CHOICES: Final[Mapping[str, list[Given]]] = {
    "Status": [Given("Open", "Open"), Given("WON", "Won"), Given("lost", "Lost"), Given("")],
    "Owner": [Given(OWNER_EMAIL, OWNER_EMAIL), Given(None), Given("nobody", is_bad=True)],
    "OpportunityNote": [Given("a note", "a note"), Given("")],
    "mx_Custom_1": [Given("a", "a"), Given("b", "b"), Given(None)],
    "mx_Custom_2": [
        *(Given(stage.upper(), stage) for stages in STAGES.values() for stage in stages),
        *(Given(None), Given("Nowhere", is_bad=True)),
    ],
    "mx_Custom_3": [Given("web", "Web"), Given("Phone", "Phone"), Given("")],
    "mx_Custom_6": [Given("1,000", "1000"), Given(7, "7"), Given("x", is_bad=True)],
    "mx_Custom_10": [Given(True, "true"), Given("x" * 40, "x" * 40)],
}
"""Values for the fields of a deal. Values that are refused come last."""

UNIQUE_CHOICES: Final[Mapping[str, list[Given]]] = {
    "Status": CHOICES["Status"],
    "Owner": CHOICES["Owner"],
    **{f"mx_Custom_{slot}": [Given("x", "x"), Given("y", "y"), Given(None)] for slot in (1, 2, 3)},
}


def some_values(choices: Mapping[str, list[Given]]) -> st.SearchStrategy[dict[str, Given]]:
    return st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(given) for name, given in choices.items()}
    )


def good(choices: Mapping[str, list[Given]]) -> dict[str, list[Given]]:
    return {name: [one for one in given if not one.is_bad] for name, given in choices.items()}


deal_values = some_values(good(CHOICES)) | some_values(CHOICES)
repeated_values = some_values(good(UNIQUE_CHOICES)).map(
    lambda values: values | {"mx_Custom_2": Given("x", "x")}
)
unique_values = repeated_values | some_values(good(UNIQUE_CHOICES)) | some_values(UNIQUE_CHOICES)
good_deals = st.fixed_dictionaries(
    {"Status": st.just(Given("Open", "Open")), "mx_Custom_1": st.just(Given("a", "a"))},
    optional={
        "mx_Custom_2": st.sampled_from(CHOICES["mx_Custom_2"][:2]),
        "mx_Custom_6": st.sampled_from(CHOICES["mx_Custom_6"][:2]),
    },
)
unique_additions = st.tuples(
    st.just(UNIQUE), unique_values.map(lambda values: {"Status": Given("Open", "Open")} | values)
)
additions = (
    st.tuples(st.just(DEAL), good_deals | good_deals | deal_values)
    | unique_additions
    | unique_additions
)
flags = st.sampled_from(
    [
        {},
        {"OverwriteFields": True},
        {"OverwriteFields": True, "DoNotChangeOwner": True},
        {"UpdateEmptyFields": True},
        {"UpdateEmptyFields": True, "DoNotChangeOwner": True},
    ]
)
numbers = st.integers(0, 11)


class Lead(NamedTuple):
    id: str
    email: str
    phone: str | None = None


class Entry(NamedTuple):
    """A new opportunity as it is captured, and what is to be done when there is one like it."""

    code: int
    lead_id: str
    values: Mapping[str, Given]
    flags: Mapping[str, bool]


class Model:
    """Leads, opportunities by id with their types, and the ids that were deleted."""

    def __init__(self) -> None:
        self.leads: list[Lead] = []
        self.rows: dict[str, Row] = {}
        self.codes: dict[str, int] = {}
        self.deleted: list[str] = []

    # --- leads

    def lead(self, *, email: str, phone: str | None) -> Lead | None:
        """The lead of a phone, if it is searched by, or of an address."""
        found = [one for one in self.leads if (one.phone == phone if phone else one.email == email)]
        return min(found, default=None)

    def put_lead(self, new: Lead) -> None:
        if any(one.email == new.email and one.id != new.id for one in self.leads):
            raise Refused
        self.leads = [*(one for one in self.leads if one.id != new.id), new]
        for row in self.rows.values():
            if row["ProspectId"] == new.id:
                row["EmailAddress"] = new.email

    # --- opportunities

    def capture(self, entry: Entry, new_id: str, created_on: str) -> tuple[str, int]:
        """The opportunity that is there afterwards, and what was done: 1, 2 or 3."""
        check(entry.values)
        [email] = [one.email for one in self.leads if one.id == entry.lead_id]
        new: Row = dict.fromkeys(COLUMNS) | {"ProspectId": entry.lead_id, "EmailAddress": email}
        new |= {"CreatedOn": created_on} | stored(entry.values)
        there = self.like(new) if entry.code == UNIQUE else None
        if there is None:
            if "Status" not in entry.values:  # mandatory: a new row takes the default option
                new["Status"] = "Open"
            check_row(new, entry.code, changed=new)
            self.rows[new_id], self.codes[new_id] = new, entry.code
            return new_id, 1
        row = self.rows[there]
        taken = {
            name: value
            for name, value in stored(entry.values).items()
            if entry.flags.get("OverwriteFields")
            or (entry.flags.get("UpdateEmptyFields") and value and not row[name])
        }
        if entry.flags.get("DoNotChangeOwner"):
            taken.pop("OwnerEmailAddress", None)
        if taken:
            self.change(there, taken)
        return there, 2 if taken else 3

    def like(self, new: Row) -> str | None:
        """The oldest that one of the rules finds, the first rule first."""
        for columns in RULES:
            alike = [
                (to_stored(row["CreatedOn"] or ""), one)
                for one, row in self.rows.items()
                if self.codes[one] == UNIQUE
                and all(new[name] is not None and row[name] == new[name] for name in columns)
            ]
            if alike:
                return min(alike)[1]
        return None

    def update(self, one: str, values: Mapping[str, Given]) -> None:
        if one not in self.rows or not values:
            raise Refused
        check(values)
        self.change(one, stored(values))

    def change(self, one: str, values: Row) -> None:
        row = self.rows[one] | values
        check_row(row, self.codes[one], changed=values)
        self.rows[one] = row

    def delete(self, one: str) -> None:
        if self.codes.get(one) != DEAL or one not in self.rows:
            raise Refused
        del self.rows[one]
        self.deleted.append(one)


def check(values: Mapping[str, Given]) -> None:
    if any(given.is_bad for given in values.values()):
        raise Refused


def stored(values: Mapping[str, Given]) -> Row:
    names = {"Owner": "OwnerEmailAddress"}
    return {names.get(name, name): given.stored for name, given in values.items()}


def check_row(row: Row, code: int, *, changed: Mapping[str, Any]) -> None:
    """Mandatory fields are set, and a stage goes with its status when one of them is new."""
    mandatory = ["Status", "mx_Custom_1"] if code == DEAL else ["Status"]
    if any(row[name] is None for name in mandatory if name in changed):
        raise Refused
    stage, status = row["mx_Custom_2"], row["Status"]
    is_touched = not {"Status", "mx_Custom_2"}.isdisjoint(changed)
    if code == DEAL and is_touched and stage and stage not in STAGES[status or ""]:
        raise Refused


def sent_fields(values: Mapping[str, Given]) -> list[dict[str, Any]]:
    return [{"SchemaName": name, "Value": given.sent} for name, given in values.items()]
