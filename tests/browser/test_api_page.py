"""The page of the API in a real browser: it opens, and every call of it can be tried."""

import re
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
from playwright.sync_api import Locator, Response

from oppserver.contract import example
from tests.browser.conftest import ROWS, Tab

BULK_READ = "GetOpportunitiesById"
READ = "ReadOpportunities"
EXPORT = "ExportOpportunities"
NDJSON = "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
TEXT_BODIES = ("text/plain", NDJSON, "text/csv")


def call_of(tab: Tab, name: str) -> Locator:
    """The box of the call with an operation id, unfolded."""
    return unfolded(tab.page.locator(f".opblock[id$='-{name}']"))


def unfolded(box: Locator) -> Locator:
    """The box of a call, unfolded."""
    if "is-open" not in (box.get_attribute("class") or ""):
        box.locator(".opblock-summary-control").click()
    return box


def execute(tab: Tab, box: Locator) -> Response:
    """Clicks Execute; the answer, which the page shows."""
    with tab.page.expect_response(re.compile(r"/v\d/")) as answer:
        box.get_by_role("button", name="Execute").click()
    shown = box.locator(".live-responses-table tbody .response-col_status")
    shown.filter(has_text=str(answer.value.status)).first.wait_for()
    return answer.value


def body_of(box: Locator) -> str:
    """The text of the answer as it is shown, or of the link to its file."""
    shown = box.locator(".live-responses-table tbody .response-col_description")
    return str(shown.first.inner_text())


def parameter(box: Locator, name: str) -> Locator:
    """The field of a parameter."""
    row = box.locator(f"tr[data-param-name='{name}']")
    return row.locator("input, select").first


def taken(box: Locator) -> Locator:
    """The choice of the body's format."""
    return box.locator(".opblock-section-request-body select.content-type")


def answered(box: Locator) -> Locator:
    """The choice of the answer's format; no element where there is nothing to choose."""
    return box.locator(".responses-table:not(.live-responses-table) tr.response select").first


def options_of(select: Locator) -> list[str]:
    """The options of a choice; one empty text where there is no choice to make."""
    return select.locator("option").all_inner_texts() if select.count() else [""]


# --- every call --------------------------------------------------------------------------------


def test_p1_the_page_opens_and_every_call_is_answered(tab: Tab) -> None:
    """Each call, filled in as it is, gets 2xx from the demo's data, one after the other.

    Where it takes an ``Idempotency-Key``, that is sent as a header (P3, P4).
    """
    tab.open("/docs")
    document = tab.server.call("GET", "/openapi.json").json
    operations = {
        one["operationId"]: one
        for methods in document["paths"].values()
        for one in methods.values()
    }
    refused, keyed = [], 0
    for name, operation in operations.items():
        box = call_of(tab, name)
        answer = execute(tab, box)
        if not answer.ok:
            refused.append((name, answer.status, body_of(box)))
        if any(one["name"] == "Idempotency-Key" for one in operation.get("parameters", [])):
            keyed += 1
            key = parameter(box, "Idempotency-Key").input_value()
            assert answer.request.headers["idempotency-key"] == key
            assert key not in answer.url
        assert tab.server.keys.access not in answer.url
        box.locator(".opblock-summary-control").click()
    assert tab.page.locator(".opblock").count() == len(operations)
    assert refused == []
    assert keyed == 13


def test_p4_every_form_of_a_call_is_answered(tab: Tab) -> None:
    """Each format that a call takes and answers can be chosen, and the example is good for it."""
    tab.open("/docs")
    refused, count = [], 0
    for name in (BULK_READ, READ, EXPORT, "Changes"):
        box = call_of(tab, name)
        for body_type in options_of(taken(box)):
            if body_type and name == READ:
                taken(box).select_option(body_type)
            for answer_type in options_of(answered(box)):
                answered(box).select_option(answer_type)
                answer = execute(tab, box)
                count += 1
                sent = answer.request.headers.get("content-type", "")
                if not answer.ok or answer_type not in answer.headers["content-type"]:
                    refused.append((name, body_type, answer_type, answer.status, body_of(box)))
                assert sent == body_type
    assert refused == []
    assert count == 5 + 4 * 4 + 5 + 2  # the bulk read, the stream, the export, changes


def test_p2_a_body_is_sent_as_it_is_shown(tab: Tab, tmp_path: Path) -> None:
    """Text in each format; as Arrow the example, until a file is chosen in its place."""
    tab.open("/docs")
    box = call_of(tab, READ)
    for media_type in TEXT_BODIES:
        taken(box).select_option(media_type)
        text = box.locator(".opblock-section-request-body textarea").input_value()
        answer = execute(tab, box)
        assert answer.request.headers["content-type"] == media_type
        assert answer.request.post_data == text
        assert example.OPPORTUNITY_ID in body_of(box)
        assert '"Found":2' in body_of(box)
        assert "can't parse" not in body_of(box)
    taken(box).select_option(ARROW)
    execute(tab, box)
    assert '"Found":2' in body_of(box)
    table = pa.table({"ProspectActivityId": [example.OTHER_OPPORTUNITY_ID]})
    with pa.ipc.new_stream(tmp_path / "one.arrow", table.schema) as writer:
        writer.write_table(table)
    box.locator("input[type=file]").set_input_files(tmp_path / "one.arrow")
    answer = execute(tab, box)
    assert answer.request.headers["content-type"] == ARROW
    assert '"Found":1' in body_of(box)


def test_p3_an_empty_header_is_not_sent(tab: Tab) -> None:
    """With a key a write is done once, without one each time."""
    tab.open("/docs")
    box = call_of(tab, "LeadUpdate")
    execute(tab, box)
    assert execute(tab, box).headers["idempotent-replayed"] == "true"
    parameter(box, "Idempotency-Key").fill("")
    answer = execute(tab, box)
    assert "idempotency-key" not in answer.request.headers
    assert "idempotent-replayed" not in answer.headers


def test_nothing_is_filled_in_as_undefined(tab: Tab) -> None:
    """No field, and no text of the page, shows that the document lacks something."""
    tab.open("/docs")
    for name in (BULK_READ, READ, "Capture", "ActivityRetrieveBySearchParameter"):
        call_of(tab, name)
    fields = tab.page.locator(".opblock input, .opblock textarea, .opblock select").all()
    values = [one.input_value() for one in fields]
    assert len(values) > 20
    for value in (*values, tab.page.locator("#docs").text_content() or ""):
        assert "undefined" not in value
        assert "[object" not in value


# --- keys, filter, links -------------------------------------------------------------------------


def test_p6_keys_are_kept_for_the_tab(tab: Tab) -> None:
    """After a reload they are there; in another tab, and in what outlives the tab, they are not.

    They are headers, or ``accessKey`` and ``secretKey`` in the query when that is chosen.
    """
    tab.open("/docs")
    tab.page.reload()
    assert execute(tab, call_of(tab, "UserByAccessKeyGet")).status == 200
    kept = tab.page.evaluate(
        "JSON.stringify([{...sessionStorage}, {...localStorage}, document.cookie])"
    )
    assert kept.count(tab.server.keys.secret) == 1
    assert kept.index(tab.server.keys.secret) < kept.index("}")
    with tab.page.context.new_page() as other:
        other.goto(f"{tab.server.url}/docs")
        other.locator(".opblock").first.wait_for()
        assert other.get_by_label("Secret key").input_value() == ""
    tab.page.get_by_label("Sent in").select_option("Query")
    answer = execute(tab, call_of(tab, "UserByAccessKeyGet"))
    assert answer.status == 200
    assert tab.server.keys.query in answer.url
    assert "x-lsq-accesskey" not in answer.request.headers
    tab.page.get_by_label("Secret key").fill("")
    tab.page.reload()
    tab.page.locator(".opblock").first.wait_for()
    assert tab.page.get_by_label("Secret key").input_value() == ""


def test_p6_the_filter_finds_calls(tab: Tab) -> None:
    """By words of group, path and text, in any case; an empty one shows all."""
    tab.open("/docs")
    every = tab.page.locator(".opblock").count()
    field = tab.page.get_by_placeholder("Filter the calls")
    for text, names in (
        ("retrievelead PHONE", ["RetrieveLeadByPhoneNumber"]),  # words of a path
        ("streams", [READ, EXPORT]),  # a group
        ("apostrophe", []),  # a word of no call's own text
        ("tombstone", ["Delete"]),  # a word of a text
    ):
        field.fill(text)
        shown = [str(one.get_attribute("id")) for one in tab.page.locator(".opblock").all()]
        assert [one.rpartition("-")[2] for one in shown] == names, text
    field.fill("")
    tab.page.locator(".opblock").nth(every - 1).wait_for()


def test_p6_a_link_leads_to_a_call(tab: Tab) -> None:
    """The call is unfolded and in sight; a call that is unfolded is in the address."""
    for link in ("Streams/ExportOpportunities", "Bulk%20read/GetOpportunitiesById"):
        tab.page.goto("about:blank")
        tab.page.goto(f"{tab.server.url}/docs#/{link}")
        box = tab.page.locator(f".opblock.is-open[id$='-{link.partition('/')[2]}']")
        box.get_by_role("button", name="Execute").wait_for()
    call_of(tab, "GetOpportunityTypes")
    assert tab.page.url.endswith("#/Types/GetOpportunityTypes")


# --- what is shown -------------------------------------------------------------------------------


def test_a_binary_or_long_answer_is_a_file(tab: Tab, tmp_path: Path) -> None:
    """The link saves the whole answer; a browser would colour long text for minutes."""
    tab.open("/docs")
    for name in (BULK_READ, READ, EXPORT):
        box = call_of(tab, name)
        for media_type, read in ((ARROW, pa.ipc.open_stream), (PARQUET, pq.ParquetFile)):
            answered(box).select_option(media_type)
            execute(tab, box)
            table = read(pa.BufferReader(saved(tab, box, tmp_path)))
            rows = table.read_all() if media_type == ARROW else table.read()
            assert example.OPPORTUNITY_ID in rows.column("ProspectActivityId").to_pylist()
    answered(box).select_option(NDJSON)
    parameter(box, "event_code").fill("12000")
    for name in ("columns", "limit", "modified_since"):
        parameter(box, name).fill("")
    execute(tab, box)
    *lines, end = saved(tab, box, tmp_path).decode().splitlines()
    assert len(lines) == ROWS
    assert '"End"' in end


def saved(tab: Tab, box: Locator, folder: Path) -> bytes:
    """The bytes of the file that the page saves."""
    with tab.page.expect_download() as download:
        box.get_by_role("link", name="Download file").click()
    file = folder / download.value.suggested_filename
    download.value.save_as(file)
    assert file.suffix in (".arrow", ".parquet", ".ndjson")
    return file.read_bytes()


def test_an_error_is_shown_with_its_message(tab: Tab) -> None:
    """Wrong keys and a bad query: status and message are on the page, in both forms of errors."""
    tab.open("/docs")
    box = call_of(tab, EXPORT)
    parameter(box, "event_code").fill("nothing")
    assert execute(tab, box).status == 400
    assert '"detail": "' in body_of(box)
    tab.page.get_by_label("Secret key").fill("wrong")
    box = call_of(tab, BULK_READ)
    assert execute(tab, box).status == 401
    assert '"ExceptionType": "MXInvalidAccessDetailsException"' in body_of(box)
    assert all(re.search("status of 40[01]", fault) for fault in tab.faults), tab.faults
    tab.faults.clear()


def test_p5_the_page_fits_its_window(tab: Tab) -> None:
    """Nothing makes the page scroll sideways: not the examples, the schemas or the answers."""
    tab.open("/docs")
    for name in (BULK_READ, READ, "Capture", "ActivityRetrieveBySearchParameter"):
        execute(tab, call_of(tab, name))
    for width in (320, 390, 1280):
        tab.page.set_viewport_size({"width": width, "height": 844})
        assert tab.page.evaluate("document.documentElement.scrollWidth") == width


def test_p5_the_page_follows_the_colours_of_the_system(tab: Tab) -> None:
    """Light on dark and dark on light, in the page and in its fields."""
    tab.page.emulate_media(color_scheme="dark")
    tab.open("/docs")
    box = call_of(tab, BULK_READ)
    execute(tab, box)
    schemes: list[tuple[Literal["dark", "light"], bool]] = [("dark", True), ("light", False)]
    for scheme, is_dark in schemes:
        tab.page.emulate_media(color_scheme=scheme)
        for one in ("body", "#keys input", ".opblock.is-open textarea", ".info .title"):
            text, back = tab.page.locator(one).first.evaluate(_LIGHTNESS)
            assert (text > back + 90) if is_dark else (back > text + 90), (scheme, one, text, back)


_LIGHTNESS = """element => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => numbers(colour).slice(0, 3).reduce((sum, one) => sum + one) / 3;
  const clear = one => numbers(getComputedStyle(one).backgroundColor)[3] === 0;
  let back = element;
  while (clear(back)) back = back.parentElement;
  return [light(getComputedStyle(element).color), light(getComputedStyle(back).backgroundColor)];
}"""
"""The lightness of an element's text and of what is behind it, each 0 to 255."""
