"""The build's hook: files of the pages, out of the packages that ship them, into the wheel.

They are requirements of the build alone (``pyproject.toml``, ``build-system``). An editable install
has them in ``src/oppserver/console/vendor/``, which git ignores.
"""

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VENDOR: Final = "oppserver/console/vendor"


class Source(NamedTuple):
    """A package: its name for pip, its folder of files, and the new names of those we take."""

    package: str
    folder: str
    files: dict[str, str]


SOURCES: Final = (
    Source(
        "drf-spectacular-sidecar",
        "drf_spectacular_sidecar/static/drf_spectacular_sidecar/swagger-ui-dist",
        {
            "swagger-ui-bundle.js": "swagger-ui-bundle.js",
            "swagger-ui-bundle.js.LICENSE.txt": "swagger-ui-bundle.js.LICENSE.txt",
            "swagger-ui.css": "swagger-ui.css",
        },
    ),
    Source(
        "django-htmx",
        "django_htmx/static/django_htmx",
        {
            "htmx-2.min.js": "htmx.min.js",
        },
    ),
)


def vendor_files() -> dict[str, Path]:
    """Return the files by their new names. Raises RuntimeError with what to install."""
    found = {}
    for source in SOURCES:
        module, _, below = source.folder.partition("/")
        spec = find_spec(module)  # finds it without importing it
        if spec is None or not spec.submodule_search_locations:
            raise RuntimeError(
                f"The pages of oppserver need files of the package {source.package}, which is not"
                " in the environment of this build. Build with isolation, as 'pip install' does,"
                f" or install it first: pip install {source.package}"
            )
        folder = Path(spec.submodule_search_locations[0], below)
        for name, new_name in source.files.items():
            if not (folder / name).is_file():
                raise RuntimeError(
                    f"This version of the package {source.package} has no {below}/{name}, which the"
                    " pages of oppserver need. pyproject.toml names the version that has it."
                )
            found[new_name] = folder / name
    return found


class CustomBuildHook(BuildHookInterface[Any]):
    """Puts the files of other packages into wheels; hatchling looks for this name."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Runs before a wheel is built; ``version`` is ``standard`` or ``editable``."""
        files = vendor_files()
        if version != "editable":
            for name, path in files.items():
                build_data["force_include"][str(path)] = f"{VENDOR}/{name}"
            return
        folder = Path(self.root, "src", VENDOR)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, path in files.items():
            shutil.copyfile(path, folder / name)
