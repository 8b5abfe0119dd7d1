"""The console in a real browser: every page opens, every journey is clicked."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from oppserver.contract import example
from tests.browser.conftest import Tab
from tests.support.running import START_TIMEOUT_S, Server, asking, create_key, group, serving

PAGES = (
    "",
    "/bulk-read",
    "/opportunities",
    "/opportunities/24cf277e-70fe-4b2f-a9c2-9a68f45feaba",
    "/requests",
    "/changes",
    "/keys",
    "/store",
    "/sign-in?next=/keys",
    "/nothing",
)
EVIL = "<script>window.evil = 1</script><img src=x onerror='window.evil = 1'>"
SERVICE = "/v2/OpportunityManagement.svc"
JOB_TIMEOUT_MS = START_TIMEOUT_S * 1_000
LEADS = "/v2/LeadManagement.svc"


@pytest.fixture(scope="module")
def filled(demo: Server) -> Server:
    """The demo's server, in which every text that a stranger chooses is markup."""
    demo.post(asking(group([example.OPPORTUNITY_ID], "Status", code=12003)), X_Request_Id="good-1")
    demo.post(asking(group([example.OPPORTUNITY_ID], EVIL, code=12003)))
    demo.call("GET", f"{SERVICE}/%3Cscript%3Ewindow.evil=1%3C/script%3E?a=%3Cb%3E")
    changed = {"SchemaName": example.NAME_FIELD.schema_name, "Value": EVIL}
    body = {"ProspectOpportunityId": example.OPPORTUNITY_ID, "Fields": [changed]}
    assert demo.post(body, path=f"{SERVICE}/Update").status == 200
    lead = [
        {"Attribute": "EmailAddress", "Value": "evil@example.com"},
        {"Attribute": "FirstName", "Value": EVIL},
    ]
    assert demo.post(lead, path=f"{LEADS}/Lead.CreateOrUpdate").status == 200
    return demo


class Visit:
    """A tab of the console. ``faults`` are as those of ``Tab``, without statuses of errors."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        self.page: Page = tab.page

    def open(self, path: str) -> Page:
        self.page.goto(f"{self.tab.server.url}/console{path}")
        return self.page

    def forgive(self, pattern: str) -> None:
        """Take faults that a test has provoked off the list."""
        self.tab.faults[:] = [one for one in self.tab.faults if not re.search(pattern, one)]


@pytest.fixture
def visit(filled: Server, tab: Tab) -> Iterator[Visit]:
    visit = Visit(tab)
    yield visit
    assert tab.page.evaluate("window.evil") is None
    visit.forgive("Failed to load resource: the server responded with a status of 40[034]")


def refused_by_axe(page: Page) -> list[str]:
    """Return what the accessibility engine finds wrong, with the places."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]


# --- every page ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_opens_and_can_be_read(
    filled: Server, browser: Browser, scheme: Literal["light", "dark"]
) -> None:
    """Without an error or a request to elsewhere; readable by a screen reader, in both colours."""
    with browser.new_context(color_scheme=scheme, reduced_motion="reduce") as context:
        tab = Tab(filled, context.new_page())
        tab.watch()
        for path in PAGES:
            tab.page.goto(f"{filled.url}/console{path}")
            expect(tab.page.locator("h1")).to_have_count(1)
            assert refused_by_axe(tab.page) == [], path
            assert tab.page.evaluate("window.evil") is None, path
        faults = [one for one in tab.faults if "status of 404" not in one]
        assert faults == []


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_every_page_fits_its_window(visit: Visit, width: int) -> None:
    """Tables scroll within themselves; the page does not scroll sideways."""
    visit.page.set_viewport_size({"width": width, "height": 844})
    for path in PAGES:
        visit.open(path)
        assert visit.page.evaluate("document.documentElement.scrollWidth") == width, path


def test_pages_work_without_scripts(filled: Server, browser: Browser) -> None:
    """Links and forms are plain: a filter is a query, a key is made by a form."""
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{filled.url}/console/requests?status=4xx")
        assert page.locator("#calls tr").count() > 0
        assert page.locator("#calls .tag.good").count() == 0
        page.goto(f"{filled.url}/console/keys")
        page.get_by_label("E-mail").fill("plain@example.com")
        page.get_by_role("button", name="Create").click()
        expect(page.get_by_role("heading", name="The new key of plain@example.com")).to_be_visible()


# --- home ---------------------------------------------------------------------------------------


def test_home_shows_the_first_call_in_three_languages(visit: Visit) -> None:
    """Tabs are changed by mouse and by arrow keys; one is copied."""
    page = visit.open("")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(page.get_by_role("tabpanel")).to_contain_text("curl -s http://127.0.0.1")
    page.get_by_role("tab", name="curl").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tabpanel")).to_contain_text("import httpx")
    page.get_by_role("tab", name="pytest").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("def test_the_call(oppserver)")
    page.get_by_role("tabpanel").get_by_role("button", name="Copy").click()
    assert "def test_the_call" in page.evaluate("navigator.clipboard.readText()")


# --- signing in ---------------------------------------------------------------------------------


def test_a_visitor_signs_in_and_out(browser: Browser, tmp_path: Path) -> None:
    """To the page that was asked for; a wrong secret is said beside its field, and not repeated."""
    keys = create_key(tmp_path, role="reader", email="reader@example.com")
    with (
        serving(tmp_path, "--console-sign-in", "always") as server,
        browser.new_context() as context,
    ):
        tab = Tab(server, context.new_page())
        tab.watch()
        page = tab.page
        page.goto(f"{server.url}/console/changes")
        assert refused_by_axe(page) == []
        page.get_by_label("Access key").fill(keys.access)
        page.get_by_label("Secret key").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.locator("#secret_key-error")).to_contain_text("not known here, or was revoked")
        expect(page.get_by_label("Access key")).to_have_value(keys.access)
        expect(page.get_by_label("Secret key")).to_have_value("")
        page.get_by_label("Secret key").fill(keys.secret)
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(f"{server.url}/console/changes")
        expect(page.locator(".who")).to_contain_text("reader@example.com")
        expect(page.get_by_role("link", name="Keys and users")).to_have_count(0)
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert [one for one in tab.faults if "status of 400" not in one] == []


# --- requests -----------------------------------------------------------------------------------


def test_calls_appear_as_they_are_answered(visit: Visit) -> None:
    """New rows come first; paused, they wait; a filter holds for new ones, too."""
    page, server = visit.open("/requests"), visit.tab.server
    rows = page.locator("#calls tr")
    expect(page.locator("[data-live-state]")).to_have_text("Live")
    server.get(f"{SERVICE}/GetOpportunityTypes")
    expect(rows.first).to_contain_text("GetOpportunityTypes")
    page.get_by_role("button", name="Pause").click()
    server.get(f"{SERVICE}/IsOpportunityEnabled")
    expect(page.locator("[data-live-state]")).to_have_text("Paused, 1 new")
    expect(rows.first).to_contain_text("GetOpportunityTypes")
    page.get_by_role("button", name="Go on").click()
    expect(rows.first).to_contain_text("IsOpportunityEnabled")
    page.get_by_label("Status").select_option("4xx")
    expect(page).to_have_url(re.compile("status=4xx"))
    expect(rows.filter(has=page.locator(".tag.good"))).to_have_count(0)
    server.get(f"{SERVICE}/IsOpportunityEnabled")
    server.get(f"{SERVICE}/GetOpportunityTypeMetadata?code=1")
    expect(rows.first).to_contain_text("GetOpportunityTypeMetadata")
    expect(rows.filter(has=page.locator(".tag.good"))).to_have_count(0)


def test_a_call_is_found_and_opened_by_keys(visit: Visit) -> None:
    """``/`` finds, ``j`` goes to a row, Enter opens it, Esc leaves the field."""
    page = visit.open("/requests")
    page.keyboard.press("/")
    expect(page.get_by_label("Find")).to_be_focused()
    page.keyboard.type("good-1")
    expect(page.locator("#calls tr")).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(page.locator("#calls a").first).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("POST GetOpportunitiesById")
    expect(page.locator("dd", has_text="1 asked, 1 found, 0 missing")).to_be_visible()
    page.goto(f"{visit.tab.server.url}/console/requests/find?id=good-1")
    expect(page.locator("dd", has_text="good-1")).to_be_visible()


def test_an_error_is_explained_with_a_link_to_its_document(visit: Visit) -> None:
    """The API's own message, and the document of the kind of error."""
    page = visit.open("/requests?status=4xx&call=GetOpportunitiesById")
    page.locator("#calls a").first.click()
    box = page.locator(".error")
    expect(box).to_contain_text("MXUnknownAttributeException")
    expect(box).to_contain_text("is no column of type 12003")
    assert refused_by_axe(page) == []
    box.get_by_role("link", name="About this error").click()
    expect(page).to_have_url(f"{visit.tab.server.url}/problems/unknown-column")


def test_a_whole_request_is_recorded_and_made_again(visit: Visit) -> None:
    """Headers and bodies are there without secrets; a copy has them; the repetition answers."""
    page, server = visit.open("/requests"), visit.tab.server
    page.get_by_role("button", name="Record whole requests").click()
    expect(page.get_by_role("status").first).to_contain_text("recorded for 10 minutes")
    message = asking(group([example.OPPORTUNITY_ID], "Status", code=12003))
    sent = server.post(message, X_Request_Id="whole-1", Accept_Encoding="gzip")
    assert sent.status == 200
    page.goto(f"{server.url}/console/requests/find?id=whole-1")
    shown = page.locator("main").inner_text()
    assert server.keys.secret not in shown
    assert "[hidden]" in shown
    assert '"EventCode": 12003' in page.get_by_label("Body of the request").inner_text()
    assert '"RecordCount": 1' in page.get_by_label("Body of the answer").inner_text()
    assert example.OPPORTUNITY_ID in page.get_by_role("tabpanel").first.inner_text()
    page.get_by_role("button", name="Make the call again").click()
    expect(page.get_by_role("heading", name="Answer of the repeated call")).to_contain_text("200")
    assert refused_by_axe(page) == []
    server.post(
        {"ProspectOpportunityId": example.OPPORTUNITY_ID, "Fields": []},
        path=f"{SERVICE}/Update",
        X_Request_Id="whole-2",
    )
    page.goto(f"{server.url}/console/requests/find?id=whole-2")
    page.get_by_role("button", name="Make the call again").click()
    expect(page.get_by_role("dialog")).to_contain_text("The call writes.")
    assert refused_by_axe(page) == []
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.goto(f"{server.url}/console/requests")
    page.get_by_role("button", name="Stop recording").click()
    expect(page.get_by_role("button", name="Record whole requests")).to_be_visible()


def test_a_lost_connection_is_said_and_comes_back(visit: Visit) -> None:
    """The banner is there as long as the server is not."""
    page = visit.open("/requests")
    expect(page.locator("[data-live-state]")).to_have_text("Live")
    page.context.set_offline(True)
    expect(page.locator("#connection")).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator("#connection")).to_be_hidden()
    visit.forgive("ERR_INTERNET_DISCONNECTED|ERR_NETWORK")


# --- changes ------------------------------------------------------------------------------------


def test_changes_appear_as_they_are_made(visit: Visit) -> None:
    """A write and a deletion; a type alone when it is chosen."""
    page, server = visit.open("/changes"), visit.tab.server
    rows = page.locator("#changed tr")
    expect(page.locator("[data-live-state]")).to_have_text("Live")
    page.get_by_label("Type").select_option("12003")
    expect(page).to_have_url(re.compile("type=12003"))
    expect(page.locator("[data-live-state]")).to_have_text("Live")
    new = captured(server)
    expect(rows.first).to_contain_text(new)
    expect(rows.first).to_contain_text("written")
    deleted = server.get(f"{SERVICE}/Delete?Id={new}")
    assert deleted.status == 200, deleted.body
    expect(rows.first).to_contain_text("deleted")


def captured(server: Server) -> str:
    """Return the id of a new opportunity of the example's type."""
    body = {
        "LeadDetails": [{"Attribute": "EmailAddress", "Value": "new@example.com"}],
        "Opportunity": {
            "OpportunityEventCode": 12003,
            "Fields": [{"SchemaName": example.NAME_FIELD.schema_name, "Value": "New"}],
        },
    }
    answer = server.post(body, path=f"{SERVICE}/Capture")
    assert answer.status == 200, answer.body
    return str(answer.json["CreatedOpportunityId"])


# --- keys ---------------------------------------------------------------------------------------


def test_a_key_is_made_shown_once_used_and_revoked(visit: Visit) -> None:
    """The secret is on one page; the question before a revocation can be answered with no."""
    page, server = visit.open("/keys"), visit.tab.server
    page.get_by_label("E-mail").fill("once@example.com")
    page.get_by_label("Role").select_option("reader")
    page.get_by_label("First name").fill(EVIL)
    page.get_by_role("button", name="Create").click()
    text = page.locator("#new-key").inner_text()
    [access, secret] = [line.split()[1] for line in text.splitlines()]
    answer = server.call(
        "GET",
        f"{SERVICE}/GetOpportunityTypes",
        headers={"x-LSQ-AccessKey": access, "x-LSQ-SecretKey": secret},
    )
    assert answer.status == 200
    visit.open("/keys")
    assert secret not in page.content()
    row = page.locator("tr", has_text=access)
    expect(row).not_to_contain_text("not lately")
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("button", name="Cancel").click()
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("status").first).to_contain_text(f"Revoked {access}")
    expect(row).to_contain_text("revoked 20")


@pytest.mark.parametrize(
    ("email", "first_name", "at"),
    [
        ("nobody", "", "email"),
        ("", "", "email"),
        ("a b@c", "", "email"),
        ("a@b", "x" * 201, "first_name"),
    ],
)
def test_a_wrong_value_has_its_message_beside_it(
    visit: Visit, email: str, first_name: str, at: str
) -> None:
    """The form still has the typed values; nothing is made."""
    page = visit.open("/keys")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("First name").fill(first_name)
    page.get_by_role("button", name="Create").click()
    field = page.locator(f"#{at}")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.locator(f"#{at}-error")).to_be_visible()
    assert refused_by_axe(page) == []
    expect(page.get_by_label("E-mail")).to_have_value(email)
    expect(page.locator("#new-key")).to_have_count(0)


# --- the store ----------------------------------------------------------------------------------


def test_jobs_run_and_show_what_they_print(visit: Visit) -> None:
    """A check, a backup, a file with a bad line, an index; each as the command would."""
    page = visit.open("/store")
    page.get_by_role("button", name="Check the store").click()
    expect(page.locator("#job")).to_contain_text("done in", timeout=JOB_TIMEOUT_MS)
    expect(page.locator("#job")).to_contain_text("$ oppserver db check")
    page.get_by_role("button", name="Back up").click()
    expect(page.locator("#job")).to_contain_text("backed up to", timeout=JOB_TIMEOUT_MS)
    lines = [
        {"ProspectActivityId": "bbbbbbbb-1111-4000-8000-000000000001", "EventCode": 12003,
         "ProspectId": example.LEAD_ID},
        {"ProspectActivityId": "no id", "EventCode": 12003},
    ]  # fmt: skip
    data = "".join(json.dumps(line) + "\n" for line in lines).encode()
    upload(page, "two.ndjson", data)
    page.get_by_role("button", name="Import").click()
    expect(page.locator("#job")).to_contain_text("with rejected lines", timeout=JOB_TIMEOUT_MS)
    expect(page.locator("#job")).to_contain_text("imported 1 opportunity")
    page.get_by_label("Columns").fill("Status mx_Custom_1")
    page.get_by_role("button", name="Build an index").click()
    expect(page.locator("#job")).to_contain_text("index search_", timeout=JOB_TIMEOUT_MS)
    visit.open("/store")
    assert refused_by_axe(page) == []
    page.get_by_role("button", name="Drop").click()
    page.get_by_role("dialog").get_by_role("button", name="Drop").click()
    expect(page.get_by_role("status").first).to_contain_text("Dropped search_")


def upload(page: Page, name: str, data: bytes) -> None:
    """Choose a file to import."""
    file: Any = {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    page.get_by_label("NDJSON, CSV or Parquet").set_input_files(file)


@pytest.mark.parametrize("name", ["../away.db", "a/b.db", "", ".hidden", "x" * 200])
def test_a_backup_is_beside_the_database(visit: Visit, name: str) -> None:
    """A name that leads elsewhere is refused beside its field."""
    page = visit.open("/store")
    page.get_by_label("File of the copy").fill(name)
    page.get_by_role("button", name="Back up").click()
    expect(page.locator("#file-error")).to_contain_text("beside the database")


def test_what_is_no_file_to_import_is_refused(visit: Visit, tmp_path: Path) -> None:
    """Without a file, and one of another kind."""
    page = visit.open("/store")
    page.get_by_role("button", name="Import").click()
    expect(page.locator("[data-upload-state]")).to_have_text("Choose a file first.")
    upload(page, "picture.png", b"PNG")
    page.get_by_role("button", name="Import").click()
    expect(page.locator("[data-upload-state]")).to_contain_text("Choose a file of NDJSON")
    page.get_by_label("Columns").fill("no; column")
    page.get_by_role("button", name="Build an index").click()
    expect(page.locator("#columns-error")).to_contain_text("by schema name")
