"""A load client in a process of its own: ``python -m bench.load``.

One thread and one selector drive all connections in a closed loop: each sends its next request when
its answer is whole. Answers are counted by their length and thrown away; nothing is decoded. Reads
its task as JSON from stdin, answers with JSON on stdout.
"""

import selectors
import socket
import sys
import time
from pathlib import Path

import msgspec

from bench.wire import Head, parse_head

_CHUNK_BYTES = 1 << 20


class Task(msgspec.Struct):
    """The work to do. ``requests`` is a file with a list of requests (bytes), in MessagePack."""

    port: int
    connections: int
    warm_s: float
    seconds: float
    requests: str


class Outcome(msgspec.Struct):
    """The result, in the measured seconds. ``cpu_s``: of this client, the warming included."""

    calls: int
    failures: int
    seconds: float
    cpu_s: float
    latencies_ms: list[float]

    @property
    def calls_per_s(self) -> float:
        """The rate."""
        return self.calls / self.seconds


class _Client:
    """One connection's state."""

    def __init__(self, port: int, requests: list[bytes], turn: int, step: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self._requests = requests
        self._turn = turn
        self._step = step
        self._unsent = memoryview(b"")
        self._head = bytearray()
        self._missing = -1  # bytes of the body to come; -1: the head is not whole
        self.status = 0
        self.started = 0.0

    def begin(self) -> None:
        """Sends the next request, or as much as the socket takes."""
        self._unsent = memoryview(self._requests[self._turn % len(self._requests)])
        self._turn += self._step
        self._head.clear()
        self._missing = -1
        self.started = time.perf_counter()
        self.send()

    def send(self) -> None:
        """Goes on sending."""
        if self._unsent:
            try:
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
            except BlockingIOError:
                return

    @property
    def is_sending(self) -> bool:
        """Return whether the request is not out yet."""
        return len(self._unsent) > 0

    def receive(self, scratch: memoryview) -> bool:
        """Takes what is there; true when the answer is whole."""
        try:
            size = self.socket.recv_into(scratch)
        except BlockingIOError:
            return False
        if size == 0:
            raise ConnectionError("the server closed the connection")
        if self._missing >= 0:
            self._missing -= size
            return self._missing == 0
        self._head += scratch[:size]
        head: Head | None = parse_head(self._head)
        if head is None:
            return False
        assert head.body_bytes is not None, "the load client needs a Content-Length"
        self.status = head.status
        self._missing = head.body_at + head.body_bytes - len(self._head)
        return self._missing == 0


def run(task: Task) -> Outcome:
    """Loads the server for the task's seconds."""
    requests = msgspec.msgpack.decode(Path(task.requests).read_bytes(), type=list[bytes])
    selector = selectors.DefaultSelector()
    clients = [
        _Client(task.port, requests, turn, task.connections) for turn in range(task.connections)
    ]
    scratch = memoryview(bytearray(_CHUNK_BYTES))
    for client in clients:
        selector.register(client.socket, selectors.EVENT_READ, client)
        client.begin()
        _watch(selector, client)
    begin = time.perf_counter() + task.warm_s
    end = begin + task.seconds
    outcome = Outcome(calls=0, failures=0, seconds=task.seconds, cpu_s=0.0, latencies_ms=[])
    now = time.perf_counter()
    while now < end:
        for key, events in selector.select(timeout=1.0):
            client = key.data
            if events & selectors.EVENT_WRITE:
                client.send()
                _watch(selector, client)
            if events & selectors.EVENT_READ and client.receive(scratch):
                now = time.perf_counter()
                if begin <= now < end:
                    outcome.calls += 1
                    outcome.failures += client.status != 200
                    outcome.latencies_ms.append((now - client.started) * 1_000)
                client.begin()
                if client.is_sending:
                    _watch(selector, client)
        now = time.perf_counter()
    outcome.cpu_s = time.process_time()
    for client in clients:
        client.socket.close()
    return outcome


def _watch(selector: selectors.BaseSelector, client: _Client) -> None:
    events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.is_sending else 0)
    selector.modify(client.socket, events, client)


if __name__ == "__main__":
    finished = run(msgspec.json.decode(sys.stdin.buffer.read(), type=Task))
    sys.stdout.buffer.write(msgspec.json.encode(finished))
