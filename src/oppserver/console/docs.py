"""The page of the API: Swagger UI on this server's OpenAPI document."""

from html import escape
from typing import Final

from oppserver.console.assets import asset_url

HTML: Final = "text/html"

PAGE_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}
"""Headers of pages: they load nothing from elsewhere, run no inline script, and are in no frame."""


def docs_page(path_prefix: str = "") -> bytes:
    """Return the page, HTML, of a server below a path. Raises UnknownPath without its files."""

    def url(name: str) -> str:
        return escape(asset_url(name, path_prefix))

    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>oppserver: the API</title>
<link rel="icon" href="{url("icon.svg")}">
<link rel="stylesheet" href="{url("swagger-ui.css")}">
<link rel="stylesheet" href="{url("docs.css")}">
<script src="{url("swagger-ui-bundle.js")}" defer></script>
<script src="{url("docs.js")}" defer></script>
</head>
<body data-root="{escape(path_prefix)}/">
<noscript>This page needs JavaScript. The document is <a href="{escape(path_prefix)}/openapi.json">
openapi.json</a>.</noscript>
<form id="keys">
<label>Access key <input name="access" autocomplete="off" spellcheck="false"></label>
<label>Secret key <input name="secret" type="password" autocomplete="off"></label>
<label>Sent in <select name="place"><option value="Header">headers</option>
<option value="Query">the query</option></select></label>
<p>Keys stay in this tab until it is closed.</p>
</form>
<div id="docs"></div>
</body>
</html>
""".encode()
