"""What reading many opportunities gives: rows as they come, in either way of calling."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import aclosing, closing
from typing import Final, Generic, TypeAlias, TypeVar

from oppserver.client.bulk_read import Batch
from oppserver.client.forms import Form

Item = TypeVar("Item")

Whole = TypeVar("Whole")

OnMissing: TypeAlias = Callable[[Sequence[str]], None]


class Findings:
    """What is known beside the rows, while they are read.

    ``missing`` has the ids, each once a call, for which there is no row; it stays empty when
    ``on_missing`` takes them. ``total`` is how many rows a list or a search has on all its pages,
    known with the first one; None in a read by id.
    """

    def __init__(self, on_missing: OnMissing | None) -> None:
        self.missing: Final[list[str]] = []
        self.total: int | None = None
        self._on_missing: Final = on_missing

    def take(self, batch: Batch) -> None:
        """Takes note of a batch."""
        self.total = batch.total
        if batch.missing:
            if self._on_missing is None:
                self.missing.extend(batch.missing)
            else:
                self._on_missing(batch.missing)


class Rows(Findings, Generic[Item, Whole]):
    """Rows that are read while they are iterated over, once; what is not read is not asked for.

    Use as an iterator, or ``all()``. Calls under way are ended by ``close()``, and when a loop that
    was left early lets go of this.
    """

    def __init__(
        self,
        batches: Generator[Batch, None, None],
        form: Form[Item, Whole],
        on_missing: OnMissing | None,
    ) -> None:
        super().__init__(on_missing)
        self._form: Final = form
        self._batches: Final = self._noted(batches)
        self._items: Final = self._in_form()

    def __iter__(self) -> Iterator[Item]:
        return self._items

    def __next__(self) -> Item:
        return next(self._items)

    def all(self) -> Whole:
        """All that is left: a list, a ``pyarrow.Table`` or a ``pandas.DataFrame``."""
        return self._form.whole(list(self._items))

    def batches(self) -> Iterator[Batch]:
        """Call by call: rows, the ids they were asked by, the ids that are missing."""
        return self._batches

    def close(self) -> None:
        """Ends the reading: nothing more is asked for."""
        self._items.close()
        self._batches.close()

    def _noted(self, batches: Generator[Batch, None, None]) -> Generator[Batch, None, None]:
        with closing(batches):
            for batch in batches:
                self.take(batch)
                yield batch

    def _in_form(self) -> Generator[Item, None, None]:
        for batch in self._batches:
            yield from self._form.items(batch.rows)


class AsyncRows(Findings, Generic[Item, Whole]):
    """As Rows, for ``async for``; ``all()`` and ``close()`` are awaited."""

    def __init__(
        self,
        batches: AsyncGenerator[Batch, None],
        form: Form[Item, Whole],
        on_missing: OnMissing | None,
    ) -> None:
        super().__init__(on_missing)
        self._form: Final = form
        self._batches: Final = self._noted(batches)
        self._items: Final = self._in_form()

    def __aiter__(self) -> AsyncIterator[Item]:
        return self._items

    async def __anext__(self) -> Item:
        return await anext(self._items)

    async def all(self) -> Whole:
        """All that is left: a list, a ``pyarrow.Table`` or a ``pandas.DataFrame``."""
        return self._form.whole([item async for item in self._items])

    def batches(self) -> AsyncIterator[Batch]:
        """Call by call: rows, the ids they were asked by, the ids that are missing."""
        return self._batches

    async def close(self) -> None:
        """Ends the reading: nothing more is asked for."""
        await self._items.aclose()
        await self._batches.aclose()

    async def _noted(self, batches: AsyncGenerator[Batch, None]) -> AsyncGenerator[Batch, None]:
        async with aclosing(batches):
            async for batch in batches:
                self.take(batch)
                yield batch

    async def _in_form(self) -> AsyncGenerator[Item, None]:
        async for batch in self._batches:
            for item in self._form.items(batch.rows):
                yield item
