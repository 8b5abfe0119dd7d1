"""What a parent tells a worker it starts: one line of JSON on the worker's stdin.

Not the command line: flags may hold a password, and every user of a machine can list processes.
"""

from typing import Final

import msgspec


class WorkerTask(msgspec.Struct, frozen=True, kw_only=True):
    """``flags`` are those of ``serve``, as typed; with the environment they make the settings.

    ``listener``: the descriptor of a socket that all workers share, or None where each listens on
    the ``port`` for itself. ``machine_window``: the descriptor of the worker's end of the rate
    limit, or None without a limit. ``metrics_folder``: where workers count together. The first
    worker ``tells`` what a server tells when it listens.
    """

    number: int
    flags: dict[str, str | None]
    port: int
    listener: int | None
    machine_window: int | None
    metrics_folder: str
    tells: bool


READY: Final = b"ready\n"
"""What a worker says on its stdout when it answers calls."""
