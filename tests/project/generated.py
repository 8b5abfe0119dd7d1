"""Tables of the documents that are made from the code. ``python -m tests.project.generated``.

A page has a table between two comments; ``make docs`` writes it there, and a test compares.
"""

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Final

from prometheus_client.metrics import MetricWrapperBase

from oppserver.api.openapi import DESCRIPTIONS
from oppserver.api.routes import ROUTES, STREAM_ROUTES
from oppserver.config import Settings, flag_of, variable_of
from oppserver.contract.errors import HTTP_ERRORS
from oppserver.contract.problems import name_of
from oppserver.telemetry import Metrics

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "src" / "oppserver"
LIMITS: Final = PACKAGE / "contract" / "limits.py"


def code_map() -> str:
    """A table for each folder: its modules, and the first line of each module's docstring."""
    folders: dict[Path, list[Path]] = {}
    for module in sorted(PACKAGE.rglob("*.py")):
        if "versions" not in module.parts:
            folders.setdefault(module.parent, []).append(module)
    return "\n\n".join(_folder_table(folder, modules) for folder, modules in folders.items())


def _folder_table(folder: Path, modules: list[Path]) -> str:
    name = folder.relative_to(PACKAGE).as_posix()
    name = "oppserver" if name == "." else name
    rows = [
        f"| `{module.relative_to(PACKAGE).as_posix()}` | {_first_line(module)} |"
        for module in modules
        if module.name != "__init__.py"
    ]
    return "\n".join([f"| {name} | {_first_line(folder / '__init__.py')} |", "|---|---|", *rows])


def _first_line(module: Path) -> str:
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    line = docstring.partition("\n")[0].rstrip(".").replace("``", "`")
    return line.replace("|", "\\|")


def calls_table() -> str:
    """Every call: its method and path, its rights, and what it does."""
    rows = [
        f"| `{route.method} {route.path}` | {'writes' if route.writes else 'reads'} |"
        f" {DESCRIPTIONS[route.name].summary} |"
        for route in (*ROUTES, *STREAM_ROUTES)
    ]
    return "\n".join(["| call | | |", "|---|---|---|", *rows])


def errors_table() -> str:
    """Every error of the API: status, type on ``/v2``, name on ``/v1``, meaning."""
    rows = [
        f"| {one.status} | `{one.exception_type}` | `{name_of(one)}` | {one.meaning} |"
        for one in HTTP_ERRORS
    ]
    return "\n".join(["| status | type | on `/v1` | meaning |", "|---|---|---|---|", *rows])


def limits_table() -> str:
    """Every limit that callers can meet: its name, its value, its reason."""
    body = ast.parse(LIMITS.read_text(encoding="utf-8")).body
    rows = []
    for statement, following in zip(body, [*body[1:], None], strict=True):
        if not isinstance(statement, ast.AnnAssign) or statement.value is None:
            continue
        value = ast.unparse(statement.value)
        text = ""
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            text = " ".join(str(following.value.value).split()).replace("``", "`")
        rows.append(f"| `{ast.unparse(statement.target)}` | {_shown(value)} | {text} |")
    return "\n".join(["| limit | value | reason |", "|---|---|---|", *rows])


def _shown(value: str) -> str:
    number = ast.literal_eval(value) if re.fullmatch(r"[\d_.]+", value) else value
    return f"{number:,}" if isinstance(number, int) else f"`{number}`"


def metrics_table() -> str:
    """Every metric: its name as Prometheus shows it, its labels, its meaning."""
    metrics = [one for one in vars(Metrics()).values() if isinstance(one, MetricWrapperBase)]
    rows = sorted(
        f"| `{one._name}{'_total' if one._type == 'counter' else ''}` | {one._type} |"
        f" {', '.join(f'`{label}`' for label in one._labelnames)} | {one._documentation} |"
        for one in metrics
    )
    return "\n".join(["| metric | type | labels | meaning |", "|---|---|---|---|", *rows])


def configuration_markdown() -> str:
    """docs/configuration.md, whole."""
    rows = []
    for setting in fields(Settings):
        default = "" if setting.default is None else f"`{setting.default}`"
        rows.append(
            f"| `{flag_of(setting.name)}` | `{variable_of(setting.name)}` | {default} |"
            f" {setting.metadata['help']} |"
        )
    return (
        "# Configuration\n\n"
        "<!-- Generated from src/oppserver/config.py by `make docs`; a test holds them equal. -->"
        "\n\n"
        "Every setting is a flag of `oppserver serve` and an environment variable. A flag outranks"
        " the variable,\nthe variable outranks the default; an empty variable counts as not set."
        " The commands that open the\nstore (`import`, `export`, `key`, `type`, `field`, `db`) read"
        " `--database` and `OPPSERVER_DATABASE` alike.\n\n"
        "| flag | variable | default | meaning |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
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
