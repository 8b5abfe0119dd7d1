"""Programs that tests need and no wheel brings: the system's own, or out of a Debian package.

A package is unpacked into a folder of the tests and never installed: nothing of it is started, and
nothing on the machine changes. So it is for programs that need no package that is not there.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_TIMEOUT_S: Final = 300
"""Lists and a package of some MB. Chosen for a slow line and for packages that others fetch."""


class PackageMissing(Exception):
    """A program is missing and cannot be installed; ``str()`` is a line that says what to do."""


def program(name: str, *, package: str) -> str:
    """The path of a program, out of a Debian package where the system has none.

    Raises PackageMissing.
    """
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return shutil.which(name, path=path) or _unpacked(name, package)


def libraries(*packages: str) -> str:
    """The folders of the libraries in Debian packages, as LD_LIBRARY_PATH has them."""
    folder = _folder()
    with _locked(folder):
        for package in packages:
            if not (folder / package).exists():
                _fetch(package, folder)
    found = {path.parent for package in packages for path in (folder / package).rglob("*.so*")}
    return os.pathsep.join(map(str, sorted(found)))


def _unpacked(name: str, package: str) -> str:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise PackageMissing(
            f"{name} is missing: install it; only Debian's is fetched by the tests"
        )
    folder = _folder()
    with _locked(folder):  # several processes of tests may want it
        found = _found(folder / package, name)
        if found is None:
            _fetch(package, folder)
            found = _found(folder / package, name)
    if found is None:
        raise PackageMissing(
            f"{name} is missing: the package {package} has no program of that name"
        )
    return found


def _folder() -> Path:
    """A folder that stays from run to run and is this user's alone."""
    folder = Path(tempfile.gettempdir()) / f"oppserver-packages-{os.geteuid()}"
    folder.mkdir(mode=0o711, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise PackageMissing(f"{folder} belongs to somebody else: remove it")
    return folder


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _found(folder: Path, name: str) -> str | None:
    places = (folder / "usr" / "sbin" / name, folder / "usr" / "bin" / name)
    return next((str(place) for place in places if place.exists()), None)


def _fetch(package: str, folder: Path) -> None:
    """Unpacks a package into a folder of its name, which is there whole or not at all."""
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        failed = _failed(["apt-get", "download", package], fresh)
        if failed and os.geteuid() == 0:  # the lists of packages may be missing or old
            failed = _failed(["apt-get", "update"], fresh) or _failed(
                ["apt-get", "download", package], fresh
            )
        if failed:
            raise PackageMissing(
                f"{package} is missing: {failed}. Install it: apt-get install {package}"
            )
        [file] = Path(fresh).glob("*.deb")
        failed = _failed(["dpkg-deb", "--extract", str(file), f"{fresh}/whole"], fresh)
        if failed:
            raise PackageMissing(f"{package} cannot be unpacked: {failed}")
        (Path(fresh) / "whole").rename(folder / package)


def _failed(command: Sequence[str], folder: str) -> str | None:
    """Runs a command in a folder; the last line of what it said when it has failed."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return f"'{' '.join(command)}' took longer than {_TIMEOUT_S} s"
    said = (done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2]
    return None if done.returncode == 0 else f"'{' '.join(command)}' failed: {said}"
