"""The contents of logs and metrics, and what they never hold."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oppserver.contract.secrets import hide_secrets
from oppserver.telemetry import Metrics, shorten
from tests.property.laws import examples

ACCESS = "Ac-CeSs_99"
SECRET = "tHe-SeCrEt_0123456789"


@pytest.mark.parametrize(
    "text",
    [
        "/v2/X?accessKey=<A>&secretKey=<S>",
        "/v2/X?secretKey=<S>&accessKey=<A>&x=1",
        "/v2/X?a=1&SECRETKEY=<S>",
        "secret_key=<S> access_key=<A>",
        "secretKey = <S>",
        "x-LSQ-SecretKey: <S>\r\nx-LSQ-AccessKey:<A>\r\n",
        '{"accessKey":"<A>","secretKey":"<S>"}',
        "{'accessKey': '<A>', 'secretKey': '<S>'}",
        '{"secretKey" : "<S>"}',
        "[(b'x-lsq-accesskey', b'<A>'), (b'x-lsq-secretkey', b'<S>')]",
        "(('accessKey', '<A>'), ('secretKey', '<S>'))",
        "{b'x-lsq-secretkey': b'<S>'}",
        "Keys(access_key='<A>', secret_key='<S>')",
        "accessKey=&secretKey=<S>",
        "https://host/?url=/v2/X%3FaccessKey%3D<A>%26secretKey%3d<S>",
        "secretKey=<S>\nsecretKey=<S>",
        "host=db password=<S> dbname=x",
        "postgresql://host/db?password=<S>&sslmode=require",
        "postgresql://user:<S>@host:5432/db",
        "no server at postgres://user:<S>@host,other/db?sslmode=require",
        "PGPASSWORD=<S> psql; OPPSERVER_SECRET_KEY: <S>",
        """password='<S>' host=db, password = '<S>'""",
        '{"a": "{\\"password\\":\\"<S>\\",\\"b\\":1}", "passwd": "<S>"}',
        "ALTER ROLE oppserver PASSWORD '<S>'",
        "accessKey  <A>\nsecretKey  <S>",
        "postgresql+asyncpg://user:<S>@host/db, http://user:<S>@proxy:3128/a@b",
        "Settings(passphrase='<S>', pwd=<S>)",
        "'POSTGRESQL://:<S>@/db', 'redis://:<S>@host', 'valkeys://user:<S>@host/0'",
    ],
)
def test_the_value_of_a_key_is_hidden(text: str) -> None:
    """In URLs, headers, JSON and what Python prints of them, in any case, every time.

    So is the password of a database's URL.
    """
    for secret in ("tHe-SeCrEt_0123456789", "bytes", "%2Fx%20y", "K" * 10_000):
        written = hide_secrets(text.replace("<A>", ACCESS).replace("<S>", secret))
        assert written == text.replace("<A>", "[hidden]").replace("<S>", "[hidden]")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x=1&y=2",
        "Pass accessKey and secretKey in the query, or as headers.",
        "secretKey",
        "=",
        "password authentication failed for user 'x'",
        "postgresql://user@host:5432/db",
        "http://127.0.0.1:8080/v2/?email=a@example.com",
    ],
)
def test_what_holds_no_key_stays_as_it_is(text: str) -> None:
    """The names alone are no secret."""
    assert hide_secrets(text) == text


@pytest.mark.parametrize("quote", ["'", '"', '\\"'])
def test_f10_a_quoted_value_is_hidden_to_its_quote(quote: str) -> None:
    """With blanks, commas and quotes of its own in it."""
    for secret in ("hun ter2", "hunter2, a=b", "it\\'s hunter2", "a&hunter2;x"):
        text = f"password={quote}{secret}{quote} host=db"
        assert hide_secrets(text) == f"password={quote}[hidden]{quote} host=db"


URL_PASSWORD = re.compile(
    r"""(\b(?:postgres(?:ql)?|rediss?|valkeys?)://[^\s:/@"']*:)[^\s"']*(?=@)""", re.IGNORECASE
)
"""The password of a URL, in one pattern; its time grows with the square of the text."""

PIECES = [
    "redis://",
    "POSTGRESQL://",
    "xvalkeys://",
    "://",
    ":",
    "@",
    "/",
    " ",
    "\n",
    '"',
    "'",
    "é",
]


@given(pieces=st.lists(st.sampled_from([*PIECES, "user", "secret"]), max_size=14))
@examples(2_000)
def test_a_password_of_a_url_is_all_that_stands_before_the_last_at(pieces: list[str]) -> None:
    """Whatever else the text holds: several URLs, quotes, colons and slashes in the password."""
    words = re.split(r"""([\s"']+)""", "".join(pieces))
    hidden = [
        URL_PASSWORD.sub(r"\1[hidden]", word)
        if URL_PASSWORD.search(word)
        else re.sub(r"(://[^/@:]*:)[^/]+(?=@)", r"\1[hidden]", word)
        for word in words
    ]
    assert hide_secrets("".join(pieces)) == "".join(hidden)


@pytest.mark.parametrize(
    "text",
    [
        "/v2/X?accessKey=<S>&x=1",
        "x-LSQ-SecretKey: <S>, more",
        "{'secretKey': '<S>'}",
        "(('accessKey', '<S>'),)",
        "/v2/X%3FaccessKey%3D<S>%26x%3D1",
        "host=db password=<S> dbname=x",
        "postgresql://user:<S>@host:5432/db",
        "/https:/redis://:<S>@host/x",
    ],
)
def test_a_text_that_is_cut_shows_no_part_of_a_secret(text: str) -> None:
    """Wherever it is cut, the secret is known by what stands before it, not by its end."""
    secret = "ZQ9" * 20
    whole = text.replace("<S>", secret)
    for length in range(1, len(whole)):
        shown = shorten(whole, length)
        assert "ZQ" not in shown, shown
        assert shown.endswith(f"… ({len(whole)} characters)")
    assert shorten(whole, len(whole)) == whole, "what is not cut is hidden where it is logged"


LOGGING = f"""
import logging
from oppserver.telemetry import logger, start_logging

start_logging(form="%s", level="info")
logger().info("ours", path="/?secretKey={SECRET}", n=1)
logger().debug("quiet")
try:
    raise RuntimeError("secretKey={SECRET}")
except RuntimeError as error:
    logger().error("fault", exc_info=error)
logging.getLogger("library").warning("GET %%s", "/?secretKey={SECRET}")
logging.getLogger("library").info("quiet")
logger().info("last", text="\\u00fc\\n\\x1b[31m")
logger().info("long", text="x" * 1_000_000)
"""


def ran(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A program of its own that has ended well."""
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)


def logged(form: str) -> list[str]:
    """The lines that a program of its own writes to stderr; it prints nothing."""
    done = ran(LOGGING % form)
    assert done.stdout == ""
    assert SECRET not in done.stderr
    assert done.stderr.count("[hidden]") >= 3
    return done.stderr.splitlines()


def test_lines_of_every_origin_are_json_without_secrets() -> None:
    """Ours, a fault's whole trace, a library's: one object a line, whatever the text holds."""
    lines = [json.loads(line) for line in logged("json")]
    assert [(line["event"], line["level"]) for line in lines] == [
        ("ours", "info"),
        ("fault", "error"),
        ("GET /?secretKey=[hidden]", "warning"),
        ("last", "info"),
        ("long", "info"),
    ]
    assert lines[0]["path"] == "/?secretKey=[hidden]"
    assert "RuntimeError: secretKey=[hidden]" in lines[1]["exception"]
    assert lines[3]["text"] == "\u00fc\n\x1b[31m"
    assert len(lines[4]["text"]) < 33_000, "a caller cannot fill the log"
    assert lines[4]["text"].endswith("x… (1,000,000 characters)")
    assert all(line["timestamp"].endswith("Z") for line in lines)


def test_lines_for_people_hold_no_secrets_either() -> None:
    """The form for a terminal hides what the form for programs hides."""
    assert "quiet" not in "\n".join(logged("text"))


def holds(exposition: str, *lines: str) -> None:
    """These are lines of what is told to Prometheus."""
    assert not set(lines) - set(exposition.splitlines()), exposition


def test_calls_are_counted_by_call_and_status() -> None:
    """The call, its status and its time, in the Prometheus text format."""
    metrics = Metrics()
    for status in (200, 200, 429):
        metrics.called(call="A", status=status, seconds=0.5, body_bytes=10)
    metrics.called(call="B", status=200, seconds=0.0, body_bytes=0)
    holds(
        metrics.exposition().decode(),
        'oppserver_calls_total{call="A",status="200"} 2.0',
        'oppserver_calls_total{call="A",status="429"} 1.0',
        'oppserver_calls_total{call="B",status="200"} 1.0',
        'oppserver_call_seconds_bucket{call="A",le="0.25"} 0.0',
        'oppserver_call_seconds_bucket{call="A",le="0.5"} 3.0',
        'oppserver_call_seconds_sum{call="A"} 1.5',
        'oppserver_answer_bytes_total{call="A"} 30.0',
    )


def test_servers_in_one_process_count_for_themselves() -> None:
    """There is no registry of the process that two of them would share."""
    Metrics().called(call="A", status=200, seconds=0.0, body_bytes=0)
    assert b'call="A"' not in Metrics().exposition()


NUMBERED = """
import logging
from oppserver.telemetry import logger, start_logging

start_logging(form="json", level="info", worker=3)
logger().info("ours")
logger().info("of another", worker=1)
logging.getLogger("library").warning("theirs")
"""


def test_the_lines_of_a_worker_bear_its_number() -> None:
    """Ours and libraries'; a line that is about a worker has that one's."""
    assert [json.loads(line)["worker"] for line in ran(NUMBERED).stderr.splitlines()] == [3, 1, 3]


COUNTING = """
import sys
from pathlib import Path
from oppserver.telemetry import Metrics, SharedMetrics

metrics = Metrics(SharedMetrics(Path(sys.argv[1]), int(sys.argv[2])))
metrics.in_flight.inc()
for _ in range(int(sys.argv[3])):
    metrics.called(call="A", status=200, seconds=0.5, body_bytes=10)
    metrics.counted_alone()
print(metrics.exposition().decode())
"""


def test_workers_count_together(tmp_path: Path) -> None:
    """Any tells the sum. One that is started again goes on counting; what was under way is gone."""
    for number, calls in ((1, 3), (2, 4), (1, 5)):
        done = ran(COUNTING, str(tmp_path), str(number), str(calls))
    holds(
        done.stdout,
        'oppserver_calls_total{call="A",status="200"} 12.0',
        'oppserver_call_seconds_bucket{call="A",le="0.5"} 12.0',
        'oppserver_call_seconds_count{call="A"} 12.0',
        'oppserver_answer_bytes_total{call="A"} 120.0',
        "oppserver_calls_counted_alone_total 12.0",
        "oppserver_calls_in_flight 2.0",
    )
    assert len(list(tmp_path.iterdir())) == 2 * 6  # by kind of metric, and the process
