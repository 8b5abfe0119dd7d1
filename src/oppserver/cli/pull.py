"""``pull``: types, fields, what was modified or deleted, and the count, into the store."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import typer
from rich import progress

from oppserver.cli.common import (
    INTERRUPTED_STATUS,
    check_output,
    now,
    opened_store,
    print_json,
    progress_bar,
    store_files,
)
from oppserver.cli.pull_state import PullState, read_state, state_path, write_state
from oppserver.cli.run import INCOMPLETE_STATUS, HostOptions, HostRun
from oppserver.client import Batch, Client, Opportunity
from oppserver.client.core import base_url_of
from oppserver.config import load_settings
from oppserver.contract.columns import column_named
from oppserver.contract.dates import to_stored
from oppserver.contract.errors import InvalidInput, RejectedLine
from oppserver.contract.field_sets import fields_of_slots
from oppserver.contract.model import StoredOpportunity
from oppserver.contract.names import counted
from oppserver.store.port import Store
from oppserver.store.queries import ColumnCondition, Comparison, ConditionGroup, Ordering, Search
from oppserver.transfer.files import EXPORT_PAGE_ROWS
from oppserver.transfer.records import TypedFields, opportunity_of, typed_fields
from oppserver.transfer.types import ImportedType, types_of

_SYSTEM: Final = (
    "Owner",
    "Status",
    "ActivityEvent_Note",
    "CreatedOn",
    "CreatedBy",
    "ModifiedOn",
    "ModifiedBy",
)
"""Columns read beside the fields of the type; the note has the name that metadata gives it."""

_PASSES_MAX: Final = 5
"""Passes over what has changed, until the counts agree: a host changes while it is read."""

_MODIFIED_ON: Final = "ModifiedOn"


_UNSTORABLE_SHOWN_MAX: Final = 20


class PullOptions(HostOptions, frozen=True, kw_only=True):
    """The options of the command, as they were typed."""

    full: bool
    state: Path | None
    database: str | None


def run_pull(options: PullOptions) -> int:
    """Pulls; the exit status. Raises an OppserverError when it cannot go on."""
    database = load_settings({"database": options.database}).database
    path = state_path(database, options.event_code, options.state)
    others = [*options.inputs, *store_files(database)]
    if check_output(path, option="--state", others=others).is_stream:
        raise InvalidInput(f"--state {path} has to be a file: the next pull reads it.")
    state = read_state(path, host=base_url_of(options.host), event_code=options.event_code)
    run = HostRun(options)
    with run.client() as client, opened_store(options.database) as store:
        job = PullJob(
            run,
            client=client,
            store=store,
            state=state,
            save=lambda reached: write_state(path, reached),
        )
        bar = progress_bar(
            "pulling",
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.fields[waits]}"),
            total=None,
            waits="",
        )
        if not run.carry_out(lambda: job.run(full=options.full), bar=bar):
            typer.echo(
                f"oppserver: interrupted. {counted(job.done.written, 'opportunity')} stored;"
                " run it again to go on.",
                err=True,
            )
            return INTERRUPTED_STATUS
    _report(job.done, options)
    return 0 if job.done.is_complete else INCOMPLETE_STATUS


class Pulled(msgspec.Struct, kw_only=True):
    """The result of one run. ``unstorable``: ids that the store cannot hold, and the reasons."""

    written: int = 0
    deleted: int = 0
    unstorable: dict[str, str] = {}
    local: int = 0
    host: int = 0
    told: list[str] = []

    @property
    def is_complete(self) -> bool:
        """True when store and host have the same number."""
        return self.local == self.host


class PullJob:
    """One run of a pull. Owner of the state, which ``save`` puts on the disk."""

    def __init__(
        self,
        run: HostRun,
        *,
        client: Client,
        store: Store,
        state: PullState,
        save: Callable[[PullState], None],
    ) -> None:
        self._run: Final = run
        self._client: Final = client
        self._store: Final = store
        self._state = state
        self._save: Final = save
        self._code: Final = state.event_code
        self.done: Final = Pulled()
        self._read = 0
        self._fields: TypedFields = {}

    def run(self, *, full: bool) -> None:
        """Pulls until the counts agree, or it is seen that they will not.

        Raises the client's and the store's errors; what was written before stays, and its place
        in the list is kept.
        """
        pulled_type = self._pull_type()
        columns = ",".join(
            [*_SYSTEM, *(field.schema_name for field in fields_of_slots(pulled_type.fields))]
        )
        if full or self._was_changed_since():
            self._keep(up_to=None)
        for _ in range(_PASSES_MAX):
            self._pull_changes(columns)
            self.done.local = self._store.count_opportunities(event_code=self._code)
            self.done.host = self._host_count()
            if self.done.local > self.done.host:
                self._delete_what_is_gone()
            if self.done.is_complete:
                break
        self._settle()

    # --- the parts

    def _pull_type(self) -> ImportedType:
        message = self._client.get_type(self._code).message
        catalogue = self._store.catalogue()
        if self._code in catalogue.activity_types:
            raise InvalidInput(
                f"{self._code} is the code of an activity type here. Pull into another store."
            )
        [one] = types_of(message, catalogue)
        self._store.put_types([one.type])
        self._store.put_fields([*one.fields, *one.renamed], keeps_unfit=True)
        self._fields = typed_fields(self._store.catalogue())
        return one

    def _was_changed_since(self) -> bool:
        """Return true when the store is not the one that the last run left."""
        state = self._state
        if state.up_to is None or state.count is None:
            return False
        count = self._store.count_opportunities(event_code=self._code)
        if (count, self._newest()) == (state.count, state.newest):
            return False
        self.done.told.append(
            "The store was changed since the last pull, so everything is read again."
        )
        return True

    def _pull_changes(self, columns: str) -> None:
        """Reads what was modified since the state's moment, and keeps the moment as it goes."""
        moments: deque[str] = deque()
        rows = self._client.get_opportunities(
            self._modified_ids(moments),
            event_code=self._code,
            columns=columns,
            on_missing=self._delete,
        )
        try:
            for batch in rows.batches():
                self._write(batch)
                reached = [moments.popleft() for _ in batch.ids][-1]
                self._keep(up_to=reached)
        finally:
            rows.close()

    def _modified_ids(self, moments: deque[str]) -> Iterator[str]:
        up_to = self._state.up_to
        since = datetime.fromisoformat(up_to).replace(tzinfo=UTC) if up_to else None
        rows = self._client.get_modified(self._code, since=since)
        for row in rows:
            moments.append(to_stored(row[_MODIFIED_ON] or ""))
            self._run.progress(completed=self._read, total=max(self._read, rows.total or 0))
            yield row.id

    def _write(self, batch: Batch) -> None:
        stored = [one for row in batch.rows if (one := self._stored(row)) is not None]
        self._store.write_opportunities(stored, now=now())
        self.done.written += len(stored)
        self._read += len(batch.ids)

    def _stored(self, row: Opportunity) -> StoredOpportunity | None:
        members = {
            "OpportunityNote" if name == "ActivityEvent_Note" else name: value
            for name, value in row.items()
            if column_named(name) is not None
        }
        try:
            return opportunity_of(
                {**members, "EventCode": self._code}, self._fields, keeps_unfit=True
            )
        except RejectedLine as error:
            self.done.unstorable[row.id] = str(error)
            return None

    # --- counts

    def _host_count(self) -> int:
        rows = self._client.get_modified(self._code)
        next(rows, None)
        rows.close()
        return rows.total or 0

    def _delete_what_is_gone(self) -> None:
        """Asks the host for all that is stored; what it does not have is deleted here.

        Only when it is as many as the counts differ by: keys that see less of the host than before
        do not empty the mirror.
        """
        gone: list[str] = []
        rows = self._client.get_opportunities(
            self._stored_ids(), event_code=self._code, columns="Status", on_missing=gone.extend
        )
        for _ in rows.batches():
            pass
        surplus = self.done.local - self.done.host
        if len(gone) <= surplus:
            self._delete(gone)
            self.done.local -= len(gone)
        else:
            self.done.told.append(
                f"The host has {self.done.host:,} opportunities and gives {len(gone):,} of"
                f" {self.done.local:,} stored ones no more: {surplus:,} were expected. Nothing was"
                " deleted. Check that the keys see all opportunities."
            )

    def _stored_ids(self) -> Iterator[str]:
        after_id = ""
        while page := self._store.read_opportunities(
            event_code=self._code, after_id=after_id, limit=EXPORT_PAGE_ROWS
        ):
            yield from (one.id for one in page)
            after_id = page[-1].id

    def _delete(self, ids: Sequence[str]) -> None:
        self.done.deleted += self._store.delete_opportunities(ids, now=now(), by=None)

    # --- the state

    def _keep(self, *, up_to: str | None) -> None:
        self._state = msgspec.structs.replace(self._state, up_to=up_to, count=None, newest=None)
        self._save(self._state)

    def _settle(self) -> None:
        self._state = msgspec.structs.replace(
            self._state, count=self.done.local, newest=self._newest()
        )
        self._save(self._state)

    def _newest(self) -> str | None:
        """The last ModifiedOn that is stored."""
        column = column_named(_MODIFIED_ON)
        assert column is not None, "every type has it"
        page = self._store.search(
            Search(
                event_code=self._code,
                where=ConditionGroup(
                    members=(
                        ColumnCondition(stored=column.stored, comparison=Comparison.IS_NOT_NULL),
                    )
                ),
                ordering=Ordering(stored=column.stored),
                offset=0,
                limit=1,
                columns=(column,),
            )
        )
        rows = msgspec.json.decode(page.json, type=list[dict[str, str | None]])
        return rows[0][_MODIFIED_ON] if rows else None


def _report(done: Pulled, options: PullOptions) -> None:
    for line in done.told:
        typer.echo(f"oppserver: {line}", err=True)
    for number, (one, reason) in enumerate(done.unstorable.items()):
        if number == _UNSTORABLE_SHOWN_MAX:
            typer.echo("… and more", err=True)
            break
        typer.echo(f"oppserver: {one} cannot be stored: {reason}", err=True)
    if options.as_json:
        print_json(
            {
                "complete": done.is_complete,
                "written": done.written,
                "deleted": done.deleted,
                "unstorable": len(done.unstorable),
                "stored": done.local,
                "onHost": done.host,
            }
        )
    typer.echo(
        f"pulled type {options.event_code}: {done.written:,} written, {done.deleted:,} deleted;"
        f" {done.local:,} here, {done.host:,} on the host",
        err=True,
    )
    if not done.is_complete:
        typer.echo("oppserver: the counts differ. Run it again, or with --full.", err=True)
