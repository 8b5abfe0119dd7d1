"""The documents are complete, their links resolve, and what they show is what happens.

A ``console`` block is a session: lines that begin with ``$`` are run, the lines below are what is
printed. There ``…`` means any text, and a line ``…`` any lines. The block behind a comment
``<!-- file: NAME -->`` is a file of the session. A page is one session, in a folder of its own.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.main import get_command

from bench import scaling
from oppserver.api.routes import ROUTES
from oppserver.cli.main import app
from oppserver.config import Settings, flag_of, variable_of
from oppserver.contract.errors import HTTP_ERRORS
from tests.project.generated import TABLES, configuration_markdown, with_table
from tests.support.running import clean_environment
from tests.support.system_packages import libraries, program

ROOT = Path(__file__).parents[2]
README_LINES_MAX = 149
SESSION_TIMEOUT_S = 280


def tracked(*patterns: str) -> list[Path]:
    """The files that git knows, of these patterns."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return sorted(path for path in paths if path.is_file())


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


PAGES = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


# --- complete ----------------------------------------------------------------------------------


def test_the_configuration_page_is_the_generated_one() -> None:
    """``make docs`` has been run; every setting is there, as flag and as variable."""
    page = read("docs/configuration.md")
    assert page == configuration_markdown(), "run 'make docs'"
    for setting in fields(Settings):
        assert f"- `{flag_of(setting.name)}`, `{variable_of(setting.name)}`" in page


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """A command and all commands below it, by their full names."""
    yield name, command
    for child_name, child in getattr(command, "commands", {}).items():
        yield from commands(child, f"{name} {child_name}".removeprefix("oppserver "))


COMMANDS = dict(commands(get_command(app), "oppserver"))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_on_the_page_of_commands(name: str) -> None:
    """Each has a heading, and below it its arguments and options; serve's are in configuration."""
    written = section(read("docs/cli.md"), name)
    parameters = COMMANDS[name].params if name != "serve" else []
    for parameter in parameters:
        if parameter.param_type_name == "option":
            for option in parameter.opts:
                assert f"`{option}" in written, f"{name} {option}"
        else:
            assert f"`{parameter.metavar or parameter.name.upper()}`" in written, name


def section(page: str, heading: str) -> str:
    """The text between a heading and the next of any level."""
    match = re.search(
        rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", without_code(page), re.MULTILINE | re.DOTALL
    )
    assert match, f"there is no heading '{heading}'"
    return match[1]


@pytest.mark.parametrize("page", TABLES, ids=" ".join)
def test_generated_tables_are_current(page: tuple[str, str]) -> None:
    """The code map, and the tables of calls, errors, limits and metrics, are those of the code."""
    name, table = page
    text = read(name)
    assert text == with_table(text, table, TABLES[page]()), "run 'make docs'"


@pytest.mark.parametrize("error", HTTP_ERRORS)
def test_the_origin_of_every_error_type_is_documented(error: Any) -> None:
    """The page of fidelity says of each exception type where it comes from."""
    assert f"`{error.exception_type}`" in read("docs/fidelity.md")


@pytest.mark.parametrize("page", ["docs/http-api.md", "docs/fidelity.md"])
def test_every_call_is_described(page: str) -> None:
    """Its method and path are on the page of the API and on the page of fidelity."""
    for route in ROUTES:
        assert f"{route.method} {route.path}" in read(page)


def test_o3_the_calls_that_write_are_named() -> None:
    """The page of the API marks the calls that a reader's key may not make, and no others."""
    named = re.findall(r"^- `\w+ (\S+)` \(writes\)$", read("docs/http-api.md"), re.MULTILINE)
    assert sorted(named) == sorted(route.path for route in ROUTES if route.writes)


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    """0001, 0002, …; each begins with its number and title and is in the index by both."""
    index = read("docs/decisions/README.md")
    pages = [page for page in PAGES if page.parent.name == "decisions" and page.name != "README.md"]
    for number, page in enumerate(pages, start=1):
        assert page.name.startswith(f"{number:04d}-"), page.name
        first, *lines = page.read_text(encoding="utf-8").splitlines()
        title = first.removeprefix(f"# {number:04d}: ")
        assert title != first, first
        assert f"- [{number:04d}]({page.name}) {title}\n" in index
        headings = [line for line in lines if line.startswith("## ")]
        assert headings == ["## Context", "## Decision", "## Consequences"], page.name


def test_the_page_of_scaling_is_computed_from_what_was_measured() -> None:
    """``python -m bench.scaling`` has been run; its tables are those of the recorded numbers."""
    recorded = json.loads(scaling.RESULTS.read_bytes())
    page = read("docs/scaling.md")
    assert page == scaling.with_block(page, recorded), "run 'python -m bench.scaling'"


def test_the_readme_is_short() -> None:
    """Below 150 lines."""
    assert 20 < len(read("README.md").splitlines()) <= README_LINES_MAX


# --- true --------------------------------------------------------------------------------------


@each_page
def test_links_resolve(page: Path) -> None:
    """Every relative link leads to a file, and every anchor to a heading of it."""
    text = without_code(page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        if anchor:
            assert anchor in anchors(found.read_text(encoding="utf-8")), target


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#+ (.+)$", without_code(text), re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(f"{words}-{seen[words]}" if seen[words] else words)
        seen[words] += 1
    return found


def without_code(text: str) -> str:
    """The text without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


@each_page
def test_tests_that_are_named_exist(page: Path) -> None:
    """A page that says which test proves a rule names one that is there."""
    there = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    text = page.read_text(encoding="utf-8")
    for name in set(re.findall(r"`(test_\w+)`", text)):
        assert f"def {name}(" in there, name
    for name in set(re.findall(r"`([\w/]*test_\w+\.py)`", text)):
        is_of_a_session = f"<!-- file: {name} -->" in text
        assert is_of_a_session or list((ROOT / "tests").rglob(name.removeprefix("tests/"))), name


@each_page
def test_json_is_json_and_python_is_python(page: Path) -> None:
    """A block that says it is JSON or Python can be read as such."""
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.language == "json":
            json.loads(block.text)
        if block.language == "python":
            compile(block.text, str(page), "exec")


FORBIDDEN = re.compile(
    rb"/(?:root|home|Users)/\w"  # paths of one machine
    rb"|"
    + re.escape(str(ROOT)).encode()
    + rb"|https?://[^\s\"]*\.(?:whl|tgz|tar\.gz|deb)\b"  # downloads
)


def test_nothing_of_one_machine_is_in_the_project() -> None:
    """No file in git names a path of one machine or an address of a package's download."""
    found = [
        f"{path.relative_to(ROOT)}: {match[0]!r}"
        for path in tracked()
        if path != Path(__file__)
        for match in FORBIDDEN.finditer(path.read_bytes())
    ]
    assert not found


# --- sessions ----------------------------------------------------------------------------------


class Block(NamedTuple):
    """A fenced block; ``name`` is the file that it is in a session, or empty."""

    name: str
    language: str
    text: str


class Step(NamedTuple):
    """A command of a session, and the lines that it prints."""

    command: str
    printed: Sequence[str]


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found = re.findall(
        r"(?:^<!-- file: (\S+) -->\n+)?^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
    )
    return [Block(*block) for block in found]


def steps(text: str) -> list[Step]:
    """The commands of a console block; a line that ends in a backslash goes on in the next."""
    found: list[Step] = []
    for line in text.splitlines():
        if found and found[-1].command.endswith("\\"):
            found[-1] = Step(f"{found[-1].command}\n{line}", [])
        elif line.startswith("$ "):
            found.append(Step(line.removeprefix("$ "), []))
        else:
            found[-1] = found[-1]._replace(printed=[*found[-1].printed, line])
    return found


SESSIONS = [
    page
    for page in PAGES
    if any(block.language == "console" for block in blocks(page.read_text(encoding="utf-8")))
]


@pytest.mark.parametrize("page", SESSIONS, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_is_shown_is_what_happens(page: Path, tmp_path: Path) -> None:
    """The page's commands, typed in a new folder, print what the page says, and end with 0.

    A command that is followed by ``echo $?`` may fail.
    """
    if shutil.which("bash") is None or shutil.which("curl") is None:
        pytest.skip("the pages show sessions of bash with curl, and one of the two is not here")
    port = free_port()
    parts = blocks(page.read_text(encoding="utf-8").replace(":8080", f":{port}"))
    for block in parts:
        if block.name:
            (tmp_path / block.name).write_text(block.text, encoding="utf-8")
    script = [step for block in parts if block.language == "console" for step in steps(block.text)]
    done = run_session([step.command for step in script], folder=tmp_path, port=port)
    for number, (step, (printed, status)) in enumerate(zip(script, done, strict=True)):
        assert is_shown(step.printed, printed), f"$ {step.command}\n{printed}"
        following = script[number + 1].command if number + 1 < len(script) else ""
        assert status == 0 or following == "echo $?", f"$ {step.command}: exit status {status}"


def run_session(commands: Sequence[str], *, folder: Path, port: int) -> list[tuple[str, int]]:
    """Runs commands in one shell; what each printed, and its exit status."""
    mark = "-- session --"
    script = ["trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT"]
    for command in commands:
        script += [command, f"status=$?; printf '\\n{mark}%d\\n' $status; (exit $status)"]
    environment = clean_environment() | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "OPPSERVER_PORT": str(port),
        "PYTEST_ADDOPTS": "-p no:randomly -p no:asyncio",  # plug-ins that a reader may not have
    }
    output = folder.parent / f"{folder.name}.output"
    with output.open("wb") as file:
        shell = subprocess.Popen(
            ["bash", "-c", "\n".join(script)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            shell.wait(SESSION_TIMEOUT_S)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
    *parts, rest = re.split(rf"\n{mark}(\d+)\n", output.read_text(encoding="utf-8"))
    assert len(parts) == 2 * len(commands), rest
    return [(parts[n], int(parts[n + 1])) for n in range(0, len(parts), 2)]


def is_shown(lines: Sequence[str], printed: str) -> bool:
    """Return whether lines, as a page shows them, were printed; blanks at ends don't count."""
    wanted = "".join(
        r"(?:.*\n)*?"
        if line.strip() == "…"
        else ".*?".join(re.escape(part) for part in line.rstrip().split("…")) + r"[ \t]*\n"
        for line in lines
    )
    return re.fullmatch(wanted, f"{printed.rstrip()}\n".lstrip("\n")) is not None


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


# --- the unit of systemd ------------------------------------------------------------------------

UNIT = ROOT / "docs" / "examples" / "oppserver.service"
EXPOSURE_MAX = 2.0


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(line, id=f"O9 {line}")
        for line in (
            "CapabilityBoundingSet=",
            "NoNewPrivileges=yes",
            "PrivateUsers=yes",
            "ProtectSystem=strict",
            "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
            "SystemCallFilter=@system-service",
            "UMask=0077",
            "KillMode=mixed",
            "ExecReload=/bin/kill -HUP $MAINPID",
        )
    ],
)
def test_o9_the_unit_lets_the_server_do_little(line: str) -> None:
    """No right of root, no file but its own, no sockets but those it serves and calls."""
    assert line in UNIT.read_text().splitlines()


def test_o9_the_unit_is_hardly_exposed(tmp_path: Path) -> None:
    """``systemd-analyze security`` says so; 10 is the worst."""
    analyze = program("systemd-analyze", package="systemd")
    environment = dict(os.environ)
    if analyze != shutil.which("systemd-analyze"):
        environment["LD_LIBRARY_PATH"] = libraries("libsystemd-shared")
    unit = shutil.copy(UNIT, tmp_path / UNIT.name)
    command = [analyze, "security", "--offline=true", "--no-pager", str(unit)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    found = re.search(r"Overall exposure level for oppserver.service: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= EXPOSURE_MAX
