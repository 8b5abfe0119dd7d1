"""The calls of a server, kept for the console: a ring of fixed size in a memory map.

The problem. Somebody wants to see what the server was asked a moment ago, whichever worker process
answered it, and nobody may pay for it: not in memory, not in time, not by a secret that is shown.

The invariant. A worker has one map with bounds in bytes: slots for the summaries of the last calls,
and a ring of bytes for whole requests while these are recorded. Only the worker's event loop writes
to it; every process of the server reads it. What is in it has no secret.

Why it holds. A slot gets its number last, and loses it first: a reader takes a slot only when its
number is the same before and after. Headers, queries and bodies are cleaned before they are
written. Whole requests are recorded only until a time that is in the map: forgotten, it ends.

What breaks it. Two writers on one map.
"""

import mmap
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import msgspec

from oppserver.console.recorded import Whole
from oppserver.contract.errors import ApiError
from oppserver.contract.secrets import hide_secrets

SLOTS: Final = 1_000
"""Calls that a worker remembers. Chosen: an afternoon of a developer, a second of a full server."""

SLOT_BYTES: Final = 2_048
"""Bytes of a summary. Chosen: a path, a query and the message of an error."""

WHOLE_BYTES: Final = 8 << 20
"""Bytes of whole requests that a worker remembers. Chosen: some hundred usual ones."""

RECORDING_S: Final = 600
"""Seconds for which whole requests are recorded. Chosen: long enough to look for a fault. It ends
by itself when it is forgotten."""

_TEXT_CHARACTERS_MAX: Final = 300

_MESSAGE_CHARACTERS_MAX: Final = 500

_ACCESS_KEY_CHARACTERS_MAX: Final = 64

_KEYS: Final = 256
"""Key pairs whose last use a worker remembers. Chosen: more than a server has."""

_MINUTES: Final = 60

_HEADER: Final = struct.Struct("<QQd")  # calls; bytes of whole requests; recorded until
_MINUTE: Final = struct.Struct("<III")  # the minute, its calls, its errors
_KEY: Final = struct.Struct("<dqQ64s")  # last used, remaining then, calls, the access key
_SLOT: Final = struct.Struct("<QI")  # the number of the call, bytes of its summary

_MINUTES_AT: Final = 64
_KEYS_AT: Final = _MINUTES_AT + _MINUTES * _MINUTE.size
_SLOTS_AT: Final = _KEYS_AT + _KEYS * _KEY.size
_WHOLE_AT: Final = _SLOTS_AT + SLOTS * SLOT_BYTES
MAP_BYTES: Final = _WHOLE_AT + WHOLE_BYTES


class Seen(Protocol):
    """The facts of a call that was answered (``api/observe.py``)."""

    request_id: str
    method: str
    caller: str
    call: str
    access_key: str
    status: int
    body_bytes: int
    counts: tuple[int, int, int] | None
    remaining: int | None
    error: ApiError | None


class Served(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """The summary of a call. ``at`` is in seconds since 1970; ``query`` has no secret in it.

    ``counts``: distinct ids asked for, found and missing. ``whole_at`` and ``whole_bytes``: the
    place of the whole request, 0 bytes where it was not recorded.
    """

    number: int
    at: float
    ms: float
    status: int
    method: str
    path: str
    query: str
    call: str
    request_id: str
    access_key: str
    caller: str
    answer_bytes: int
    counts: tuple[int, int, int] | None = None
    error_type: str = ""
    error: str = ""
    whole_at: int = 0
    whole_bytes: int = 0
    worker: int = 1


class KeyUse(NamedTuple):
    """The last use of a key pair: seconds since 1970, calls left then (None: unknown), calls."""

    at: float
    remaining: int | None
    calls: int


class RequestLog:
    """The map of one worker. ``record`` is for the event loop of its worker alone."""

    def __init__(self, memory: mmap.mmap, *, worker: int = 1) -> None:
        self.memory: Final = memory
        self.worker: Final = worker
        self._number, self._written, _ = _HEADER.unpack_from(memory)
        self._places: Final = {
            _KEY.unpack_from(memory, _KEYS_AT + place * _KEY.size)[3].rstrip(b"\0").decode(): place
            for place in range(_KEYS)
        }
        self._places.pop("", None)
        self._encode: Final = msgspec.msgpack.Encoder().encode

    @property
    def is_recording(self) -> bool:
        """Return whether whole requests are recorded now."""
        until: float = _HEADER.unpack_from(self.memory)[2]
        return until > 0 and until > time.time()

    def record(
        self, path: str, query: bytes, seen: Seen, seconds: float, whole: bytes | None = None
    ) -> None:
        """Keep the summary of a call that was answered, and the whole request if there is one."""
        now = time.time()
        number = self._number + 1
        whole_at = 0 if whole is None else self._write_whole(whole)
        error = seen.error
        text = query.decode("latin-1")[:_TEXT_CHARACTERS_MAX] if query else ""
        summary = Served(
            number=number,
            at=now,
            ms=round(seconds * 1_000, 2),
            status=seen.status,
            method=seen.method,
            path=path[:_TEXT_CHARACTERS_MAX],
            query=hide_secrets(text) if text else "",
            call=seen.call,
            request_id=seen.request_id,
            access_key=seen.access_key[:_ACCESS_KEY_CHARACTERS_MAX],
            caller=seen.caller,
            answer_bytes=seen.body_bytes,
            counts=seen.counts,
            error_type="" if error is None else error.exception_type,
            error="" if error is None else hide_secrets(str(error))[:_MESSAGE_CHARACTERS_MAX],
            whole_at=whole_at,
            whole_bytes=0 if whole is None else len(whole),
            worker=self.worker,
        )
        data = self._encode(summary)
        if len(data) > SLOT_BYTES - _SLOT.size:  # names in letters of four bytes
            data = self._encode(msgspec.structs.replace(summary, path="…", query="", error="…"))
        memory = self.memory
        at = _SLOTS_AT + number % SLOTS * SLOT_BYTES
        _SLOT.pack_into(memory, at, 0, 0)
        memory[at + _SLOT.size : at + _SLOT.size + len(data)] = data
        _SLOT.pack_into(memory, at, number, len(data))
        self._number = number
        struct.pack_into("<QQ", memory, 0, number, self._written)
        self._count(now, is_error=seen.status >= 400)
        if seen.access_key:
            self._use(seen.access_key, now, seen.remaining)

    def _write_whole(self, whole: bytes) -> int:
        """Write a whole request where the oldest ones are; return its place."""
        place = self._written % WHOLE_BYTES
        if place + len(whole) > WHOLE_BYTES:  # not divided: the rest of the ring stays empty
            self._written += WHOLE_BYTES - place
            place = 0
        at: int = self._written
        # what is overwritten is gone before its bytes are
        struct.pack_into("<Q", self.memory, 8, at + len(whole))
        self.memory[_WHOLE_AT + place : _WHOLE_AT + place + len(whole)] = whole
        self._written = at + len(whole)
        return at

    def _count(self, now: float, *, is_error: bool) -> None:
        minute = int(now) // 60
        at = _MINUTES_AT + minute % _MINUTES * _MINUTE.size
        of, calls, errors = _MINUTE.unpack_from(self.memory, at)
        if of != minute:
            calls = errors = 0
        _MINUTE.pack_into(self.memory, at, minute, calls + 1, errors + is_error)

    def _use(self, access_key: str, now: float, remaining: int | None) -> None:
        place = self._places.get(access_key)
        if place is None:
            if len(self._places) >= _KEYS or len(access_key.encode()) > _ACCESS_KEY_CHARACTERS_MAX:
                return
            place = self._places[access_key] = len(self._places)
        at = _KEYS_AT + place * _KEY.size
        calls = _KEY.unpack_from(self.memory, at)[2] + 1
        left = -1 if remaining is None else remaining
        _KEY.pack_into(self.memory, at, now, left, calls, access_key.encode())


def open_log(folder: Path | None = None, *, worker: int = 1) -> RequestLog:
    """Return the map of a worker: in a folder that the workers share, else in memory alone.

    A worker that is started again goes on where it ended.
    """
    if folder is None:
        return RequestLog(mmap.mmap(-1, MAP_BYTES))
    return RequestLog(_mapped(_file_of(folder, worker)), worker=worker)


def _file_of(folder: Path, worker: int) -> Path:
    return folder / f"requests-{worker}.map"


def _mapped(file: Path) -> mmap.mmap:
    with file.open("a+b") as opened:
        opened.truncate(MAP_BYTES)
        return mmap.mmap(opened.fileno(), MAP_BYTES)


# --- reading ------------------------------------------------------------------------------------


class RequestLogs:
    """The maps of all workers of a server, read together."""

    def __init__(self, own: RequestLog, folder: Path | None = None) -> None:
        self.own: Final = own
        self._folder: Final = folder
        self._maps: Final[dict[int, mmap.mmap]] = {own.worker: own.memory}

    def maps(self) -> Mapping[int, mmap.mmap]:
        """Return the map of each worker that has ever served, by the worker's number."""
        if self._folder is not None:
            for file in self._folder.glob("requests-*.map"):
                worker = int(file.stem.rpartition("-")[2])
                if worker not in self._maps and file.stat().st_size == MAP_BYTES:
                    self._maps[worker] = _mapped(file)
        return dict(self._maps)

    def numbers(self) -> dict[int, int]:
        """Return the number of the last call of each worker: the place where news begin."""
        return {worker: _HEADER.unpack_from(one)[0] for worker, one in self.maps().items()}

    def recent(self, after: Mapping[int, int] | None = None) -> list[Served]:
        """Return the calls that are remembered, newest first; those behind a place, if given."""
        found = []
        for worker, memory in self.maps().items():
            last = _HEADER.unpack_from(memory)[0]
            first = max(last - SLOTS + 1, 1, (after or {}).get(worker, 0) + 1)
            slots = (_read_slot(memory, number) for number in range(first, last + 1))
            found += [one for one in slots if one is not None]
        found.sort(key=lambda one: one.at, reverse=True)
        return found

    def one(self, worker: int, number: int) -> tuple[Served, Whole | None] | None:
        """Return a call, and the whole request if that is remembered; None when it is forgotten."""
        memory = self.maps().get(worker)
        served = None if memory is None else _read_slot(memory, number)
        if memory is None or served is None:
            return None
        return served, _read_whole(memory, served)

    def minutes(self, now: float) -> list[tuple[int, int]]:
        """Return calls and errors of the last 60 minutes, oldest first; the last one is running."""
        current = int(now) // 60
        sums = {minute: [0, 0] for minute in range(current - _MINUTES + 1, current + 1)}
        for memory in self.maps().values():
            for place in range(_MINUTES):
                minute, calls, errors = _MINUTE.unpack_from(
                    memory, _MINUTES_AT + place * _MINUTE.size
                )
                if minute in sums:
                    sums[minute][0] += calls
                    sums[minute][1] += errors
        return [(calls, errors) for calls, errors in sums.values()]

    def keys(self) -> dict[str, KeyUse]:
        """Return the last use of each key pair since the server was started, by access key."""
        found: dict[str, KeyUse] = {}
        for memory in self.maps().values():
            for place in range(_KEYS):
                at, left, calls, name = _KEY.unpack_from(memory, _KEYS_AT + place * _KEY.size)
                key = name.rstrip(b"\0").decode()
                if not key:
                    break
                other = found.get(key, KeyUse(0.0, None, 0))
                newest = KeyUse(at, None if left < 0 else left, calls + other.calls)
                if other.at > at:
                    newest = other._replace(calls=newest.calls)
                found[key] = newest
        return found

    @property
    def recording_until(self) -> float:
        """Return when recording of whole requests ends, in seconds since 1970; 0 when it is off."""
        until: float = _HEADER.unpack_from(self.own.memory)[2]
        return until if until > time.time() else 0.0

    def record_until(self, until: float) -> None:
        """Have all workers record whole requests until a time; 0 ends it."""
        for memory in self.maps().values():
            struct.pack_into("<d", memory, 16, until)


def _read_slot(memory: mmap.mmap, number: int) -> Served | None:
    at = _SLOTS_AT + number % SLOTS * SLOT_BYTES
    there, length = _SLOT.unpack_from(memory, at)
    if there != number or length > SLOT_BYTES - _SLOT.size:
        return None
    data = memory[at + _SLOT.size : at + _SLOT.size + length]
    if _SLOT.unpack_from(memory, at)[0] != number:
        return None
    try:
        return msgspec.msgpack.decode(data, type=Served)
    except msgspec.DecodeError:  # it was written over meanwhile
        return None


def _read_whole(memory: mmap.mmap, served: Served) -> Whole | None:
    if not served.whole_bytes:
        return None
    place = _WHOLE_AT + served.whole_at % WHOLE_BYTES
    data = memory[place : place + served.whole_bytes]
    written = _HEADER.unpack_from(memory)[1]
    if written - served.whole_at > WHOLE_BYTES:
        return None
    try:
        return msgspec.msgpack.decode(data, type=Whole)
    except msgspec.DecodeError:  # it was written over meanwhile
        return None
