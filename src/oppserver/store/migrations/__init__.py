"""Migrations of a database to this version's schema.

Alembic is loaded only when needed.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from oppserver.contract.errors import DatabaseRefused

if TYPE_CHECKING:
    from alembic.config import Config

REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
"""Every revision of this version, oldest first. A test holds it against the scripts."""

HEAD: Final = REVISIONS[-1]


def upgrade(driver: object, dialect: str, **options: object) -> None:
    """Run the migrations that are missing, inside the transaction that is open on a connection.

    For a driver that SQLAlchemy knows. ``driver`` is the driver's connection, for which ``dialect``
    and ``options`` are SQLAlchemy's. Raises the driver's errors.
    """
    from alembic import command  # noqa: PLC0415 (0.15 s that a start on a ready store is spared)
    from sqlalchemy import create_engine  # noqa: PLC0415 (as above)
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 (as above)
    from sqlalchemy.pool import StaticPool  # noqa: PLC0415 (as above)

    engine = create_engine(
        f"{dialect}://",
        creator=lambda: driver,
        poolclass=StaticPool,
        pool_reset_on_return=None,
        skip_autocommit_rollback=True,  # the transaction is ended by whoever began it
        **options,
    )
    config = alembic_config()
    try:
        with engine.connect() as connection:
            connection.begin()
            config.attributes["context"] = {"connection": connection}
            command.upgrade(config, HEAD)
    except DBAPIError as error:
        raise error.orig or error from error


def upgrade_by_text(
    execute: Callable[[str], object], dialect: str, at: str | None, *, to: str
) -> None:
    """Run the migrations behind revision ``at`` up to ``to``, as texts that ``execute`` runs.

    For a driver that SQLAlchemy does not know. ``at`` None: an empty database. The transaction is
    the caller's. Raises the driver's errors.
    """
    from alembic import command  # noqa: PLC0415 (migrations alone need it)

    config = alembic_config()
    config.attributes["context"] = {"dialect_name": dialect, "output_buffer": _Texts(execute)}
    command.upgrade(config, f"{at or 'base'}:{to}", sql=True)


class _Texts:
    """Takes what Alembic writes when it migrates by text: one statement or comment at a time."""

    def __init__(self, execute: Callable[[str], object]) -> None:
        self._execute: Final = execute

    def write(self, text: str) -> None:
        """Run a statement."""
        if not text.startswith("--"):
            self._execute(text)

    def flush(self) -> None:
        """All is run already."""


def refuse_unknown(revision: str | None, database: object) -> None:
    """Raises DatabaseRefused when a database is of a version that this one does not know."""
    if revision is not None and revision not in REVISIONS:
        raise DatabaseRefused(
            f"The database {database} is of a newer version (schema {revision}) than this oppserver"
            f" (schema {HEAD}). Use the newer oppserver."
        )


def refuse_older(database: object) -> None:
    """Raises DatabaseRefused for a database that has to be upgraded by whoever may do that."""
    raise DatabaseRefused(
        f"The database {database} is of an older version of oppserver."
        " 'oppserver db upgrade' brings it up to date."
    )


def alembic_config() -> "Config":
    """Alembic's configuration, with no file."""
    from alembic.config import Config  # noqa: PLC0415 (as above)

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config
