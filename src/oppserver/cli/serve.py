"""``oppserver serve``: the server. Every setting of config.py is a flag here."""

import inspect
from dataclasses import fields
from typing import Annotated

import typer

from oppserver.config import Settings, flag_of, load_settings, variable_of


def serve(**flags: str | None) -> None:
    """Serve the API until Ctrl-C or SIGTERM; calls under way are finished first.

    Creates and migrates the store where it is missing. Needs a key: 'oppserver key create'.
    """
    run_server(load_settings(flags))


def run_server(settings: Settings) -> None:
    """Opens the store and serves; what the server logs goes to stderr."""
    from oppserver import telemetry  # noqa: PLC0415 (--help stays quick)
    from oppserver.api.server import serve as serve_http  # noqa: PLC0415 (as above)
    from oppserver.store import StoreOptions, open_store  # noqa: PLC0415 (as above)

    telemetry.start_logging(form=settings.log_format, level=settings.log_level)
    options = StoreOptions(
        readers=settings.worker_threads,
        query_timeout_s=settings.query_timeout_s,
        sqlite_mmap_bytes=settings.sqlite_mmap_bytes,
        sqlite_cache_bytes=settings.sqlite_cache_bytes,
    )
    store = open_store(settings.database, options)

    def listening(url: str) -> None:
        telemetry.logger().info(
            "listening",
            url=url,
            database=settings.database,
            rate_limit=str(settings.rate_limit or "off"),
            documents=f"{url}/docs",
        )
        if not store.keys():
            telemetry.logger().warning(
                "no_keys", hint="every call gets 401; 'oppserver key create --email A' makes a key"
            )

    try:
        serve_http(settings, store, on_listening=listening)
    finally:
        store.close()


def _flags() -> inspect.Signature:
    """One option per setting, with the help and the default of config.py."""
    parameters = []
    for setting in fields(Settings):
        default = "" if setting.default is None else f"; default: {setting.default}"
        option = typer.Option(
            flag_of(setting.name),
            help=f"{setting.metadata['help']} [env: {variable_of(setting.name)}{default}]",
            metavar="VALUE",
            show_default=False,
        )
        parameters.append(
            inspect.Parameter(
                setting.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[str | None, option],
            )
        )
    return inspect.Signature(parameters)


serve.__signature__ = _flags()  # type: ignore[attr-defined]  # what Typer reads the flags from
serve.__annotations__ = {name: one.annotation for name, one in _flags().parameters.items()}
