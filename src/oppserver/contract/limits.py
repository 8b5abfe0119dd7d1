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
"""Bytes of a body past its limit that are read, so that the caller gets the answer.
Chosen: above any honest mistake. A longer body is abuse, and its connection is cut."""

URL_BYTES_MAX: Final = (64 << 10) - 1
"""Bytes of a request's path and query. Source: the most that the HTTP parser takes apart; a query
with all 262 columns has 4 KB."""

HEAD_BYTES_MAX: Final = 64 << 10
"""Bytes of all headers of a request. Chosen: what other servers take; a browser sends 1 KB."""

HEAD_FIELDS_MAX: Final = 256
"""Headers of a request. Chosen: ten times what programs and proxies send."""

IN_ERROR_FAULTS_MAX: Final = 20
"""Faults of one call that an error names. Ours: a screenful; it is said how many more there are."""

IN_ERROR_NEIGHBOURS_MAX: Final = 3
"""Near names that an error suggests. Ours: more is noise."""

IN_ERROR_OPTIONS_MAX: Final = 10
"""Options of a dropdown that an error lists. Ours: enough to see what kind they are."""

IN_ERROR_VALUE_CHARACTERS_MAX: Final = 80
"""Characters of a caller's value that an error repeats. Ours: enough to recognise it."""

IGNORED_COLUMNS_CHARACTERS_MAX: Final = 4_000
"""Characters of names in `X-Ignored-Columns`. Ours: clients and proxies take 8 KB of headers."""

# --- changes and whole types ---------------------------------------------------------------------

CHANGES_ROWS_MAX: Final = 2_000
"""Changes in one answer. Ours: the rows of a bulk read, so that a call costs as much."""

CHANGES_ROWS_DEFAULT: Final = 1_000
"""Changes in one answer by default. Ours: some hundred kilobytes."""

EXPORT_ROWS_MAX: Final = 2**31 - 1
"""Largest limit of an export. Ours: more than any type has; without a limit all rows come."""

# --- lists, searches and writes ----------------------------------------------------------------

PAGE_ROWS_MAX: Final = 5_000
"""Rows of one page. Ours: the most that callers are known to ask for; more is refused, not cut."""

PAGE_INDEX_MAX: Final = 2**31 - 1
"""Largest number of a page. Ours: every engine can count the rows that are before it."""

LEADS_PAGE_ROWS_DEFAULT: Final = 100
"""Rows of a page of leads by default. Source: the documentation's example, "100"."""

LEADS_OF_NUMBER_MAX: Final = 1_000
"""Leads that are looked at for one phone number: those whose number has the same seven last digits.
Ours: a handful of a million leads have them."""

QUICK_SEARCH_ROWS_MAX: Final = 100
"""Leads that a quick search answers. Ours: as many as a page of leads."""

QUICK_SEARCH_WORDS_MAX: Final = 10
"""Words of a quick search. Ours: a name has a few."""

SEARCH_PAGE_ROWS_DEFAULT: Final = 1_000
"""Rows of a search's page by default. Ours: the most that the hosted API gives."""

ACTIVITY_PAGE_ROWS_DEFAULT: Final = 25
"""Rows of a page of activities by default. Source: the documentation, "25 by default"."""

SEARCH_CONDITIONS_MAX: Final = 100
"""Conditions in one search. Ours: bounds the work for a row; a form has a dozen."""

SEARCH_VALUES_MAX: Final = 500
"""Values in the conditions of one search. Ours: an expression of SQLite is at most 1,000 deep."""

LIST_COLUMNS_MAX: Final = 600
"""Columns that a list is asked for. Ours: all of an opportunity, as many of its lead, and the other
names of some; bounds the statement."""

RECENTLY_MODIFIED_ROWS_DEFAULT: Final = 20
"""Rows of a page of ``RetrieveRecentlyModified`` by default. Source: the documentation's example,
"20"."""

BULK_WRITE_ROWS_MAX: Final = 25
"""Rows of one bulk update, add or post. Source: the documentation of each call."""

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
"""Ids of a stream that count as one call. Ours: what one call may ask for; read at once."""

STREAM_TIMEOUT_S_DEFAULT: Final = 30.0
"""Seconds for which a caller of a stream may send no ids while they are waited for, or take no
rows. Ours: as long as a body may take; a network that is away for longer is lost."""

ID_LINE_BYTES_MAX: Final = 64 << 10
"""Bytes of a line of ids. Ours: an id has 36; an object may have more members, a record cells."""

ID_ARROW_BATCH_BYTES_MAX: Final = 16 << 20
"""Bytes of a record batch of ids. Ours: 300,000 ids, more than writers of streams put in one."""

ID_ARROW_BATCH_ROWS_MAX: Final = ID_ARROW_BATCH_BYTES_MAX // 40
"""Rows of a record batch of ids. Chosen: what a batch of plain text has in its bytes, 36 and an
offset of 4 each. By a dictionary a row takes one byte, and its id 36 all the same."""

ID_ARROW_METADATA_BYTES_MAX: Final = 1 << 20
"""Bytes of the metadata of a message of ids. Chosen: a schema of 262 columns has 40 KB."""

ID_SHARED_TEXT_BYTES_MAX: Final = 256
"""Bytes of a text that rows of a record batch may share. Chosen: an id has 36 to 38,
and blanks around it are taken; each row may be answered with the whole text."""

PARQUET_BATCH_BYTES: Final = 64 << 20
"""Bytes of values that are read of a Parquet file at once. Chosen: 5,000 rows of 13 KB; a packed
file of larger rows takes more batches and no more memory."""

# --- data --------------------------------------------------------------------------------------

CUSTOM_SLOTS: Final = 250
"""``mx_Custom_1`` to ``mx_Custom_250``. Source: numbers past 100 are seen on real accounts; 250
keeps the row within every engine's column limit (PostgreSQL: 1,600, SQLite: 2,000)."""

EVENT_CODE_MAX: Final = 2**31 - 1
"""Largest event code. Ours: codes seen have five digits; this fits every engine's integer."""

NAME_CHARACTERS_MAX: Final = 200
"""Characters in a name. Ours: a heading, not a text."""

FIELD_OPTIONS_MAX: Final = 5_000
"""Options of one dropdown. Ours: the cities of a country; metadata and details have all of them."""

SET_MEMBERS_MAX: Final = 250
"""Members of custom field sets of one type. Ours: as many as a type has slots."""

ACTIVITY_FIELDS_MAX: Final = 50
"""Fields of an activity type that is created, `mx_Custom_1` to `mx_Custom_50`. Source: the
documentation of `CreateType`."""

ACTIVITY_SCORE_MAX: Final = 1_000_000
"""Largest score of an activity type. Ours: far above any that is given."""

DUPLICATE_RULES_MAX: Final = 10
"""Duplicate rules of one type. Ours: each is a look-up for every opportunity that is captured."""

NUMBER_WHOLE_DIGITS_MAX: Final = 28
"""Digits of a Number before the point. Source: with those behind it they are 38, the most that a
decimal of Arrow and Parquet has (decimal128): a stored number can be read in every format."""

NUMBER_DECIMALS_MAX: Final = 10
"""Digits of a Number behind the point. Ours: money and rates need fewer."""

TEXT_CHARACTERS_MAX: Final = 32_000
"""Characters in one value. Ours: room for the longest note, small enough that a row stays a row."""

# --- rate limit --------------------------------------------------------------------------------

RATE_LIMIT_CALLS_DEFAULT: Final = 25
"""Calls in a window with one key. Source: the documented page, "25 in 5 second(s)"."""

RATE_LIMIT_WINDOW_S_DEFAULT: Final = 5
"""Seconds of the window. Source: as above."""

# --- time --------------------------------------------------------------------------------------

HEAD_TIMEOUT_S_DEFAULT: Final = 10.0
"""Seconds in which a request's head has to arrive. Chosen: a few KB over a very slow line."""

BODY_TIMEOUT_S_DEFAULT: Final = 30.0
"""Seconds in which a request's body has to arrive. Ours: 90 KB over a very slow line."""

QUERY_TIMEOUT_S_DEFAULT: Final = 20.0
"""Seconds that one call may spend in the store. Ours: a hundred times the slowest usual call."""

SHUTDOWN_TIMEOUT_S_DEFAULT: Final = 30
"""Seconds that calls under way get when the server stops. Ours: what orchestrators wait."""

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

CALLS_IN_FLIGHT_MAX_DEFAULT: Final = 256
"""Calls accepted at once; above that 503. Ours: bounds the memory of waiting bodies, 1 MiB each."""

SQLITE_FIXED_VERSION: Final = (3, 51, 3)
"""The first version without the WAL-reset bug. Source: sqlite.org/wal.html#walresetbug."""

SQLITE_FIXED_RELEASES: Final = ((3, 44, 6), (3, 50, 7))
"""Patch releases of older versions that have the fix too. Source: as above."""

ROW_CACHE_BYTES_DEFAULT: Final = 64 << 20
"""Bytes of rendered rows that a server process keeps. Ours: 80,000 rows of eight columns, 40 whole
calls, and still far below the target of 250 MB for a server with 16 clients."""

SQLITE_MMAP_BYTES_DEFAULT: Final = 64 << 30
"""Bytes of the file that are mapped. Ours: 50,000,000 opportunities. A build of SQLite that is not
apsw's may map 2 GB at most (sqlite.org/mmap.html)."""

SQLITE_MMAP_BYTES_MAX: Final = 1 << 40
"""Ours: far above any file, and below MAX_MMAP_SIZE of the SQLite in apsw, 256 TB."""

SQLITE_CACHE_BYTES_DEFAULT: Final = 16 << 20
"""Bytes of page cache per connection. Used for what lies past the mapped part of a file."""

SQLITE_READ_PARTS_MAX: Final = 8
"""Ours: 2,000 ids have eight parts of 250, and smaller ones save nothing."""

SQLITE_FILES_LOOK_S: Final = 0.25
"""Seconds after which a read looks again whether its files are still there. Chosen: a file that was
removed is noticed within a second, and a look costs more than a small read may."""

SQLITE_BACKUP_STEP_PAGES: Final = 4_096
"""Pages that a backup copies at a time. Chosen: 16 MB, so that Ctrl-C ends it within a moment."""

STANDBYS_MAX: Final = 16
"""Standbys that one server reads. Ours: each takes a thread, and a connection for each worker
thread; put a load balancer before more of them."""
