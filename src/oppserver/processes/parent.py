"""The parent of several workers: starts, counts for, replaces and ends them.

It answers no calls and opens no store. One thread waits for all that can come: a signal, a word of
a worker, a worker's end, a question about the rate limit, the moment to start one again.
"""

import os
import selectors
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from oppserver import telemetry
from oppserver.api.server import BALANCES_BY_PORT, listen, port_of, reserve
from oppserver.config import Settings
from oppserver.console.access import new_secret
from oppserver.contract.errors import WorkerFailed
from oppserver.processes.workers import (
    READY,
    WORKER_STOP_MARGIN_S,
    StartedWorker,
    WorkerTask,
    how_ended,
    start_worker,
)
from oppserver.rate_limit.window import MovingWindow, answer_questions

WORKER_SOUND_S: Final = 10.0
"""Seconds after which a worker that ends is started again at once. Ours: it served for a while."""

WORKER_PAUSE_S: Final = 0.1
"""Seconds before a worker that ended sooner is started again; twice as long each time. Ours."""

WORKER_PAUSE_S_MAX: Final = 10.0
"""Seconds of the longest such pause. Ours: a database that is away for an hour costs 360 starts."""


def serve_with_workers(
    settings: Settings,
    flags: Mapping[str, str | None],
    *,
    balances_by_port: bool = BALANCES_BY_PORT,
) -> int:
    """Serves with ``settings.workers`` processes until told to end; the exit status.

    ``flags`` are those that made the settings. The first worker brings the store up to date; the
    others start when it serves. When it cannot serve, it has said why on stderr, and its status is
    returned. Raises AddressRefused and WorkerFailed.
    """
    telemetry.start_logging(form=settings.log_format, level=settings.log_level)
    with ExitStack() as stack:
        bound = stack.enter_context(reserve(settings) if balances_by_port else listen(settings))
        folder = stack.enter_context(_metrics_folder())
        secret = new_secret()

        def make_task(number: int, machine_window: int | None) -> WorkerTask:
            return WorkerTask(
                number=number,
                flags=dict(flags),
                port=port_of(bound),
                listener=None if balances_by_port else bound.fileno(),
                machine_window=machine_window,
                metrics_folder=folder,
                console_secret=secret,
                tells=number == 1 and not parent.is_serving,
            )

        parent = stack.enter_context(_parent(settings, make_task))
        return parent.run()


def _metrics_folder() -> "tempfile.TemporaryDirectory[str]":
    try:
        return tempfile.TemporaryDirectory(prefix="oppserver-metrics-")
    except OSError as error:
        raise WorkerFailed(
            f"The workers need a temporary folder to count in: {error}. TMPDIR names another."
        ) from None


@dataclass(slots=True)
class _Place:
    """One of the workers' places: who fills it, or when it is filled again. Owner: the parent."""

    number: int
    worker: StartedWorker | None = None
    started_at: float = 0.0
    pause_s: float = 0.0
    start_at: float | None = None


class _Parent:
    """The parent's view of its workers, and its reactions."""

    def __init__(
        self,
        settings: Settings,
        make_task: Callable[[int, int | None], WorkerTask],
        signals: socket.socket,
    ) -> None:
        limit = settings.rate_limit
        self._settings: Final = settings
        self._make_task: Final = make_task
        self._window: Final = (
            MovingWindow(calls=limit.calls, window_s=limit.window_s) if limit else None
        )
        self._places: Final = [_Place(number) for number in range(1, settings.workers + 1)]
        self._selector: Final = selectors.DefaultSelector()
        self._selector.register(signals, selectors.EVENT_READ, self._signalled)
        self._signals: Final = signals
        self._is_ending = False
        self._killed_at: float | None = None  # when workers that have not ended are killed
        self._status = 0
        self.is_serving = False

    def run(self) -> int:
        """Looks after the workers until all have ended; the exit status."""
        self._start(self._places[0])
        while any(place.worker or place.start_at for place in self._places):
            for key, _ in self._selector.select(self._deadline_s()):
                if self._selector.get_map().get(key.fd) is key:  # else its worker has just ended
                    key.data()
            for place in self._places:
                if place.start_at is not None and place.start_at <= time.monotonic():
                    self._start(place)
            if self._killed_at is not None and self._killed_at <= time.monotonic():
                self._kill()
        return self._status

    def close(self) -> None:
        """Ends what still runs, when something of ours has failed."""
        self._kill()
        for place in self._places:
            if place.worker is not None:
                place.worker.close()
        self._selector.close()

    # --- workers

    def _start(self, place: _Place) -> None:
        place.start_at = None
        place.started_at = time.monotonic()
        try:
            worker = start_worker(
                place.number,
                partial(self._make_task, place.number),
                has_window=self._window is not None,
            )
        except OSError as error:  # no memory, no process, no descriptor is left
            self._failed(place, f"not started, {error}")
            return
        place.worker = worker
        self._selector.register(worker.words, selectors.EVENT_READ, partial(self._heard, place))
        if worker.questions is not None and self._window is not None:
            self._selector.register(
                worker.questions,
                selectors.EVENT_READ,
                partial(answer_questions, worker.questions, self._window),
            )

    def _heard(self, place: _Place) -> None:
        """A worker said that it serves, or its stdout came to its end, as it has itself."""
        worker = place.worker
        assert worker is not None
        words = os.read(worker.words, 1_024)
        if not words:
            self._ended(place, worker)
        if READY not in words:
            return
        telemetry.logger().info("worker_ready", worker=place.number, process=worker.process_id)
        if not self.is_serving:
            self.is_serving = True
            for other in self._places[1:]:
                self._start(other)

    def _ended(self, place: _Place, worker: StartedWorker) -> None:
        self._selector.unregister(worker.words)
        if worker.questions is not None:
            self._selector.unregister(worker.questions)
        place.worker = None
        status = worker.close()
        if self._is_ending:
            is_in_order = status in (0, -signal.SIGTERM)  # the second: it had only just started
            self._status = self._status if is_in_order else 1
        elif status > 0 and not self.is_serving:
            self._status = status  # it has said why
        else:
            self._failed(place, how_ended(status))

    def _failed(self, place: _Place, how: str) -> None:
        """Has a worker started again; at once, unless it has served for a short time only."""
        if not self.is_serving:
            raise WorkerFailed(f"The first worker could not serve: {how}.")
        is_sound = time.monotonic() - place.started_at >= WORKER_SOUND_S
        pause_s = max(WORKER_PAUSE_S, min(WORKER_PAUSE_S_MAX, 2 * place.pause_s))
        place.pause_s = 0.0 if is_sound else pause_s
        place.start_at = time.monotonic() + place.pause_s
        telemetry.logger().warning(
            "worker_ended", worker=place.number, how=how, started_again_in_s=place.pause_s
        )

    # --- the end

    def _signalled(self) -> None:
        """Ends in order, or has certificates read again.

        A signal after the first is passed on as it is: Ctrl-C twice hurries.
        """
        for number in self._signals.recv(64):
            if number == signal.SIGHUP:
                self._pass_on(number)
                continue
            passed_on = number if self._is_ending else signal.SIGTERM
            if not self._is_ending:
                self._is_ending = True
                deadline_s = self._settings.shutdown_timeout_s + WORKER_STOP_MARGIN_S
                self._killed_at = time.monotonic() + deadline_s
            for place in self._places:
                place.start_at = None
            self._pass_on(passed_on)

    def _pass_on(self, number: int) -> None:
        for place in self._places:
            if place.worker is not None:
                place.worker.send_signal(number)

    def _kill(self) -> None:
        self._killed_at = None
        for place in self._places:
            if place.worker is not None:
                telemetry.logger().warning("worker_killed", worker=place.number)
                place.worker.send_signal(signal.SIGKILL)

    def _deadline_s(self) -> float | None:
        """Seconds until there is something to do that nobody tells."""
        moments = [place.start_at for place in self._places if place.start_at is not None]
        if self._killed_at is not None:
            moments.append(self._killed_at)
        return max(0.0, min(moments) - time.monotonic()) if moments else None


@contextmanager
def _parent(
    settings: Settings, make_task: Callable[[int, int | None], WorkerTask]
) -> Iterator[_Parent]:
    """A parent that hears SIGINT, SIGTERM and, with a certificate, SIGHUP while the block runs."""
    told, heard = socket.socketpair()
    told.setblocking(False)

    def tell(number: int, _: object) -> None:
        told.send(bytes([number]))

    numbers = [signal.SIGINT, signal.SIGTERM]
    if settings.ssl_certfile is not None:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, tell) for number in numbers}
    parent = _Parent(settings, make_task, heard)
    try:
        yield parent
    finally:
        parent.close()
        for number, handler in before.items():
            signal.signal(number, handler)
        told.close()
        heard.close()
