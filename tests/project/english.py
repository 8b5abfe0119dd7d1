"""Sentences that a reader has to translate: found in docstrings, comments and messages.

``python -m tests.project.english`` lists them, each with its place.
"""

import ast
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

PACKAGE: Final = Path(__file__).parents[2] / "src" / "oppserver"

OPENINGS: Final = re.compile(r"(What|Whether|How|Of|Those|As|Who|None of|All that)\b")
"""A docstring begins with a verb or a noun, and says what the caller gets."""

PHRASES: Final = re.compile(
    r"\bis none\b|what there is|who asks|\bso many\b|\bis told\b|\bare told\b|\btells? of\b"
    r"|is none of it|\bstands for\b|for who\b",
    re.IGNORECASE,
)


class Riddle(NamedTuple):
    """A sentence to rewrite, and its place."""

    module: str
    line: int
    text: str


def riddles() -> Iterator[Riddle]:
    """Yield every sentence of the package that breaks a rule."""
    for module in sorted(PACKAGE.rglob("*.py")):
        name = module.relative_to(PACKAGE).as_posix()
        tree = ast.parse(module.read_text(encoding="utf-8"))
        for line, text in _docstrings(tree):
            if OPENINGS.match(text):
                yield Riddle(name, line, text.partition("\n")[0])
            for below, one in enumerate(text.split("\n")):
                if PHRASES.search(one):
                    yield Riddle(name, line + below, one.strip())
        for line, text in _comments(module):
            if PHRASES.search(text):
                yield Riddle(name, line, text)


def _docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield docstrings of modules, classes and functions, and the texts below constants."""
    for node in ast.walk(tree):
        for statement in getattr(node, "body", []) if isinstance(node, _WITH_BODY) else []:
            value = statement.value if isinstance(statement, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield statement.lineno, value.value.strip()


_WITH_BODY: Final = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def _comments(module: Path) -> Iterator[tuple[int, str]]:
    with module.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


def main() -> int:
    """Print every riddle; return 1 when there is one."""
    found = list(riddles())
    for one in found:
        print(f"src/oppserver/{one.module}:{one.line}: {one.text}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
