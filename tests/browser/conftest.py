"""The demo's server, and a real browser in which its pages are opened."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from tests.browser import chromium
from tests.support.running import OPPSERVER, START_TIMEOUT_S, Keys, Server, clean_environment, poll

ROWS = 500
ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # nothing leaves the machine
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """``oppserver demo`` as typed, while it serves, with its keys."""
    with serving_demo(tmp_path_factory.mktemp("demo")) as server:
        yield server


@contextmanager
def serving_demo(folder: Path, *, rows: int = ROWS) -> Iterator[Server]:
    """Run ``oppserver demo`` in a folder while the block runs."""
    output = folder / "output.txt"
    with output.open("w") as printed:
        process = subprocess.Popen(
            [OPPSERVER, "demo", "--port", "0", "--opportunities", f"{rows}"],
            cwd=folder,
            env=clean_environment() | {"TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"},
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
    try:
        text = poll(
            lambda: text if "until Ctrl-C" in (text := output.read_text()) else None,
            what="the demo",
            timeout_s=120,
        )
        access, secret, url = (
            re.findall(rf"{name} +(\S+)", text)[-1]
            for name in ("accessKey", "secretKey", "Serving at")
        )
        yield Server(process, url, output, Keys(access, secret))
    finally:
        process.terminate()  # it stops the server that it has started
        process.wait(60)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium, with a profile of its own.

    Of a module, not of the session: while Playwright runs, asyncio is in use on this thread, and
    tests of other modules run event loops there.
    """
    path = chromium.find()
    if path is None:
        pytest.fail(f"Chromium is missing. {chromium.CURE}", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=ARGUMENTS,
            chromium_sandbox=os.geteuid() != 0,  # root has none
        )
        yield browser
        browser.close()


@dataclass
class Tab:
    """An open page of a server, and what went wrong in it so far.

    ``faults``: errors and warnings in the console, errors of the page's program, and requests to
    any other host.
    """

    server: Server
    page: Page
    faults: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        """Opens a page of the API of the server and types its keys."""
        self.page.goto(f"{self.server.url}{path}")
        self.page.locator(".opblock").first.wait_for()
        self.page.get_by_label("Access key").fill(self.server.keys.access)
        self.page.get_by_label("Secret key").fill(self.server.keys.secret)

    def watch(self) -> None:
        """Collects faults from now on."""
        self.page.on("console", self._look_at_console)
        self.page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))
        self.page.on("request", self._look_at_request)

    def _look_at_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"console: {message.text}")

    def _look_at_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if (
            parts.scheme not in ("data", "blob")
            and parts.netloc != urlsplit(self.server.url).netloc
        ):
            self.faults.append(f"request to another host: {request.url}")


@pytest.fixture
def tab(demo: Server, browser: Browser) -> Iterator[Tab]:
    """A new tab without any fault at the end. A test that provokes faults clears them."""
    with browser.new_context() as context:
        tab = Tab(demo, context.new_page())
        tab.page.set_default_timeout(START_TIMEOUT_S * 1_000)
        tab.watch()
        yield tab
        assert tab.faults == []
