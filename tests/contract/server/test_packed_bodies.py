"""Bodies with a ``Content-Encoding``, on ``/v2`` and on ``/v1``: unpacked within bounds, or 415."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator

import pytest
import zstandard

from oppserver.contract.limits import BODY_BYTES_MAX_DEFAULT
from tests.support.measuring import measured
from tests.support.running import BULK_READ, Answer, Server, asking, create_key, group, serving
from tests.support.streaming import PLAIN, READ, end_of, plain, read_stream, records
from tests.support.world import SPARSE_ID, WIDE_CODE, WIDE_ID, fill

MESSAGE = json.dumps(asking(group([WIDE_ID, SPARSE_ID], code=WIDE_CODE))).encode()
QUERY = f"event_code={WIDE_CODE}&columns=Status"
PEAK_BYTES_MAX = 40 << 20
"""Memory that a packed body may take. Chosen: a body of 1 MiB, and a stream's open batches."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own, whose memory is measured."""
    folder = tmp_path_factory.mktemp("packed")
    fill(folder)
    with serving(folder, keys=create_key(folder)) as running:
        running.post(MESSAGE)
        yield running


def raw_deflate(body: bytes) -> bytes:
    """Deflate without zlib's header, as some programs send it."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def zstd(body: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(body)


Pack = Callable[[bytes], bytes]

CODINGS: dict[str, Pack] = {
    "gzip": gzip.compress,
    "GZip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    " deflate ": raw_deflate,
    "zstd": zstd,
    "identity": bytes,
    "identity, gzip": gzip.compress,
}


@pytest.mark.parametrize(("coding", "pack"), CODINGS.items(), ids=CODINGS)
def test_h7_a_packed_body_is_taken(server: Server, coding: str, pack: Pack) -> None:
    """The answer is that of the plain body: of a call, and of a stream in pieces of one byte."""
    plainly = server.post(MESSAGE)
    packed = server.post(pack(MESSAGE), Content_Encoding=coding)
    assert (packed.status, packed.body) == (200, plainly.body)
    ids = plain([WIDE_ID, SPARSE_ID])
    found = read_stream(server, QUERY, pack(ids), Content_Type=PLAIN, Content_Encoding=coding)
    assert found.body == read_stream(server, QUERY, ids, Content_Type=PLAIN).body


def test_h7_several_members_are_one_body(server: Server) -> None:
    """``cat a.gz b.gz`` makes such bodies. One coding may be around another."""
    for pack in (gzip.compress, zstd):
        coding = "gzip" if pack is gzip.compress else "zstd"
        body = pack(MESSAGE[:20]) + pack(MESSAGE[20:])
        assert server.post(body, Content_Encoding=coding).status == 200
    twice = zstd(gzip.compress(MESSAGE))
    assert server.post(twice, Content_Encoding="gzip, zstd").status == 200


def test_h7_a_write_is_taken_and_repeated(server: Server) -> None:
    """A key is for the content, however it was packed."""
    lead = json.dumps([{"Attribute": "EmailAddress", "Value": "h7@example.com"}]).encode()
    path = "/v2/LeadManagement.svc/Lead.CreateOrUpdate"
    first = server.post(
        gzip.compress(lead), path=path, Content_Encoding="gzip", Idempotency_Key="h7"
    )
    again = server.post(lead, path=path, Idempotency_Key="h7")
    assert (first.status, again.body) == (200, first.body)
    assert again.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("coding", ["br", "compress", "gzip, br", "gzip,gzip,gzip", "gzip;q=1"])
def test_h7_another_coding_is_415(server: Server, coding: str) -> None:
    """With those that are taken, in words and in a header."""
    answers = [
        server.post(MESSAGE, Content_Encoding=coding),
        server.call(
            "POST", f"{READ}?{QUERY}", b"x", server.keys.headers | {"Content-Encoding": coding}
        ),
    ]
    for answer in answers:
        assert answer.status == 415
        assert answer.headers["accept-encoding"] == "gzip, deflate, zstd"
        assert b"gzip, deflate, zstd" in answer.body
    assert answers[0].exception_type == "MXUnsupportedMediaTypeException"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
@pytest.mark.parametrize("damage", ["plain", "cut", "changed", "more"])
def test_h7_a_damaged_body_is_400(server: Server, coding: str, damage: str) -> None:
    """Not packed at all, cut, changed, or followed by something else."""
    packed = CODINGS[coding](MESSAGE)
    body = {
        "plain": MESSAGE,
        "cut": packed[:-6],
        "changed": packed[:12] + b"\xff\xff\xff\xff" + packed[16:],
        "more": packed + b"something else",
    }[damage]
    answer = server.post(body, Content_Encoding=coding)
    assert (answer.status, answer.exception_type) == (400, "MXMalformedRequestException")
    stream = read_stream(server, QUERY, body, Content_Encoding=coding)
    assert (stream.status, stream.json["type"]) in (
        (400, "/problems/malformed-body"),
        (400, "/problems/invalid-value"),
    )


BOMB = 64 << 20


def bomb(coding: str, what: bytes) -> bytes:
    """Many megabytes in less than one."""
    piece = what * ((1 << 20) // len(what))
    if coding == "zstd":
        zstd_packer = zstandard.ZstdCompressor().compressobj()
        pieces = [zstd_packer.compress(piece) for _ in range(BOMB >> 20)]
        return b"".join([*pieces, zstd_packer.flush()])
    packer = zlib.compressobj(wbits=31 if coding == "gzip" else 15)
    return b"".join([*(packer.compress(piece) for _ in range(BOMB >> 20)), packer.flush()])


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
def test_h7_a_bomb_costs_no_memory(server: Server, coding: str) -> None:
    """A call is 413 as soon as its limit is passed; a stream refuses such a ratio."""
    for what in (b"\n", f"{WIDE_ID}\n".encode()):
        body = bomb(coding, what)
        assert len(body) < BODY_BYTES_MAX_DEFAULT * 2
        with measured(server.process.pid) as used:
            called = server.post(body[:BODY_BYTES_MAX_DEFAULT], Content_Encoding=coding)
            streamed = read_stream(server, QUERY, body, Content_Type=PLAIN, Content_Encoding=coding)
        assert (called.status, called.exception_type) == (413, "MXRequestTooLargeException")
        assert streamed.status == 400 or refused_late(streamed)
        assert used.peak_bytes < PEAK_BYTES_MAX, used
        assert used.cpu_s < 5, used


def refused_late(answer: Answer) -> bool:
    """Rows have been sent before the body was found too large: the last record says so."""
    return "100 times" in answer.body.splitlines()[-1].decode()


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
def test_h7_a_body_at_the_limit(server: Server, coding: str) -> None:
    """The limit counts the unpacked bytes."""
    pack = CODINGS[coding]
    for more, status in ((0, 200), (1, 413)):
        body = pack(MESSAGE.ljust(BODY_BYTES_MAX_DEFAULT + more))
        assert server.post(body, path=BULK_READ, Content_Encoding=coding).status == status


def test_h7_a_body_that_a_get_ignores_is_not_unpacked(server: Server) -> None:
    """Whatever its coding is said to be."""
    path = "/v2/OpportunityManagement.svc/GetOpportunityTypes"
    headers = {"Content-Encoding": "br", **server.keys.headers}
    assert server.call("GET", path, b"x", headers).status == 200


def test_h7_packed_ids_come_in_any_number(server: Server) -> None:
    """A long stream is not limited by its unpacked size."""
    ids = [f"{number:08x}-1234-4000-8000-{number * 7919:012x}" for number in range(20_000)]
    body = gzip.compress(plain([*ids, WIDE_ID]))
    found = records(read_stream(server, QUERY, body, Content_Type=PLAIN, Content_Encoding="gzip"))
    assert (end_of(found)["Requested"], end_of(found)["Found"]) == (20_001, 1)
