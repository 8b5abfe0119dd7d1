"""Sentences that a reader has to translate, and words that have a better one: where they are.

Docstrings, texts below constants, comments and names are looked at, in the package and in tests.
``python -m tests.project.english`` lists what it finds; ``test_english.py`` fails for each.
"""

import ast
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = ("src/oppserver", "tests", "bench")

OPENINGS: Final = re.compile(r"(What|Whether|How|Of|Those|As|Who|None of|All that)\b")
"""A docstring begins with a verb or a noun, and says what the caller gets."""

PHRASES: Final = re.compile(
    r"(?<!there )\b(?:is|are) none\b|\bwhen there is none\b|\b[Ww]hat there is\b|\bwho asks\b"
    r"|\b[Ss]o many\b"
    r"|\b(?:is|are|be) told\b(?! to\b| apart\b)|\btells? of\b|\bstands for\b|\bfor who\b"
)
"""The phrases that hide who does what. "Is told to stop" and "told apart" are plain."""

WORDS: Final = re.compile(
    r"\b(?:ledgers?|mend(?:s|ed|ing)?|lineages?|patience|whereabouts|brought"
    r"|Moment|HotRows|hot rows|KeptAnswer|PassedOver)\b"
)
"""Words of earlier versions: missing, hint or correct, timeline, deadline, id status, and so on."""

_WITH_BODY: Final = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class Riddle(NamedTuple):
    """A sentence or a name to rewrite, and its place."""

    module: str
    line: int
    text: str


def riddles() -> Iterator[Riddle]:
    """Yield everything that breaks a rule, folder by folder."""
    for folder in FOLDERS:
        for module in sorted((ROOT / folder).rglob("*.py")):
            if module != Path(__file__):
                yield from _riddles_in(module)


def _riddles_in(module: Path) -> Iterator[Riddle]:
    name = module.relative_to(ROOT).as_posix()
    tree = ast.parse(module.read_text(encoding="utf-8"))
    for line, text in _docstrings(tree):
        if OPENINGS.match(text):
            yield Riddle(name, line, text.partition("\n")[0])
        for below, one in enumerate(text.split("\n")):
            if PHRASES.search(one) or WORDS.search(one):
                yield Riddle(name, line + below, one.strip())
    for line, kind, text in _tokens(module):
        said = text if kind == tokenize.COMMENT else text.replace("_", " ")
        if WORDS.search(said) or (kind == tokenize.COMMENT and PHRASES.search(text)):
            yield Riddle(name, line, text)


def _docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield docstrings of modules, classes and functions, and the texts below constants."""
    for node in ast.walk(tree):
        for statement in getattr(node, "body", []) if isinstance(node, _WITH_BODY) else []:
            value = statement.value if isinstance(statement, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield statement.lineno, value.value.strip()


def _tokens(module: Path) -> Iterator[tuple[int, int, str]]:
    """Yield the comments and the names of a module: line, kind, text."""
    with module.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type in (tokenize.COMMENT, tokenize.NAME):
                yield token.start[0], token.type, token.string


def main() -> int:
    """Print every riddle; return 1 when there is one."""
    found = list(riddles())
    for one in found:
        print(f"{one.module}:{one.line}: {one.text}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
