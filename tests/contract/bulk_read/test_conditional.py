"""Conditional reads over a socket: ``ETag`` when asked for, ``If-None-Match``, and 304."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from oppserver.store import open_store
from tests.support.running import BULK_READ, Answer, Server, asking, create_key, group, serving
from tests.support.stores import LATER, NOW, guid, opportunity, owner
from tests.support.world import SPARSE_ID, WIDE_CODE, WIDE_ID

MESSAGE = asking(group([WIDE_ID, SPARSE_ID], "Status,Owner,mx_Custom_1", code=WIDE_CODE))
WIDE = asking(group([WIDE_ID], ",".join(f"mx_Custom_{n}" for n in range(1, 251)), code=WIDE_CODE))


def tagged(server: Server, message: Any = MESSAGE, query: str = "", **headers: str) -> Answer:
    """The answer to a call that asks for a tag."""
    answer = server.post(message, path=f"{BULK_READ}?etag=true{query}", keys=None, **headers)
    assert answer.status == 200, answer.body
    assert answer.headers["etag"].strip('"').isalnum()
    return answer


def tag(server: Server, message: Any = MESSAGE, query: str = "", **headers: str) -> str:
    return tagged(server, message, query, **headers).headers["etag"]


def test_a_tag_is_there_when_it_is_asked_for(server: Server) -> None:
    """By ``etag=true`` or any ``If-None-Match``; the body is the same; else there is none."""
    plain = server.post(MESSAGE)
    assert "etag" not in plain.headers
    assert tagged(server).body == plain.body
    other = server.post(MESSAGE, If_None_Match='"another"')
    assert (other.status, other.headers["etag"], other.body) == (200, tag(server), plain.body)


def test_who_has_the_answer_gets_304(server: Server) -> None:
    """Without a body, with the tag, and with what a cache has to know."""
    first = tagged(server)
    answer = server.post(MESSAGE, If_None_Match=first.headers["etag"])
    assert (answer.status, answer.body) == (304, b"")
    for name in ("etag", "vary"):
        assert answer.headers[name] == first.headers[name]
    assert answer.headers["x-request-id"]
    assert "content-type" not in answer.headers


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', '{},"y"', '"a,b" , W/{}', "*"])
def test_forms_of_if_none_match(server: Server, form: str) -> None:
    """One tag, several, weak ones, any (RFC 9110, 13.1.2)."""
    answer = server.post(MESSAGE, If_None_Match=form.format(tag(server)))
    assert answer.status == 304


@pytest.mark.parametrize("suffix", ["-gzip", ";gzip", "--gzip", "-br", "-zstd", "-deflate"])
@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', '"a,b" ,W/{},"y"'])
def test_h11_a_tag_with_a_coding_s_name_matches(server: Server, form: str, suffix: str) -> None:
    """Proxies that pack answers, Apache above all, add it to the tag of the plain answer."""
    packed = f'{tag(server)[:-1]}{suffix}"'
    assert server.post(MESSAGE, If_None_Match=form.format(packed)).status == 304
    for other in (f'{tag(server)[:-2]}{suffix}"', f'{packed[:-1]}x"', f'"{suffix}"'):
        assert server.post(MESSAGE, If_None_Match=form.format(other)).status == 200


@pytest.mark.parametrize("form", ["", '"x"', "x", '"{}', "{}x", '""'])
def test_what_does_not_match(server: Server, form: str) -> None:
    """Another tag, or none at all, gets the answer."""
    text = form.format(tag(server).strip('"'))
    assert server.post(MESSAGE, If_None_Match=text).status == 200


def test_query_is_conditional_too(server: Server) -> None:
    """A QUERY gets a 304 too, as in RFC 10008."""
    headers = {"Content-Type": "application/json", **server.keys.headers}
    headers["If-None-Match"] = tag(server)
    body = b'{"SearchParameters":%b}' % str(MESSAGE["SearchParameters"]).replace("'", '"').encode()
    answer = server.call("QUERY", BULK_READ, body, headers)
    assert (answer.status, answer.headers["cache-control"]) == (304, "private, no-cache")


def test_the_same_question_in_other_words_has_the_same_tag(server: Server) -> None:
    """Ids and names in other spellings, a member more: the plan is one."""
    spelled = group([WIDE_ID.upper(), SPARSE_ID], " status,OWNER , mx_custom_1", code=WIDE_CODE)
    assert tag(server, {**asking(spelled), "More": 1}) == tag(server)


def test_another_answer_has_another_tag(server: Server) -> None:
    """Other ids, order, columns, missing ids, format: all that shows in the bytes."""
    ids = [WIDE_ID, SPARSE_ID]
    tags = [
        tag(server),
        tag(server, query="&missing=true"),
        tag(server, asking(group(ids[::-1], "Status,Owner,mx_Custom_1", code=WIDE_CODE))),
        tag(server, asking(group(ids, "Owner,Status,mx_Custom_1", code=WIDE_CODE))),
        tag(server, asking(group(ids[:1], "Status,Owner,mx_Custom_1", code=WIDE_CODE))),
        *(
            tag(server, Accept=media_type)
            for media_type in (
                "application/x-ndjson",
                "text/csv",
                "application/vnd.apache.arrow.stream",
                "application/vnd.apache.parquet",
            )
        ),
        tag(server, query="&types=text", Accept="application/vnd.apache.parquet"),
        tag(server, query="&csv_formulas=escape", Accept="text/csv"),
    ]
    assert len(set(tags)) == len(tags)


def test_an_encoded_answer_has_a_tag_of_its_own(server: Server) -> None:
    """Strong tags stand for bytes as they are sent (RFC 9110, 8.8.3.3)."""
    plain, zipped = tagged(server, WIDE), tagged(server, WIDE, Accept_Encoding="gzip")
    assert zipped.headers["content-encoding"] == "gzip"
    assert gzip.decompress(zipped.body) == plain.body
    assert zipped.headers["etag"] != plain.headers["etag"]
    again = server.post(WIDE, Accept_Encoding="gzip", If_None_Match=zipped.headers["etag"])
    assert again.status == 304
    assert server.post(WIDE, If_None_Match=zipped.headers["etag"]).status == 200


def test_bad_input_is_refused_whatever_the_caller_has(server: Server) -> None:
    """A condition is looked at when there would be an answer (RFC 9110, 13.2.1)."""
    assert server.post(asking(group(["x"])), If_None_Match="*").status == 400
    assert server.post(MESSAGE, path=f"{BULK_READ}?etag=maybe").status == 400


def test_a_write_changes_the_tag(tmp_path: Path) -> None:
    """By another process, between two calls: the row, and its owner's address."""
    store = open_store(f"sqlite:///{tmp_path / 'oppserver.db'}")
    store.write_opportunities([opportunity(1, status="Open", owner_id=owner(1))], now=NOW)
    message = asking(group([guid(1)], "Status,Owner", code=12_000))
    with serving(tmp_path, keys=create_key(tmp_path)) as server:
        seen = tag(server, message)
        assert server.post(message, If_None_Match=seen).status == 304
        for changed in (
            opportunity(1, status="Won", owner_id=owner(1)),
            opportunity(2, owner_id=owner(1), owner_email="owner@example.com"),
        ):
            store.write_opportunities([changed], now=LATER)
            answer = server.post(message, If_None_Match=seen)
            assert answer.status == 200
            seen = answer.headers["etag"]
    store.close()
