"""Every pattern of the package takes time in proportion to the text, whatever the text is.

Callers choose paths, headers and values, so a pattern whose time grows with the square of the text
lets one of them stop the server. The patterns are found in the modules, so a new one is tested
without being named here; each is run as its module runs it, on texts made of what it looks for.
"""

import ast
import importlib
import pkgutil
import re
import re._constants as kinds  # type: ignore[import-not-found]  # no stubs; the parser's own names
import re._parser as parser  # type: ignore[import-not-found]  # as above
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import oppserver

SOURCE = Path(oppserver.__file__).parent
RUN_AT_ONCE = {"match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}

SIZES = (18, 100, 500, 2_000)
SHORT = 100
"""A text of this size that takes long shows growth enough; a longer one might not end."""

SECONDS_FOR_A_CHARACTER = 1e-6
"""A linear pattern takes a tenth of it, a quadratic one ten times as much at the largest size."""

GROWTH, RATIO_MAX = 8, 32
"""Eight times the text: 8 times the time when it is linear, 64 times when it is quadratic."""

VARIANTS = 6


class Used(NamedTuple):
    """A pattern of a module, and how the module runs it."""

    name: str
    pattern: re.Pattern[Any]
    methods: tuple[str, ...]


# --- the patterns of the package ---------------------------------------------------------------


def module_names() -> list[str]:
    walked = pkgutil.walk_packages([str(SOURCE)], "oppserver.")
    return sorted(
        one.name for one in walked if not one.name.endswith(("__main__", "migrations.env"))
    )


def tree_of(name: str) -> ast.Module:
    path = SOURCE.joinpath(*name.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def methods_in(tree: ast.Module) -> dict[str, set[str]]:
    """The methods that are called on each name."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.setdefault(node.value.id, set()).add(node.attr)
    return found


def patterns_in(value: object) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from patterns_in(one)
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from patterns_in(one)


def used_patterns() -> list[Used]:
    found: dict[tuple[str, str], Used] = {}
    for module_name in module_names():
        methods = methods_in(tree_of(module_name))
        for name, value in vars(importlib.import_module(module_name)).items():
            used = sorted(methods.get(name, set()) & RUN_AT_ONCE) or ["fullmatch", "search"]
            for number, pattern in enumerate(patterns_in(value)):
                label = f"{module_name.removeprefix('oppserver.')}.{name}-{number}"
                found.setdefault((pattern.pattern, ",".join(used)), Used(label, pattern, (*used,)))
    return list(found.values())


def test_every_pattern_is_a_value_of_its_module() -> None:
    """None is compiled in a function or where it is used: it would not be found and tested."""
    wrong = []
    for name in module_names():
        tree = tree_of(name)
        inner = {
            id(node)
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for node in ast.walk(function)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "re":
                wrong.append(f"{name}:{node.lineno} imports from re")
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "re"
                and (node.func.attr in RUN_AT_ONCE or id(node) in inner)
            ):
                wrong.append(f"{name}:{node.lineno} calls re.{node.func.attr}")
    assert not wrong


# --- texts that are made of what a pattern looks for -------------------------------------------


def character_of(members: Sequence[Any], number: int) -> str:
    """A character of a class such as ``[a-z_]``; several numbers give several of them."""
    if members[0][0] is kinds.NEGATE:
        outside = "".join(options_of_member(one) for one in members[1:])
        candidates = [one for one in "a0 -/;@:.," if one not in outside]
        return candidates[number % len(candidates)] if candidates else "é"
    options = options_of_member(members[number % len(members)])
    return options[number % len(options)]


def options_of_member(member: Any) -> str:
    kind, value = member
    if kind is kinds.LITERAL:
        return chr(value)
    if kind is kinds.RANGE:
        return chr(value[0]) + chr(value[1])
    return {kinds.CATEGORY_DIGIT: "0", kinds.CATEGORY_SPACE: " \t\n", kinds.CATEGORY_WORD: "a"}.get(
        value, "é"
    )


def sample(tree: Any, number: int) -> str:
    """A text that is like what a pattern matches; several numbers give several of them."""
    return "".join(sample_of(kind, value, number) for kind, value in tree)


def sample_of(kind: Any, value: Any, number: int) -> str:  # noqa: PLR0911 (one for each kind)
    if kind is kinds.LITERAL:
        return chr(value)
    if kind is kinds.NOT_LITERAL:
        return " " if value == ord("x") else "x"
    if kind is kinds.ANY:
        return "x"
    if kind is kinds.IN:
        return character_of(value, number)
    if kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT, kinds.POSSESSIVE_REPEAT):
        at_least, at_most, inner = value
        times = min(at_least + (0, 1, 3)[number % 3], at_most)
        return "".join(sample(inner, number + turn) for turn in range(times))
    if kind is kinds.SUBPATTERN:
        return sample(value[-1], number)
    if kind is kinds.ATOMIC_GROUP:
        return sample(value, number)
    if kind is kinds.BRANCH:
        return sample(value[1][number % len(value[1])], number)
    if kind is kinds.ASSERT:
        return sample(value[1], number) if value[0] > 0 else ""
    return ""


def units_of(pattern: re.Pattern[Any]) -> list[tuple[str, str]]:
    """The parts of hostile texts: a beginning, and what is repeated behind it."""
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode()
    flags = pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags
    tree = parser.parse(source, flags)
    found: dict[tuple[str, str], None] = {}
    for number in range(VARIANTS):
        text = sample(tree, number)[:60]
        pieces = {text[start:end] for start in range(len(text)) for end in (start + 1, start + 2)}
        for cut in range(len(text) + 1):
            found[("", text[:cut])] = found[("", text[cut:])] = None
            for piece in pieces | {" ", "\n", "a", "0"}:
                found[(text[:cut], piece)] = None
    return [(begin, unit) for begin, unit in found if unit]


def hostile(begin: str, unit: str, size: int) -> Iterator[str]:
    """Texts of a size: one that ends as it goes on, and one whose end no pattern takes."""
    repeated = unit * ((size - len(begin)) // len(unit) + 1)
    yield begin + repeated
    yield begin + repeated + "\0"


def seconds(run: Callable[[Any], Any], text: Any, *, times: int = 1) -> float:
    """The processor time of a run, the best of several: others on the machine do not count."""
    taken = []
    for _ in range(times):
        started = time.process_time()
        run(text)
        taken.append(time.process_time() - started)
    return min(taken)


def runs_of(used: Used) -> Iterator[Callable[[Any], Any]]:
    for method in used.methods:
        bound = getattr(used.pattern, method)
        if method in ("sub", "subn"):
            yield partial(bound, used.pattern.pattern[:0])
        elif method == "finditer":
            yield used.pattern.findall  # which goes to the end, as its users do
        else:
            yield bound


def is_slow(run: Callable[[Any], Any], text: Any) -> bool:
    """Return whether a text takes long. Looked at twice: the first time may have been a pause."""
    allowed = SECONDS_FOR_A_CHARACTER * max(len(text), 1_000)
    return seconds(run, text) > allowed and seconds(run, text, times=3) > allowed


class Slow(NamedTuple):
    """A run of a pattern that takes long on texts of a size."""

    run: Callable[[Any], Any]
    begin: str
    unit: str
    size: int


def slow_texts(used: Used) -> Iterator[Slow]:
    """The runs and texts that take long, each with the smallest size at which they do."""
    is_bytes = isinstance(used.pattern.pattern, bytes)
    for run in runs_of(used):
        for begin, unit in units_of(used.pattern):
            for size in SIZES:
                texts = [*hostile(begin, unit, size)]
                if any(is_slow(run, one.encode() if is_bytes else one) for one in texts):
                    yield Slow(run, begin, unit, size)
                    break


def grows_too_fast(used: Used, slow: Slow) -> bool:
    """Return whether a longer text takes longer than in proportion."""
    is_bytes = isinstance(used.pattern.pattern, bytes)

    def taken(size: int) -> float:
        texts = (one.encode() if is_bytes else one for one in hostile(slow.begin, slow.unit, size))
        return max(seconds(slow.run, one, times=3) for one in texts)

    return slow.size <= SHORT or taken(slow.size * GROWTH) > RATIO_MAX * taken(slow.size)


@pytest.mark.parametrize("used", used_patterns(), ids=lambda used: used.name)
def test_a_pattern_takes_time_in_proportion_to_the_text(used: Used) -> None:
    """Eight times the text takes eight times as long, not sixty-four times."""
    for slow in slow_texts(used):
        assert not grows_too_fast(used, slow), (slow.begin, slow.unit)


@pytest.mark.parametrize(
    "pattern",
    [
        r"""(\b(?:postgres(?:ql)?|rediss?|valkeys?)://[^\s:/@"']*:)[^\s"']*(?=@)""",
        r"^(a|a)*b",
        r"\s+$",
        r"[a-z]+\d+x",
        r'^[\s,"]*key["\s:=]+(\S+)',
    ],
)
def test_a_pattern_that_grows_too_fast_is_found(pattern: str) -> None:
    """The test above finds such patterns: the one that stopped servers, and other usual ones."""
    used = Used("tried", re.compile(pattern, re.MULTILINE), ("search",))
    assert any(grows_too_fast(used, slow) for slow in slow_texts(used))
