"""One stream of many ids beside the 2,000-id calls that would read them."""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from bench.database import ids_and_leads
from bench.options import COLUMNS, IDS
from bench.peers.product import Product
from bench.progress import step, tell
from bench.result import Result
from bench.stage import ONE_TYPE, Stage
from bench.wire import PATH, BadAnswer, Connection, bulk_read_body, post

_IDS: Final = 200_000
_PATH: Final = "/v1/opportunities/read"
_PIECE_BYTES: Final = 64 << 10
_RECEIVED_BYTES: Final = 1 << 20


def ndjson(stage: Stage) -> Result:
    """Opportunities a second as NDJSON."""
    return _against_calls(stage, "stream", "application/x-ndjson")


def arrow(stage: Stage) -> Result:
    """Opportunities a second as Arrow."""
    return _against_calls(stage, "stream-arrow", "application/vnd.apache.arrow.stream")


def _against_calls(stage: Stage, name: str, accept: str) -> Result:
    product = stage.one_type_product()
    ids = [one for one, _ in ids_and_leads(stage.one_type(), _IDS)]
    calls = _rate(ids, lambda: _call(product, ids, accept))
    rates, others = [], [calls]
    with step(f"{_IDS:,} ids as one stream and as calls, in turns"):
        for _ in range(stage.options.load_rounds):
            rates.append(_rate(ids, lambda: _stream(product, ids, accept)))
            others.append(_rate(ids, lambda: _call(product, ids, accept)))
    rate, other = max(rates), max(others)
    tell(f"{rate:,.0f} opportunities/s as a stream, {other:,.0f} by calls")
    return Result(
        name=name,
        figure=f"{rate:,.0f} opportunities/s ({min(rates):,.0f} to {rate:,.0f})",
        value=rate,
        note=f"{rate / other:.2f}\u00d7 the calls of 2,000 ids, one after another",
        raw={"stream": rates, "calls": others},
    )


def _rate(ids: Sequence[str], work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return len(ids) / (time.perf_counter() - started)


def _call(product: Product, ids: Sequence[str], accept: str) -> None:
    headers = {**product.headers, "Accept": accept}
    with Connection(product.port) as connection:
        for start in range(0, len(ids), IDS):
            body = bulk_read_body({ONE_TYPE: ids[start : start + IDS]})
            connection.call(post(PATH, body, headers))


def _stream(product: Product, ids: Sequence[str], accept: str) -> None:
    """Sends on one thread and receives on another; the answer has to come to its last chunk."""
    body = "".join(f"{one}\n" for one in ids).encode()
    query = f"event_code={ONE_TYPE}&columns={','.join(COLUMNS)}"
    head = [f"POST {_PATH}?{query} HTTP/1.1", "Host: bench", f"Content-Length: {len(body)}"]
    head += [f"{name}: {value}" for name, value in product.headers.items()]
    head += ["Content-Type: text/plain", f"Accept: {accept}", "Connection: close", "", ""]
    with socket.create_connection(("127.0.0.1", product.port), timeout=120) as connection:
        sending = threading.Thread(
            target=lambda: _send(connection, "\r\n".join(head).encode() + body)
        )
        sending.start()
        first, last = b"", b""
        while received := connection.recv(_RECEIVED_BYTES):
            first = first or received
            last = (last + received)[-5:]
        sending.join()
    if not first.startswith(b"HTTP/1.1 200") or last != b"0\r\n\r\n":
        raise BadAnswer(f"a stream ended with {first[:100]!r} … {last!r}")


def _send(connection: socket.socket, whole: bytes) -> None:
    for start in range(0, len(whole), _PIECE_BYTES):
        connection.sendall(whole[start : start + _PIECE_BYTES])
