"""The commands in a real terminal, as docs/client.md shows them: what it has is what they print."""

import json
import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

from oppserver.contract.model import Field, StoredOpportunity
from oppserver.store import open_store
from tests.support.running import OPPSERVER, create_key, serving
from tests.support.terminal import in_terminal

PAGE = Path(__file__).parents[3] / "docs" / "client.md"
ROWS = 30_000
ABSENT = 12
CODE = 12000


def guid(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def fill(folder: Path) -> None:
    store = open_store(f"sqlite:///{folder}/oppserver.db")
    store.put_fields([Field(event_code=CODE, schema_name="mx_Custom_1", display_name="Name")])
    rows = [
        StoredOpportunity(
            id=guid(n), event_code=CODE, lead_id=guid(n % 1_000), slots={"mx_custom_1": f"{n}"}
        )
        for n in range(ROWS)
    ]
    store.write_opportunities(rows, now="2024-01-01 00:00:00")
    store.close()


def shown(page: str) -> list[tuple[str, list[str]]]:
    """The commands of the page's terminal, each with the lines below it."""
    [block] = re.findall(r"^```terminal\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    parts = re.split(r"^\$ ", block.replace("\\\n", " "), flags=re.MULTILINE)[1:]
    return [(command, lines) for command, *lines in (part.splitlines() for part in parts)]


def form_of(line: str) -> str:
    """The form of a line: its numbers and the length of its bar are others every time."""
    without_numbers = re.sub(r"\d[\d,.:]*|-:--:--", "N", line)
    return re.sub(r"\s+", " ", re.sub(r"[\u2501\u2578\u257a]+", "bar", without_numbers))


def test_what_the_page_shows_in_a_terminal_is_printed(tmp_path: Path) -> None:
    """``fetch`` and ``pull``: a bar with numbers while they run, and a last line that stays."""
    fill(tmp_path)
    keys = create_key(tmp_path)
    (tmp_path / "keys.json").write_text(
        json.dumps({"accessKey": keys.access, "secretKey": keys.secret})
    )
    ids = "\n".join(map(guid, range(ROWS + ABSENT)))
    (tmp_path / "many.txt").write_text(ids)
    commands = shown(PAGE.read_text(encoding="utf-8"))
    assert [shlex.split(command)[1] for command, _ in commands] == ["fetch", "pull"]
    with serving(tmp_path, "--rate-limit", "10/1") as server:
        for command, lines in commands:
            typed = command.replace("127.0.0.1:8080", urlsplit(server.url).netloc)
            printed, status = in_terminal([OPPSERVER, *shlex.split(typed)[1:]], folder=tmp_path)
            print("$", typed, *printed, sep="\n")
            assert status == 0, printed
            forms = iter([form_of(line) for line in printed])
            for line in lines:
                assert form_of(line) in forms, (line, printed)
            assert form_of(printed[-1]) == form_of(lines[-1])
