"""Files that commands write: one writer for all of them.

A file is written beside its place, under a name that nobody else uses, and moved there when it is
whole: there is never half a file, and a run removes nothing that it did not make. Links are
followed. A file that is replaced keeps its mode, its ACL and, where that is permitted, its owner.

Devices, pipes and descriptors (``/dev/stdout``, ``/dev/fd/3``, ``-``) are written into as they are.
They cannot be replaced, and what they lead to is not ours.
"""

import errno
import fcntl
import gzip
import io
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, cast

import zstandard

from oppserver.contract.errors import InvalidFile, InvalidInput, OutputLost
from oppserver.transfer.files import STANDARD

_LINKS_MAX: Final = 40
"""Links that are followed. Source: path_resolution(7), Linux's own bound."""

_NAME_BYTES_MAX: Final = 200
"""Bytes of a file's name that are in its unfinished name too. Most file systems take 255 in all."""

_RANDOM_BYTES: Final = 8
"""Chance in an unfinished name. Ours: two runs do not meet by accident, and O_EXCL notices it."""

_ENDING: Final = re.compile(rf"[0-9a-f]{{{2 * _RANDOM_BYTES}}}\.part")

_DESCRIPTOR_DIGITS_MAX: Final = 9

_DESCRIPTOR_FOLDERS: Final = ("/dev/fd", "/proc/self/fd", "/proc/thread-self/fd")

_ACL: Final = "system.posix_acl_access"


class Place(NamedTuple):
    """Where an output leads.

    ``target`` is the path behind all links; ``before`` the file that is there by now, if there is
    one. ``descriptor`` is one of this process. A stream cannot be replaced: it is written into.
    """

    path: Path
    target: Path
    before: os.stat_result | None
    descriptor: int | None
    is_stream: bool


def place_of(path: Path) -> Place:
    """Looks where an output leads. Raises InvalidFile when nothing can be written there."""
    try:
        return _place_of(path)
    except OSError as error:
        raise _not_written(path, error) from None


def _place_of(path: Path) -> Place:
    target, descriptor = _followed(path)
    if descriptor is not None:
        _check_open(path, descriptor)
        return Place(path, path, None, descriptor, is_stream=True)
    try:
        before = target.stat()
    except FileNotFoundError:
        before = None
    if before is None:
        _check_folder(path, target.parent)
    elif stat.S_ISDIR(before.st_mode):
        raise InvalidFile(f"{path} cannot be written: it is a folder. Name a file.")
    elif stat.S_ISSOCK(before.st_mode):
        raise InvalidFile(f"{path} cannot be written: it is a socket. Name a file or a pipe.")
    elif not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    elif stat.S_ISREG(before.st_mode):
        _check_folder(path, target.parent)
    is_stream = before is not None and not stat.S_ISREG(before.st_mode)
    return Place(path, target, before, None, is_stream)


def _followed(path: Path) -> tuple[Path, int | None]:
    """The path behind all links of its last part, or the descriptor that it names."""
    if path == STANDARD:
        return path, sys.__stdout__.fileno() if sys.__stdout__ else -1
    for _ in range(_LINKS_MAX):
        if (descriptor := _descriptor(path)) is not None:
            return path, descriptor
        if not path.is_symlink() or not _is_file_or_nothing(path):
            return path, None
        path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _is_file_or_nothing(path: Path) -> bool:
    """False for a device or a pipe: the system itself follows the link, also one to no path."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return True


def _descriptor(path: Path) -> int | None:
    """The number of a descriptor of this process, where a path names one."""
    name = path.name
    if not (name.isascii() and name.isdecimal() and len(name) <= _DESCRIPTOR_DIGITS_MAX):
        return None
    folders = {os.path.realpath(folder) for folder in _DESCRIPTOR_FOLDERS}
    return int(name) if os.path.realpath(path.parent) in folders else None


def _check_open(path: Path, descriptor: int) -> None:
    """Refuses a descriptor that is closed or only read; of 1, one that Python did not start with.

    A number that was closed at the start is given to the next file that is opened, which may be
    the store.
    """
    streams = {1: sys.__stdout__, 2: sys.__stderr__}
    is_closed = descriptor < 0 or (descriptor in streams and streams[descriptor] is None)
    if is_closed:
        raise OSError(errno.EBADF, "it is closed")
    if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise InvalidFile(f"{_shown(path)} cannot be written: it is open for reading only")


def _check_folder(path: Path, folder: Path) -> None:
    """Refuses a folder in which no file can be made, as one is before it takes its place."""
    if not folder.is_dir():
        raise InvalidFile(f"{path} cannot be made: there is no folder {folder}. Make it first.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InvalidFile(
            f"{path} cannot be made: its folder {folder} takes no new files. A file is made beside"
            " its place, so that there is never half of it. Name a file in another folder."
        )


# --- inputs --------------------------------------------------------------------------------------


def refuse_inputs(output: Path, *, option: str, others: Sequence[Path]) -> None:
    """Raises InvalidInput when an output is one of a command's other files, under any name."""
    own = _identity(output, standard=1)
    for other in others:
        if own is not None and own == _identity(other, standard=0):
            also = _shown(other, "the standard input")
            raise InvalidInput(
                f"{option} {_shown(output)} is the same file as {also}, which this command also"
                " uses. Name another file."
            )


def _identity(path: Path, *, standard: int) -> object:
    """Equal for equal files; None for terminals and devices, which may be both input and output."""
    try:
        found = os.fstat(standard) if path == STANDARD else path.stat()
    except OSError:
        return os.path.realpath(path)
    if stat.S_ISREG(found.st_mode) or stat.S_ISFIFO(found.st_mode):
        return found.st_dev, found.st_ino
    return None


# --- leftovers -----------------------------------------------------------------------------------


def leftovers_of(place: Place) -> list[Path]:
    """Unfinished files that killed runs have left for an output. Nothing removes them but people.

    A file that a run is still writing is locked, and is not among them.
    """
    if place.is_stream:
        return []
    start = f".{_short(place.target)}."
    try:
        found = sorted(
            one
            for one in place.target.parent.iterdir()
            if one.name.startswith(start) and _ENDING.fullmatch(one.name.removeprefix(start))
        )
    except OSError:  # a folder that takes files and shows none
        return []
    return [one for one in found if not _is_in_use(one)]


def _unfinished(target: Path) -> Path:
    return target.with_name(f".{_short(target)}.{secrets.token_hex(_RANDOM_BYTES)}.part")


def _short(target: Path) -> str:
    return os.fsencode(target.name)[:_NAME_BYTES_MAX].decode("utf-8", "ignore")


def _is_in_use(unfinished: Path) -> bool:
    try:
        number = os.open(unfinished, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return True  # it has taken its place meanwhile
    except OSError:
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(number)
    return False


# --- writing -------------------------------------------------------------------------------------


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """An output, open for writing; a file takes its place, on the disk, when the block ends well.

    Raises InvalidFile when it cannot be written, OutputLost when it is the standard output; a file
    that was there before is still there then.
    """
    place = place_of(path)
    packing = "" if place.descriptor is not None else path.name.lower()
    try:
        with _streamed(place) if place.is_stream else _replaced(place) as file:
            output = _Output(file)
            with _packed(packing, output) as target:
                try:
                    yield target
                except BaseException:
                    output.end()
                    raise
            output.end()
    except OSError as error:
        raise (
            output_lost(error, path) if _is_printed(place) else _not_written(path, error)
        ) from None


def output_lost(error: OSError, path: Path = STANDARD) -> OutputLost:
    """Return the error for a standard output, under any name, that could not be written."""
    is_reader_gone = isinstance(error, BrokenPipeError)
    return OutputLost(str(_not_written(path, error)), is_reader_gone=is_reader_gone)


def _is_printed(place: Place) -> bool:
    """Return true for the standard output, also under a name as /dev/stdout."""
    if place.descriptor is not None or place.before is None:
        return place.descriptor == 1
    try:
        return place.is_stream and os.path.samestat(place.before, os.fstat(1))
    except OSError:
        return False


class _Output(io.RawIOBase):
    """Passes bytes on until its end.

    After a fault it drops them: the end of a packed file would make the half before it look whole.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file: BinaryIO | None = file

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        if self._file is not None:
            self._file.write(data)
        return size

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def end(self) -> None:
        """Takes nothing more."""
        self._file = None


@contextmanager
def _streamed(place: Place) -> Iterator[BinaryIO]:
    """A device, a pipe or a descriptor, written into from where it is."""
    if place.descriptor is not None:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
        number = os.dup(place.descriptor)
    else:
        number = os.open(place.target, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(number, "wb") as file:
        yield file


@contextmanager
def _replaced(place: Place) -> Iterator[BinaryIO]:
    """A new file, which takes the place of the one before."""
    unfinished = _unfinished(place.target)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    number = os.open(unfinished, flags, 0o666 if place.before is None else 0o600)
    try:
        with os.fdopen(number, "wb") as file:
            with suppress(OSError):  # a file system without locks: it may be reported as a leftover
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if place.before is not None:
                _keep_owner_and_mode(number, place.target, place.before)
            yield file
            file.flush()
            os.fsync(number)
            _put(unfinished, place)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise
    folder_to_disk(place.target.parent)


def _put(unfinished: Path, place: Place) -> None:
    try:
        unfinished.replace(place.target)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise InvalidFile(
                f"{place.path} cannot be replaced: it is mounted by itself. Mount its folder, or"
                " name a file in another one."
            ) from None
        raise


def _keep_owner_and_mode(number: int, target: Path, before: os.stat_result) -> None:
    """Gives a new file what the one before had, as far as this user may."""
    mode = stat.S_IMODE(before.st_mode)
    made = os.fstat(number)
    if (made.st_uid, made.st_gid) != (before.st_uid, before.st_gid):
        try:
            os.fchown(number, before.st_uid, before.st_gid)
        except PermissionError:
            mode &= 0o777  # it would run as somebody else
            with suppress(PermissionError):
                os.fchown(number, -1, before.st_gid)
    with suppress(PermissionError):  # a file system where all files have one mode
        os.fchmod(number, mode)
    if sys.platform == "linux":
        with suppress(OSError):  # missing, or impossible here
            os.setxattr(number, _ACL, os.getxattr(target, _ACL))


def folder_to_disk(folder: Path) -> None:
    """Makes the names of new files durable (fsync(2))."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def _packed(name: str, file: _Output) -> Iterator[BinaryIO]:
    if name.endswith(".gz"):
        with gzip.GzipFile(
            filename="", fileobj=cast("Any", file), mode="wb", compresslevel=6, mtime=0
        ) as packed:
            yield cast("BinaryIO", packed)
    elif name.endswith(".zst"):
        with zstandard.ZstdCompressor(write_checksum=True).stream_writer(
            cast("BinaryIO", file), closefd=False
        ) as writer:
            whole = _Output(cast("BinaryIO", writer))  # the library's own has no writelines
            try:
                yield cast("BinaryIO", whole)
            finally:
                whole.end()
    else:
        yield cast("BinaryIO", file)


def _not_written(path: Path, error: OSError) -> InvalidFile:
    return InvalidFile(f"{_shown(path)} cannot be written: {error.strerror or error}")


def _shown(path: Path, standard: str = "the standard output") -> str:
    return standard if path == STANDARD else str(path)
