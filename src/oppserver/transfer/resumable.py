"""A file that is made chunk by chunk, in any order, and goes on after a kill where it was.

Beside the output stand two files until it is whole: ``OUTPUT.part`` has the data of finished chunks
one after the other, ``OUTPUT.journal`` a line for each: which chunk, where its data stands, and
their SHA-256. A chunk is finished when its line is on the disk, and its line is written when its
data is. What was cut off by a kill is in no line, and is written again.

The journal is locked while a run uses both files: a second run on the same output is refused. For
an output that cannot be replaced, a device or a pipe, both are files without a name, and nothing
goes on after a stop.
"""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, NoReturn, cast

import msgspec

from oppserver.contract.errors import InvalidFile, InvalidInput
from oppserver.transfer.outputs import folder_to_disk, place_of, written

_PIECE_BYTES: Final = 1 << 20


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """A finished chunk: its data is ``part[start:end]``; ``missing`` is what it did not find."""

    chunk: int
    start: int
    end: int
    sha256: str
    rows: int
    missing: Sequence[str]


class WorkingFiles(NamedTuple):
    """The two files beside an output while it is made."""

    part: Path
    journal: Path


def working_files(target: Path) -> WorkingFiles:
    """Their names, for the path behind all links of an output."""
    return WorkingFiles(
        target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.journal")
    )


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
        place = place_of(output)
        self._paths: Final = None if place.is_stream else working_files(place.target)
        self.finished: Final[dict[int, Finished]] = {}
        try:
            self._journal: Final = self._locked_journal()
        except OSError as error:
            self._refuse(error)
        try:
            self._part: Final = self._opened_part()
            self._resume(job, restart=restart)
        except OSError as error:
            self._journal.close()
            self._refuse(error)
        except BaseException:
            self._journal.close()
            raise

    @property
    def part(self) -> Path | None:
        """The file with the data of finished chunks; None when a stop keeps nothing of it."""
        return None if self._paths is None else self._paths.part

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
        self._remove()

    def close(self) -> None:
        """Gives the files back. What is finished stays finished."""
        with suppress(OSError):
            self._part.close()
        if not self.finished:
            self._remove()
        self._journal.close()  # the lock with it: nobody else has begun before they are removed

    def _remove(self) -> None:
        if self._paths is not None:
            for path in self._paths:
                path.unlink(missing_ok=True)

    def _locked_journal(self) -> BinaryIO:
        """The journal that is there under its name by now, in use by this run alone."""
        if self._paths is None:
            return cast("BinaryIO", tempfile.TemporaryFile())
        while True:
            journal = _opened(self._paths.journal)
            try:
                self._lock(journal)
                if _is_at(journal, self._paths.journal):
                    return journal
            except BaseException:
                journal.close()
                raise
            journal.close()  # another run has removed it between the two steps

    def _lock(self, journal: BinaryIO) -> None:
        try:
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidInput(
                f"{self._output} is being made by another process. Wait for it, or name another"
                " output."
            ) from None

    def _opened_part(self) -> BinaryIO:
        if self._paths is None:
            return cast("BinaryIO", tempfile.TemporaryFile())
        return _opened(self._paths.part)

    def _resume(self, job: Mapping[str, Any], *, restart: bool) -> None:
        lines = b"" if restart else self._journal.read()
        whole = lines[: lines.rfind(b"\n") + 1]
        before, *entries = whole.splitlines() or [b""]
        if before and not entries:  # nothing was finished, so there is nothing to go on with
            before, whole = b"", b""
        elif before:
            self._check_same(before, job)
            self._verify(_entries(entries))
        elif not restart:
            self._check_empty()
        ends = [entry.end for entry in self.finished.values()]
        self._part.truncate(max(ends, default=0))
        self._journal.truncate(len(whole))
        self._journal.seek(0, os.SEEK_END)
        if not before:
            self._write_line(job)
            if self._paths is not None:
                folder_to_disk(self._paths.journal.parent)

    def _check_empty(self) -> None:
        """Refuses data that no journal knows: it is not of a run of ours."""
        if self._part.seek(0, os.SEEK_END):
            if self._paths is not None and not self._journal.seek(0, os.SEEK_END):
                self._paths.journal.unlink()  # it has just been made
            raise InvalidInput(
                f"{self.part} is there, and is not of a run that can go on. Move it away, name"
                " another output, or pass --restart to throw it away."
            )

    def _check_same(self, line: bytes, job: Mapping[str, Any]) -> None:
        try:
            before = _JOB.decode(line)
        except msgspec.DecodeError:
            before = {}
        differing = sorted(name for name, value in job.items() if before.get(name) != value)
        if differing:
            journal = None if self._paths is None else self._paths.journal
            raise InvalidInput(
                f"{journal} is of another run, with other {', '.join(differing)}. Run"
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
    """Open a file to be read and written, created if missing, positioned at its start."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")


def _is_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
