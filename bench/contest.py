"""Side by side: contestants answer the same calls in turn, A, B, A, B, in one run."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import msgspec

from bench.wire import bulk_read_body


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One call: ids of one type, chosen at random, and the call's body."""

    event_code: int
    ids: Sequence[str]

    @property
    def body(self) -> bytes:
        """The body of the call."""
        return bulk_read_body({self.event_code: self.ids})


@dataclass(frozen=True, kw_only=True)
class Form:
    """One way in which a contestant answers a call.

    ``prepare`` runs before the clock starts, ``answer`` on it, ``rows`` after it: it decodes an
    answer, so that all contestants can be held to the same rows.
    """

    name: str
    prepare: Callable[[Sample], Any]
    answer: Callable[[Any], Any]
    rows: Callable[[Any], list[dict[str, Any]]] | None = None


def with_samples(form: Form, samples: Sequence[Sample], *, name: str) -> Form:
    """The form with samples of its own, in turn, whatever the contest asks: its rows are others."""
    turns = cycle(samples)
    return Form(
        name=name,
        prepare=lambda _: form.prepare(next(turns)),
        answer=form.answer,
        rows=form.rows,
    )


class Times(msgspec.Struct, frozen=True):
    """The times of one form in milliseconds, in the order of the rounds."""

    name: str
    ms: list[float]

    @property
    def p50(self) -> float:
        """The median."""
        return statistics.median(self.ms)

    def percentile(self, percent: int) -> float:
        """A percentile, of at least 2 values."""
        return statistics.quantiles(self.ms, n=100, method="inclusive")[percent - 1]


class Ratio(msgspec.Struct, frozen=True):
    """Two medians of one run over each other, and the quartiles of the rounds' own ratios."""

    of_medians: float
    low: float
    high: float


def same_rows(forms: Sequence[Form], sample: Sample) -> None:
    """Checks that every form answers a sample with the same rows, before anything is timed."""
    expected: dict[str, dict[str, Any]] | None = None
    for form in forms:
        if form.rows is None:
            continue
        rows = form.rows(form.answer(form.prepare(sample)))
        by_id = {row["ProspectActivityId"]: row for row in rows}
        assert list(by_id) and len(by_id) == len(sample.ids), f"{form.name}: {len(by_id)} rows"
        expected = expected or by_id
        assert by_id == expected, f"{form.name} answers other rows than {forms[0].name}"


def take_turns(forms: Sequence[Form], samples: Sequence[Sample], rounds: int) -> list[Times]:
    """Times of every form: in each round every form answers the same call once.

    The order turns round with each round, so that no form always follows the same one. The first
    eighth of the rounds, at least 3, only warms.
    """
    warm = max(3, rounds // 8)
    prepared = [[form.prepare(sample) for sample in samples] for form in forms]
    taken: list[list[float]] = [[] for _ in forms]
    clock = time.perf_counter
    for turn in range(-warm, rounds):
        order = range(len(forms)) if turn % 2 else range(len(forms) - 1, -1, -1)
        for index in order:
            call, answer = prepared[index][turn % len(samples)], forms[index].answer
            started = clock()
            answer(call)
            elapsed = clock() - started
            if turn >= 0:
                taken[index].append(elapsed * 1_000)
    return [Times(form.name, ms) for form, ms in zip(forms, taken, strict=True)]


def ratio(above: Times, below: Times) -> Ratio:
    """The ratio of the times of ``above`` and ``below``."""
    each = [a / b for a, b in zip(above.ms, below.ms, strict=True)]
    low, _, high = statistics.quantiles(each, n=4)
    return Ratio(above.p50 / below.p50, low, high)
