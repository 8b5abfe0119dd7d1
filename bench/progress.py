"""The progress of a run, on stderr."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Progress:
    """One step of a run. Rewrites its line on a terminal; elsewhere says only start and end."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._is_terminal = sys.stderr.isatty()
        self._told = 0.0

    def update(self, done: int, of: int) -> None:
        """Tells how far the step is, at most five times a second."""
        now = time.monotonic()
        if self._is_terminal and now - self._told > 0.2:
            self._told = now
            print(f"\r\x1b[K  {self._what}: {done:,} of {of:,}", end="", file=sys.stderr)

    def end(self, note: str) -> None:
        """Tells that the step is over."""
        start = "\r\x1b[K" if self._is_terminal else ""
        print(f"{start}  {self._what}: {note}", file=sys.stderr, flush=True)


@contextmanager
def step(what: str) -> Iterator[Progress]:
    """A step of a run, with the seconds it took."""
    print(f"* {what}", file=sys.stderr, flush=True)
    progress = Progress(what)
    started = time.monotonic()
    yield progress
    progress.end(f"{time.monotonic() - started:.1f} s")


def tell(line: str) -> None:
    """Says a line."""
    print(f"  {line}", file=sys.stderr, flush=True)
