"""A file that is made chunk by chunk, in any order, and goes on after a kill where it was.

Beside the output stand two files until it is whole: ``OUTPUT.part`` has the data of finished chunks
one after the other, ``OUTPUT.journal`` a line for each: which chunk, where its data stands, and
their SHA-256. A chunk is finished when its line is on the disk, and its line is written when its
data is. What was cut off by a kill is in no line, and is written again.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

import msgspec

from oppserver.contract.errors import InvalidFile, InvalidInput
from oppserver.transfer.files import written

_PIECE_BYTES: Final = 1 << 20


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """A finished chunk: its data is ``part[start:end]``; ``missing`` is what it did not find."""

    chunk: int
    start: int
    end: int
    sha256: str
    rows: int
    missing: Sequence[str]


_JOB: Final = msgspec.json.Decoder(dict[str, Any])

_FINISHED: Final = msgspec.json.Decoder(Finished)


class Resumable:
    """The output of a job while it is made. Close it; ``finish`` puts the output in its place.

    ``finished`` are the chunks that are on the disk, by number; owner: this class.
    """

    def __init__(self, output: Path, *, job: Mapping[str, Any], restart: bool) -> None:
        """Goes on with what is there, if it is of the same job, else begins.

        ``job`` is what makes two runs the same. Raises InvalidInput when what is there is of
        another job (unless ``restart`` throws it away) or in use, InvalidFile when it cannot be
        read or written.
        """
        self._output: Final = output
        self._part_path: Final = output.with_name(f"{output.name}.part")
        self._journal_path: Final = output.with_name(f"{output.name}.journal")
        self.finished: Final[dict[int, Finished]] = {}
        try:
            self._journal: Final = _opened(self._journal_path)
        except OSError as error:
            self._refuse(error)
        try:
            self._lock()
            self._part: Final = _opened(self._part_path)
            self._resume(job, restart=restart)
        except OSError as error:
            self._journal.close()
            self._refuse(error)
        except BaseException:
            self._journal.close()
            raise

    @property
    def part(self) -> Path:
        """Where the data of finished chunks is until the output is whole."""
        return self._part_path

    def add(self, chunk: int, data: bytes, *, rows: int, missing: Sequence[str]) -> None:
        """Finishes a chunk: when this returns, it is on the disk."""
        try:
            start = self._part.seek(0, os.SEEK_END)
            self._part.write(data)
            _to_disk(self._part)
            entry = Finished(
                chunk=chunk,
                start=start,
                end=start + len(data),
                sha256=hashlib.sha256(data).hexdigest(),
                rows=rows,
                missing=missing,
            )
            self._write_line(entry)
        except OSError as error:
            self._refuse(error)
        self.finished[chunk] = entry

    def data(self) -> Iterator[bytes]:
        """The data of all finished chunks that have any, in the order of the chunks."""
        for _, entry in sorted(self.finished.items()):
            if entry.end > entry.start:
                self._part.seek(entry.start)
                yield self._part.read(entry.end - entry.start)

    def finish(self, write: Callable[[BinaryIO, Iterator[bytes]], None]) -> None:
        """Writes the output from all chunks' data; it takes its place whole, or not at all."""
        with written(self._output) as file:
            write(file, self.data())
        self._part_path.unlink()
        self._journal_path.unlink()

    def close(self) -> None:
        """Gives the files back. What is finished stays finished."""
        with suppress(OSError):
            self._part.close()
        self._journal.close()
        if not self.finished:
            for path in (self._part_path, self._journal_path):
                path.unlink(missing_ok=True)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidInput(
                f"{self._output} is being made by another process. Wait for it, or name another"
                " output."
            ) from None

    def _resume(self, job: Mapping[str, Any], *, restart: bool) -> None:
        lines = b"" if restart else self._journal.read()
        whole = lines[: lines.rfind(b"\n") + 1]
        before, *entries = whole.splitlines() or [b""]
        if before:
            self._check_same(before, job)
            self._verify(_entries(entries))
        self._journal.truncate(len(whole))
        self._journal.seek(0, os.SEEK_END)
        if not before:
            self._write_line(job)
            _folder_to_disk(self._output.parent)
        ends = [entry.end for entry in self.finished.values()]
        self._part.truncate(max(ends, default=0))

    def _check_same(self, line: bytes, job: Mapping[str, Any]) -> None:
        try:
            before = _JOB.decode(line)
        except msgspec.DecodeError:
            before = {}
        differing = sorted(name for name, value in job.items() if before.get(name) != value)
        if differing:
            raise InvalidInput(
                f"{self._journal_path} is of another run, with other {', '.join(differing)}. Run"
                " that one again, name another output, or pass --restart to throw it away."
            )

    def _verify(self, entries: Mapping[int, Finished]) -> None:
        """Keeps the chunks whose data is what was written; the others are to be read again."""
        for chunk, entry in entries.items():
            self._part.seek(entry.start)
            digest = hashlib.sha256()
            left = entry.end - entry.start
            while left and (piece := self._part.read(min(left, _PIECE_BYTES))):
                digest.update(piece)
                left -= len(piece)
            if not left and digest.hexdigest() == entry.sha256:
                self.finished[chunk] = entry

    def _write_line(self, value: Any) -> None:
        self._journal.write(msgspec.json.encode(value) + b"\n")
        _to_disk(self._journal)

    def _refuse(self, error: OSError) -> NoReturn:
        raise InvalidFile(
            f"{self._output} cannot be made: {error.strerror or error}. What is finished is kept."
        ) from None


def _entries(lines: Sequence[bytes]) -> dict[int, Finished]:
    """The chunks of the journal's lines; of one that was written twice, the later line."""
    entries: dict[int, Finished] = {}
    for line in lines:
        with suppress(msgspec.DecodeError):  # a block that the disk lost: its chunk is read again
            entry = _FINISHED.decode(line)
            entries[entry.chunk] = entry
    return entries


def _opened(path: Path) -> BinaryIO:
    """A file to be read and written, made where there is none, with its position at its start."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _folder_to_disk(folder: Path) -> None:
    """Makes the names of new files durable (fsync(2))."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
