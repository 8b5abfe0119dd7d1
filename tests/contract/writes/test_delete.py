"""``Delete``: one opportunity goes, and a tombstone stays."""

from pathlib import Path

from oppserver.store.port import Transaction
from tests.support import writing
from tests.support.running import Server, create_key
from tests.support.writing import DELETE, UNIQUE, UNKNOWN_ID, captured, delete, row, store_of, well

ENGINES = ["sqlite", "postgres"]

folder, server = writing.folder, writing.server


def test_a_deleted_opportunity_is_gone_at_once(server: Server) -> None:
    """The next read does not have it; its id may be in any form, and its name in any case."""
    one = captured(server)
    answer = delete(server, one.upper())
    assert well(answer) == {"Status": "Success", "Message": {"IsSuccessful": True}}
    assert row(server, one) is None
    other = captured(server)
    well(server.call("GET", f"{DELETE}?{server.keys.query}&id={other}"))
    assert row(server, other) is None


def test_a_tombstone_says_when_and_by_whom(server: Server, folder: Path) -> None:
    """It has the caller's id, and the type that the opportunity was of."""
    one = captured(server)
    by = writing.value(server, one, "CreatedBy")
    well(delete(server, one))

    def left(transaction: Transaction) -> tuple[int, str | None]:
        tombstone = transaction.tombstones([one])[one]
        return tombstone.event_code, tombstone.deleted_by

    store = store_of(folder)
    assert store.write(left) == (writing.DEAL, by)
    assert store.check() == []
    store.close()


def test_an_opportunity_is_deleted_once(server: Server) -> None:
    """The second time it is 404, with when and by whom."""
    one = captured(server)
    well(delete(server, one))
    answer = delete(server, one)
    assert (answer.status, answer.exception_type) == (404, "MXOpportunityNotFoundException")
    assert answer.message.startswith(f"query parameter 'Id': the opportunity {one} of type 12000 (")
    assert answer.message.endswith(" by writer@example.com.")


def test_an_unknown_opportunity_is_404(server: Server) -> None:
    """The message has the id."""
    answer = delete(server, UNKNOWN_ID)
    assert answer.status == 404
    assert answer.message == (
        f"query parameter 'Id': there is no opportunity {UNKNOWN_ID}. Check the id."
    )


def test_a_type_may_forbid_it(server: Server) -> None:
    """403, with the command that allows it; the opportunity stays."""
    one = captured(server, code=UNIQUE)
    answer = delete(server, one)
    assert (answer.status, answer.exception_type) == (403, "MXAccessDeniedException")
    assert answer.message.startswith(
        f"Opportunities of type {UNIQUE} cannot be deleted."
        f" 'oppserver type create {UNIQUE} --allow-delete' allows it."
    )
    assert row(server, one, code=UNIQUE) is not None


def test_the_id_is_mandatory_and_a_guid(server: Server) -> None:
    """A 400 that names the parameter."""
    headers = server.keys.headers
    missing = server.call("GET", DELETE, headers=headers)
    assert (missing.status, missing.message) == (400, "'Id' is mandatory in the query")
    malformed = server.call("GET", f"{DELETE}?Id=7", headers=headers)
    assert malformed.status == 400
    assert malformed.message.startswith("query parameter 'Id': '7' is not a GUID.")


def test_a_reader_cannot_delete(server: Server, folder: Path) -> None:
    """403, and the opportunity stays."""
    one = captured(server)
    keys = create_key(folder, role="reader", email="reader@example.com")
    assert delete(server, one, keys=keys).status == 403
    assert row(server, one) is not None
