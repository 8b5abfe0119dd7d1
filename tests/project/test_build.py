"""Builds have the files of the pages: they come with the build, never from the network."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support.running import clean_environment, serving

ROOT = Path(__file__).parents[2]
VENDOR = Path("oppserver", "console", "vendor")
VENDORED = {"swagger-ui-bundle.js", "swagger-ui.css", "htmx.min.js"}


def build(folder: Path, program: str) -> "subprocess.CompletedProcess[str]":
    """Runs hatchling's functions (PEP 517) in a folder with the project, without isolation."""
    return subprocess.run(
        [sys.executable, "-c", f"from hatchling.build import *; {program}"],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, unpacked."""
    folder = tmp_path_factory.mktemp("built")
    done = build(ROOT, f"build_sdist({str(folder)!r})")
    assert done.returncode == 0, done.stderr
    [archive] = folder.glob("*.tar.gz")
    with tarfile.open(archive) as members:
        members.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def test_a_wheel_of_the_source_distribution_serves_the_pages(sources: Path, tmp_path: Path) -> None:
    """The sources have no file of another package; the wheel has, and its server answers them."""
    assert not (sources / "src" / VENDOR).exists()
    done = build(sources, f"build_wheel({str(tmp_path)!r})")
    assert done.returncode == 0, done.stderr
    assert not (sources / "src" / VENDOR).exists()
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    assert {one.name for one in (tmp_path / "installed" / VENDOR).iterdir()} >= VENDORED
    with serving(tmp_path, environment={"PYTHONPATH": str(tmp_path / "installed")}) as server:
        for name in VENDORED:
            answer = server.call("GET", f"/assets/{name}")
            assert (answer.status, answer.headers["cache-control"]) == (200, "no-cache")
            again = server.call(
                "GET", f"/assets/{name}", headers={"If-None-Match": answer.headers["etag"]}
            )
            assert (again.status, again.body) == (304, b"")


def test_an_editable_install_has_the_files_beside_the_sources(
    sources: Path, tmp_path: Path
) -> None:
    """In a folder that git ignores; what an earlier install left there is gone."""
    vendor = sources / "src" / VENDOR
    for _ in range(2):
        done = build(sources, f"build_editable({str(tmp_path)!r})")
        assert done.returncode == 0, done.stderr
        assert {one.name for one in vendor.iterdir()} >= VENDORED
        assert not (vendor / "old.js").exists()
        (vendor / "old.js").touch()
    ignored = subprocess.run(
        ["git", "check-ignore", "-q", f"src/{VENDOR}/x.js"], cwd=ROOT, check=False
    )
    assert ignored.returncode == 0


@pytest.mark.parametrize("kind", ["wheel", "editable"])
@pytest.mark.parametrize("package", ["drf-spectacular-sidecar", "django-htmx"])
def test_a_build_without_a_package_says_what_to_install(
    sources: Path, tmp_path: Path, package: str, kind: str
) -> None:
    """One line that names it, and no wheel without its files."""
    program = (
        "import importlib.util as util; find = util.find_spec;"
        f" util.find_spec = lambda name: None if name == {package.replace('-', '_')!r}"
        f" else find(name); build_{kind}({str(tmp_path)!r})"
    )
    done = build(sources, program)
    assert done.returncode != 0
    assert f"pip install {package}" in done.stderr.splitlines()[-1]
    assert list(tmp_path.glob("*.whl")) == []
