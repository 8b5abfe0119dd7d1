"""The wording of the end of a process."""

import signal

import pytest

from oppserver.processes.workers import how_ended


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (0, "exit status 0"),
        (1, "exit status 1"),
        (-signal.SIGKILL, "SIGKILL"),
        (-signal.SIGSEGV, "SIGSEGV"),
        (-1_000, "signal 1000"),
    ],
)
def test_an_end_in_words(status: int, told: str) -> None:
    """By its status, or by the name of the signal, where it has one."""
    assert how_ended(status) == told
