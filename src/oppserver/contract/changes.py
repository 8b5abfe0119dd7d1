"""Frozen values of pages of changes: asked, planned, rendered."""

import msgspec

from oppserver.contract.columns import Column


class ChangeNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """How far changes are: the last one's number, and that of an owner's address. 0 is none yet."""

    last: int
    addresses: int


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """The last change of an opportunity; it is deleted when there is a ``deleted_on``.

    ``has_moved``: it has once been of another type than ``event_code``.
    """

    id: str
    number: int
    event_code: int
    has_moved: bool = False
    deleted_on: str | None = None


class ChangesPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of changes: those with numbers above ``after`` and up to ``until``, by number.

    ``event_code`` None: of all types. Else of one, and of what has ever been of another.
    """

    after: int
    until: int
    limit: int
    event_code: int | None = None


class RenderedChanges(msgspec.Struct, frozen=True, kw_only=True):
    """A page of changes, rendered by the store: a JSON array in UTF-8, and how many it has.

    ``last`` is the number of the last of them; 0 when there is none.
    """

    count: int
    last: int
    json: bytes


class AskedChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller asks of changes: nothing is looked up yet.

    ``cursor`` None: from the beginning. ``from_now``: from the end. ``with_rows``: whether what is
    stored comes with its row.
    """

    event_code: str | None
    columns: str
    cursor: str | None
    from_now: bool
    limit: int
    with_rows: bool


class PlannedChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What will be read of changes. ``columns`` of rows; none: changes come without them."""

    event_code: int | None
    columns: tuple[Column, ...]
    cursor: "ChangesCursor | None"
    from_now: bool
    limit: int


class ChangesCursor(msgspec.Struct, frozen=True, array_like=True, tag="changes"):
    """A place in the changes of a database, of one type or of all."""

    database: str
    event_code: int | None
    number: int


class FoundChanges(msgspec.Struct, frozen=True, kw_only=True):
    """A page of changes, and the place behind it.

    ``has_more``: whether there is a further page now. ``addresses_changed``: whether an owner has
    had another address since the page's beginning.
    """

    rendered: RenderedChanges
    cursor: ChangesCursor
    has_more: bool
    addresses_changed: bool
