"""The page of the API in a real browser: it opens, and every call of it can be tried."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Locator, Request

from oppserver.contract import example
from tests.browser.conftest import ROWS, Tab
from tests.support.running import Server

DOCUMENTED = Path(__file__).parents[2] / "docs" / "http-api.md"
READ = "/v1/opportunities/read"
EXPORT = "/v1/opportunities"
BULK_READ = "/v2/OpportunityManagement.svc/GetOpportunitiesById"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
TEXT_BODIES = ("text/plain", "application/x-ndjson", "text/csv")


def pages_of(server: Server) -> list[str]:
    """The paths of the server's pages: of all that it documents, those that are HTML."""
    text = DOCUMENTED.read_text(encoding="utf-8").partition("\n## Health, metrics, documents\n")[2]
    paths = re.findall(r"`GET (/[^`{]*)`", text)
    assert {"/docs", "/health/live", "/problems"} <= set(paths)
    return [
        path
        for path in paths
        if server.call("GET", path).headers.get("content-type", "").startswith("text/html")
    ]


def call_of(tab: Tab, path: str) -> Locator:
    """The box of the call with a path, unfolded."""
    shown = tab.page.get_by_text(path, exact=True)
    return unfolded(tab.page.locator("details.call", has=shown))


def unfolded(box: Locator) -> Locator:
    """The box of a call, unfolded."""
    if box.get_attribute("open") is None:
        box.locator("summary").first.click()
    return box


def send(box: Locator) -> str:
    """Clicks Send; the line with the status of the answer."""
    box.get_by_role("button", name="Send").click()  # hides the answer before
    status = box.locator("p.status")
    status.wait_for()
    return status.inner_text()


def sent(tab: Tab, box: Locator) -> Request:
    """Clicks Send and returns the request that was sent; its answer is good."""
    with tab.page.expect_request(re.compile(r"/v\d/")) as request:
        status = send(box)
    assert status.startswith("200 OK"), (status, body_of(box))
    return request.value


def headers_of(box: Locator) -> str:
    return box.locator("p.status ~ pre").first.inner_text()


def body_of(box: Locator) -> str:
    return box.locator("p.status ~ pre").last.inner_text()


def options_of(select: Locator) -> list[str]:
    """The options of a choice; one empty text where there is no choice to make."""
    return select.locator("option").all_inner_texts() if select.count() else [""]


# --- every call --------------------------------------------------------------------------------


def test_every_page_opens_and_every_call_is_answered(tab: Tab) -> None:
    """On every page each prefilled call gets 2xx, one after the other, from the demo's data."""
    pages = pages_of(tab.server)
    assert pages == ["/docs"]
    paths = tab.server.call("GET", "/openapi.json").json["paths"]
    for path in pages:
        tab.open(path)
        boxes = tab.page.locator("details.call").all()
        assert len(boxes) == sum(map(len, paths.values()))
        refused = []
        for box in boxes:
            unfolded(box)
            status = send(box)
            if not re.match(r"2\d\d ", status):
                refused.append((box.locator("summary").first.inner_text(), status, body_of(box)))
        assert refused == []


def test_every_form_of_a_call_is_answered(tab: Tab) -> None:
    """Each format that a call takes and answers can be chosen, and the example is good for it."""
    tab.open("/docs")
    refused, count = [], 0
    for box in tab.page.locator("details.call", has=tab.page.get_by_label("Accept")).all():
        unfolded(box)
        taken, answered = box.get_by_label("Content-Type"), box.get_by_label("Accept")
        for body_type in options_of(taken):
            if body_type:
                taken.select_option(body_type)
            for answer_type in options_of(answered):
                answered.select_option(answer_type)
                status = send(box)
                count += 1
                if not status.startswith("200 ") or answer_type not in headers_of(box):
                    refused.append((body_type, answer_type, status, body_of(box)))
    assert refused == []
    assert count == 5 + 3 * 4 + 5 + 2  # the bulk read, the stream, the export, changes


def test_nothing_is_filled_in_as_undefined(tab: Tab) -> None:
    """No field, and no text of the page, shows that the document lacks something."""
    tab.open("/docs")
    fields = tab.page.locator("input, textarea, select").all()
    values = [field.input_value() for field in fields]
    assert len(values) > 60
    for value in (*values, tab.page.locator("#calls").text_content() or ""):
        assert "undefined" not in value
        assert "[object" not in value


# --- where things are sent ---------------------------------------------------------------------


def test_header_parameters_are_sent_as_headers(tab: Tab) -> None:
    """On every write: the key as it was typed is a header and in no URL; the server knows it."""
    tab.open("/docs")
    boxes = tab.page.locator("details.call", has=tab.page.get_by_label("Idempotency-Key")).all()
    assert len(boxes) == 13
    for box in boxes:
        unfolded(box)
        assert "Idempotency-Key" not in (query_of(box) or "")
        first = sent(tab, box)
        key = box.get_by_label("Idempotency-Key").input_value()
        assert first.headers["idempotency-key"] == key
        assert "idempotency-key" not in first.url.lower()
        assert key not in first.url
        sent(tab, box)
        assert "idempotent-replayed: true" in headers_of(box)


def query_of(box: Locator) -> str | None:
    """The query that is filled in, or None where the call takes none."""
    field = box.get_by_label("Query of the call")
    return field.input_value() if field.count() else None


def test_an_empty_header_is_not_sent(tab: Tab) -> None:
    """Without an Idempotency-Key a write is done each time."""
    tab.open("/docs")
    box = call_of(tab, "/v2/LeadManagement.svc/Lead.Update")
    box.get_by_label("Idempotency-Key").fill("")
    for _ in range(2):
        assert "idempotency-key" not in sent(tab, box).headers
        assert "idempotent-replayed" not in headers_of(box)


def test_the_query_is_sent_as_it_is_typed(tab: Tab) -> None:
    """A changed query of the call is the query of the request."""
    tab.open("/docs")
    box = call_of(tab, EXPORT)
    box.get_by_label("Query of the call").fill("event_code=12000&limit=3&columns=Status")
    assert sent(tab, box).url == f"{tab.server.url}{EXPORT}?event_code=12000&limit=3&columns=Status"
    assert body_of(box).count('"ProspectActivityId"') == 3


@pytest.mark.parametrize("media_type", TEXT_BODIES)
def test_a_text_body_is_sent_as_it_is_shown(tab: Tab, media_type: str) -> None:
    """The stream call sends the ids that the text shows, as the media type that is chosen."""
    tab.open("/docs")
    box = call_of(tab, READ)
    box.get_by_label("Content-Type").select_option(media_type)
    request = sent(tab, box)
    assert request.headers["content-type"] == media_type
    assert request.post_data == box.get_by_label("Body").input_value()
    assert example.OPPORTUNITY_ID in body_of(box)
    assert '"Found":2' in body_of(box)


def test_only_bodies_that_can_be_typed_are_offered(tab: Tab) -> None:
    """Arrow is in the document, but nobody types it."""
    tab.open("/docs")
    box = call_of(tab, READ)
    assert options_of(box.get_by_label("Content-Type")) == list(TEXT_BODIES)


@pytest.mark.parametrize(
    "path", [BULK_READ, "/v2/LeadManagement.svc/Leads.Get", "/v2/OpportunityManagement.svc/Capture"]
)
def test_a_json_body_is_sent_as_json(tab: Tab, path: str) -> None:
    """The other calls send what their text shows as application/json."""
    tab.open("/docs")
    box = call_of(tab, path)
    request = sent(tab, box)
    assert request.headers["content-type"] == "application/json"
    assert request.post_data == box.get_by_label("Body").input_value()


# --- what is shown -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", [BULK_READ, READ, EXPORT])
def test_a_binary_answer_is_named_and_can_be_saved(tab: Tab, path: str, tmp_path: Path) -> None:
    """Arrow and Parquet are not shown as text; what is saved is the file."""
    tab.open("/docs")
    box = call_of(tab, path)
    for media_type, read in ((ARROW, pa.ipc.open_stream), (PARQUET, pq.ParquetFile)):
        box.get_by_label("Accept").select_option(media_type)
        sent(tab, box)
        assert body_of(box) == f"Binary, {media_type}: not shown."
        table = read(pa.BufferReader(saved(tab, box, tmp_path)))
        rows = table.read_all() if media_type == ARROW else table.read()
        assert example.OPPORTUNITY_ID in rows.column("ProspectActivityId").to_pylist()


def saved(tab: Tab, box: Locator, folder: Path) -> bytes:
    """The bytes of the file that the page saves."""
    with tab.page.expect_download() as download:
        box.get_by_role("link", name="Save the answer").click()
    file = folder / "saved"
    download.value.save_as(file)
    return file.read_bytes()


def test_a_long_answer_is_cut_on_the_page_alone(tab: Tab, tmp_path: Path) -> None:
    """The page shows the beginning and says so; what is saved has every row."""
    tab.open("/docs")
    box = call_of(tab, EXPORT)
    box.get_by_label("Query of the call").fill("event_code=12000")
    sent(tab, box)
    assert body_of(box).endswith("The first 200,000 characters. The saved answer is whole.")
    *rows, end = saved(tab, box, tmp_path).decode().splitlines()
    assert len(rows) == ROWS
    assert '"End"' in end


def test_an_error_is_shown_with_its_message(tab: Tab) -> None:
    """Wrong keys and a bad query: status and message are on the page, in both forms of errors."""
    tab.open("/docs")
    box = call_of(tab, EXPORT)
    box.get_by_label("Query of the call").fill("event_code=nothing")
    assert send(box).startswith("400 ")
    assert '"detail": "' in body_of(box)
    tab.page.get_by_label("Secret key").fill("wrong")
    box = call_of(tab, BULK_READ)
    assert send(box).startswith("401 ")
    assert '"ExceptionType": "MXInvalidAccessDetailsException"' in body_of(box)
    assert all(re.search("status of 40[01]", fault) for fault in tab.faults), tab.faults
    tab.faults.clear()


def test_a_lost_connection_is_said_and_leaves_no_old_answer(tab: Tab) -> None:
    """An earlier answer is not shown as if it were the answer."""
    tab.open("/docs")
    box = call_of(tab, BULK_READ)
    sent(tab, box)
    tab.page.context.set_offline(True)
    assert send(box).startswith("No answer: ")
    assert body_of(box) == ""
    assert all("ERR_INTERNET_DISCONNECTED" in fault for fault in tab.faults), tab.faults
    tab.faults.clear()


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_page_fits_its_window(tab: Tab, width: int) -> None:
    """Nothing makes the page scroll sideways: not the examples, the schemas or the answers."""
    tab.page.set_viewport_size({"width": width, "height": 844})
    tab.open("/docs")
    for path in (BULK_READ, READ, "/v2/OpportunityManagement.svc/Capture"):
        sent(tab, call_of(tab, path))
    tab.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert tab.page.evaluate("document.documentElement.scrollWidth") == width
