"""``oppserver serve``: the server. Every setting of config.py is a flag here."""

import inspect
from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any

import typer

from oppserver.config import Settings, flag_of, load_settings, variable_of


def serve(**given: str | list[str] | None) -> None:
    """Serve the API until Ctrl-C or SIGTERM; calls under way are finished first.

    Creates and migrates the store where it is missing. Needs a key: 'oppserver key create'.
    """
    flags = {
        name: " ".join(value) or None if isinstance(value, list) else value
        for name, value in given.items()
    }
    settings = load_settings(flags)
    if settings.workers == 1:
        from oppserver.processes.serving import serve_alone  # noqa: PLC0415 (--help stays quick)

        serve_alone(settings)
        return
    from oppserver.processes.parent import serve_with_workers  # noqa: PLC0415 (as above)

    if status := serve_with_workers(settings, flags):
        raise typer.Exit(status)


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
                annotation=Annotated[_type_of(setting.metadata), option],
            )
        )
    return inspect.Signature(parameters)


def _type_of(metadata: Mapping[str, Any]) -> Any:
    return list[str] | None if metadata["is_list"] else str | None


serve.__signature__ = _flags()  # type: ignore[attr-defined]  # what Typer reads the flags from

serve.__annotations__ = {name: one.annotation for name, one in _flags().parameters.items()}
