"""A real terminal for tests: what a command prints where somebody looks at it."""

import os
import pty
import re
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.support.running import clean_environment

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def in_terminal(
    arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str] = {}
) -> tuple[list[str], int]:
    """The lines that a command prints on a terminal, and its exit status.

    A line that is written over is there in each of its states, in order. Colours are left out.
    """
    mine, its = pty.openpty()
    process = subprocess.Popen(
        arguments,
        cwd=folder,
        env={**clean_environment(), "TERM": "xterm", "COLUMNS": "120", **environment},
        stdin=its,
        stdout=its,
        stderr=its,
    )
    os.close(its)
    printed = b""
    with suppress(OSError):  # the other end has gone
        while piece := os.read(mine, 65_536):
            printed += piece
    os.close(mine)
    lines = re.split(r"[\r\n]+", _CONTROL.sub("", printed.decode()))
    return [line.rstrip() for line in lines if line.strip()], process.wait(60)
