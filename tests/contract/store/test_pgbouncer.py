"""A real PgBouncer, Debian's, between commands and PostgreSQL, in each of its modes."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.support import postgres
from tests.support.import_lines import line
from tests.support.running import one_line, poll, run
from tests.support.system_packages import PackageMissing, libraries, program


@contextmanager
def pooling(url: str, *, mode: str) -> Iterator[str]:
    """The URL of a database behind PgBouncer while the block runs."""
    try:
        bouncer = program("pgbouncer", package="pgbouncer")
        environment = {**os.environ, "LD_LIBRARY_PATH": libraries("libc-ares2", "libevent-2.1-7")}
    except PackageMissing as missing:
        pytest.fail(str(missing), pytrace=False)
    behind, port = urlsplit(url), postgres.free_port()
    pooled = f"postgresql://{behind.username}@127.0.0.1:{port}{behind.path}"
    with TemporaryDirectory(prefix="oppserver-pgbouncer-") as name:
        folder = Path(name)
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={behind.hostname} port={behind.port} user={behind.username}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n"
            f"pool_mode = {mode}\nunix_socket_dir =\n"
        )
        prefix, user = postgres.unprivileged(folder)  # it refuses to run as root
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*prefix, bouncer, str(folder / "pgbouncer.ini")],
                env=environment,
                stdout=log,
                stderr=log,
                user=user,
                cwd="/",
            )
        try:
            poll(lambda: _answers(pooled, process, folder / "log"), what="PgBouncer")
            yield pooled
        finally:
            process.kill()
            process.wait()


def _answers(url: str, process: "subprocess.Popen[bytes]", log: Path) -> bool | None:
    assert process.poll() is None, log.read_text()
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return None
    return True


@pytest.mark.parametrize("mode", [pytest.param("transaction", id="F9"), "statement"])
def test_f9_connections_that_are_shared_are_refused(tmp_path: Path, mode: str) -> None:
    """By every command, in one line that names the setting; nothing is written."""
    url = postgres.shared().empty_database()
    with pooling(url, mode=mode) as pooled:
        for typed in ("type list", "serve --port 0")[: 2 if mode == "transaction" else 1]:
            said = one_line(run(*typed.split(), "--database", pooled, folder=tmp_path))
            assert "pool_mode" in said
    with psycopg.connect(url) as connection:
        assert connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall() == [(0,)]


def test_f9_connections_that_stay_are_used(tmp_path: Path) -> None:
    """With ``pool_mode = session`` everything works."""
    url = postgres.shared().empty_database()
    (tmp_path / "in.ndjson").write_text("".join(f"{line(n)}\n" for n in range(3)))
    with pooling(url, mode="session") as pooled:
        for typed in ("db upgrade", "import in.ndjson", "export", "db check"):
            done = run(*typed.split(), "--database", pooled, folder=tmp_path)
            assert done.returncode == 0, done.stderr
        listed = run("type", "list", "--json", "--database", pooled, folder=tmp_path)
    assert json.loads(listed.stdout)[0]["opportunities"] == 3
