"""A call as text to copy: for a shell, for Python, for pytest. Pure.

Keys are never in it: they come from the variables that commands read, too.
"""

import shlex
from collections.abc import Mapping
from pprint import pformat
from typing import Any, Final, NamedTuple

import msgspec

_ACCESS: Final = "OPPSERVER_ACCESS_KEY"

_SECRET: Final = "OPPSERVER_SECRET_KEY"  # noqa: S105 (the name of a variable)

_WIDTH: Final = 78


class CopiedCall(NamedTuple):
    """A call: its path with the query, and the headers that matter beside the keys."""

    url: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int = 200


def snippets_of(call: CopiedCall) -> dict[str, str]:
    """Return the call as ``curl``, ``Python`` and ``pytest``."""
    return {"curl": _curl(call), "Python": _python(call), "pytest": _pytest(call)}


def _curl(call: CopiedCall) -> str:
    lines = [f"curl -s {shlex.quote(call.url + call.path)}"]
    if call.method not in ("GET", "POST"):
        lines[0] += f" -X {shlex.quote(call.method)}"
    lines += [
        f'-H "x-LSQ-AccessKey: ${_ACCESS}"',
        f'-H "x-LSQ-SecretKey: ${_SECRET}"',
        *(f"-H {shlex.quote(f'{name}: {value}')}" for name, value in call.headers.items()),
    ]
    if call.body:
        lines.append(f"-d {shlex.quote(call.body.decode('utf-8', 'replace'))}")
    return " \\\n  ".join(lines)


def _python(call: CopiedCall) -> str:
    return (
        "import os\n\nimport httpx\n\n"
        f"answer = httpx.request(\n    {call.method!r},\n    {call.url + call.path!r},\n"
        "    headers={\n"
        f'        "x-LSQ-AccessKey": os.environ["{_ACCESS}"],\n'
        f'        "x-LSQ-SecretKey": os.environ["{_SECRET}"],\n'
        f"{_headers(call)}    }},\n{_body(call)})\n"
        "print(answer.status_code, answer.text)\n"
    )


def _pytest(call: CopiedCall) -> str:
    return (
        "import httpx\n\n\n"
        "def test_the_call(oppserver):\n"
        f"    answer = httpx.request(\n        {call.method!r},\n"
        f"        oppserver.url + {call.path!r},\n"
        f"        headers={{**oppserver.headers, {_inline_headers(call)}}},\n"
        f"{_indented(_body(call))}    )\n"
        f"    assert answer.status_code == {call.status}\n"
    )


def _headers(call: CopiedCall) -> str:
    return "".join(f"        {name!r}: {value!r},\n" for name, value in call.headers.items())


def _inline_headers(call: CopiedCall) -> str:
    return ", ".join(f"{name!r}: {value!r}" for name, value in call.headers.items())


def _body(call: CopiedCall) -> str:
    if not call.body:
        return ""
    try:
        message: Any = msgspec.json.decode(call.body)
    except msgspec.DecodeError:
        return f"    content={call.body!r},\n"
    shown = pformat(message, width=_WIDTH, sort_dicts=False)
    return f"    json={shown.replace(chr(10), chr(10) + '         ')},\n"


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())
