"""The system's Chromium: found, and installed where that is possible.

``make test`` runs this as ``python -m tests.browser.chromium`` first. Playwright drives the browser
that the system has; it never downloads one.
"""

import os
import shutil
import subprocess
import sys
from typing import Final

NAMES: Final = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
CURE: Final = "Install Chromium, or leave its tests out with 'make test BROWSER=none'."
_PACKAGES: Final = ("chromium", "fonts-dejavu-core")
_LOCK_TIMEOUT_S: Final = 300
"""Another installation may be under way on a machine that has just started. Chosen."""

_INSTALL_TIMEOUT_S: Final = 1_200
"""The packages are 110 MB. Chosen for a slow line."""


def find() -> str | None:
    """The path of the browser, or None where the system has no browser."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def install() -> str | None:
    """Installs it by the package manager. Returns why that failed, or None when it did not."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return "only root on Debian or Ubuntu installs it here"
    print("Installing the system's Chromium by apt-get, for the tests of pages.", flush=True)
    lock = f"DPkg::Lock::Timeout={_LOCK_TIMEOUT_S}"
    for command in (["update"], ["install", "-y", "--no-install-recommends", *_PACKAGES]):
        done = subprocess.run(
            ["apt-get", "-q", "-o", lock, *command],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=_INSTALL_TIMEOUT_S,
        )
        if done.returncode != 0:
            last_line = done.stdout.strip().rpartition("\n")[2]
            return f"'apt-get {command[0]}' failed: {last_line}"
    return None


def main() -> int:
    """Makes sure of a browser; the exit status. Without one, a line on stderr says what to do."""
    if find() is not None:
        return 0
    reason = install()
    if reason is None and find() is None:
        reason = f"after its installation none of {', '.join(NAMES)} is here"
    if reason is not None:
        print(f"Chromium is missing: {reason}. {CURE}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
