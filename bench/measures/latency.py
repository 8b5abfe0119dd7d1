"""The 2,000-id call beside each of its peers, in turns."""

import sys
from collections.abc import Sequence
from http.client import HTTPConnection
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final

from bench.contest import Form, Times, ratio, same_rows, take_turns
from bench.database import groups_of
from bench.peers import bare
from bench.peers.datasette import Datasette
from bench.peers.postgres import Postgres
from bench.peers.product import Product
from bench.processes import free_port, listens
from bench.progress import step, tell
from bench.result import Result, summary, times_over
from bench.stage import Stage, http_form, rows_of_answer
from bench.wire import PATH, BadAnswer, Connection, bulk_read_body, post

if TYPE_CHECKING:
    import subprocess

_HOT_CALLS: Final = 20
"""Calls whose rows fit into what a server keeps by default; 40,000 ids."""
_ROUNDS_UNTIL_KEPT: Final = 3


def against_bare(stage: Stage) -> Result:
    """The call against the fastest form of SQLite alone."""
    forms = [stage.product_form(), *bare.forms(stage.database())]
    product, *others = _contest(stage, "SQLite alone", forms, stage.options.rounds)
    fastest = min(others, key=lambda times: times.p50)
    found = ratio(product, fastest)
    return Result(
        name="bare",
        figure=times_over(found),
        value=found.of_medians,
        note=f"{product.p50:.2f} ms against {fastest.p50:.2f} ms ({fastest.name})",
        raw=_raw(product, others),
    )


def against_memory(stage: Stage) -> Result:
    """The call against the same bytes from memory: what the server stack itself costs."""
    form = stage.product_form()
    sample = stage.samples(stage.database())[0]
    peer, port = _constant_answer(stage, bytes(form.answer(form.prepare(sample))))
    with Connection(port) as connection:
        forms = [form, _from_memory(connection)]
        product, other = _contest(stage, "the same bytes from memory", forms, stage.options.rounds)
    stage.children.stop(peer)
    found = ratio(product, other)
    return Result(
        name="memory",
        figure=times_over(found),
        value=found.of_medians,
        note=f"{product.p50:.2f} ms against {other.p50:.2f} ms",
        raw=_raw(product, [other]),
    )


def hot(stage: Stage) -> Result:
    """A call for rows that were asked for before, against the same bytes from memory."""
    stage.stop_product()
    samples = stage.samples(stage.database())[:_HOT_CALLS]
    product = stage.new_product(stage.database())
    product.start(first_body=samples[0].body, keeps_rows=True)
    with Connection(product.port) as ours:
        answer = bytes(ours.call(product.request(samples[0].body)))
    peer, port = _constant_answer(stage, answer)
    with Connection(product.port) as ours, Connection(port) as theirs:
        forms = [http_form("oppserver, rows it keeps", product, ours), _from_memory(theirs)]
        with step(f"the call for rows that are kept: {stage.options.rounds} rounds"):
            take_turns(forms, samples, _ROUNDS_UNTIL_KEPT * len(samples))
            kept, other = take_turns(forms, samples, stage.options.rounds)
    stage.children.stop(peer)
    product.stop()
    found = ratio(kept, other)
    return Result(
        name="hot",
        figure=times_over(found),
        value=found.of_medians,
        note=f"{kept.p50:.2f} ms against {other.p50:.2f} ms; {len(samples)} calls in turn",
        raw=_raw(kept, [other]),
    )


def not_modified(stage: Stage) -> Result:
    """The call of a caller who has the answer already, against the read."""
    product, samples = stage.product(), stage.samples(stage.database())
    tags = {sample.body: _tag(product, sample.body) for sample in samples}
    with Connection(product.port) as connection:
        forms = [
            http_form("oppserver", product, connection),
            Form(
                name="304",
                prepare=lambda one: post(
                    PATH, one.body, {**product.headers, "If-None-Match": tags[one.body]}
                ),
                answer=lambda request: connection.call(request, status=304),
            ),
        ]
        with step(f"the call for what has not changed: {stage.options.rounds} rounds"):
            read, known = take_turns(forms, samples, stage.options.rounds)
    found = ratio(read, known)
    return Result(
        name="not-modified",
        figure=times_over(found),
        value=found.of_medians,
        note=f"{known.p50:.2f} ms against {read.p50:.2f} ms",
        raw=_raw(read, [known]),
    )


def _tag(product: Product, body: bytes) -> str:
    """The entity tag of an answer."""
    connection = HTTPConnection("127.0.0.1", product.port)
    headers = {**product.headers, "Content-Type": "application/json"}
    connection.request("POST", f"{PATH}?etag=true", body, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    tag = answer.getheader("ETag")
    if tag is None:
        raise BadAnswer("a call with etag=true was answered without an ETag")
    return tag


def against_postgres(stage: Stage) -> Result:
    """The call against PostgreSQL's ``json_agg``, through psycopg."""
    peer = Postgres(stage.children, stage.scratch("postgres"))
    try:
        with step("start and load PostgreSQL") as progress:
            version = peer.start(stage.database(), stage.options.opportunities, progress)
        forms = [stage.product_form(), *peer.forms()]
        product, *others = _contest(stage, "PostgreSQL", forms, stage.options.rounds_slow)
    finally:
        peer.stop()
    return _faster("postgres", version, product, others)


def against_datasette(stage: Stage) -> Result:
    """The call against Datasette's JSON API."""
    peer = Datasette(stage.children, stage.scratch("datasette"))
    try:
        with step("start Datasette"):
            version = peer.start(stage.database())
        forms = [stage.product_form(), *peer.forms()]
        product, *others = _contest(stage, "Datasette", forms, stage.options.rounds_slow)
    finally:
        peer.stop()
    return _faster("datasette", version, product, others)


def against_orm(stage: Stage) -> Result:
    """The call against FastAPI and SQLAlchemy's ORM."""
    port = free_port()
    command = [sys.executable, "-m", "bench.peers.orm_server", "--port", str(port)]
    peer = stage.children.start("orm-server", [*command, "--database", str(stage.database())])
    stage.children.wait_until("orm-server", peer, lambda: listens(port))
    with Connection(port) as connection:
        orm = Form(
            name="FastAPI and SQLAlchemy ORM",
            prepare=lambda sample: post(PATH, sample.body),
            answer=connection.call,
            rows=rows_of_answer,
        )
        forms = [stage.product_form(), orm]
        product, *others = _contest(stage, "FastAPI and ORM", forms, stage.options.rounds_slow)
    stage.children.stop(peer)
    return _faster("orm", "", product, others)


def in_groups(stage: Stage) -> Result:
    """2,000 ids in five groups, 400 of each type, against 2,000 ids in one group."""
    product = stage.product()
    with step("choose ids for five groups"):
        calls = groups_of(stage.database(), stage.options.samples)
    requests = [product.request(bulk_read_body(groups)) for groups in calls]
    turns = cycle(requests)
    one = stage.product_form()
    five = Form(
        name="oppserver, five groups of 400 ids",
        prepare=lambda _: next(turns),
        answer=one.answer,
    )
    in_one, in_five = _contest(stage, "five groups", [one, five], stage.options.rounds)
    found = ratio(in_five, in_one)
    return Result(
        name="groups",
        figure=times_over(found),
        value=found.of_medians,
        note=f"{in_five.p50:.2f} ms against {in_one.p50:.2f} ms",
        raw=_raw(in_one, [in_five]),
    )


def _constant_answer(stage: Stage, answer: bytes) -> "tuple[subprocess.Popen[bytes], int]":
    """A server that answers everything with these bytes, and its port."""
    path = stage.scratch("answer.json")
    path.write_bytes(answer)
    port = free_port()
    command = [sys.executable, "-m", "bench.peers.memory_server", "--port", str(port)]
    peer = stage.children.start("memory-server", [*command, "--answer", str(path)])
    stage.children.wait_until("memory-server", peer, lambda: listens(port))
    return peer, port


def _from_memory(connection: Connection) -> Form:
    return Form(
        name="the same bytes from memory, same server stack",
        prepare=lambda one: post(PATH, one.body),
        answer=connection.call,
    )


def _contest(stage: Stage, what: str, forms: Sequence[Form], rounds: int) -> list[Times]:
    samples = stage.samples(stage.database())
    with step(f"the call beside {what}: {rounds} rounds"):
        same_rows([form for form in forms if form.rows], samples[0])
        taken = take_turns(forms, samples, rounds)
    for times in taken:
        tell(f"{times.name}: p50 {times.p50:.2f} ms")
    return taken


def _faster(name: str, version: str, product: Times, others: Sequence[Times]) -> Result:
    fastest = min(others, key=lambda times: times.p50)
    found = ratio(fastest, product)
    return Result(
        name=name,
        figure=times_over(found),
        value=found.of_medians,
        note=f"{product.p50:.2f} ms against {fastest.p50:.2f} ms ({fastest.name})",
        raw=_raw(product, others) | {"version": version},
    )


def _raw(product: Times, others: Sequence[Times]) -> dict[str, Any]:
    return {"product": summary(product), "others": [summary(times) for times in others]}
