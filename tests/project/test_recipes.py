"""The recipes of docs/architecture.md are true: their files exist, and calls are made of them.

A recipe is a section "How to add …": a list whose items begin with the files to touch. A name
begins in ``src/oppserver/`` or in the root of the repository. ``SUBJECT`` is a folder of calls,
``SECTION`` one of the console; a row whose text begins with "optional" is not needed by every call.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from oppserver.api.routes import ROUTES, Route
from oppserver.calls.shared.call import Read
from tests.project.generated import PACKAGE, ROOT
from tests.project.test_docs import read, section

READS = [route for route in ROUTES if isinstance(route.operation, Read)]
FILES_MAX = 9
"""Files that a call which reads may need: the house is built so that it needs no more."""


class Row(NamedTuple):
    """A row of a recipe: the files it names, and whether a call can do without them."""

    files: tuple[str, ...]
    is_optional: bool


def recipe(subject: str) -> list[Row]:
    """The rows of the recipe for adding a call, a setting, an error and so on."""
    rows = []
    for line in section(read("docs/architecture.md"), f"How to add {subject}").splitlines():
        names, _, text = line.partition(": ")
        if line.startswith("- `"):
            files = tuple(re.findall(r"`([^`]+)`", names))
            rows.append(Row(files, text.startswith("optional")))
    return rows


RECIPES = [
    heading.removeprefix("How to add ")
    for heading in re.findall(r"^## (How to add .+)$", read("docs/architecture.md"), re.MULTILINE)
]


def found(pattern: str) -> list[str]:
    """The files of the repository that a name of a recipe means, from its root."""
    pattern = pattern.replace("SUBJECT", "*").replace("SECTION", "*")
    paths = [*PACKAGE.glob(pattern), *ROOT.glob(pattern)]
    return [path.relative_to(ROOT).as_posix() for path in paths if path.is_file()]


def test_there_are_recipes() -> None:
    """For a call, a setting, an error, a data type, a column and an engine."""
    assert set(RECIPES) >= {"a call", "a setting", "an error", "a data type", "a column"}
    assert "an engine" in RECIPES


@pytest.mark.parametrize("subject", RECIPES)
def test_every_file_of_a_recipe_exists(subject: str) -> None:
    """Each name of each row; a pattern has at least one file."""
    rows = recipe(subject)
    assert rows
    missing = [name for row in rows for name in row.files if not found(name)]
    assert not missing


def test_a_call_that_reads_needs_few_files() -> None:
    """With everything that is optional."""
    assert sum(len(row.files) for row in recipe("a call")) <= FILES_MAX


# --- calls that are there ----------------------------------------------------------------------


@cache
def declarations() -> dict[str, tuple[str, str]]:
    """The subject and the name of each route's operation, by the route's name."""
    tree = ast.parse((PACKAGE / "api" / "routes.py").read_text(encoding="utf-8"))
    subjects = {
        alias.name: statement.module.split(".")[2]
        for statement in tree.body
        if isinstance(statement, ast.ImportFrom) and (statement.module or "").endswith(".run")
        for alias in statement.names
        if statement.module is not None
    }
    names = (route.name for route in ROUTES)
    return {
        name: (subjects[operation], operation)
        for name, operation in zip(names, _operations(tree), strict=True)
    }


def _operations(tree: ast.Module) -> Iterator[str]:
    """The names of the operations in the rows of the table of routes, in order."""
    [table] = [
        one.value
        for one in tree.body
        if isinstance(one, ast.AnnAssign) and getattr(one.target, "id", "") == "ROUTES"
    ]
    assert isinstance(table, ast.Tuple)
    for row in table.elts:
        assert isinstance(row, ast.Call)
        operation = row.args[2]
        assert isinstance(operation, ast.Name)
        yield operation.id


@cache
def declared_in(file: Path) -> frozenset[str]:
    """The names and the keys of mappings in a module: what declares or describes a call."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    keys = {key for node in nodes if isinstance(node, ast.Dict) for key in node.keys}
    texts = {str(key.value) for key in keys if isinstance(key, ast.Constant)}
    return frozenset(names | {f"'{text}'" for text in texts})


@pytest.mark.parametrize("route", READS, ids=lambda route: route.name)
def test_a_call_is_made_of_the_files_of_the_recipe(route: Route) -> None:
    """In the server: those rows that are not optional mention it, and no other module does."""
    subject, operation = declarations()[route.name]
    needed = {
        name.replace("SUBJECT", subject)
        for row in recipe("a call")
        for name in row.files
        if not row.is_optional and name.endswith(".py") and "*" not in name
    }
    mentioning = {
        file.relative_to(PACKAGE).as_posix()
        for file in PACKAGE.rglob("*.py")
        # below calls, equal names are the store's own; above them, the console's pages make calls
        if file.relative_to(PACKAGE).parts[0] not in ("store", "console")
        and declared_in(file) & {operation, f"'{route.name}'"}
    }
    # a subject that is one small module describes its calls in it
    there = {name for name in needed if (PACKAGE / name).is_file()}
    assert mentioning == there
    assert f"calls/{subject}/run.py" in there


@pytest.mark.parametrize("route", READS, ids=lambda route: route.name)
def test_a_call_has_tests_and_documents_where_the_recipe_says(route: Route) -> None:
    """Its path is in the tests of its subject and on each page of the recipe."""
    subject, _ = declarations()[route.name]
    name = route.path.rpartition("/")[2]
    for row in recipe("a call"):
        for pattern in row.files:
            if row.is_optional or (pattern.endswith(".py") and "*" not in pattern):
                continue
            texts = [read(file) for file in found(pattern.replace("SUBJECT", subject))]
            texts += [helper for text in texts for helper in helpers_of(text)]
            assert any(name in text for text in texts), pattern


def helpers_of(text: str) -> list[str]:
    """The modules of ``tests/support/`` that a test imports: paths of calls may be named there."""
    imported = re.findall(r"^from tests\.support import (\([^)]*\)|.*)$", text, re.MULTILINE)
    names = {name for one in imported for name in re.findall(r"\w+", one)}
    names |= set(re.findall(r"^from tests\.support\.(\w+) import", text, re.MULTILINE))
    files = [f"tests/support/{name}.py" for name in sorted(names)]
    return [read(file) for file in files if (ROOT / file).is_file()]
