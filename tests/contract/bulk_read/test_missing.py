"""Every id accounted for: the headers that count, and ``?missing=true``, over a socket."""

from typing import Any

import pytest

from tests.support.running import BULK_READ, Answer, Server, asking, group
from tests.support.world import DELETED_ID, OTHER_CODE, OTHER_ID, SPARSE_ID, WIDE_CODE, WIDE_ID

UNKNOWN_ID = "99999999-9999-4999-8999-999999999999"
FIRST = "24cf277e-70fe-4b2f-a9c2-9a68f45feaba"


def wide(*ids: str) -> dict[str, Any]:
    return group(list(ids), "Status", code=WIDE_CODE)


def counts(answer: Answer) -> tuple[int, int, int]:
    """Requested, found, missing."""
    assert answer.status == 200, answer.body
    requested, found, missing = (
        int(answer.headers[f"x-opportunities-{name}"]) for name in ("requested", "found", "missing")
    )
    return requested, found, missing


def missing(server: Server, *groups: dict[str, Any]) -> list[Any]:
    """The missing ids of each entry."""
    answer = server.post(asking(*groups), path=f"{BULK_READ}?missing=true")
    assert answer.status == 200, answer.body
    for entry in answer.json:
        assert list(entry) == ["EventCode", "RecordCount", "Opportunities", "Missing"]
    return [entry["Missing"] for entry in answer.json]


# --- headers -----------------------------------------------------------------------------------


def test_headers_count_requested_found_and_missing(server: Server) -> None:
    """On each answer; unknown, deleted ids and those of other types are missing."""
    assert counts(server.post(asking(wide(WIDE_ID, SPARSE_ID)))) == (2, 2, 0)
    answer = server.post(asking(wide(WIDE_ID, UNKNOWN_ID, DELETED_ID, OTHER_ID)))
    assert counts(answer) == (4, 1, 3)


def test_headers_count_an_id_once(server: Server) -> None:
    """However often it is named, in one group or in several that all answer it."""
    assert counts(server.post(asking(wide(WIDE_ID, WIDE_ID.upper(), WIDE_ID)))) == (1, 1, 0)
    assert counts(server.post(asking(wide(WIDE_ID), wide(WIDE_ID, SPARSE_ID)))) == (2, 2, 0)
    twice = asking(wide(WIDE_ID, UNKNOWN_ID), wide(WIDE_ID, UNKNOWN_ID, DELETED_ID))
    assert counts(server.post(twice)) == (3, 1, 2)


def test_headers_count_what_another_entry_answers_as_found(server: Server) -> None:
    """Asked for under another type, and answered."""
    other = group([WIDE_ID, OTHER_ID], "Status", code=OTHER_CODE)
    assert counts(server.post(asking(other))) == (2, 1, 1)
    assert counts(server.post(asking(other, wide(SPARSE_ID)))) == (3, 3, 0)
    assert counts(server.post(asking(other, wide(SPARSE_ID), wide(SPARSE_ID)))) == (3, 3, 0)


# --- missing ids -------------------------------------------------------------------------------


def test_missing_gives_the_reason_for_each_id(server: Server) -> None:
    """Never there; deleted, when, and of which type; of another type, which nobody answers."""
    [found] = missing(server, wide(UNKNOWN_ID, DELETED_ID, WIDE_ID, OTHER_ID))
    assert found == [
        {"ProspectActivityId": UNKNOWN_ID, "Reason": "NotFound"},
        {
            "ProspectActivityId": DELETED_ID,
            "Reason": "Deleted",
            "EventCode": str(WIDE_CODE),
            "DeletedOn": "6/6/2024 6:06:06 AM",
        },
        {
            "ProspectActivityId": OTHER_ID,
            "Reason": "OtherEventCode",
            "EventCode": str(OTHER_CODE),
            "AnsweredIn": None,
        },
    ]


def test_missing_names_the_entry_that_answers_an_id(server: Server) -> None:
    """In the entry that asked for it; the entry that answers it does not miss it."""
    first, second, third = missing(
        server, group([FIRST], "Status"), wide(OTHER_ID), group([OTHER_ID], code=OTHER_CODE)
    )
    assert (first, third) == ([], [])
    assert [(one["Reason"], one["AnsweredIn"]) for one in second] == [("OtherEventCode", 2)]


def test_nothing_missing_is_an_empty_list(server: Server) -> None:
    """Each entry has one."""
    assert missing(server, wide(WIDE_ID)) == [[]]
    assert missing(server, wide(WIDE_ID), group([FIRST], "Status")) == [[], []]


def test_without_missing_nothing_changes(server: Server) -> None:
    """The same bytes as ever; with it, the same and one member more in each entry."""
    message = asking(wide(WIDE_ID, UNKNOWN_ID))
    plain = server.post(message)
    for query in ("missing=false", "missing=0", "missing", "MISSING=False"):
        assert server.post(message, path=f"{BULK_READ}?{query}").body == plain.body
    told = server.post(message, path=f"{BULK_READ}?Missing=TRUE").body
    member = b',"Missing":[{"ProspectActivityId":"%b","Reason":"NotFound"}]' % UNKNOWN_ID.encode()
    assert told == plain.body.removesuffix(b"}]") + member + b"}]"


@pytest.mark.parametrize("value", ["yes", "2", "tru"])
def test_a_missing_that_is_neither_true_nor_false(server: Server, value: str) -> None:
    """400 that names the parameter."""
    answer = server.post(asking(wide(WIDE_ID)), path=f"{BULK_READ}?missing={value}")
    assert (answer.status, answer.exception_type) == (400, "MXInvalidInputException")
    assert "'missing'" in answer.message
    assert f"'{value}'" in answer.message
