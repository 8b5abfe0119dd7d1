"""The pictures of the console in the documents: ``python -m tests.browser.images``."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, sync_playwright

from oppserver.contract import example
from tests.browser import chromium
from tests.browser.conftest import ARGUMENTS, serving_demo
from tests.support.running import Server, asking, group

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"
SIZE: Final = (1120, 540)
SHOWN: Final = {"home": "", "requests": "/requests"}
SERVICE: Final = "/v2/OpportunityManagement.svc"


def call(server: Server) -> None:
    """Make calls of several kinds, good and bad."""
    lost = "67db1ccf-0000-4000-8000-4cdbe2391a0d"
    for ids in ([example.OPPORTUNITY_ID], [example.OPPORTUNITY_ID, lost]):
        server.post(asking(group(ids, "Status,Owner", code=12003)))
    server.get(f"{SERVICE}/GetOpportunityTypes")
    server.post(asking(group([example.OPPORTUNITY_ID], "Onwer", code=12003)))
    server.get(f"{SERVICE}/GetOpportunityDetails?OpportunityId={example.OPPORTUNITY_ID}")
    server.call("GET", f"{SERVICE}/GetOpportunityTypes")
    server.get("/v1/changes?limit=5")
    fields = [{"SchemaName": "Status", "Value": "Won"}]
    server.post(
        {"ProspectOpportunityId": example.OPPORTUNITY_ID, "Fields": fields},
        path=f"{SERVICE}/Update",
    )


def shoot(page: Page, url: str) -> None:
    """Write a picture of each page."""
    for name, path in SHOWN.items():
        page.goto(f"{url}/console{path}")
        page.wait_for_load_state("load")
        page.screenshot(path=IMAGES / f"console-{name}.png")


def main() -> int:
    """Write all pictures; the exit status."""
    browser_path = chromium.find()
    if browser_path is None:
        print(f"Chromium is missing. {chromium.CURE}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, serving_demo(Path(folder)) as server:
        call(server)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=browser_path, args=ARGUMENTS, chromium_sandbox=os.geteuid() != 0
            )
            width, height = SIZE
            page = browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme="light",
                reduced_motion="reduce",
            )
            shoot(page, server.url)
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
