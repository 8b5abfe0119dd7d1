"""Bulk reads over a socket: the ids of the page's example, and the rows that are answered."""

from typing import Any

from tests.support.running import Server, asking

FIRST, SECOND, THIRD = (
    "24cf277e-70fe-4b2f-a9c2-9a68f45feaba",
    "67db1ccf-ea8b-41b8-9bc2-4cdbe2391a0d",
    "2232837f-0f5e-4607-8e50-2728d90b9b5c",
)


def rows(server: Server, *groups: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The rows of each entry."""
    answer = server.post(asking(*groups))
    assert answer.status == 200, answer.body
    for entry in answer.json:
        assert list(entry) == ["EventCode", "RecordCount", "Opportunities"]
        assert entry["RecordCount"] == len(entry["Opportunities"])
    return [entry["Opportunities"] for entry in answer.json]


def ids(entry: list[dict[str, Any]]) -> list[str]:
    """The ids of an entry's rows, in order."""
    return [row["ProspectActivityId"] for row in entry]
