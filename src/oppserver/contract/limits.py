"""Every bound and default, each with its unit, its source and its reason.

A name that ends in ``_max`` is a bound that answers with an error when it is passed;
``_default`` is the value of a setting that nobody has set.
"""

from typing import Final

# --- the bulk read -----------------------------------------------------------------------------

BULK_READ_IDS_MAX: Final = 2_000
"""Distinct ids in one bulk read. Source: the documented page, "a maximum of 2,000"."""

BULK_READ_GROUPS_MAX: Final = 100
"""Groups (entries of ``SearchParameters``) in one bulk read. Ours: a row may be looked up once per
group (an id may be answered in another group than the one that asked for it), so this bounds the
look-ups of one call to 100 x 2,000. An account has a handful of types."""

BODY_BYTES_MAX_DEFAULT: Final = 1 << 20
"""Bytes of a request body. Ours: 2,000 ids and all 262 columns need about 90 KB; this is ten times
as much."""

BODY_DISCARDED_BYTES_MAX: Final = 32 << 20
"""Bytes of a body past its limit that are read and thrown away, so that the caller gets the answer.
Ours: any mistake; what is longer is no mistake, and its connection is cut."""

IN_ERROR_FAULTS_MAX: Final = 20
"""Faults of one call that an error names. Ours: a screenful; it is said how many more there are."""

IN_ERROR_NEIGHBOURS_MAX: Final = 3
"""Near names that an error suggests. Ours: more is noise."""

IN_ERROR_OPTIONS_MAX: Final = 10
"""Options of a dropdown that an error lists. Ours: enough to see what kind they are."""

IN_ERROR_VALUE_CHARACTERS_MAX: Final = 80
"""Characters of a caller's value that an error repeats. Ours: enough to recognise it."""

# --- changes and whole types ---------------------------------------------------------------------

CHANGES_ROWS_MAX: Final = 2_000
"""Changes in one answer. Ours: the rows of a bulk read, so that a call costs as much."""

CHANGES_ROWS_DEFAULT: Final = 1_000
"""Ours: some hundred kilobytes."""

EXPORT_ROWS_MAX: Final = 2**31 - 1
"""Largest limit of an export. Ours: more than any type has; without a limit all rows come."""

# --- lists, searches and writes ----------------------------------------------------------------

PAGE_ROWS_MAX: Final = 5_000
"""Rows of one page. Ours: the most that callers are known to ask for; more is refused, not cut."""

PAGE_INDEX_MAX: Final = 2**31 - 1
"""Largest number of a page. Ours: every engine can count the rows that are before it."""

LEADS_PAGE_ROWS_DEFAULT: Final = 100
"""Rows of a page of leads that names no size. Source: the documentation's example, "100"."""

SEARCH_PAGE_ROWS_DEFAULT: Final = 1_000
"""Rows of a search's page that names no size. Ours: the most that the hosted API gives."""

ACTIVITY_PAGE_ROWS_DEFAULT: Final = 25
"""Rows of a page of activities that names no size. Source: the documentation, "25 by default"."""

SEARCH_CONDITIONS_MAX: Final = 100
"""Conditions in one search. Ours: bounds the work for a row; a form has a dozen."""

LIST_COLUMNS_MAX: Final = 600
"""Columns that a list is asked for. Ours: all of an opportunity, as many of its lead, and the other
names of some; bounds the statement."""

RECENTLY_MODIFIED_ROWS_DEFAULT: Final = 20
"""Rows of a page of ``RetrieveRecentlyModified`` that names no size. Source: the documentation's
example, "20"."""

SEARCH_INDEX_COLUMNS_MAX: Final = 4
"""Columns of an index that an operator adds. Ours: its name, made of theirs, stays within the 63
bytes that every engine takes, and four values together single out a few rows."""

SEARCH_INDEXES_MAX: Final = 16
"""Indexes that operators add. Ours: each is one more place that every write changes."""

BULK_WRITE_ROWS_MAX: Final = 25
"""Opportunities in one bulk update, bulk add, and activities in one bulk post. Source: the
documentation of each call."""

LEADS_BY_IDS_MAX: Final = 10_000
"""Ids in one ``Leads/Retrieve/ByIds``. Source: the documentation."""

LEAD_ATTRIBUTES_MAX: Final = 250
"""Attributes of one lead. Ours: as many as an opportunity has slots."""

IDEMPOTENCY_KEY_CHARACTERS_MAX: Final = 255
"""Characters of an ``Idempotency-Key``. Ours: a GUID has 36."""

IDEMPOTENCY_HOURS: Final = 24
"""Hours for which a write's answer is given again. Ours: a day of retries."""

# --- streams of ids ------------------------------------------------------------------------------

STREAM_UNIT_IDS: Final = BULK_READ_IDS_MAX
"""Ids of a stream that count as one call, and are read at once. Ours: what one call may ask for."""

STREAM_READS_IN_FLIGHT: Final = 2
"""Reads of one stream that are under way or wait to be sent. Ours: the second one keeps another
core busy while rows are sent; more would take threads from other calls."""

STREAMS_MAX: Final = 32
"""Streams that a worker serves at once; above that 503. Ours: bounds their memory, some MB each."""

STREAM_PAUSE_S: Final = 0.05
"""Seconds without new ids after which those that are there are read. Ours: a caller that waits for
rows before it sends on sees no delay; one that sends on fills whole batches."""

STREAM_TIMEOUT_S_DEFAULT: Final = 30.0
"""Seconds for which a caller of a stream may send no ids while they are waited for, or take no
rows. Ours: as long as a body may take; a network that is away for longer is lost."""

STREAM_SENT_BYTES: Final = 128 << 10
"""Bytes of rows that are handed to a connection at once; a caller has the time above for each.
Ours: 4 KB/s are taken then, which is no network any more."""

ID_LINE_BYTES_MAX: Final = 64 << 10
"""Bytes of a line of ids. Ours: an id has 36; an object may have more members, a record cells."""

ID_ARROW_BATCH_BYTES_MAX: Final = 16 << 20
"""Bytes of a record batch of ids. Ours: 300,000 ids, more than writers of streams put in one."""

PARQUET_GROUP_ROWS: Final = 32_768
"""Rows of a row group. Ours: enough to be read fast, and some 20 MB while they are gathered."""

# --- data --------------------------------------------------------------------------------------

CUSTOM_SLOTS: Final = 250
"""``mx_Custom_1`` to ``mx_Custom_250``. Source: numbers past 100 are seen on real accounts; 250
keeps the row within every engine's column limit (PostgreSQL: 1,600, SQLite: 2,000)."""

EVENT_CODE_MAX: Final = 2**31 - 1
"""Largest event code. Ours: codes seen have five digits; this fits every engine's integer."""

NAME_CHARACTERS_MAX: Final = 200
"""Characters in the name of a type, a field or a user. Ours: a heading, not a text."""

FIELD_OPTIONS_MAX: Final = 5_000
"""Options of one dropdown. Ours: the cities of a country; metadata and details have all of them."""

DUPLICATE_RULES_MAX: Final = 10
"""Duplicate rules of one type. Ours: each is a look-up for every opportunity that is captured."""

TYPES_FILE_BYTES_MAX: Final = 64 << 20
"""Bytes of a file of types. Ours: a hundred types with a hundred fields have 10 MB."""

TEXT_CHARACTERS_MAX: Final = 32_000
"""Characters in one value. Ours: room for the longest note, small enough that a row stays a row."""

# --- rate limit --------------------------------------------------------------------------------

RATE_LIMIT_CALLS_DEFAULT: Final = 25
"""Calls in a window with one key. Source: the documented page, "25 in 5 second(s)"."""

RATE_LIMIT_WINDOW_S_DEFAULT: Final = 5
"""Seconds of the window. Source: as above."""

RATE_LIMIT_STORE_TIMEOUT_S: Final = 0.25
"""Seconds to wait for a connection to the shared limit's store, and for its answer. Ours: a
thousand times what it takes on one network, and a wait that a caller hardly notices."""

RATE_LIMIT_STORE_RETRY_S: Final = 1.0
"""Seconds between tries to reach a shared limit's store that was lost. Ours."""

MACHINE_WINDOW_TIMEOUT_S: Final = 1.0
"""Seconds that a worker waits for its parent to count a call; then 503. Ours: it takes 0.1 ms."""

# --- time --------------------------------------------------------------------------------------

BODY_TIMEOUT_S_DEFAULT: Final = 30.0
"""Seconds in which a request's body has to arrive. Ours: 90 KB over a very slow line."""

QUERY_TIMEOUT_S_DEFAULT: Final = 20.0
"""Seconds that one call may spend in the store. Ours: a hundred times the slowest usual call."""

SHUTDOWN_TIMEOUT_S_DEFAULT: Final = 30
"""Seconds that calls under way get when the server stops. Ours: what orchestrators wait."""

BUSY_TIMEOUT_S: Final = 10.0
"""Seconds to wait for another process's write lock. Ours: an import's batch takes far less."""

RETRY_AFTER_S: Final = 1
"""Seconds in ``Retry-After`` when the store or a worker is not free. Ours."""

# --- concurrency -------------------------------------------------------------------------------

WORKER_THREADS_DEFAULT: Final = 4
"""Threads that run calls. Measured: on 2 cores, 4 threads give the most 2,000-id calls a second
(the statement runs without the interpreter lock); more add memory and nothing else."""

WORKERS_DEFAULT: Final = 1
"""Server processes of one ``serve``. Ours: enough for most, and the easiest to look after."""

WORKERS_MAX: Final = 64
"""Ours: as many cores as one machine's disk and network keep busy."""

WORKER_SOUND_S: Final = 10.0
"""Seconds after which a worker that ends is started again at once. Ours: it served for a while."""

WORKER_PAUSE_S: Final = 0.1
"""Seconds before a worker that ended sooner is started again; twice as long each time. Ours."""

WORKER_PAUSE_S_MAX: Final = 10.0
"""Seconds of the longest such pause. Ours: a database that is away for an hour costs 360 starts."""

WORKER_STOP_MARGIN_S: Final = 5
"""Seconds beyond ``--shutdown-timeout-s`` that a worker gets to close before it is killed. Ours."""

CALLS_IN_FLIGHT_MAX_DEFAULT: Final = 256
"""Calls accepted at once; above that 503. Ours: bounds the memory of waiting bodies, 1 MiB each."""

MALLOC_KEPT_BUFFER_BYTES_MAX: Final = 32 << 20
"""Bytes up to which a freed buffer is kept for the next call. Source: mallopt(3), its maximum."""

MALLOC_KEPT_BYTES: Final = 64 << 20
"""Bytes of freed memory that are kept at a heap's end. Ours: 16 answers and their copies."""

# --- files -------------------------------------------------------------------------------------

IMPORT_BATCH_ROWS_DEFAULT: Final = 50_000
"""Rows that an import commits at once. Measured on 1,000,000: the more rows in a batch, the fewer
times a page of the index is written; 20,000 reach 38,000 opportunities/s, 50,000 reach 46,000."""

IMPORT_LINE_BYTES_MAX: Final = 16 << 20
"""Bytes of one line of a file. Ours: 250 values of the largest size would not fit, and a file that
has no line ends at all must not be read whole."""

EXPORT_PAGE_ROWS: Final = 5_000
"""Rows that an export reads at once. Ours: flat memory, few statements."""

ARROW_DECIMAL_DIGITS: Final = 38
"""Digits of a Number in Arrow and Parquet. Source: the most that decimal128 has."""

ARROW_DECIMAL_SCALE: Final = 10
"""Digits behind the point, of those. Ours: money and rates need fewer; 28 are left before it."""

# --- SQLite ------------------------------------------------------------------------------------

SQLITE_VERSION_MIN: Final = (3, 38, 0)
"""Source: sqlite.org/json1.html: the JSON functions are built in from 3.38.0."""

SQLITE_FIXED_VERSION: Final = (3, 51, 3)
"""The first version without the WAL-reset bug. Source: sqlite.org/wal.html#walresetbug."""

SQLITE_FIXED_RELEASES: Final = ((3, 44, 6), (3, 50, 7))
"""Patch releases of older versions that have the fix too. Source: as above."""

HOT_ROWS_BYTES_DEFAULT: Final = 64 << 20
"""Bytes of rendered rows that a server process keeps. Ours: 80,000 rows of eight columns, 40 whole
calls, and still far below the target of 250 MB for a server with 16 clients."""

HOT_ROW_BYTES: Final = 220
"""Bytes that a kept row takes beside its text. Measured: the id, two object headers, its place."""

HOT_ROWS_PROBES: Final = 4
"""Ids at the start and at the end of a call that tell whether its rows were asked for before. Ours:
a list that grows at one end is still recognised, and one that is new costs a few look-ups."""

HOT_ROWS_SEEN_MAX: Final = 65_536
"""Ids that are remembered as asked for before all are forgotten; about 10 MB. Ours."""

HOT_ROWS_CHANGES_MAX: Final = 2_000
"""Changes that are looked up to find the kept rows they touch; after more, all are dropped. Ours:
as many as one call could read anew."""

SQLITE_MMAP_BYTES_DEFAULT: Final = 0x7FFF0000
"""Bytes of the file that are mapped. Source: sqlite.org/mmap.html, the standard build's ceiling."""

SQLITE_MMAP_BYTES_MAX: Final = 1 << 40
"""Source: MAX_MMAP_SIZE of the SQLite in pysqlite3. One with a lower ceiling maps that much."""

SQLITE_CACHE_BYTES_DEFAULT: Final = 16 << 20
"""Bytes of page cache per connection. Used for what lies past the mapped part of a file."""

SQLITE_WRITER_CACHE_BYTES: Final = 64 << 20
"""Bytes of page cache for the one writer: the upper pages of the indexes stay in it."""

SQLITE_CHECKPOINT_PAGES: Final = 1_000
"""Pages of the log after which it is copied into the file. Source: sqlite.org/wal.html, default."""

SQLITE_TOTALS_MAX: Final = 256
"""Searches whose number of rows a connection remembers. Ours: more than are paged through at once;
with the next bound about 1 MB for each connection."""

SQLITE_TOTALS_CHARACTERS_MAX: Final = 4_000
"""Characters of a search, its values among them, whose number of rows is remembered. Ours: a dozen
conditions."""

SQLITE_STAMPS_MAX: Final = 1_024
"""Bulk reads whose stamp a connection remembers. Ours: more than are polled; half a MB."""

SQLITE_LOADING_CACHE_BYTES: Final = 256 << 20
"""Bytes of page cache of the writer while it loads: random ids touch every page of the index."""

SQLITE_LOADING_CHECKPOINT_PAGES: Final = 16_384
"""Pages of the log (64 MB) while it loads. Measured: a page of the index is changed by many
batches and is copied once; with the larger batches, 18,000 opportunities/s became 33,000."""

SQLITE_BACKUP_STEP_PAGES: Final = 4_096
"""Pages that a backup copies at a time. Chosen: 16 MB, so that Ctrl-C ends it within a moment."""

# --- PostgreSQL --------------------------------------------------------------------------------

CHECK_PAGE_ROWS: Final = 10_000
"""Rows of a sharded database that a check looks at together. Ours: flat memory, few statements."""

CITUS_VERSION_MIN: Final = 14
"""Source: what a sharded database is asked was tried, and its rules were read, on Citus 14."""

SHARDS_DEFAULT: Final = 32
"""Parts of the tables of a sharded database. Source: Citus's own default."""

SHARDS_MAX: Final = 64_000
"""Source: the highest that citus.shard_count takes."""

POSTGRES_VERSION_MIN: Final = 12
"""Source: postgresql.org/docs/12/release-12.html: the first with stored generated columns."""

POSTGRES_CONNECT_TIMEOUT_S: Final = 10
"""Seconds in which a connection has to be made. Ours: a far network, and a server that starts."""

POSTGRES_SILENCE_S: Final = 30
"""Seconds after which a connection whose other end is silent is given up. Ours: a failover takes
as long; a machine that vanished says nothing."""

POSTGRES_GRACE_S: Final = 3.0
"""Seconds that a statement, and the end of a write, is waited for beyond ``query_timeout_s``. Ours:
the server ends what it can end; a frozen one, or one that waits for a standby that is gone, ends
nothing."""

POSTGRES_LOOK_S: Final = 2
"""Seconds in which each host of several has to take a connection, and to say what it is. Source:
postgresql.org, libpq, the shortest ``connect_timeout`` that there is; a primary that is looked for
is one that others wait for."""

POSTGRES_IDLE_WRITE_S: Final = 30
"""Seconds that a write may wait for its own program, after which the server undoes it. Ours: a
program that is stopped in mid-write keeps all others from writing."""

POSTGRES_RETRIES_MAX: Final = 10
"""Times that a call is done again after a conflict with another. Ours: each time, some other call
has succeeded."""

POSTGRES_RETRY_PAUSE_S: Final = 0.05
"""Seconds of the longest pause before the first of them. It doubles with each. Ours."""

POSTGRES_RETRY_PAUSE_S_MAX: Final = 0.5
"""Seconds of the longest pause before any of them. Ours: ten of them take 4 seconds at most."""

POSTGRES_JSON_BYTES_MAX: Final = 32 << 20
"""Bytes of rows that one statement carries. Source: a jsonb array takes 256 MB (jsonb.h,
JENTRY_OFFLENMASK); ours: bounds the server's memory, where they are several times as large."""

STANDBYS_MAX: Final = 16
"""Standbys that one server reads. Ours: each takes a thread, and a connection for each worker
thread; whoever has more puts a load balancer before them."""

STANDBY_WAIT_S: Final = 0.02
"""Seconds that a read waits for a standby to reach the primary's position; then the primary is
read. Ours: measured, a standby is 0.1 ms behind, and 1.3 ms in one of a hundred looks; and waiting
for longer than a bulk read takes would gain nothing."""

STANDBY_STAND_IN_S: Final = 0.25
"""Seconds that a read waits, while the primary cannot be reached, for a standby to have all that is
known; then 503. Ours: what a standby has received, it applies in far less, or is paused."""

STANDBY_POLL_S: Final = 0.0005
"""Seconds between two looks at a standby's position meanwhile. Ours: a few times its usual lag."""

STANDBY_OPEN_POLL_S: Final = 0.005
"""Seconds between two looks at a standby that has not received the database yet. Ours."""

STANDBY_LOOK_S: Final = 0.5
"""Seconds between two looks at a server whether it can be read. Ours: what a promoted, dead or
recovered one is noticed in, for two statements a second."""

STANDBY_SILENCE_S: Final = 1.0
"""Seconds in which such a look has to be answered; then the server counts as silent, and calls that
wait for it are ended. Ours: a thousand times what it takes; above pauses of a busy machine."""

STANDBY_CONNECT_TIMEOUT_S: Final = 2
"""Seconds in which a connection has to be made where standbys are read. Source: postgresql.org,
libpq, the shortest ``connect_timeout`` that there is."""

STANDBY_POOL_WAIT_S: Final = 0.05
"""Seconds to wait for a free connection to a standby; then the primary is read. Ours: a few calls'
time. There is a connection for each worker thread, so that nobody waits in a server."""

STANDBY_OPEN_S: Final = 5.0
"""Seconds that a standby gets, when a store is opened, to have what the primary has just been
given. Ours: a database that was made a moment ago is on its way."""

MIGRATION_LEASE_S: Final = 15
"""Seconds after which a process that migrates and has not said so again counts as dead. Ours."""

MIGRATION_WAIT_S: Final = 120
"""Seconds to wait for another process that migrates. Ours: most migrations take a second; one that
builds an index over many rows takes minutes, and whoever starts servers starts them again."""

# --- tests of callers --------------------------------------------------------------------------

BACKGROUND_START_TIMEOUT_S: Final = 30
"""Seconds in which a server in a thread has to listen. Ours: it takes a hundredth of one, on a
machine that is not at its end."""

BACKGROUND_STOP_TIMEOUT_S: Final = 1
"""Seconds that calls under way get when such a server is stopped. Ours: its tests have ended."""

TESTED_LOG_LINES_MAX: Final = 50
"""Lines of a server under test that are kept for the report of a test that fails. Ours."""

TESTED_BODY_CHARACTERS_SHOWN: Final = 400
"""Characters of a request's body that the printed journal shows. Ours: some lines of a terminal."""

TESTED_OPPORTUNITIES_SHOWN_MAX: Final = 100_000
"""Opportunities that a test gets in one list. Ours: more than tests put in, and some 100 MB."""
