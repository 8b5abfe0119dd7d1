"""Which encoding an answer is sent in, and that it is the same answer."""

import gzip
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard

from oppserver.calls.shared.negotiate import choose_encoding, encode


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("", "identity"),
        ("gzip", "gzip"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("GZip", "gzip"),
        ("\tgzip ;\tq=0.5 ", "gzip"),
        ("deflate, br", "identity"),
        ("identity", "identity"),
        ("*", "zstd"),
        ("*;q=0", "identity"),
        ("*, zstd;q=0", "gzip"),
        ("gzip;q=0, *", "zstd"),
        ("gzip;q=0, zstd;q=0, *", "identity"),
        ("gzip;q=0", "identity"),
        ("gzip;q=0.0, zstd;q=0.000", "identity"),
        ("gzip;q=0.001", "gzip"),
        ("gzip;q=1.0, zstd;q=0.999", "gzip"),
        ("gzip;q=0.5, zstd;q=0.5", "zstd"),
        ("gzip;Q=0.9, zstd;Q=0.8", "gzip"),
        ("gzip;q=0.5, identity;q=1", "identity"),
        ("gzip;q=0.5, identity;q=0.5", "gzip"),
        ("identity;q=0.5, *;q=0", "identity"),
        ("identity;q=0, gzip;q=0.1", "gzip"),
        ("gzip;q=.2", "gzip"),
        ("gzip;q=0.33333333333, zstd;q=0.3333", "gzip"),
        (",,gzip,,", "gzip"),
        ("gzip\t;\tq = .5\t,zstd;q=.4", "gzip"),
        ('gzip;note="a,zstd;q=1";q=0.5', "gzip"),
        ("identity;q=0", "identity"),
        ("identity;q=0, *", "zstd"),
        ("*;q=.5, zstd;q=.4", "gzip"),
    ],
)
def test_the_caller_s_preference_is_followed(accepted: str, chosen: str) -> None:
    """The heaviest, zstd where two weigh the same, never what is excluded (RFC 9110, 12.5)."""
    assert choose_encoding(accepted) == chosen


@pytest.mark.parametrize("weight", ["nan", "inf", "1e0", "0.5.5", ".", "", "x", "1_0", "\u0661"])
@pytest.mark.parametrize("name", ["zstd", "gzip"])
def test_a_weight_that_is_no_number_says_nothing(name: str, weight: str) -> None:
    """The encoding is named, so the caller can take it."""
    assert choose_encoding(f"{name};q={weight}") == name
    assert choose_encoding(f"{name};q={weight}, zstd;q=0.1, gzip;q=0.1, {name}") == name


@pytest.mark.parametrize("weight", ["-1", "-0.5", "-.1", "-0", "0.", "00", ".0", "0;x=1"])
@pytest.mark.parametrize("name", ["zstd", "gzip", "*"])
def test_a_weight_that_is_not_above_0_excludes_its_encoding(name: str, weight: str) -> None:
    """However it is written."""
    assert choose_encoding(f"{name};q={weight}") == "identity"
    assert choose_encoding(f"{name};q={weight}, {name};q={weight}") == "identity"


@pytest.mark.parametrize("weight", ["1.5", "2", "1.0000", "1.", "99999999999", "9" * 400])
def test_a_weight_above_1_is_1(weight: str) -> None:
    """It outranks what is below 1, and nothing else."""
    assert choose_encoding(f"gzip;q={weight}, zstd;q=0.999") == "gzip"
    assert choose_encoding(f"gzip;q={weight}, zstd;q=1") == "zstd"


@pytest.mark.parametrize(
    "accepted", [";", ";q=1", " ;q=1, ;", "=", "gzip/1", "gzip gzip", "\x00", "ü;q=ü"]
)
def test_what_is_no_list_of_encodings_asks_for_none(accepted: str) -> None:
    """Any text is answered."""
    assert choose_encoding(accepted) == "identity"


def test_a_small_body_is_sent_as_it_is() -> None:
    """Below 1,024 bytes there is nothing to save."""
    assert encode(b"x" * 1_023, "zstd") == (b"x" * 1_023, "identity")
    assert encode(b"x" * 1_024, "zstd")[1] == "zstd"
    assert encode(b"", "gzip") == (b"", "identity")


BODIES = [b"", b"x", bytes(range(256)) * 10, b'{"a":1}' * 200_000]


@pytest.mark.parametrize("body", BODIES, ids=len)
def test_an_encoded_body_is_the_body(body: bytes) -> None:
    """Decoded by another's hand, in each encoding."""
    assert encode(body, "identity") == (body, "identity")
    unzipped, unzstd = gzip.decompress, zstandard.ZstdDecompressor().decompress
    for wanted, decode in (("gzip", unzipped), ("zstd", unzstd)):
        encoded, encoding = encode(body, wanted)
        assert (decode(encoded) if encoding == wanted else encoded) == body


def test_threads_encode_side_by_side() -> None:
    """A compressor is one thread's own: what many threads encode at once is whole."""
    bodies = [str(number).encode() * 20_000 for number in range(64)]
    with ThreadPoolExecutor(8) as pool:
        encoded = list(pool.map(lambda body: encode(body, "zstd")[0], bodies))
    decoder = zstandard.ZstdDecompressor()
    assert [decoder.decompress(one) for one in encoded] == bodies
