"""The results of a run: the numbers as JSON, the table for readers."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.machine import command_line, machine, today, versions
from bench.options import COLUMNS, IDS, Options
from bench.result import Result
from bench.targets import TARGETS

_ROOT: Final = Path(__file__).resolve().parent
DOCUMENT: Final = _ROOT.parent / "docs" / "performance.md"
FIGURE: Final = _ROOT.parent / "docs" / "images" / "benchmark.svg"
RESULTS: Final = _ROOT / "results"
_BEGIN: Final = "<!-- bench:begin -->"
_END: Final = "<!-- bench:end -->"


def record(options: Options, results: Sequence[Result]) -> dict[str, Any]:
    """All of a run, for the file."""
    return {
        "date": today(),
        "command": command_line(),
        "machine": machine(),
        "versions": versions(),
        "options": {
            "opportunities": options.opportunities,
            "growth_rows": [options.growth_small, options.growth_large],
            "ids": IDS,
            "columns": list(COLUMNS),
            "rounds": options.rounds,
            "rounds_slow": options.rounds_slow,
            "load_s": options.load_s,
        },
        "results": [
            {
                **msgspec.to_builtins(TARGETS[one.name]),
                "score": _score(one),
                **msgspec.to_builtins(one),
            }
            for one in results
        ],
    }


def write_json(path: Path, recorded: dict[str, Any]) -> None:
    """Writes the record; lists of times stay on one line each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(recorded), indent=1).decode()
    path.write_text(_lists_on_one_line(text) + "\n", encoding="utf-8")


def table(results: Sequence[Result]) -> str:
    """The figures that have targets, as a list in Markdown; the record has all, and their notes."""
    lines = []
    for one in results:
        target, score = TARGETS[one.name], _score(one)
        if score is None:
            continue
        note = re.split(r"; | \(", one.note)[0]
        figure = (f"{one.figure}; {note}" if note else one.figure).replace(" to ", "\u2013")
        mark = ": met" if score >= 1 else ": **missed**"
        lines.append(f"- {target.measure} ({target.text}{mark}): {figure}")
    return "\n".join(lines)


def _score(result: Result) -> float | None:
    return None if result.value is None else TARGETS[result.name].score(result.value)


def write_document(recorded: dict[str, Any], results: Sequence[Result]) -> None:
    """Puts the table between the marks in docs/performance.md."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(_BEGIN)
    _, after = rest.split(_END)
    host, used = recorded["machine"], recorded["versions"]
    options = recorded["options"]
    heading = (
        f"{options['opportunities']:,} opportunities, {recorded['date']}, `{recorded['command']}`:"
        f" {host['cores']} cores ({host['cpu']}), {host['memory_gib']} GiB, {host['kernel']},"
        f" Python {used['python']}, SQLite {used['sqlite']}. In brackets: quartiles, or extremes."
    )
    block = f"{_BEGIN}\n\n{heading}\n\n{table(results)}\n\n{_END}"
    DOCUMENT.write_text(before + block + after, encoding="utf-8")


def _lists_on_one_line(text: str) -> str:
    lines: list[str] = []
    is_inside = False
    for line in text.splitlines():
        if is_inside:
            lines[-1] += line.strip() + ("" if line.strip().startswith("]") else " ")
            is_inside = not line.strip().startswith("]")
        else:
            lines.append(line)
            is_inside = line.rstrip().endswith('ms": [')
    return "\n".join(line.replace(" ]", "]") for line in lines)
