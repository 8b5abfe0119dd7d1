"""From a file to a database, from a start to an answer, from a small database to a large one."""

import statistics
from pathlib import Path

from bench.contest import Form, Sample, Times, ratio, same_rows, take_turns, with_samples
from bench.peers import bare
from bench.progress import step, tell
from bench.result import Result, summary, times_over
from bench.stage import Stage, http_form
from bench.wire import Connection

_STARTS = 7


def importing(stage: Stage) -> Result:
    """Opportunities a second of the import command, from its start to its end."""
    path = stage.database_path()
    if path.exists():  # kept from another run: this one's import is measured all the same
        path = stage.scratch("imported.db")
    seconds = stage.import_to(path)
    rate = stage.options.opportunities / seconds
    return Result(
        name="import",
        figure=f"{rate:,.0f} opportunities/s",
        value=rate,
        note=f"{stage.options.opportunities:,} in {seconds:.1f} s",
        raw={"opportunities": stage.options.opportunities, "seconds": seconds},
    )


def starting(stage: Stage) -> Result:
    """Seconds from the start of the command to its first answer, over the main database."""
    taken = command_starts(stage)
    median = statistics.median(taken)
    return Result(
        name="start",
        figure=f"{median:.2f} s ({min(taken):.2f} to {max(taken):.2f})",
        value=median,
        raw={"seconds": taken},
    )


def command_starts(stage: Stage) -> list[float]:
    """The seconds of several such starts."""
    stage.stop_product()
    database = stage.database()
    sample = stage.samples(database)[0]
    body = Sample(event_code=sample.event_code, ids=sample.ids[:1]).body
    product = stage.new_product(database)
    taken = []
    with step(f"start, {_STARTS} times"):
        for _ in range(_STARTS):
            taken.append(product.start(first_body=body))
            product.stop()
    return taken


def growth(stage: Stage) -> Result:
    """The call over a large database against the call over a small one, in turns."""
    small_rows, large_rows = stage.options.growth_small, stage.options.growth_large
    stage.stop_product()
    small, large = stage.grown(small_rows), stage.grown(large_rows)
    forms = [*_forms(stage, small, f"{small_rows:,} rows")]
    forms += _forms(stage, large, f"{large_rows:,} rows")
    rounds = stage.options.rounds
    with step(f"the call over {small_rows:,} and {large_rows:,} rows: {rounds} rounds"):
        for form in forms:
            same_rows([form], stage.samples(small)[0])
        taken = take_turns(forms, stage.samples(small), rounds)
    for times in taken:
        tell(f"{times.name}: p50 {times.p50:.2f} ms")
    return _grown(taken, small_rows, large_rows)


def _grown(taken: list[Times], small_rows: int, large_rows: int) -> Result:
    on_small, bare_small, on_large, bare_large = taken
    found, floor = ratio(on_large, on_small), ratio(bare_large, bare_small)
    return Result(
        name="growth",
        figure=times_over(found),
        value=found.of_medians,
        note=(
            f"{large_rows:,} rows against {small_rows:,}: {on_large.p50:.2f} ms against"
            f" {on_small.p50:.2f} ms; the bare statement alone grows {floor.of_medians:.2f}\u00d7"
        ),
        raw={"times": [summary(times) for times in taken]},
    )


def _forms(stage: Stage, database: Path, size: str) -> list[Form]:
    """The product and SQLite alone over one database, which each have ids of their own."""
    samples = stage.samples(database)
    product = stage.new_product(database)
    product.start(first_body=samples[0].body)
    connection = Connection(product.port)
    forms = [http_form(f"oppserver, {size}", product, connection), bare.forms(database)[-1]]
    return [with_samples(form, samples, name=f"{form.name}, {size}") for form in forms]
