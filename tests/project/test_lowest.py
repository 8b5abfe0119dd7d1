"""The declared lower bounds of dependencies are true: the short form of ``make lowest``."""

import os
import subprocess
import sys

import pytest

from tests.project.lowest import ROOT

TESTS = (
    "tests/unit/test_config.py",
    "tests/unit/test_telemetry.py",
    "tests/contract/commands/test_commands.py::test_help_names_every_command",
    "tests/contract/client/test_client_calls.py",
    "tests/contract/bulk_read/test_formats.py",
    "tests/contract/server/test_server.py::test_health",
)


@pytest.mark.slow
def test_o1_the_lowest_declared_versions_serve() -> None:
    """Installed into an environment of their own, they pass a few tests of each room."""
    environment = {key: value for key, value in os.environ.items() if "PYTEST" not in key}
    done = subprocess.run(
        [sys.executable, "-m", "tests.project.lowest", *TESTS],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
