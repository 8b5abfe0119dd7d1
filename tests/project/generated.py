"""The parts of documents that are made from the code: ``python -m tests.project.generated``.

A page has each between two comments; ``make docs`` writes it there, and a test compares.
"""

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Final

from prometheus_client.metrics import MetricWrapperBase

from oppserver.api.routes import ROUTES
from oppserver.config import Settings, flag_of, variable_of
from oppserver.contract import limits
from oppserver.contract.errors import HTTP_ERRORS
from oppserver.contract.problems import name_of
from oppserver.telemetry import Metrics

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "src" / "oppserver"
LIMITS: Final = PACKAGE / "contract" / "limits.py"
NOT_MET: Final = re.compile(
    r"SQLITE_|IN_ERROR_|BODY_DISCARDED_|IGNORED_|PARQUET_|RETRY_|LEADS_OF_NUMBER_"
    r"|.*(_DEFAULT|PAGE_INDEX_MAX|EXPORT_ROWS_MAX)$"
)
"""Not listed: an engine's, those of an answer, defaults, and numbers that no caller reaches."""


def code_map() -> str:
    """Every folder, and the first line of its docstring."""
    folders = sorted(
        {path.parent for path in PACKAGE.rglob("*.py") if path.parent.name != "versions"}
    )
    return "\n".join(
        f"- `{folder.relative_to(PACKAGE.parent).as_posix()}/`:"
        f" {_first_line(folder / '__init__.py')}"
        for folder in folders
    )


def _first_line(module: Path) -> str:
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0].rstrip(".").replace("``", "`")


def calls_table() -> str:
    """Every call: its method and path; those that write are marked."""
    return "\n".join(
        f"- `{route.method} {route.path}`{' (writes)' if route.writes else ''}" for route in ROUTES
    )


def errors_table() -> str:
    """Every error of the API: status, type on ``/v2``, name on ``/v1``, meaning."""
    return "\n".join(
        f"- {one.status} `{one.exception_type}`, `{name_of(one)}`: {one.meaning}"
        for one in HTTP_ERRORS
    )


def limits_table() -> str:
    """Every limit that callers can meet, without those that are settings."""
    settings = (PACKAGE / "config.py").read_text(encoding="utf-8")
    body = ast.parse(LIMITS.read_text(encoding="utf-8")).body
    rows = []
    for statement, following in zip(body, [*body[1:], None], strict=True):
        if not isinstance(statement, ast.AnnAssign):
            continue
        name = ast.unparse(statement.target)
        if NOT_MET.match(name) or re.search(rf"\b{name}\b", settings):
            continue
        text = ""
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            text = " ".join(str(following.value.value).split()).replace("``", "`")
        rows.append(f"- {_shown(getattr(limits, name))}: {_meaning(text)}")
    return "\n".join(rows)


def _meaning(text: str) -> str:
    """The text without its source and reasons: those are for readers of the code."""
    return re.sub(r"(?<=\.) (?:Source|Ours|Chosen|Measured)\b.*", "", text)


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else f"`{value}`"


def metrics_table() -> str:
    """Every metric: its name as Prometheus shows it, its labels, its meaning."""
    metrics = [one for one in vars(Metrics()).values() if isinstance(one, MetricWrapperBase)]
    rows = sorted(
        f"- `{one._name}{'_total' if one._type == 'counter' else ''}`, {one._type}"
        f"{' by ' if one._labelnames else ''}"
        f"{', '.join(f'`{label}`' for label in one._labelnames)}: {one._documentation}"
        for one in metrics
    )
    return "\n".join(rows)


def configuration_markdown() -> str:
    """docs/configuration.md, whole."""
    rows = []
    for setting in fields(Settings):
        default = "" if setting.default is None else f" (`{setting.default}`)"
        rows.append(
            f"- `{flag_of(setting.name)}`, `{variable_of(setting.name)}`{default}:"
            f" {setting.metadata['help']}"
        )
    return (
        "# Configuration\n\n"
        "<!-- Generated from src/oppserver/config.py by `make docs`; a test holds them equal. -->"
        "\n\n"
        "Every setting is a flag of `oppserver serve` and an environment variable, here with its"
        " default. A flag outranks\nthe variable; an empty variable counts as not set, an unknown"
        " `OPPSERVER_…` is refused. The commands"
        " that open the store (`import`, `export`, `key`,\n`type`, `field`, `db`) read"
        " `--database` and `OPPSERVER_DATABASE` alike.\n\n" + "\n".join(rows) + "\n"
    )


TABLES: Final[Mapping[tuple[str, str], Callable[[], str]]] = {
    ("docs/architecture.md", "code map"): code_map,
    ("docs/http-api.md", "calls"): calls_table,
    ("docs/http-api.md", "errors"): errors_table,
    ("docs/http-api.md", "limits"): limits_table,
    ("docs/operating.md", "metrics"): metrics_table,
}


def with_table(page: str, name: str, table: str) -> str:
    """Return the page with the table between its two comments."""
    begin, end = f"<!-- generated: {name}; run 'make docs' -->", f"<!-- end of {name} -->"
    before, rest = page.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\n\n{table}\n\n{end}{after}"


def main() -> None:
    """Write every table, and the page of settings."""
    (ROOT / "docs" / "configuration.md").write_text(configuration_markdown(), encoding="utf-8")
    for (name, table), make in TABLES.items():
        page = ROOT / name
        text = with_table(page.read_text(encoding="utf-8"), table, make())
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
