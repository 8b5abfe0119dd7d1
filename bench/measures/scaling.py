"""The product on PostgreSQL: from a file, over two sizes, on two nodes, with a standby; its writes.

Their numbers are what ``docs/scaling.md`` computes with (``bench/scaling.py``).
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.contest import Form, Sample, Times, ratio, same_rows, take_turns, with_samples
from bench.load import Outcome
from bench.measures.calls import capture_requests
from bench.options import ROW_NAMES
from bench.peers.postgres_product import Primary, cpu_seconds
from bench.peers.product import Product
from bench.pressure import CLIENTS, median_rate, outcomes, press, write_requests
from bench.progress import step, tell
from bench.result import Result, summary, times_over
from bench.stage import Stage, http_form
from bench.wire import Connection
from oppserver.contract.columns import column_named
from oppserver.store import Store, open_store
from oppserver.store.queries import Plan, PlannedEntry

_ONE_ID_SAMPLES: Final = 512


def importing(stage: Stage) -> Result:
    """Opportunities a second of the import command, into PostgreSQL."""
    rows = stage.options.growth_small
    _, seconds = stage.primary().small(stage.lines(rows))
    if seconds is None:
        seconds = stage.primary().import_again(stage.lines(rows))
    return Result(
        name="pg-import",
        figure=f"{rows / seconds:,.0f} opportunities/s",
        value=rows / seconds,
        note=f"{rows:,} in {seconds:.1f} s, durable",
        raw={"opportunities": rows, "seconds": seconds},
    )


def against_bare(stage: Stage) -> Result:
    """The store's bulk read, and the call over HTTP, against the bare statement for the rows."""
    url = _small(stage)
    store = open_store(url, migrate=False)
    try:
        with _forms(stage, url, f"{stage.options.growth_small:,} rows") as (others, samples):
            forms = [_in_process(store), *others]
            inside, call, bare = _contest(forms, samples, stage.options.rounds)
    finally:
        store.close()
    found, over_http = ratio(inside, bare), ratio(call, bare)
    return Result(
        name="pg-bare",
        figure=times_over(found),
        value=found.of_medians,
        note=(
            f"{inside.p50:.2f} ms against {bare.p50:.2f} ms; the whole call over HTTP"
            f" {times_over(over_http)}, {call.p50:.2f} ms"
        ),
        raw={"times": [summary(inside), summary(call), summary(bare)]},
    )


def growth(stage: Stage) -> Result:
    """The call over a large database against the call over a small one, in turns."""
    small_rows, large_rows = stage.options.growth_small, stage.options.growth_large
    small, large = _small(stage), _large(stage)
    with (
        _forms(stage, small, f"{small_rows:,} rows") as (few, samples),
        _forms(stage, large, f"{large_rows:,} rows") as (many, samples_of_many),
    ):
        for form in few:
            same_rows([form], samples[0])
        forms = [*few, *(with_samples(form, samples_of_many, name=form.name) for form in many)]
        taken = take_turns(forms, samples, stage.options.rounds)
    on_small, bare_small, on_large, bare_large = taken
    for times in taken:
        tell(f"{times.name}: p50 {times.p50:.2f} ms")
    found, floor = ratio(on_large, on_small), ratio(bare_large, bare_small)
    return Result(
        name="pg-growth",
        figure=times_over(found),
        value=found.of_medians,
        note=(
            f"{large_rows:,} rows against {small_rows:,}: {on_large.p50:.2f} ms against"
            f" {on_small.p50:.2f} ms; the bare statement alone grows {floor.of_medians:.2f}\u00d7"
        ),
        raw={"times": [summary(times) for times in taken]},
    )


def storage(stage: Stage) -> Result:
    """Bytes of a stored opportunity, with its part of all indexes."""
    sizes = stage.primary().sizes(_large(stage))
    leads = stage.primary().sizes(_small(stage))
    sizes |= {name: size for name, size in leads.items() if name.startswith("lead_")}
    each = sizes["opportunity_heap_bytes"] + sizes["opportunity_indexes_bytes"]
    return Result(
        name="pg-storage",
        figure=f"{each:,.0f} bytes",
        value=each,
        note=(
            f"{sizes['opportunity_heap_bytes']:,.0f} of the row,"
            f" {sizes['opportunity_indexes_bytes']:,.0f} of its indexes; besides,"
            f" {sizes['lead_heap_bytes'] + sizes['lead_indexes_bytes']:,.0f} of its lead"
        ),
        raw=sizes,
    )


def nodes(stage: Stage) -> Result:
    """Calls a second of two servers on one database against one, 2,000 ids and one id a call."""
    primary, url = stage.primary(), _large(stage)
    one, two = (_started(primary, url) for _ in range(2))
    try:
        bulk = _by_nodes(stage, "bulk", primary.samples(url, stage.options.samples), [one, two])
        few = _by_nodes(stage, "one", primary.samples(url, _ONE_ID_SAMPLES, 1), [one, two])
    finally:
        one.stop()
        two.stop()
    found = few["calls_per_s"][1] / few["calls_per_s"][0]
    of_bulk = bulk["calls_per_s"][1] / bulk["calls_per_s"][0]
    return Result(
        name="pg-nodes",
        figure=f"{found:.2f}\u00d7 of one-id calls, {of_bulk:.2f}\u00d7 of 2,000 ids",
        value=found,
        note=(
            f"{few['calls_per_s'][1]:,.0f} calls/s against {few['calls_per_s'][0]:,.0f}, and"
            f" {bulk['calls_per_s'][1]:,.0f} against {bulk['calls_per_s'][0]:,.0f}; on the"
            " same cores"
        ),
        raw={"bulk": bulk, "one": few},
    )


def replicas(stage: Stage) -> Result:
    """Calls a second with a standby to read from against none, and the primary's part of them."""
    primary, url = stage.primary(), _large(stage)
    database = url.rpartition("/")[2]
    cluster, standby = primary.standby()
    read = ["--read-database", cluster.url(database)]
    alone, helped = _started(primary, url), _started(primary, url, read)
    requests = _requests(stage, "replicas", primary.samples(url, stage.options.samples), alone)
    loads: dict[str, list[dict[str, float]]] = {"none": [], "one": []}
    try:
        with step("calls without and with a standby, in turns"):
            for _ in range(stage.options.load_rounds):
                for name, product in (("none", alone), ("one", helped)):
                    servers = {"primary": primary.process, "standby": standby}
                    loads[name].append(_costed(stage, [product], requests, servers))
    finally:
        alone.stop()
        helped.stop()
        primary.drop_standby()
    rates = {name: statistics.median(_rates(taken)) for name, taken in loads.items()}
    part = _median(loads["one"], "primary_ms") / _median(loads["none"], "primary_ms")
    return Result(
        name="pg-replicas",
        figure=f"{rates['one'] / rates['none']:.2f}\u00d7 of calls/s",
        value=rates["one"] / rates["none"],
        note=(
            f"{rates['one']:,.0f} calls/s against {rates['none']:,.0f} on the same cores; the"
            f" primary's work for a call is {part:.3f} of what it was"
        ),
        raw={"loads": loads, "primary_part": part},
    )


def writes(stage: Stage) -> Result:
    """Durable ``Capture`` calls a second, 8 clients, one write at a time."""
    primary, url = stage.primary(), _large(stage)
    product = _started(primary, url)
    try:
        path = write_requests(stage.scratch("pg-capture.msgpack"), capture_requests(product))
        with step(f"captures, {CLIENTS} clients"):
            taken = [press(product.port, path, CLIENTS, seconds=stage.options.load_s)]
    finally:
        product.stop()
    return Result(
        name="pg-writes",
        figure=f"{median_rate(taken):,.0f} calls/s",
        value=median_rate(taken),
        note=f"p50 {statistics.median(taken[0].latencies_ms):.2f} ms",
        raw={"eight": outcomes(taken)},
    )


# --- databases and servers ---------------------------------------------------------------------


def _small(stage: Stage) -> str:
    url, _ = stage.primary().small(stage.lines(stage.options.growth_small))
    return url


def _large(stage: Stage) -> str:
    _small(stage)
    return stage.primary().large(stage.options.growth_large)


def _started(primary: Primary, url: str, more: Sequence[str] = ()) -> Product:
    product = primary.product(url, more)
    product.start(first_body=primary.samples(url, 1)[0].body)
    return product


# --- one after another -------------------------------------------------------------------------


@contextmanager
def _forms(stage: Stage, url: str, size: str) -> Iterator[tuple[list[Form], list[Sample]]]:
    """The product and the bare statement over one database, and calls of it."""
    import psycopg

    primary = stage.primary()
    samples = primary.samples(url, stage.options.samples)
    product = _started(primary, url)
    with Connection(product.port) as connection, psycopg.connect(url, autocommit=True) as bare:
        try:
            yield [http_form(f"oppserver, {size}", product, connection), _bare(bare, size)], samples
        finally:
            product.stop()


def _in_process(store: Store) -> Form:
    columns = tuple(filter(None, map(column_named, ROW_NAMES)))

    def prepare(sample: Sample) -> Plan:
        entry = PlannedEntry(event_code=sample.event_code, ids=sample.ids, columns=columns)
        return Plan(entries=(entry,))

    return Form(
        name="the store's bulk read, in process",
        prepare=prepare,
        answer=lambda plan: store.bulk_read(plan)[0].json,
        rows=lambda answer: msgspec.json.decode(answer, type=list[dict[str, Any]]),
    )


_STATEMENT: Final = (
    "SELECT o.lead_id, o.lead_email, o.id, o.created_on_answer, o.modified_on_answer, o.owner_id,"
    " u.email, o.status, o.mx_custom_1, o.mx_custom_2, o.mx_custom_3, o.mx_custom_4"
    ' FROM opportunity AS o LEFT JOIN "user" AS u ON u.id = o.owner_id'
    " WHERE o.id = ANY(%s::text[]) AND o.event_code = %s"
)


def _bare(connection: Any, size: str) -> Form:
    cursor = connection.cursor()

    def answer(asked: tuple[str, int]) -> Any:
        return cursor.execute(_STATEMENT, asked, prepare=True).fetchall()

    return Form(
        name=f"the bare statement through psycopg, {size}",
        prepare=lambda sample: ("{" + ",".join(sample.ids) + "}", sample.event_code),
        answer=answer,
    )


def _contest(forms: Sequence[Form], samples: Sequence[Sample], rounds: int) -> list[Times]:
    with step(f"{forms[0].name} and the bare statement: {rounds} rounds"):
        same_rows(forms, samples[0])
        return take_turns(forms, samples, rounds)


# --- at once -----------------------------------------------------------------------------------


def _requests(stage: Stage, name: str, samples: Sequence[Sample], product: Product) -> Path:
    requests = [product.request(sample.body) for sample in samples]
    return write_requests(stage.scratch(f"pg-{name}.msgpack"), requests)


def _by_nodes(
    stage: Stage, name: str, samples: Sequence[Sample], products: Sequence[Product]
) -> dict[str, Any]:
    """Loads of one node and of two, in turns: rates, and what a call costs node and database."""
    requests = _requests(stage, name, samples, products[0])
    servers = {"database": stage.primary().process}
    taken: list[list[dict[str, float]]] = [[], []]
    with step(f"{len(samples[0].ids):,} ids a call, on one node and on two, in turns"):
        for _ in range(stage.options.load_rounds):
            for place in (0, 1):
                taken[place].append(_costed(stage, products[: place + 1], requests, servers))
    return {
        "calls_per_s": [statistics.median(_rates(loads)) for loads in taken],
        "node_ms": _median(taken[0], "node_ms"),
        "database_ms": _median(taken[0], "database_ms"),
        "loads": taken,
    }


def _costed(
    stage: Stage, products: Sequence[Product], requests: Path, servers: dict[str, Any]
) -> dict[str, float]:
    """A load by 8 clients over all nodes: calls a second, and core-milliseconds of a call."""
    watched: dict[str, Callable[[], float]] = {
        f"{name}_ms": partial(cpu_seconds, process) for name, process in servers.items()
    }
    watched["node_ms"] = lambda: sum(cpu_seconds(_process(one)) for one in products)
    before = {name: look() for name, look in watched.items()}
    started = time.perf_counter()
    outcome = _press_all(products, requests, seconds=stage.options.load_s)
    seconds = time.perf_counter() - started
    spent = {name: look() - before[name] for name, look in watched.items()}
    # warming is load too: what was spent is spread over all calls at the measured rate
    calls = sum(one.calls_per_s for one in outcome) * _loaded_s(stage, seconds)
    return {
        "calls_per_s": sum(one.calls_per_s for one in outcome),
        **{name: 1_000 * each / calls for name, each in spent.items()},
    }


def _loaded_s(stage: Stage, seconds: float) -> float:
    """For how long clients have called: the measured time and the second of warming before it."""
    return min(seconds, stage.options.load_s + 1.0)


def _press_all(products: Sequence[Product], requests: Path, *, seconds: float) -> list[Outcome]:
    clients = CLIENTS // len(products)
    with ThreadPoolExecutor(len(products)) as pool:
        pressed = [
            pool.submit(press, one.port, requests, clients, seconds=seconds) for one in products
        ]
        return [one.result() for one in pressed]


def _process(product: Product) -> Any:
    assert product.process is not None, "it is started"
    return product.process


def _rates(loads: Sequence[dict[str, float]]) -> list[float]:
    return [load["calls_per_s"] for load in loads]


def _median(loads: Sequence[dict[str, float]], name: str) -> float:
    return statistics.median(load[name] for load in loads)
