"""``oppserver serve``: the server. Every setting of config.py is a flag here."""

import inspect
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any

import typer

from oppserver.config import Settings, flag_of, load_settings, variable_of
from oppserver.contract.errors import InvalidSetting


def serve(dev: bool = False, **given: str | list[str] | None) -> None:
    """Serve the API until Ctrl-C or SIGTERM; calls under way are finished first.

    Creates and migrates the store where it is missing. Needs a key: 'oppserver key create'.
    """
    flags = {
        name: " ".join(value) or None if isinstance(value, list) else value
        for name, value in given.items()
    }
    if dev:
        _serve_for_development(flags)
        return
    settings = load_settings(flags)
    if settings.workers == 1:
        from oppserver.processes.serving import serve_alone  # noqa: PLC0415 (--help stays quick)

        serve_alone(settings)
        return
    from oppserver.processes.parent import serve_with_workers  # noqa: PLC0415 (as above)

    if status := serve_with_workers(settings, flags):
        raise typer.Exit(status)


def _serve_for_development(flags: Mapping[str, str | None]) -> None:
    """Serve sample data. Of database and host only flags count: no variable leads elsewhere."""
    from oppserver.testing.dev import DevServer, serve_for_development  # noqa: PLC0415 (--dev alone needs it)

    database = flags["database"]
    settings = load_settings(
        {
            **flags,
            "database": database or "sqlite:///sample.db",  # in a folder that is not made yet
            "host": flags["host"] or "127.0.0.1",
            "rate_limit": flags["rate_limit"] or "off",
            "workers": flags["workers"] or "1",
        }
    )
    if settings.workers > 1:
        raise InvalidSetting("--dev serves by one process: leave out --workers")

    def tell(server: DevServer) -> None:
        keys = {"accessKey": server.user.access_key, "secretKey": server.user.secret_key}
        typer.echo(f"Serving {'sample data' if server.is_temporary else settings.database}.")
        for name, value in {"Documents": f"{server.url}/docs", **keys}.items():
            typer.echo(f"{name:<10} {value}")
        if settings.console != "off":
            typer.echo(f"{'Console':<10} {server.url}/console")
        typer.echo(json.dumps({"url": server.url, **keys}))

    serve_for_development(settings, is_named=database is not None, tell=tell)


def _flags() -> inspect.Signature:
    """One option per setting, with the help and the default of config.py."""
    dev = typer.Option("--dev", help="Serve sample data, with faults and resets over HTTP.")
    parameters = [
        inspect.Parameter(
            "dev", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Annotated[bool, dev]
        )
    ]
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
                annotation=Annotated[_type_of(setting.metadata), option],
            )
        )
    return inspect.Signature(parameters)


def _type_of(metadata: Mapping[str, Any]) -> Any:
    return list[str] | None if metadata["is_list"] else str | None


serve.__signature__ = _flags()  # type: ignore[attr-defined]  # what Typer reads the flags from

serve.__annotations__ = {name: one.annotation for name, one in _flags().parameters.items()}
