"""The console's sections of what is stored, in a real browser."""

import csv
import io
from pathlib import Path

import pyarrow.parquet as pq
from playwright.sync_api import Page, expect

from oppserver.contract import example
from oppserver.contract.limits import BULK_READ_IDS_MAX
from tests.browser.test_console import EVIL, Visit, captured, filled, refused_by_axe, visit

__all__ = ["filled", "visit"]  # the fixtures of the console

IDS = (example.OPPORTUNITY_ID, example.OTHER_OPPORTUNITY_ID)
NOWHERE = "ffffffff-0000-4000-8000-00000000000f"


def read(page: Page, ids: str) -> None:
    """Paste ids and read them."""
    page.get_by_label("Ids", exact=True).fill(ids)
    page.get_by_role("button", name="Read", exact=True).click()


# --- bulk read ----------------------------------------------------------------------------------


FORMS = (
    f"{IDS[0]}\n{NOWHERE}\n",
    f"\ufeffid\r\n\r\n{IDS[0].upper()}\r\n{NOWHERE}",
    f'Name,ProspectActivityId\n"a, b",{IDS[0]}\nc,{NOWHERE}\n',
    f'{{"ProspectActivityId":"{IDS[0]}","a":1}}\n"{NOWHERE}"',
    f"('{IDS[0]}', '{NOWHERE}', '{IDS[0]}')",
    f'[\n  "{IDS[0]}",\n  "{NOWHERE}"\n]',
)


def test_pasted_ids_are_read_in_every_form(visit: Visit) -> None:
    """The found one with its values as text, the missing one with the reason."""
    page = visit.open("/bulk-read?type=12003")
    page.get_by_role("checkbox", name="mx_Custom_1").check()
    for text in FORMS:
        read(page, text)
        expect(page.get_by_role("heading", name="2 asked, 1 found, 1 missing")).to_be_visible()
        expect(page.locator("tr", has_text=NOWHERE)).to_contain_text("No opportunity has ever had")
        expect(page.locator("tr", has_text=IDS[0])).to_contain_text(EVIL)
    assert refused_by_axe(page) == []


WRONG = (
    ("", "Paste at least one id"),
    (f"{IDS[0]}\nno id\n", "line 2: 'no id' is not a GUID. Mend or delete"),
    ("a\nb\nc\nd\ne", "line 3: 'c' is not a GUID; and 2 lines more. Mend"),
    (f'{{"ProspectActivityId":"{IDS[0]}"}}\n{{"a":1}}', "line 2: it is neither a JSON"),
    (f"Id,Name\n{IDS[0]},a\nx,b", "line 3: 'x' is not a GUID"),
    (EVIL, "line 1: '<script>"),
    (
        "\n".join(f"00000000-0000-4000-8000-{n:012}" for n in range(BULK_READ_IDS_MAX + 1)),
        "asks for 2001 opportunities; one call takes 2000. Split the ids",
    ),
)


def test_wrong_ids_are_told_beside_their_field(visit: Visit) -> None:
    """With the line and the cure; what was typed is still there."""
    page = visit.open("/bulk-read?type=12003")
    for text, message in WRONG:
        read(page, text)
        expect(page.locator("#ids-error")).to_contain_text(message)
        expect(page.get_by_label("Ids", exact=True)).to_have_attribute("aria-invalid", "true")
        assert page.get_by_label("Ids", exact=True).input_value().strip() == text.strip()


def test_columns_follow_the_type_and_one_is_needed(visit: Visit) -> None:
    """Another type has other columns; without a column the message is beside them."""
    page = visit.open("/bulk-read?type=12003")
    while (boxes := page.get_by_role("checkbox", checked=True)).count():
        boxes.first.uncheck()
    read(page, IDS[0])
    expect(page.locator("#column-error")).to_have_text("Choose at least one column.")
    assert refused_by_axe(page) == []
    page.get_by_label("Type").select_option(index=1)
    expect(page.get_by_role("checkbox", name="Status")).to_be_checked()
    expect(page.locator("#column-error")).to_have_count(0)
    read(page, IDS[0])
    expect(page.locator("tr", has_text=IDS[0])).to_contain_text("It is of type 12003.")


def test_a_file_is_read_and_downloaded(visit: Visit, tmp_path: Path) -> None:
    """A file of ids fills the field; CSV and Parquet are the answers of the API."""
    page = visit.open("/bulk-read?type=12003")
    (tmp_path / "ids.csv").write_text(f"ProspectActivityId\n{IDS[0]}\n")
    page.get_by_label("Or a file of them").set_input_files(tmp_path / "ids.csv")
    expect(page.get_by_label("Ids", exact=True)).to_have_value(f"ProspectActivityId\n{IDS[0]}\n")
    with page.expect_download() as loaded:
        page.get_by_role("button", name="Download CSV").click()
    assert loaded.value.suggested_filename == "opportunities-12003.csv"
    [row] = csv.DictReader(io.StringIO(Path(loaded.value.path()).read_text("utf-8-sig")))
    assert row["ProspectActivityId"] == IDS[0]
    with page.expect_download() as loaded:
        page.get_by_role("button", name="Download Parquet").click()
    loaded.value.save_as(tmp_path / "rows.parquet")
    assert pq.read_table(tmp_path / "rows.parquet").num_rows == 1


# --- opportunities ------------------------------------------------------------------------------


def test_opportunities_are_filtered_sorted_and_downloaded(visit: Visit) -> None:
    """The URL has it all; the search is shown as JSON; an error of the API with its cure."""
    page = visit.open("/opportunities?type=12003")
    expect(page.get_by_role("link", name=IDS[0])).to_be_visible()
    assert refused_by_axe(page) == []
    page.get_by_label("Column", exact=True).select_option("Status")
    page.get_by_label("Value").fill("Open")
    page.get_by_text("Columns, 4 of").click()
    page.get_by_role("checkbox", name="mx_Custom_1").check()
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("tr", has_text=IDS[0])).to_contain_text(EVIL)
    page.get_by_role("link", name="Opportunity name").click()
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("mx_Custom_1")
    page.get_by_text("The same search as JSON").click()
    expect(page.locator("#search-json")).to_contain_text('"ColumnName": "mx_Custom_1"')
    assert refused_by_axe(page) == []
    with page.expect_download() as loaded:
        page.get_by_role("button", name="Download CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(loaded.value.path()).read_text("utf-8-sig"))))
    assert IDS[0] in [row["ProspectActivityId"] for row in rows]
    assert {row["Status"] for row in rows} == {"Open"}
    page.get_by_label("Column", exact=True).first.select_option("CreatedOn")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("'Open'")
    expect(page.get_by_label("Value").first).to_have_value("Open")


def test_pages_of_opportunities_go_on(visit: Visit) -> None:
    """Newest change first, or by a sort; each row once; ``j`` and Enter open one."""
    for query in ("type=12000", "type=12000&sort=CreatedOn&order=up"):
        page, ids = visit.open(f"/opportunities?{query}"), []
        while True:
            ids += page.locator("[data-row]").all_inner_texts()
            if not page.get_by_role("link", name="Next page").count():
                break
            page.get_by_role("link", name="Next page").click()
        assert len(ids) == len(set(ids)) > 2 * 50
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(ids[-len(ids) % 50 or -50])


def test_an_opportunity_is_changed_and_deleted(visit: Visit) -> None:
    """By the calls of the API: their error is beside its field; values are text."""
    new = captured(visit.tab.server)
    page = visit.open(f"/opportunities/{new}")
    expect(page.get_by_role("heading", name="Lead")).to_be_visible()
    page.get_by_label("Status").fill("No such status")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#Status-error")).to_contain_text("No such status")
    expect(page.get_by_label("Status")).to_have_value("No such status")
    assert refused_by_axe(page) == []
    page.get_by_label("Status").fill("Won")
    page.get_by_label("Opportunity name").fill(EVIL)
    page.get_by_label("Notes").fill("one\ntwo")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_have_text("Saved.")
    expect(page.locator("dd", has_text="Won")).to_be_visible()
    expect(page.locator("dd", has_text=EVIL)).to_be_visible()
    expect(page.get_by_label("Notes")).to_have_value("one\ntwo")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_have_text("Nothing was changed.")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status").first).to_have_text(f"Deleted {new}.")
    visit.open(f"/opportunities/{new}")
    expect(page.get_by_role("alert")).to_contain_text("deleted")
