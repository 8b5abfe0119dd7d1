"""Answers of calls that come again byte for byte, while nothing has changed.

The problem. A dashboard sends the same call every few seconds. With all rows in the row cache, most
of the call's time still goes into decoding, planning and joining what was joined before.

The invariant. An answer is given again only to the same question, at the same state of the store.

Why it holds. The question is all of a call that parsing looks at: body, content type, query,
condition and format, compared whole. The state is the place of the row cache
(``store/row_cache.py``), of whose snapshot the rows were, and the version of the catalogue that
planned them. Both are asked for in each call. Numbers of changes and versions only rise, so a state
that has passed never returns.

What breaks it. A call that depends on more: on its user, its time, its host. Such a call may not
declare ``repeats``. What breaks the row cache breaks this too.

Only calls of which the row cache says that they come again are kept. Keys, rate limit and rights
are checked before, content coding comes after.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from oppserver.contract.formats import Format
from oppserver.store.port import Store
from oppserver.store.row_cache import Place

if TYPE_CHECKING:  # the module of calls declares with AnswerCache
    from oppserver.calls.shared.call import Answer

_BODY_BYTES_OF_NAME: Final = 256
"""The last bytes of a body, by which answers are found. Chosen: they tell lists of ids apart, and
to hash a whole body takes as long as to copy it."""

_ANSWER_BYTES: Final = 1_000
"""Bytes that a kept answer takes beside its bodies. Chosen: above what its objects take."""


class Question(NamedTuple):
    """All of a call that its answer depends on, beside the store."""

    body: bytes
    content_type: str
    query: Mapping[str, str]
    if_none_match: str | None
    format: Format


class State(NamedTuple):
    """The state of a store that an answer is of."""

    place: Place
    catalogue_version: int


class Repeatable(NamedTuple):
    """The place of an answer's rows, and the number of ids that it was asked for."""

    place: Place
    ids: int


class _Entry(NamedTuple):
    question: Question
    state: State
    answer: "Answer"
    ids: int

    @property
    def size_bytes(self) -> int:
        return len(self.question.body) + len(self.answer.body) + _ANSWER_BYTES


class AnswerCache:
    """Answers in at most ``bytes_max`` bytes; those that were used last stay.

    ``on_read`` gets the numbers of ids of each answer that is given again: from memory, from the
    store.
    """

    def __init__(self, *, bytes_max: int, on_read: Callable[[int, int], None]) -> None:
        self._bytes_max: Final = bytes_max
        self._on_read: Final = on_read
        self._lock: Final = threading.Lock()
        self._entries: Final[OrderedDict[tuple[int, bytes], _Entry]] = OrderedDict()
        self._bytes = 0

    def find(self, question: Question, store: Store) -> "Answer | None":
        """Return the answer to a question, if it is kept and the store is as it was."""
        name = _name_of(question)
        with self._lock:
            entry = self._entries.get(name)
            if entry is None or entry.question != question:
                return None
            self._entries.move_to_end(name)
        numbers = store.change_numbers()
        place = store.timeline_id(), numbers
        if entry.state != State(place, store.catalogue().version):
            return None
        self._on_read(entry.ids, 0)
        return entry.answer

    def keep(self, question: Question, state: State, answer: "Answer", *, ids: int) -> None:
        """Keep an answer to a question of ``ids``; the ones that were not used for longest go."""
        name, entry = _name_of(question), _Entry(question, state, answer, ids)
        if entry.size_bytes > self._bytes_max:
            return
        with self._lock:
            before = self._entries.pop(name, None)
            if before is not None:
                self._bytes -= before.size_bytes
            self._entries[name] = entry
            self._bytes += entry.size_bytes
            while self._bytes > self._bytes_max:
                _, oldest = self._entries.popitem(last=False)
                self._bytes -= oldest.size_bytes


def _name_of(question: Question) -> tuple[int, bytes]:
    return len(question.body), question.body[-_BODY_BYTES_OF_NAME:]
