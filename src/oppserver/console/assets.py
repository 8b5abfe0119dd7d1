"""The files that pages load, served under ``/assets/``.

``static/`` has our own. ``vendor/`` is filled by the build with files of other packages
(``hatch_build.py``). A file is read when it is first asked for, and packed once for each encoding.
"""

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oppserver.calls.shared.negotiate import choose_encoding, encode
from oppserver.contract.errors import UnknownPath
from oppserver.contract.names import quoted

REVALIDATED: Final = "no-cache"
"""``Cache-Control`` of what may change under its URL: kept, and asked for again by its tag."""

_IMMUTABLE: Final = "public, max-age=31536000, immutable"
"""``Cache-Control`` of what a hash in the URL names. Source: RFC 8246. A year."""

_MEDIA_TYPES: Final = {
    ".arrow": "application/vnd.apache.arrow.stream",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}


class Document:
    """Bytes that many callers get, with a tag, packed as each of them wants."""

    def __init__(self, body: bytes, media_type: str) -> None:
        self.tag: Final = sha256(body).hexdigest()[:16]
        self._body: Final = body
        self._media_type: Final = media_type
        self._packed: Final[dict[str, tuple[bytes, str]]] = {}

    def answer(
        self,
        request: Request,
        *,
        cache_control: str = REVALIDATED,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Return the answer to a GET or HEAD: 200, or 304 when the caller has it."""
        tag = f'W/"{self.tag}"'  # weak: its bytes depend on the encoding
        headers = {
            **(headers or {}),
            "Cache-Control": cache_control,
            "ETag": tag,
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
        if self.tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        body, encoding = self._packed_as(
            choose_encoding(request.headers.get("accept-encoding", ""))
        )
        if encoding != "identity":
            headers["Content-Encoding"] = encoding
        return Response(body, media_type=self._media_type, headers=headers)

    def _packed_as(self, encoding: str) -> tuple[bytes, str]:
        if encoding not in self._packed:
            self._packed[encoding] = encode(self._body, encoding)
        return self._packed[encoding]


def asset_url(name: str, path_prefix: str = "") -> str:
    """Return the URL of a file, from the root of the host; it changes with the file's bytes.

    Raises UnknownPath when this installation has no such file.
    """
    return f"{path_prefix}/assets/{name}?v={_asset(name).tag}"


def asset_route() -> Route:
    """Return the route of all files."""

    def answer(request: Request) -> Response:  # on a thread: the first reads and packs
        asset = _asset(request.path_params["name"])
        is_current = request.query_params.get("v") == asset.tag
        return asset.answer(request, cache_control=_IMMUTABLE if is_current else REVALIDATED)

    return Route("/assets/{name}", answer, methods=["GET"], name="Asset")


@cache
def _asset(name: str) -> Document:
    try:
        file = _files()[name]
    except KeyError:
        raise UnknownPath(
            f"There is no file {quoted(name)} in this installation. Files of other packages come"
            " with the build: 'pip install -e .' in a checkout."
        ) from None
    return Document(file.read_bytes(), _MEDIA_TYPES[f".{name.rpartition('.')[2]}"])


@cache
def _files() -> Mapping[str, Traversable]:
    folders = (files("oppserver.console") / name for name in ("static", "vendor"))
    return {file.name: file for folder in folders if folder.is_dir() for file in folder.iterdir()}
