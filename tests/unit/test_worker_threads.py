"""The threads that run calls: jobs in order, long ones beside each other, none lost."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from oppserver.api import workers as workers_module
from oppserver.api.workers import WorkerThreads

DEADLINE_S = 20.0


@contextmanager
def threads(number: int) -> Iterator[WorkerThreads]:
    """Threads that are ended, whatever happens."""
    made = WorkerThreads(number, name="test-worker")
    try:
        yield made
    finally:
        made.close()
        assert not [one for one in threading.enumerate() if one.name.startswith("test-worker")]


def test_jobs_begin_in_the_order_in_which_they_came() -> None:
    """One thread takes all of them, and every caller gets the answer of its own job."""
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        return number * 2

    async def main() -> list[int]:
        with threads(1) as workers:
            return list(await asyncio.gather(*(workers.run(work, n) for n in range(500))))

    assert asyncio.run(main()) == [n * 2 for n in range(500)]
    assert begun == list(range(500))


@pytest.mark.parametrize("number", [2, 5])
def test_long_jobs_run_beside_each_other(number: int) -> None:
    """The jobs of all threads meet, though each waits for all others."""
    meeting = threading.Barrier(number, timeout=DEADLINE_S)

    async def main() -> None:
        with threads(number) as workers:
            for _ in range(3):
                await asyncio.gather(*(workers.run(meeting.wait) for _ in range(number)))

    asyncio.run(main())


def test_a_short_job_does_not_wait_for_a_long_one() -> None:
    """While one thread is held, others answer."""
    ends = threading.Event()

    async def main() -> None:
        with threads(2) as workers:
            long = asyncio.ensure_future(workers.run(ends.wait, DEADLINE_S))
            for _ in range(200):
                assert await asyncio.wait_for(workers.run(int), DEADLINE_S) == 0
            assert not long.done()
            ends.set()
            assert await long

    asyncio.run(main())


def test_short_jobs_share_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short jobs wake no second thread before one has waited for long."""
    monkeypatch.setattr(workers_module, "PATIENCE_S", DEADLINE_S)  # no job takes as long

    async def main() -> set[int]:
        with threads(8) as workers:
            names = [await workers.run(threading.get_ident) for _ in range(300)]
        return set(names)

    assert len(asyncio.run(main())) == 1


def test_an_error_is_raised_where_the_job_is_awaited() -> None:
    """And the thread goes on."""

    def fail() -> None:
        raise LookupError("here")

    async def main() -> None:
        with threads(1) as workers:
            for _ in range(3):
                with pytest.raises(LookupError, match="here"):
                    await workers.run(fail)
            assert await workers.run(int) == 0

    asyncio.run(main())


def test_a_job_that_nobody_waits_for_is_not_begun() -> None:
    """One that is under way goes on to its end, and its answer is dropped."""
    under_way, ends, done = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        under_way.set()
        assert ends.wait(DEADLINE_S)
        done.set()

    begun: list[int] = []

    async def main() -> None:
        with threads(1) as workers:
            jobs = [asyncio.ensure_future(workers.run(first))]
            jobs += [asyncio.ensure_future(workers.run(begun.append, n)) for n in range(3)]
            assert await asyncio.to_thread(under_way.wait, DEADLINE_S)
            jobs[0].cancel()
            jobs[2].cancel()
            await asyncio.sleep(0)
            ends.set()
            await asyncio.gather(*jobs, return_exceptions=True)

    asyncio.run(main())
    assert done.is_set()
    assert begun == [0, 2]


def test_closing_waits_for_what_is_under_way() -> None:
    """Threads end after their jobs."""
    ended: list[int] = []

    def work() -> None:
        time.sleep(0.05)  # the job itself takes this long
        ended.append(1)

    async def main() -> None:
        workers = WorkerThreads(3, name="test-worker")
        jobs = [asyncio.ensure_future(workers.run(work)) for _ in range(5)]
        await asyncio.sleep(0)
        workers.close()
        assert len(ended) == 5
        await asyncio.gather(*jobs)

    asyncio.run(main())


def test_a_job_without_a_thread_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be started the caller gets the error, and the job never runs later."""
    begun: list[int] = []

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def main() -> None:
        with threads(1) as workers:
            with monkeypatch.context() as patch:
                patch.setattr(threading.Thread, "start", refuse)
                with pytest.raises(RuntimeError, match="new thread"):
                    await workers.run(begun.append, 1)
            await workers.run(begun.append, 2)

    asyncio.run(main())
    assert begun == [2]
