"""A row: one opportunity as the host answered it, frozen, with typed properties."""

import re
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from oppserver.contract.dates import to_stored
from oppserver.contract.names import did_you_mean
from oppserver.contract.values import plain_number

_MISSING: Final = object()

_WITH_EXPONENT: Final = re.compile(r"-?\d+(?:\.\d+)?[eE][+-]?\d{1,6}", re.ASCII)
"""A large or small JSON number of a host: ``1e+21``."""


class Opportunity(msgspec.Struct, frozen=True, gc=False):
    """One opportunity: its columns by name, ``row["mx_Custom_1"]``; None if a field is not set.

    Properties give the common columns, however the call spells their names. Dates are parsed on
    access. A column that was not requested raises KeyError. Rows with the same columns and values
    are equal.
    """

    _values: Mapping[str, str | None]

    # --- as a mapping

    def __getitem__(self, name: str) -> str | None:
        value = self._values.get(name, _MISSING)
        if value is _MISSING:
            return self._values[self._spelled(name)]
        return value  # type: ignore[return-value]  # mypy does not see that it is not _MISSING

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def keys(self) -> KeysView[str]:
        """The names of the columns, in order."""
        return self._values.keys()

    def values(self) -> ValuesView[str | None]:
        """The values of the columns, in order."""
        return self._values.values()

    def items(self) -> ItemsView[str, str | None]:
        """Names and values, in order."""
        return self._values.items()

    def get(self, name: str, default: str | None = None) -> str | None:
        """The value of a column, or the default when the row has no such column."""
        return self._values.get(name, default)

    def to_dict(self) -> dict[str, str | None]:
        """The columns as a new dict."""
        return dict(self._values)

    # --- as typed values

    @property
    def id(self) -> str:
        """The opportunity's id."""
        return self._one_of("ProspectActivityId", "OpportunityId", "Id") or ""

    @property
    def lead_id(self) -> str | None:
        """The lead's id."""
        return self._one_of("ProspectId", "RelatedProspectId")

    @property
    def lead_email(self) -> str | None:
        """The lead's e-mail address."""
        return self["EmailAddress"]

    @property
    def event_code(self) -> int | None:
        """The type's event code."""
        code = self._one_of("EventCode", "OpportunityEvent", "OpportunityEventCode")
        return None if code is None else int(code)

    @property
    def owner_id(self) -> str | None:
        """The owner's id."""
        return self["Owner"]

    @property
    def owner_email(self) -> str | None:
        """The owner's e-mail address; a read by id answers it with ``Owner``."""
        return self["OwnerEmailAddress"]

    @property
    def status(self) -> str | None:
        """Open, Won or Lost."""
        return self["Status"]

    @property
    def note(self) -> str | None:
        """The note."""
        return self._one_of("OpportunityNote", "ActivityEvent_Note")

    @property
    def created_on(self) -> datetime | None:
        """The date of creation, UTC."""
        return self.date("CreatedOn")

    @property
    def modified_on(self) -> datetime | None:
        """The date of the last change, UTC."""
        return self.date("ModifiedOn")

    def date(self, name: str) -> datetime | None:
        """A column as a datetime, UTC, from any of the API's forms.

        Raises ValueError with column and value if it is not a date.
        """
        text = self[name]
        if not text:
            return None
        try:
            return datetime.fromisoformat(to_stored(text)).replace(tzinfo=UTC)
        except ValueError as error:
            raise ValueError(f"{name}: {text!r} is not a date: {error}") from None

    def number(self, name: str) -> Decimal | None:
        """A column as a number, with or without thousands separators, or with an exponent.

        Raises ValueError with column and value if it is not a number.
        """
        text = (self[name] or "").strip()
        if not text:
            return None
        number = text if _WITH_EXPONENT.fullmatch(text) else plain_number(text)
        if number is None:
            raise ValueError(f"{name}: {text!r} is not a number")
        return Decimal(number)

    def _one_of(self, *names: str) -> str | None:
        for name in names:
            if name in self._values:
                return self._values[name]
        return self[names[0]]

    def _spelled(self, name: str) -> str:
        """The column's name as the host spells it. Raises KeyError if the row does not have it."""
        folded = name.casefold()
        for known in self._values:
            if known.casefold() == folded:
                return known
        raise KeyError(
            f"{name} was not requested, so this row does not have it."
            f"{did_you_mean(name, self._values)}"
        )

    def __repr__(self) -> str:
        return f"Opportunity({dict(self._values)!r})"


def text_of(value: Any) -> str | None:
    """A value as text or None, as in a row; also for numbers and booleans of a host."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (int, float)):
        return str(value)
    return msgspec.json.encode(value).decode()
