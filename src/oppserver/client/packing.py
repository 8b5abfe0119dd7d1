"""Ids into calls: as many distinct ids as one call takes, in the order in which they come."""

from collections.abc import Sequence
from typing import Final, TypeAlias
from uuid import UUID

import msgspec

from oppserver.client.errors import InvalidCall
from oppserver.contract.identifiers import all_canonical, canonical_guid
from oppserver.contract.limits import BULK_READ_IDS_MAX
from oppserver.contract.names import quoted

Id: TypeAlias = str | UUID
"""An opportunity's id: a GUID, as text in any usual form, or a UUID."""

_IDS_OF_ONE_CALL_MAX: Final = 10 * BULK_READ_IDS_MAX
"""Ids of one call, repeated ones counted: however often the same ids come, memory is bounded."""


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """The ids of one call: ``asked`` as they came, repeated ones too, and each of them once."""

    asked: Sequence[str]
    distinct: Sequence[str]


class Packer:
    """Packs ids. Feed it at most ``room`` ids at a time, until ``is_full``, and take the chunk."""

    def __init__(self) -> None:
        self._asked: list[str] = []
        self._distinct: dict[str, None] = {}
        self._taken = 0

    @property
    def room(self) -> int:
        """Ids that can be added now; none when the chunk is full."""
        if len(self._asked) >= _IDS_OF_ONE_CALL_MAX:
            return 0
        return BULK_READ_IDS_MAX - len(self._distinct)

    def add(self, ids: Sequence[Id]) -> None:
        """Adds ids. Raises InvalidCall at one that is no GUID, naming its place from 0."""
        texts = ids_as_text(ids, first=self._taken + len(self._asked))
        self._asked += texts
        self._distinct.update(dict.fromkeys(texts))

    def take(self) -> Chunk | None:
        """What was added, as a chunk; None when nothing was. The packer is empty afterwards."""
        if not self._asked:
            return None
        chunk = Chunk(asked=self._asked, distinct=list(self._distinct))
        self._taken += len(self._asked)
        self._asked, self._distinct = [], {}
        return chunk


def ids_as_text(ids: Sequence[Id], *, first: int = 0) -> list[str]:
    """Ids in canonical form. Raises InvalidCall at one that is none; ``first`` is their place."""
    texts = [one if isinstance(one, str) else _text(one, first + n) for n, one in enumerate(ids)]
    if all_canonical(texts):
        return texts
    return [_canonical(text, first + n) for n, text in enumerate(texts)]


def _text(one: object, place: int) -> str:
    if isinstance(one, UUID):
        return str(one)
    raise InvalidCall(f"ids[{place}] is a {type(one).__name__}; pass a GUID as str, or a UUID.")


def _canonical(text: str, place: int) -> str:
    guid = canonical_guid(text)
    if guid is None:
        raise InvalidCall(
            f"ids[{place}]: {quoted(text)} is no GUID. Expected a form like"
            " 24cf277e-70fe-4b2f-a9c2-9a68f45feaba"
        )
    return guid
