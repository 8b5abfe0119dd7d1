"""Figures of a running process, as the system counts them: processor time and memory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICKS_IN_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass
class Used:
    """The cost of something to a process: seconds of a processor, and bytes at its peak.

    ``peak_bytes`` is how much higher its memory was at most than at the beginning.
    """

    cpu_s: float = 0.0
    peak_bytes: int = 0


@contextmanager
def measured(process: int) -> Iterator[Used]:
    """The figures of a process while the block runs, filled in at its end."""
    used = Used()
    Path(f"/proc/{process}/clear_refs").write_text("5")  # the peak begins anew: proc(5)
    before_s, before_bytes = _cpu_s(process), _status_bytes(process, "VmRSS")
    yield used
    used.cpu_s = _cpu_s(process) - before_s
    used.peak_bytes = _status_bytes(process, "VmHWM") - before_bytes


def _cpu_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_IN_A_SECOND


def _status_bytes(process: int, name: str) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{name}:"))
